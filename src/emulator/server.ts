import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { headerValue } from "../core/headers.js";
import type { Outcome } from "./answer.js";
import { CaptureRing, type OpenCapture } from "./capture.js";
import { refuse } from "./errors.js";
import type { Arrival } from "./exchange.js";
import { cannedAnswer, type Fault, FaultPlan, throttleRefusal } from "./faults.js";
import { MAX_BODY_BYTES, type ReceivedBody, readBody } from "./ingest.js";
import { type Reply, sendInformational, sendOutcome } from "./respond.js";

const MAX_HEADER_BYTES = 64 * 1024;
const DEFAULT_KEEP_ALIVE_MS = 60_000;
const DEFAULT_CAPTURES = 1000;

export interface ServerOptions {
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** How long an idle connection is kept; 60 s when absent. */
  readonly keepAliveTimeoutMs?: number;
  /** How many requests are remembered; 1000 when absent. */
  readonly captureLimit?: number;
  readonly nowMs: () => number;
  readonly answer: (arrival: Arrival) => Promise<Outcome>;
}

/** One request in work. */
interface Work {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly capture: OpenCapture;
  readonly expectsContinue: boolean;
  readonly startedMs: number;
  /** Fires when the connection breaks in the middle of the request's body. */
  readonly cutOff: AbortController;
}

