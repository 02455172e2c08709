import { type ErrorCode, GatewayError } from "../core/errors.js";
import type { RequestContext } from "./request-context.js";

/** Failures that say something about the address, not about this one request. */
export const ADDRESS_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "UPSTREAM_REFUSED",
  "UPSTREAM_TLS",
  "UPSTREAM_RESET",
  "UPSTREAM_CONNECT_TIMEOUT",
  "UPSTREAM_HEADERS_TIMEOUT",
]);

/** An exception here would otherwise end in the transport, which cannot answer for it. */
export function bugFound(ctx: RequestContext, error: unknown): GatewayError {
  ctx.gateway.log.error({ requestId: ctx.requestId, err: error }, "a stage failed; this is a bug in ossgate");
  return new GatewayError("INTERNAL", "The gateway failed.");
}

/** Tells the operator what the client is not told. */
export function logFault(ctx: RequestContext, error: GatewayError): void {
  ctx.gateway.log.error(
    {
      requestId: ctx.requestId,
      route: ctx.routeStats.route,
      bucket: ctx.bucket?.alias,
      upstream: ctx.pool?.address,
      code: error.code,
      cause: error.message,
      attempts: ctx.attempt,
      ossRequestId: ctx.ossRequestId,
    },
    ctx.isHeadSent ? "answer was cut off" : "upstream request failed",
  );
}
