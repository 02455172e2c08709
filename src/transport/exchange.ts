import type { GatewayError } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";

/** One request as it goes to the upstream. */
export interface UpstreamRequest {
  readonly method: string;
  /** Origin-form request target, sent byte for byte. */
  readonly rawTarget: string;
  /** With `Host`, without hop-by-hop headers and framing; order, case and repetition are kept. */
  readonly headers: HeaderList;
}

/**
 * What the transport tells the request that it serves. Calls come in this order: any number of `onInformation`,
 * then `onHead`, `onData`… and `onEnd`; or `onFail` once at any point, after which nothing more is called.
 */
export interface ExchangeSink {
  /** An interim answer, 102 or 103 say; 100 only when the client waits for it. */
  onInformation(status: number, rawHeaders: HeaderList): void;
  onHead(status: number, statusText: string, rawHeaders: HeaderList): void;
  /** @returns false to pause; {@link Exchange.resume} goes on */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  onFail(error: GatewayError): void;
}

/** The request's handle on a running exchange. */
export interface Exchange {
  /** Ends the upstream side at once; no sink call follows. */
  abort(): void;
  resume(): void;
  /** Whether part of the request's body may have been read, so that the request cannot be sent again. */
  readonly bodyTaken: boolean;
}
