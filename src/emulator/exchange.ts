import { type HeaderList, headerValue } from "../core/headers.js";
import type { KnownCredentials, SignatureClass } from "../signing/types.js";
import type { Outcome } from "./answer.js";
import type { HlsSignLimits } from "./hls-limits.js";
import type { ReceiveBody } from "./ingest.js";
import type { Query } from "./query.js";
import type { Bucket, Store } from "./store.js";

/** What the emulator is about: shared by all requests. */
export interface World {
  readonly store: Store;
  readonly credentials: ReadonlyMap<string, KnownCredentials>;
  readonly ownerId: string;
  readonly hlsSignLimits: HlsSignLimits;
  readonly nowMs: () => number;
}

/** One request as it arrived, before anything is known about it. */
export interface Arrival {
  readonly method: string;
  /** As on the request line. */
  readonly rawTarget: string;
  readonly headers: HeaderList;
  readonly isTls: boolean;
  readonly requestId: string;
  readonly receiveBody: ReceiveBody;
}

/** One request to a bucket or an object, addressed, authenticated and allowed. */
export interface Exchange {
  readonly arrival: Arrival;
  readonly world: World;
  readonly bucket: Bucket;
  /** Decoded; `""` for the bucket itself. */
  readonly key: string;
  readonly query: Query;
  readonly headers: HeaderList;
  /** `Host` as the client sent it. */
  readonly hostHeader: string;
  /** Whether the Host is one of OSS's own names, as against a bound domain (oss-semantics §1.4). */
  readonly isDefaultDomain: boolean;
  readonly isAccelerate: boolean;
  /** `null` for anonymous requests. */
  readonly accessKeyId: string | null;
  readonly signatureClass: SignatureClass;
  /** One reading of the clock for the whole request. */
  readonly nowMs: number;
}

export type Handler = (exchange: Exchange) => Outcome | Promise<Outcome>;

/** The first value of a request header, or `undefined`; `lowerName` in lower case. */
export function requestHeader(exchange: Exchange, lowerName: string): string | undefined {
  return headerValue(exchange.headers, lowerName);
}

/** `http://host` of the request, for locations in answers. */
export function requestOrigin(exchange: Exchange): string {
  return `${exchange.arrival.isTls ? "https" : "http"}://${exchange.hostHeader}`;
}
