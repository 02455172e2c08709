import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { LimitsConfig } from "../config/gateway-config.js";
import type { RunningRequest } from "../gateway/handler.js";
import { readHttp2Head } from "./http2-head.js";
import { Http2Request } from "./http2-request.js";
import { Http2Response } from "./http2-response.js";
import { Http2StreamSocket } from "./http2-socket.js";

export type Http2Limits = Pick<
  LimitsConfig,
  "headerSizeBytes" | "headerCount" | "headerTimeoutMs" | "clientIdleTimeoutMs"
>;

/** One connection that speaks HTTP/2. */
export interface Http2Connection {
  readonly socket: TLSSocket;
  /** The client's address, as the connection or a believed PROXY header says. */
  readonly peer: string;
  readonly limits: Http2Limits;
  /** @param onClose told when nothing of the request is left */
  onRequest(req: IncomingMessage, res: ServerResponse, onClose: () => void): RunningRequest;
  /**
   * The connection is broken off for what the client does on it.
   * @param cause in words
   */
  onAbuse(cause: string): void;
}

/** Streams of one connection at a time, as NGINX has it. */
const MAX_STREAMS = 100;
/** Of an upload, unread, per stream: what a client may send ahead, and so the most that is held of a body. */
const STREAM_WINDOW_BYTES = 256 * 1024;
const SESSION_WINDOW_BYTES = 1024 * 1024;
/**
 * A head beyond what Node takes is reset without a word, and without a trace here. So it takes several times what the
 * gateway does, which then says 431 and writes it down; beyond that are no mistakes.
 */
const HEAD_FACTOR = 4;
const LEAST_HEAD_BYTES = 128 * 1024;
/** Crumbs of cookies, and pseudo-headers, which are no lines of HTTP/1.1's. */
const MORE_PAIRS = 128;
/** What Node counts for each pair besides its bytes (RFC 9113 §6.5.2). */
const PAIR_BYTES = 32;

/**
 * Streams that a client may reset before their answer is through (CVE-2023-44487): each costs it nothing, and us a request
 * to OSS. A browser that leaves a page of pictures resets some dozens.
 */
const RESETS = { atOnce: 200, perSecond: 20 } as const;
/** Pings and changes of settings (CVE-2019-9512, CVE-2019-9515): each is answered, however many streams it touches. */
const CONTROLS = { atOnce: 200, perSecond: 20 } as const;

/** How long a client may take to answer the ping that tells when it has heard that we go away. */
const GOAWAY_HEARD_MS = 2_000;
const LAST_STREAM_ID = 2 ** 31 - 1;

/** How long a client may take to close a connection on which all is said; Node would wait for it without an end. */
const CLOSES_WITHIN_MS = 2_000;

/** Serves the streams of one connection until it ends. */
export class Http2Reader {
  readonly #connection: Http2Connection;
  readonly #session: ServerHttp2Session;
  readonly #open = new Set<ServerHttp2Stream>();
  /** What was closed, but not gone, when it was last looked at. */
  #untaken: ReadonlySet<ServerHttp2Stream> = new Set();
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #resets = new Allowance(RESETS);
  readonly #controls = new Allowance(CONTROLS);
  /** Its cause was told. */
  #isBrokenOff = false;
  /** The connection is to end. */
  #isLeaving = false;
  /** The client is being told so; `heard`: it sends nothing new any more. */
  #goodbye: "unsaid" | "said" | "heard" = "unsaid";
  /** Ends of answers that wait until it has heard. */
  #heldEnds: (() => void)[] = [];

