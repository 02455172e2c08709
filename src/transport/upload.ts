import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createProxyServer } from "http-proxy-3";
import { GatewayError } from "../core/errors.js";
import type { Exchange, ExchangeSink, UpstreamRequest } from "./exchange.js";
import { readDespiteReset } from "./read-despite-reset.js";
import type { AddressPool } from "./upstream.js";
import { toGatewayError } from "./upstream-errors.js";

/** What an upload needs beside the request's head. */
export interface UploadSource {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Declared length in bytes; `null` means chunked. */
  readonly contentLength: number | null;
  /** The client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean;
  /** What the body goes through on its way, made when it begins to flow; `null`: nothing. */
  readonly hold: (() => HeldBody | null) | null;
  /** Told of each piece of the body as it arrives. */
  onBodyBytes(byteCount: number): void;
}

/** A stream that a body goes through, which lets it pass as fast as it may. */
export interface HeldBody extends Duplex {
  /** Bytes wait in it for leave to pass, and neither the client nor the upstream is to blame. */
  readonly isHeld: boolean;
}

const uploads = new WeakMap<IncomingMessage, Upload>();
const proxy = createProxyServer({ selfHandleResponse: true, xfwd: false, prependPath: false });
proxy.on("proxyReq", (proxyReq, req) => uploads.get(req)?.onSocket(proxyReq));
proxy.on("proxyRes", (proxyRes, req) => uploads.get(req)?.onResponse(proxyRes));
// Raised when both ends are gone; the request's own close event has told us already.
proxy.on("econnreset", () => {});

/**
 * Streams a request with a body to the upstream, never holding more of it than the sockets do. The body is not touched
 * before a connection stands, so that an address that does not answer costs nothing and another can be tried.
 * http-proxy-3 pipes; the path, the headers and the answer are ours, because it would normalise the first, join the
 * second and parse the third.
 */
class Upload implements Exchange {
  readonly #request: UpstreamRequest;
  readonly #source: UploadSource;
  readonly #pool: AddressPool;
  readonly #sink: ExchangeSink;
  #socket: Socket | null = null;
  #proxyReq: ClientRequest | null = null;
  #proxyRes: IncomingMessage | null = null;
  #held: HeldBody | null = null;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  /** The client need not wait any more before it sends the body. */
  #maySend: boolean;
  readonly #findsAllTaken: boolean;
  bodyTaken = false;

  constructor(request: UpstreamRequest, source: UploadSource, pool: AddressPool, sink: ExchangeSink) {
    this.#request = request;
    this.#source = source;
    this.#pool = pool;
    this.#sink = sink;
    this.#maySend = !source.expectsContinue;
    this.#findsAllTaken = pool.begin();
  }

