import type { Dispatcher } from "undici";
import { GatewayError } from "../core/errors.js";
import type { Exchange, ExchangeSink, UpstreamRequest } from "./exchange.js";
import type { AddressPool, ConnectionCounts } from "./upstream.js";
import { toGatewayError } from "./upstream-errors.js";

/**
 * The handler object that undici calls for one bodyless request: no stream stands between the upstream's socket and the
 * sink. It has undici's `onConnect/onHeaders/…` form, which gives the raw header pairs; the newer form parses them into
 * an object first, which costs 2.5 times as much (architecture §5). undici 8 has dropped it, so stay on 7 here.
 */
class DownloadHandler implements Dispatcher.DispatchHandler, Exchange {
  readonly bodyTaken = false;
  readonly #sink: ExchangeSink;
  readonly #pool: AddressPool;
  readonly #fresh: boolean;
  #abort: ((error?: Error) => void) | null = null;
  #resume: (() => void) | null = null;
  #headSeen = false;
  #ended = false;
  #status = 0;
  #queueTimer: NodeJS.Timeout | undefined;

  constructor(sink: ExchangeSink, pool: AddressPool, fresh: boolean) {
    this.#sink = sink;
    this.#pool = pool;
    this.#fresh = fresh;
    if (pool.begin()) this.#limitWait();
  }

  get #counts(): ConnectionCounts {
    return this.#pool.upstream.counts;
  }

  /** A connection may come free, but a request must not wait for ever: those that hold them may be slow readers. */
  #limitWait(): void {
    const limitMs = 2 * this.#pool.upstream.options.timeouts.connectMs;
    this.#counts.queued += 1;
    this.#queueTimer = setTimeout(() => {
      const detail = `No connection to the bucket came free in ${limitMs} ms. Raise the bucket's connections or lower the load.`;
      this.onError(new GatewayError("GATEWAY_BUSY", detail));
    }, limitMs);
  }

  abort(): void {
    if (this.#ended) return;
    this.#end();
    this.#abort?.();
  }

  resume(): void {
    if (!this.#ended) this.#resume?.();
  }

  onConnect(abort: (error?: Error) => void): void {
    // The client may have gone while the request waited for a connection.
    if (this.#ended) {
      abort();
      return;
    }
    this.#leaveQueue();
    if (this.#abort === null) this.#counts.usedConnections += 1;
    this.#abort = abort;
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (this.#ended) return true;
    const headers = decodePairs(rawHeaders);
    if (status < 200) {
      this.#sink.onInformation(status, headers);
      return true;
    }
    this.#headSeen = true;
    this.#status = status;
    this.#resume = resume;
    this.#sink.onHead(status, statusText, headers);
    return true;
  }

  onData(chunk: Buffer): boolean {
    // When it goes on with nothing left to read, undici gives an empty chunk, and must not be paused by it.
    return this.#ended || chunk.length === 0 ? true : this.#sink.onData(chunk);
  }

  onComplete(): void {
    if (this.#ended) return;
    this.#end();
    this.#sink.onEnd();
  }

  onError(error: Error): void {
    if (this.#ended) return;
    this.#end();
    if (this.#isBodilessWithLength(error)) {
      this.#sink.onEnd();
      return;
    }
    this.#sink.onFail(toGatewayError(error, this.#pool.address, { headSeen: this.#headSeen, fresh: this.#fresh }));
  }

  /** A 304 may tell the length that a 200 would have (RFC 9110 §8.6); undici takes it for a body that did not come. */
  #isBodilessWithLength(error: Error): boolean {
    const isMismatch = (error as NodeJS.ErrnoException).code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH";
    return isMismatch && (this.#status === 304 || this.#status === 204);
  }

  /** The dispatch itself was refused: the request is not one that undici can send. */
  onRefused(error: unknown): void {
    this.onError(error instanceof Error ? error : new GatewayError("INTERNAL", String(error)));
  }

  #end(): void {
    this.#ended = true;
    this.#leaveQueue();
    if (this.#abort !== null) this.#counts.usedConnections -= 1;
    this.#pool.finish();
  }

  #leaveQueue(): void {
    if (this.#queueTimer === undefined) return;
    clearTimeout(this.#queueTimer);
    this.#queueTimer = undefined;
    this.#counts.queued -= 1;
  }
}

/** undici gives latin1 bytes; HTTP header values are not text in any one encoding, so bytes become code points 1:1. */
function decodePairs(rawHeaders: readonly Buffer[]): string[] {
  const pairs = new Array<string>(rawHeaders.length);
  for (let i = 0; i < rawHeaders.length; i += 1) pairs[i] = (rawHeaders[i] as Buffer).toString("latin1");
  return pairs;
}

/**
 * Sends a request without a body and streams the answer into the sink.
 * @param fresh on a connection of its own, since a used one was just found closed
 */
export function startDownload(
  request: UpstreamRequest,
  pool: AddressPool,
  sink: ExchangeSink,
  fresh: boolean,
): Exchange {
  const handler = new DownloadHandler(sink, pool, fresh);
  const dispatcher = fresh ? pool.freshDispatcher() : pool.pool;
  const options: Dispatcher.DispatchOptions & { servername: string } = {
    method: request.method as Dispatcher.HttpMethod,
    path: request.rawTarget,
    headers: request.headers as string[],
    // Without it undici looks for a name in the Host header, and with TLS reconnects whenever two Hosts alternate.
    servername: pool.upstream.options.host,
    // Keeps the connection after a HEAD, which undici closes by default.
    reset: false,
  };
  try {
    dispatcher.dispatch(options, handler);
  } catch (error) {
    handler.onRefused(error);
  }
  if (fresh) dispatcher.close().catch(() => {});
  return handler;
}
