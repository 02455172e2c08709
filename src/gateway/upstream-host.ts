import { GatewayError } from "../core/errors.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import { signsHost } from "../signing/classify.js";
import type { RequestContext } from "./request-context.js";

/**
 * The Host that is sent. OSS picks the bucket by it alone, so the client's own is kept only when it means this bucket;
 * where the client signed its Host that is the one rewrite which leaves the signature whole.
 */
export function chooseHost(ctx: RequestContext, route: CompiledRoute, bucket: CompiledBucket): string {
  const isOwn = bucket.ownHosts.has(ctx.host);
  const wanted = wantedHost(ctx, route, bucket);
  if (ctx.signatureClass === "anonymous" || !signsHost(ctx.signatureClass, ctx.rawQuery, ctx.req.rawHeaders)) {
    return wanted;
  }
  if (isOwn || ctx.rawHost === wanted) return ctx.rawHost;
  throw new GatewayError(
    "SIGNATURE_WOULD_BREAK",
    `The client signed its Host header, and OSS knows this bucket only as ${wanted}. Let the client use a bound domain of the bucket, or sign without the host header (native OSS signatures do not need it).`,
  );
}

/** The Host that the route's `hostHeader` asks for, whatever was signed. */
export function wantedHost(ctx: RequestContext, route: CompiledRoute, bucket: CompiledBucket): string {
  if (route.keepsClientHost && bucket.ownHosts.has(ctx.host)) return ctx.rawHost;
  return route.hostHeader ?? bucket.hostHeader;
}
