import type { CompiledBucket } from "../route/compiled-bucket.js";
import { type EndedRequest, NO_BUCKET, type RouteBucketStats } from "../telemetry/stats.js";
import type { RequestContext } from "./request-context.js";

/** The label of the bucket that a request is for: the route's only one, or the one that it chose. */
export function bucketLabel({ bucket, route }: RequestContext): string {
  return (bucket ?? route?.bucket)?.alias ?? NO_BUCKET;
}

/** What the counters need of a request that has ended. */
export function endedRequest(ctx: RequestContext): EndedRequest {
  const { req, signatureClass, status, errorCode } = ctx;
  return { signature: signatureClass, method: req.method ?? "", status, bucket: bucketLabel(ctx), errorCode };
}

function trafficOf(ctx: RequestContext): RouteBucketStats {
  return ctx.routeStats.buckets.of(bucketLabel(ctx));
}

/** Counts bytes of an answer's body as they go out, so that a long transfer is seen while it runs. */
export function countSent(ctx: RequestContext, byteCount: number): void {
  ctx.sentBytes += byteCount;
  trafficOf(ctx).sentBytes += byteCount;
}

/** Counts bytes of a request's body as they arrive. */
export function countReceived(ctx: RequestContext, byteCount: number): void {
  ctx.receivedBytes += byteCount;
  trafficOf(ctx).receivedBytes += byteCount;
}

/** Counts bytes of an answer's body as they come from OSS: of each try, and of what clients do not get. */
export function countFromOss(ctx: RequestContext, byteCount: number): void {
  (ctx.bucket as CompiledBucket).stats.egressBytes += byteCount;
  trafficOf(ctx).egressBytes += byteCount;
}

/** Counts bytes of a request's body that are for OSS. */
export function countToOss(ctx: RequestContext, byteCount: number): void {
  (ctx.bucket as CompiledBucket).stats.ingressBytes += byteCount;
  trafficOf(ctx).ingressBytes += byteCount;
}