  constructor(connection: Http2Connection) {
    this.#connection = connection;
    const { limits, socket } = connection;
    const maxHeaderListPairs = HEAD_FACTOR * limits.headerCount + MORE_PAIRS;
    const session: ServerHttp2Session = performServerHandshake(socket, {
      maxHeaderListPairs,
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize:
          Math.max(LEAST_HEAD_BYTES, HEAD_FACTOR * limits.headerSizeBytes) + PAIR_BYTES * maxHeaderListPairs,
        enablePush: false,
      },
    });
    this.#session = session;
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: unknown) => {
      this.#onStream(stream, headers, raw as readonly string[]);
    });
    session.on("ping", () => this.#onControl());
    session.on("remoteSettings", () => this.#onControl());
    session.on("error", (error) => this.#onError(error));
    // Who sends nothing any more cannot take anything either: what it reads it has to acknowledge.
    socket.on("end", () => socket.destroy());
    const stuckTimer = setInterval(() => this.#endWhenStuck(), limits.clientIdleTimeoutMs);
    socket.on("close", () => {
      clearTimeout(this.#idleTimer);
      clearInterval(stuckTimer);
    });
    this.#closeWhenIdle(limits.headerTimeoutMs);
  }

  /**
   * Ends the connection behind the requests that are open; where there are none, behind the next, or when it has been idle
   * for as long as it may be.
   */
  goAway(): void {
    this.#isLeaving = true;
    if (this.#open.size > 0) this.#sayGoodbye();
  }

  /**
   * What the client sends before it has heard that it should send no more is served (RFC 9113 §6.8). nghttp2 reads nothing
   * more once it has said so and no stream is open, so one is kept open until then.
   */
  #sayGoodbye(): void {
    const session = this.#session;
    if (this.#goodbye !== "unsaid" || session.destroyed || session.closed) return;
    this.#goodbye = "said";
    const onHeard = (): void => {
      clearTimeout(timer);
      this.#goodbye = "heard";
      if (!session.destroyed) session.close();
      for (const end of this.#heldEnds.splice(0)) end();
    };
    const timer = setTimeout(onHeard, GOAWAY_HEARD_MS);
    session.once("close", onHeard);
    session.goaway(constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
    // The answer to the first may overtake requests that were about to be sent; to the second it cannot.
    session.ping(() => {
      if (session.destroyed || !session.ping(onHeard)) onHeard();
    });
  }

  #holdEnd(end: () => void): boolean {
    const isHeld = this.#goodbye === "said";
    if (isHeld) this.#heldEnds.push(end);
    return isHeld;
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    const { peer, limits, socket, onRequest } = this.#connection;
    clearTimeout(this.#idleTimer);
    this.#open.add(stream);
    const head = readHttp2Head(rawHeaders, !stream.endAfterHeaders);
    const about = { remoteAddress: peer, servername: socket.servername ?? false, timeout: limits.clientIdleTimeoutMs };
    const place = new Http2StreamSocket(stream, about);
    const req = new Http2Request(stream, head, headers, place);
    const res = new Http2Response(stream, req, place, (end) => this.#holdEnd(end));
    res.on("close", () => this.#onStreamClosed(stream, res));
    if (this.#isLeaving) this.#sayGoodbye();
    const running = onRequest(req as unknown as IncomingMessage, res as unknown as ServerResponse, () => {});
    this.#watch(stream, running);
  }

  #watch(stream: ServerHttp2Stream, running: RunningRequest): void {
    const { clientIdleTimeoutMs } = this.#connection.limits;
    if (stream.destroyed || stream.closed) return;
    stream.setTimeout(clientIdleTimeoutMs);
    stream.on("timeout", () => {
      running.onClientIdle();
      // Node tells it once.
      if (!stream.destroyed && !stream.closed) stream.setTimeout(clientIdleTimeoutMs);
    });
  }

  /** Node watches no stream of which nghttp2 has sent all, though the client may take nothing of it. */
  #endWhenStuck(): void {
    const sent = [...this.#open].filter((stream) => stream.closed && !stream.destroyed);
    if (sent.some((stream) => this.#untaken.has(stream))) this.#connection.socket.destroy();
    this.#untaken = new Set(sent);
  }

  #onStreamClosed(stream: ServerHttp2Stream, res: Http2Response): void {
    this.#open.delete(stream);
    const isReset = !res.writableFinished && !res.isBrokenOff && !this.#session.destroyed;
    if (isReset && !this.#resets.take()) this.#breakOff("it resets its streams too often");
    if (this.#open.size === 0) this.#closeWhenIdle(this.#connection.limits.clientIdleTimeoutMs);
  }

  /** Pings do not count: a connection is for requests. */
  #closeWhenIdle(afterMs: number): void {
    clearTimeout(this.#idleTimer);
    const session = this.#session;
    if (this.#connection.socket.destroyed) return;
    const waitMs = session.closed || session.destroyed ? CLOSES_WITHIN_MS : afterMs;
    this.#idleTimer = setTimeout(() => this.#close(), waitMs);
  }

  #close(): void {
    const { socket } = this.#connection;
    if (this.#session.closed || this.#session.destroyed) {
      socket.destroy();
      return;
    }
    this.#session.close();
    this.#idleTimer = setTimeout(() => socket.destroy(), CLOSES_WITHIN_MS);
  }

  #onControl(): void {
    if (!this.#controls.take()) this.#breakOff("it sends too many pings or settings");
  }

  #breakOff(cause: string): void {
    if (this.#isBrokenOff) return;
    this.#isBrokenOff = true;
    this.#connection.onAbuse(cause);
    // Without an Error Node would send the code of no error.
    this.#session.destroy(new Error(cause), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** What nghttp2 does not put up with: floods that it counts itself, and what is no HTTP/2. */
  #onError(error: Error): void {
    if (!this.#isBrokenOff) this.#connection.onAbuse(error.message);
    this.#isBrokenOff = true;
    this.#session.destroy();
  }
}

/** So many at once, and so many more each second. */
class Allowance {
  readonly #atOnce: number;
  readonly #perSecond: number;
  #left: number;
  #countedMs = performance.now();

  constructor({ atOnce, perSecond }: { readonly atOnce: number; readonly perSecond: number }) {
    this.#atOnce = atOnce;
    this.#perSecond = perSecond;
    this.#left = atOnce;
  }

  take(): boolean {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#countedMs) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#atOnce, this.#left + earned) - 1;
    this.#countedMs = nowMs;
    return this.#left >= 0;
  }
}