  start(): void {
    if (this.#findsAllTaken) {
      const detail = "All connections to this bucket are busy. Raise the bucket's connections or lower the load.";
      this.#fail(new GatewayError("GATEWAY_BUSY", detail));
      return;
    }
    const { connectMs } = this.#pool.upstream.options.timeouts;
    this.#timer = setTimeout(() => {
      const detail = `${this.#pool.address} did not answer in ${connectMs} ms.`;
      this.#fail(new GatewayError("UPSTREAM_CONNECT_TIMEOUT", detail));
    }, connectMs);
    const onError = (error: Error): void => this.#fail(error);
    const socket = this.#pool.connect(() => {
      socket.off("error", onError);
      this.#send(socket);
    });
    socket.on("error", onError);
    this.#socket = socket;
  }

  abort(): void {
    if (this.#ended) return;
    this.#end();
    this.#stopSending();
  }

  resume(): void {
    this.#proxyRes?.resume();
  }

  /** The outgoing request has its socket and has sent nothing yet. */
  onSocket(proxyReq: ClientRequest): void {
    this.#proxyReq = proxyReq;
    if (this.#ended) {
      proxyReq.destroy();
      return;
    }
    try {
      this.#writeHead(proxyReq);
    } catch (cause) {
      this.#fail(new GatewayError("INTERNAL", "The head of the request cannot be sent.", { cause }));
      return;
    }
    proxyReq.on("information", ({ statusCode, rawHeaders }) => {
      if (!this.#ended && statusCode !== 100) this.#sink.onInformation(statusCode, rawHeaders);
    });
    proxyReq.on("continue", () => {
      if (this.#ended || !this.#source.expectsContinue) return;
      this.#sink.onInformation(100, []);
      this.#onMaySend();
    });
    proxyReq.on("upgrade", () => {
      this.#fail(new GatewayError("UPSTREAM_BAD_RESPONSE", `${this.#pool.address} switched protocols unasked.`));
    });
    proxyReq.on("drain", () => this.#moved());
    this.#source.req.on("end", () => this.#watchIdle());
  }

  onResponse(proxyRes: IncomingMessage): void {
    if (this.#ended) return;
    this.#proxyRes = proxyRes;
    this.#watchIdle();
    this.#sink.onHead(proxyRes.statusCode ?? 0, proxyRes.statusMessage ?? "", proxyRes.rawHeaders);
    proxyRes.on("data", (chunk: Buffer) => {
      if (this.#ended) return;
      this.#moved();
      if (!this.#sink.onData(chunk)) proxyRes.pause();
    });
    proxyRes.on("end", () => this.#finish(proxyRes));
    proxyRes.on("error", (error) => this.#fail(error));
  }

  #send(socket: Socket): void {
    if (this.#ended) {
      socket.destroy();
      return;
    }
    const { req, res } = this.#source;
    readDespiteReset(socket);
    uploads.set(req, this);
    this.bodyTaken = true;
    this.#pool.upstream.counts.usedConnections += 1;
    this.#watchIdle();
    // http-proxy-3 copies the parsed, joined headers; ours are set in onSocket from the raw pairs.
    req.headers = {};
    // It parses this as a URL, and throws for one that begins with `/\`; onSocket sets the target that is sent.
    req.url = "/";
    const agent = new HttpAgent({ keepAlive: false });
    agent.createConnection = () => socket;
    const target = { protocol: "http:", host: this.#pool.address, port: this.#pool.upstream.options.port };
    const held = this.#source.hold?.() ?? null;
    const options = held === null ? { target, agent } : { target, agent, buffer: held };
    proxy.web(req, res, options, (error: Error) => this.#fail(error));
    if (held !== null) this.#pipeThrough(held);
    // Only now: a listener makes the body flow, and its first piece would send http-proxy's own head before ours is set.
    req.on("data", (chunk: Buffer) => {
      if (this.#maySend) this.#moved();
      else this.#onMaySend();
      this.#source.onBodyBytes(chunk.length);
    });
  }

  #pipeThrough(held: HeldBody): void {
    this.#held = held;
    held.on("end", () => this.#watchIdle());
    this.#source.req.pipe(held);
  }

  /** Whether nothing of the body is still to come from the client, or from what holds it. */
  get #isBodyThrough(): boolean {
    return this.#source.req.complete && (this.#held === null || this.#held.readableEnded);
  }

  #writeHead(proxyReq: ClientRequest): void {
    const { contentLength, expectsContinue } = this.#source;
    proxyReq.path = this.#request.rawTarget;
    for (const name of proxyReq.getHeaderNames()) proxyReq.removeHeader(name);
    for (const [name, values] of groupByName(this.#request.headers)) {
      proxyReq.setHeader(name, values.length === 1 ? (values[0] as string) : values);
    }
    if (contentLength === null) proxyReq.setHeader("Transfer-Encoding", "chunked");
    else proxyReq.setHeader("Content-Length", contentLength);
    if (expectsContinue) proxyReq.setHeader("Expect", "100-continue");
    // Not flushHeaders(), which writes UTF-8: header values are bytes, held as latin1.
    proxyReq.write("", "latin1");
  }

  #onMaySend(): void {
    this.#maySend = true;
    this.#watchIdle();
  }

  #moved(): void {
    this.#timer?.refresh();
  }

  /**
   * The upstream has `headersMs` for its head once it has the whole request, or while the client waits for its leave to
   * send the body; and `idleMs` between two steps else.
   */
  #watchIdle(): void {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    const { headersMs, idleMs } = this.#pool.upstream.options.timeouts;
    const isHeadDue = this.#proxyRes === null && (this.#isBodyThrough || !this.#maySend);
    this.#timer = setTimeout(() => this.#onIdle(), isHeadDue ? headersMs : idleMs);
  }

  #onIdle(): void {
    const { address } = this.#pool;
    const isWaitingForClient =
      this.#proxyRes === null
        ? this.#maySend && !this.#isBodyGiven && this.#proxyReq?.writableNeedDrain !== true
        : this.#proxyRes.isPaused();
    // A slow client is watched by the timer of its own socket.
    if (isWaitingForClient) this.#timer?.refresh();
    else if (this.#proxyRes === null)
      this.#fail(new GatewayError("UPSTREAM_HEADERS_TIMEOUT", `${address} took no data and gave no answer.`));
    else this.#fail(new GatewayError("UPSTREAM_BODY_TIMEOUT", `${address} stopped sending.`));
  }

  /** Whether what is still to be sent waits for the upstream alone. */
  get #isBodyGiven(): boolean {
    return this.#source.req.complete && this.#held?.isHeld !== true;
  }

  #finish(proxyRes: IncomingMessage): void {
    if (this.#ended) return;
    if (!proxyRes.complete) {
      this.#fail(new GatewayError("UPSTREAM_TRUNCATED", `${this.#pool.address} closed before the end of the answer.`));
      return;
    }
    this.#end();
    // The upstream answered before the whole body had come: it does not want the rest.
    if (!this.#isBodyThrough) this.#stopSending();
    this.#sink.onEnd();
  }

  #stopSending(): void {
    if (this.#proxyReq !== null) {
      this.#source.req.unpipe(this.#held ?? this.#proxyReq);
      this.#proxyReq.destroy();
    }
    this.#held?.destroy();
    this.#socket?.destroy();
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    // An answer that came before the request's end makes the sending side fail; the answer stands.
    const answerStands = this.#proxyRes !== null && !this.#proxyRes.destroyed;
    if (answerStands && !(error instanceof GatewayError)) return;
    this.#end();
    this.#stopSending();
    this.#sink.onFail(toGatewayError(error, this.#pool.address, { headSeen: this.#proxyRes !== null, fresh: true }));
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    if (this.bodyTaken) this.#pool.upstream.counts.usedConnections -= 1;
    this.#pool.finish();
  }
}

/** Repeated headers as one entry with several values, which Node writes as several lines; first-seen order and case. */
function groupByName(headers: UpstreamRequest["headers"]): Map<string, string[]> {
  const byLowerName = new Map<string, [name: string, values: string[]]>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    const entry = byLowerName.get(name.toLowerCase());
    if (entry === undefined) byLowerName.set(name.toLowerCase(), [name, [value]]);
    else entry[1].push(value);
  }
  return new Map(byLowerName.values());
}

/** Sends a request with a body and streams the answer into the sink. */
export function startUpload(
  request: UpstreamRequest,
  source: UploadSource,
  pool: AddressPool,
  sink: ExchangeSink,
): Exchange {
  const upload = new Upload(request, source, pool, sink);
  upload.start();
  return upload;
}
