import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RunningRequest } from "../gateway/handler.js";

/** Begins to serve a request. @param onClose told when nothing of it is left */
export type BeginRequest = (req: IncomingMessage, res: ServerResponse, onClose: () => void) => RunningRequest;

/** Requests that may wait behind another on one connection before reading from it stops. */
const MAX_WAITING = 8;

/** A connection of HTTP/1: it serves one request at a time, in their order; what a client pipelines behind it waits. */
export class HttpConnection {
  readonly #begin: BeginRequest;
  readonly #waiting: (readonly [req: IncomingMessage, res: ServerResponse])[] = [];
  #running: RunningRequest | null = null;
  /** What came after the running request is not HTTP: the connection ends with its answer. */
  #isBroken = false;

  constructor(socket: Socket, begin: BeginRequest) {
    this.#begin = begin;
    socket.on("end", () => this.#running?.onClientHalfClosed());
    socket.on("close", () => {
      this.#waiting.length = 0;
    });
  }

  get isServing(): boolean {
    return this.#running !== null;
  }

  serve(req: IncomingMessage, res: ServerResponse): void {
    if (this.#running === null) {
      this.#serveNow(req, res);
      return;
    }
    this.#waiting.push([req, res]);
    if (this.#waiting.length >= MAX_WAITING) req.socket.pause();
  }

  #serveNow(req: IncomingMessage, res: ServerResponse): void {
    const running = this.#begin(req, res, () => {
      this.#running = null;
      if (this.#isBroken) req.socket.destroySoon();
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#serveNow(...next);
      if (this.#waiting.length < MAX_WAITING) req.socket.resume();
    });
    this.#running = running;
    // Told of the first of several that the client sent before it shut down its side, not of those behind it.
    if (req.socket.readableEnded) running.onClientHalfClosed();
  }

  /** It has been still for as long as it may be. */
  onIdle(socket: Socket): void {
    if (this.#running === null) socket.destroy();
    else this.#running.onClientIdle();
  }

  /**
   * What arrived is not HTTP. Node tells this again for each piece that still arrives; the first counts.
   * @param message what a running request is told
   * @returns whether nobody has answered it yet
   */
  onMalformed(message: string): boolean {
    if (this.#isBroken) return false;
    this.#isBroken = true;
    const running = this.#running;
    running?.onMalformed(message);
    return running === null;
  }
}
