import { GatewayError } from "../core/errors.js";
import { decodePath, encodePath, hasDotSegment, stripRawPrefix } from "../core/target.js";
import type { BucketChoice, CompiledRoute } from "../route/compiled-route.js";
import type { RequestContext } from "./request-context.js";
import { enterSite } from "./site-request.js";

/**
 * Finds the bucket that a request means, and its raw path there, before the key prefix: of a site's directory, that of
 * its page. Does it once.
 * @throws GatewayError `NO_SUCH_BUCKET`, `DOT_SEGMENT`
 */
export function locate(ctx: RequestContext): void {
  if (ctx.bucket !== null) return;
  const route = ctx.route as CompiledRoute;
  if (route.refusesDotSegments && hasDotSegment(ctx.path)) {
    throw new GatewayError("DOT_SEGMENT", "On this route a path segment may not be '.' or '..'.");
  }
  let rawPath = ctx.rawPath;
  if (route.stripPrefix && route.pathPrefix !== "") {
    rawPath = stripRawPrefix(rawPath, route.pathPrefix);
    ctx.strippedPrefix = encodePath(route.pathPrefix);
  }
  if (route.bucket === null) rawPath = chooseBucket(ctx, route.choice as BucketChoice, rawPath);
  else ctx.bucket = route.bucket;
  ctx.rawKeyPath = rawPath;
  if (route.site !== null) enterSite(ctx, route.site);
}

/** The decoded key before the route's prefix, as the client means it; `""` is the bucket itself. */
export function clientKey(ctx: RequestContext): string {
  return decodePath(ctx.rawKeyPath).slice(1);
}

/**
 * Finds the bucket of a route for SDKs whose endpoint is an address, and returns the raw path without its name.
 * A Host that names the bucket means a virtual-hosted request, except for one case: an SDK told to use path style that
 * still sends that Host (`sldEnable` of ali-oss). Only requests with OSS's own signatures are read so: should one of them mean a key that
 * begins with the bucket's own name, OSS refuses its signature, and nobody gets another object than they asked for.
 */
function chooseBucket(ctx: RequestContext, choice: BucketChoice, rawPath: string): string {
  const byHost = choice.byHost.get(ctx.host);
  const name = firstSegment(ctx.path.slice(decodeLength(ctx)));
  if (byHost !== undefined) {
    ctx.bucket = byHost;
    const isPathStyleToo = name === byHost.ossName && signsKeyAlone(ctx);
    return isPathStyleToo ? withoutBucketName(ctx, rawPath, name) : rawPath;
  }
  const bucket = choice.byOssName.get(name);
  if (bucket === undefined) {
    throw new GatewayError(
      "NO_SUCH_BUCKET",
      "The first path segment must be the name of a bucket that this address serves.",
    );
  }
  ctx.bucket = bucket;
  return withoutBucketName(ctx, rawPath, name);
}

/** Whether the signature covers bucket and key, however the path spells them; AWS's covers the path as it was sent. */
function signsKeyAlone({ signatureClass }: RequestContext): boolean {
  return signatureClass !== "anonymous" && signatureClass !== "post-form" && signatureClass !== "aws-sigv4";
}

function withoutBucketName(ctx: RequestContext, rawPath: string, name: string): string {
  ctx.strippedPrefix += `/${name}`;
  return stripRawPrefix(rawPath, `/${name}`);
}

/** Characters of the decoded path that a stripped route prefix covers. */
function decodeLength(ctx: RequestContext): number {
  return ctx.strippedPrefix === "" ? 0 : (ctx.route as CompiledRoute).pathPrefix.length;
}

function firstSegment(path: string): string {
  const end = path.indexOf("/", 1);
  return end === -1 ? path.slice(1) : path.slice(1, end);
}