/** The sockets: reads requests strictly, remembers them as they came, answers them, and breaks what faults order. */
export class EmulatorServer {
  readonly captures: CaptureRing;
  readonly faults = new FaultPlan();
  /** `change`: something happened that a test may wait for. */
  readonly changes = new EventEmitter<{ change: [] }>();
  acceptedConnections = 0;
  clientErrors = 0;
  readonly #options: ServerOptions;
  readonly #server: Server;
  /** By remote port: TCP sockets, also of TLS connections, because only those can be reset. */
  readonly #sockets = new Map<number, Socket>();
  readonly #requestsOnSocket = new WeakMap<Socket, number>();
  readonly #works = new Set<Work>();
  #requestCount = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.captures = new CaptureRing(options.captureLimit ?? DEFAULT_CAPTURES);
    const settings = {
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: options.keepAliveTimeoutMs ?? DEFAULT_KEEP_ALIVE_MS,
    };
    this.#server =
      options.tls === undefined ? createServer(settings) : createTlsServer({ ...settings, ...options.tls });
    this.#server.maxHeadersCount = 0;
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("request", (request, response) => this.#begin(request, response, false));
    this.#server.on("checkContinue", (request, response) => this.#begin(request, response, true));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      this.#refuseMalformed(error, socket as Socket);
    });
  }

  async listen(port: number, host: string): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
  }

  address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the emulator does not listen");
    return address;
  }

  openSockets(): number {
    return this.#sockets.size;
  }

  requestsInFlight(): number {
    return this.#works.size;
  }

  closeIdleSockets(): void {
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #changed(): void {
    this.changes.emit("change");
  }

  #accept(socket: Socket): void {
    this.acceptedConnections += 1;
    const port = socket.remotePort ?? 0;
    this.#sockets.set(port, socket);
    socket.once("close", () => {
      this.#sockets.delete(port);
      this.#changed();
    });
    this.#changed();
  }

  #begin(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const { socket } = request;
    const numberOnSocket = (this.#requestsOnSocket.get(socket) ?? 0) + 1;
    this.#requestsOnSocket.set(socket, numberOnSocket);
    this.#requestCount += 1;
    const capture: OpenCapture = {
      requestId: this.#requestCount.toString(16).toUpperCase().padStart(24, "0"),
      method: request.method ?? "",
      rawTarget: request.url ?? "",
      httpVersion: request.httpVersion,
      rawHeaders: request.rawHeaders,
      remotePort: socket.remotePort ?? 0,
      numberOnSocket,
      bodyBytes: 0,
      continueSent: false,
      status: null,
      state: "pending",
    };
    const work = {
      request,
      response,
      capture,
      expectsContinue,
      startedMs: this.#options.nowMs(),
      cutOff: new AbortController(),
    };
    this.captures.add(capture);
    this.#works.add(work);
    response.once("close", () => this.#finish(work));
    this.#changed();
    this.#serve(work).catch((error: unknown) => {
      response.destroy();
      // A bug in here must not look like a fault of the network.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  #finish(work: Work): void {
    work.capture.state = work.response.writableFinished ? "answered" : "aborted";
    this.#works.delete(work);
    this.#changed();
  }

  async #serve(work: Work): Promise<void> {
    const fault = this.faults.take(work.capture);
    switch (fault?.kind) {
      case "resetBeforeHead":
      case "resetOnReuse":
        return this.#reset(work);
      case "rawAnswer":
        work.request.socket.end(fault.bytes);
        return;
      case "stallBeforeHead":
        await this.#stall(work);
        return work.response.destroyed ? undefined : this.#answer(work, await this.#ask(work), null);
      case "throttle":
        return this.#answer(work, throttleRefusal(fault), null);
      case "answer":
        return this.#answer(work, cannedAnswer(fault), null);
      case "refuseUpload":
        return this.#refuseUpload(work, fault);
      case "informational":
        sendInformational(work.response, fault.status, fault.headers ?? []);
        return this.#answer(work, await this.#ask(work), null);
      case "resetAfterEffect":
        await this.#ask(work);
        return this.#reset(work);
      default:
        return this.#answer(work, await this.#ask(work), fault);
    }
  }

  #ask(work: Work): Promise<Outcome> {
    const { request, capture } = work;
    return this.#options.answer({
      method: capture.method,
      rawTarget: capture.rawTarget,
      headers: capture.rawHeaders,
      isTls: "encrypted" in request.socket,
      requestId: capture.requestId,
      receiveBody: (options = {}) => this.#receive(work, options.discard ?? false, options.maxBytes ?? MAX_BODY_BYTES),
    });
  }

  async #receive(work: Work, discard: boolean, maxBytes: number): Promise<ReceivedBody | ReturnType<typeof refuse>> {
    if (work.expectsContinue) {
      work.capture.continueSent = true;
      work.response.writeContinue();
    }
    const count = (bytes: number): void => {
      work.capture.bodyBytes += bytes;
    };
    return readBody(work.request, { count, discard, maxBytes, cutOff: work.cutOff.signal });
  }

  async #answer(work: Work, outcome: Outcome, fault: Fault | null, closes = false): Promise<void> {
    const { request, response, capture, expectsContinue } = work;
    if (response.destroyed) return;
    capture.status = outcome.status;
    const isBodyUnwanted = expectsContinue && !capture.continueSent;
    const reply: Reply = {
      request,
      response,
      requestId: capture.requestId,
      hostHeader: headerValue(request.rawHeaders, "host") ?? "",
      startedMs: work.startedMs,
      nowMs: this.#options.nowMs(),
      closes: closes || isBodyUnwanted || work.cutOff.signal.aborted,
      reset: () => this.#reset(work),
      stall: () => this.#stall(work),
    };
    if (!request.complete && !isBodyUnwanted && !closes) this.#countRest(work);
    await sendOutcome(outcome, reply, fault);
  }

  /** Reads what is left of a body that nobody asked for, so that the connection can be used again. */
  #countRest({ request, capture }: Work): void {
    if (request.readableFlowing === true) return;
    request.on("data", (chunk: Buffer) => {
      capture.bodyBytes += chunk.length;
    });
    request.resume();
  }

  async #refuseUpload(work: Work, fault: Fault & { readonly kind: "refuseUpload" }): Promise<void> {
    await arrived(work, fault.afterBytes);
    return this.#answer(work, refuse(fault.code), null, fault.closes);
  }

  async #stall(work: Work): Promise<void> {
    const standing = this.faults.stall((callback) => work.response.once("close", callback));
    this.#changed();
    await standing;
  }

  #reset({ request }: Work): void {
    const socket = this.#sockets.get(request.socket.remotePort ?? 0);
    if (socket === undefined) return;
    // Node ends the stream before it resets; that FIN would reach the peer first and look like an end in good order.
    socket.destroySoon = () => void socket.destroy();
    socket.resetAndDestroy();
  }

  #refuseMalformed({ code }: NodeJS.ErrnoException, socket: Socket): void {
    this.clientErrors += 1;
    const cut = [...this.#works].find(({ request }) => request.socket === socket && !request.complete);
    if (cut !== undefined) cut.cutOff.abort(code === "ERR_HTTP_REQUEST_TIMEOUT" ? "RequestTimeout" : "IncompleteBody");
    else if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
    this.#changed();
  }
}

/** Waits until so many bytes of a body arrived, or all of it; bytes count as they come. */
function arrived({ request, response, capture, expectsContinue }: Work, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    if (bytes <= 0) return resolve();
    if (expectsContinue) {
      capture.continueSent = true;
      response.writeContinue();
    }
    const onData = (chunk: Buffer): void => {
      capture.bodyBytes += chunk.length;
      if (capture.bodyBytes < bytes) return;
      request.pause();
      request.off("data", onData);
      resolve();
    };
    request.on("data", onData);
    request.once("close", resolve);
    request.once("end", resolve);
  });
}
