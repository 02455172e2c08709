import { type ErrorCode, GatewayError } from "../core/errors.js";
import { NEXT_STEPS, writeSeldom } from "../telemetry/error-lines.js";
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
  const { requestId, routeStats } = ctx;
  const { route } = routeStats;
  const fields = () => ({ requestId, route, err: error, next: NEXT_STEPS.INTERNAL });
  const message = "a stage failed; this is a bug in ossgate";
  writeSeldom(ctx.gateway.log, "error", `bug/${route}`, performance.now(), fields, message);
  return new GatewayError("INTERNAL", "The gateway failed.");
}

/** Tells the operator what the client is not told: of faults of one kind on one route the first of each minute. */
export function logFault(ctx: RequestContext, error: GatewayError): void {
  const { route } = ctx.routeStats;
  const message = ctx.isHeadSent ? "answer was cut off" : "upstream request failed";
  const fields = () => ({
    requestId: ctx.requestId,
    route,
    bucket: ctx.bucket?.alias,
    upstream: ctx.pool?.address,
    code: error.code,
    cause: error.message,
    attempts: ctx.attempt,
    ossRequestId: ctx.ossRequestId,
    ec: ctx.ossEc,
    next: NEXT_STEPS[error.code],
  });
  writeSeldom(ctx.gateway.log, "error", `${message}/${route}/${error.code}`, performance.now(), fields, message);
}

/** The same for a fault of the gateway's own that is found before anything is sent. */
export function logOwnFault(ctx: RequestContext, error: GatewayError): void {
  if (error.origin === "client") return;
  const { route } = ctx.routeStats;
  const fields = () => ({
    requestId: ctx.requestId,
    route,
    bucket: ctx.bucket?.alias,
    code: error.code,
    cause: error.message,
    next: NEXT_STEPS[error.code],
  });
  const message = "request could not be served";
  writeSeldom(ctx.gateway.log, "error", `${message}/${route}/${error.code}`, performance.now(), fields, message);
}
