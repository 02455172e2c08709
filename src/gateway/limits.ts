import type { Denial } from "../core/errors.js";
import type { RequestLimits } from "../limits/request-limits.js";
import { canonicalClient } from "../policy/clients.js";
import type { RequestContext } from "./request-context.js";

/** Stage 3: what the route may take, of all clients and of each, whatever becomes of the request then. */
export function limitRoute(ctx: RequestContext): Denial | null {
  const limits = ctx.route?.limits ?? null;
  if (limits === null) return null;
  const denied = enter(ctx, limits, false);
  if (denied === null) ctx.enteredRoute = limits;
  return denied;
}

/**
 * Stage 7, when it is known what goes to which bucket: what the bucket may take, over all its routes, and what OSS's own
 * quotas leave. Requests that were refused before use up nothing of it.
 */
export function limitBucket(ctx: RequestContext): Denial | null {
  const { bucket, route } = ctx;
  if (bucket === null || route === null) return null;
  const denied = bucket.limits === null ? null : enter(ctx, bucket.limits, true);
  if (denied !== null) return denied;
  const shed = route.shedOf?.(bucket.alias)?.take(performance.now()) ?? null;
  if (shed === null) ctx.enteredBucket = bucket.limits;
  else bucket.limits?.undo(ctx.client, performance.now());
  return shed;
}

/** What a request sends to OSS besides its first: another try, the next document of a site. It is owed, not refused. */
export function chargeBucket({ bucket, route }: RequestContext): void {
  const nowMs = performance.now();
  bucket?.limits?.charge(nowMs);
  if (bucket !== null) route?.shedOf?.(bucket.alias)?.charge(nowMs);
}

function enter(ctx: RequestContext, limits: RequestLimits, isOfBucket: boolean): Denial | null {
  if (limits.needsClient && ctx.client === "") ctx.client = canonicalClient(ctx.clientIp);
  const verdict = limits.enter(ctx.client, performance.now());
  if (verdict === null) return null;
  const { limit, party, dryRun, denial } = verdict;
  ctx.routeStats.countLimited(limit, isOfBucket && party === "all" ? "bucket" : party, !dryRun);
  if (!dryRun) return denial;
  ctx.reported = [...ctx.reported, denial.code];
  return null;
}

/** When the request has ended, however it did. */
export function leaveLimits({ enteredRoute, enteredBucket, client }: RequestContext, nowMs: number): void {
  enteredRoute?.leave(client, nowMs);
  enteredBucket?.leave(client, nowMs);
}
