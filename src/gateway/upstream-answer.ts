import type { ErrorCode } from "../core/errors.js";
import { type HeaderList, withoutHeaders } from "../core/headers.js";
import type { RequestContext } from "./request-context.js";
import { filterResponseHeaders } from "./upstream-response.js";

/** An answer of the upstream that is at hand as a whole. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;
}

/** What becomes of an answer that is small enough to be read before the client gets any of it. */
export interface WholeAnswer {
  readonly maxBytes: number;
  /** How often `timeouts.headers` it may take from its head to its end; once when absent. */
  readonly deadlineFactor?: number;
  /** Where it is larger than that. */
  readonly tooLargeCode: ErrorCode;
  /**
   * Answers the client.
   * @returns `again` when the request should be sent once more instead, `next` when another one, which is described
   * @throws GatewayError
   */
  finish(ctx: RequestContext, answer: UpstreamAnswer): "done" | "again" | "next";
}

const OF_THE_BYTES = [
  "content-length",
  "content-type",
  "content-encoding",
  "content-md5",
  "content-range",
  "accept-ranges",
];
const FRAMING_HEADERS: ReadonlySet<string> = new Set(OF_THE_BYTES);
const BODY_HEADERS: ReadonlySet<string> = new Set([...OF_THE_BYTES, "etag", "last-modified", "x-oss-hash-crc64ecma"]);

/** The filtered head of an answer whose body is replaced, without what described it. */
export function withoutBodyHeaders(ctx: RequestContext, status: number, headers: HeaderList): string[] {
  return withoutHeaders(filterResponseHeaders(ctx, status, headers), BODY_HEADERS);
}

/** The same for a document about an object: what describes the object stays. */
export function withoutFraming(ctx: RequestContext, status: number, headers: HeaderList): string[] {
  return withoutHeaders(filterResponseHeaders(ctx, status, headers), FRAMING_HEADERS);
}
