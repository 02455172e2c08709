import type { AccessEntry } from "../telemetry/access-entry.js";
import { remoteUser } from "../telemetry/access-log-combined.js";
import { leaveLimits } from "./limits.js";
import type { RequestContext } from "./request-context.js";
import { endedRequest } from "./traffic.js";

const CLIENT_GONE_STATUS = 499;

/** Stage 10. Runs exactly once, when the answer has gone out or the connection has ended: counts and logs. */
export function finish(ctx: RequestContext, nowMs: number): void {
  if (ctx.isFinished) return;
  ctx.isFinished = true;
  if (ctx.status === 0) ctx.status = CLIENT_GONE_STATUS;
  const { routeStats } = ctx;
  const method = ctx.req.method ?? "";
  const durationMs = nowMs - ctx.startMs;
  routeStats.inFlight -= 1;
  leaveLimits(ctx, nowMs);
  routeStats.durations.observe(durationMs);
  routeStats.countRequest(endedRequest(ctx));
  if (ctx.firstByteMs > 0) countAnswered(ctx, nowMs);
  log(ctx, method, durationMs);
}

function countAnswered(
  { routeStats, bucket, startMs, sentUpstreamMs, firstByteMs }: RequestContext,
  nowMs: number,
): void {
  routeStats.upstreamFirstByte.observe(firstByteMs - sentUpstreamMs);
  if (bucket === null) return;
  bucket.stats.requestDurations.observe(nowMs - startMs);
  bucket.stats.responseDurations.observe(nowMs - sentUpstreamMs);
}

function log(ctx: RequestContext, method: string, durationMs: number): void {
  const { req } = ctx;
  const { mask, maskAlways } = ctx.gateway;
  const entry: AccessEntry = {
    requestId: ctx.requestId,
    client: ctx.clientIp,
    host: ctx.rawHost,
    method,
    target: mask(ctx.rawTarget === "" ? (req.url ?? "") : ctx.rawTarget),
    protocol: `HTTP/${req.httpVersion}`,
    requestLine: requestLineOf(ctx, method),
    remoteUser: ctx.authorization === undefined ? undefined : remoteUser(ctx.authorization),
    clientSubject: ctx.clientCertificate?.subject,
    referer: ctx.referer === undefined ? undefined : mask(ctx.referer),
    userAgent: ctx.userAgent,
    route: ctx.routeStats.route,
    bucket: ctx.bucket?.alias,
    status: ctx.status,
    signature: ctx.signatureClass,
    receivedBytes: ctx.receivedBytes,
    sentBytes: ctx.sentBytes,
    durationMs: roundMs(durationMs),
    upstreamMs: ctx.firstByteMs > 0 ? roundMs(ctx.firstByteMs - ctx.sentUpstreamMs) : undefined,
    upstream: ctx.pool?.address,
    attempts: ctx.attempt > 1 ? ctx.attempt : undefined,
    ossRequestId: ctx.ossRequestId,
    ossEc: ctx.ossEc,
    error: ctx.errorCode ?? undefined,
    detail: ctx.errorDetail,
    reported: ctx.reported.length === 0 ? undefined : ctx.reported.join(),
  };
  ctx.gateway.accessLog.write(entry);
  ctx.gateway.stats.recent.note(entry, undefined, maskAlways);
}

/** Where method, target and protocol do not make it up. */
function requestLineOf({ absoluteTarget, req, gateway }: RequestContext, method: string): string | undefined {
  if (absoluteTarget !== null) return `${method} ${gateway.mask(absoluteTarget)} HTTP/${req.httpVersion}`;
  // A request of HTTP/0.9 is a method and a target, and nothing else.
  const isSimple = req.httpVersionMajor === 0 && req.rawHeaders.length === 0;
  return isSimple ? `${method} ${gateway.mask(req.url ?? "")}` : undefined;
}

function roundMs(durationMs: number): number {
  return Math.round(durationMs * 10) / 10;
}
