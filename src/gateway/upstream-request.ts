import { type Denial, GatewayError } from "../core/errors.js";
import { connectionNamed, HOP_BY_HOP, headerValue } from "../core/headers.js";
import { encodePath, hasDotSegment, stripRawPrefix } from "../core/target.js";
import type { BucketChoice, CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import { signsHost } from "../signing/classify.js";
import type { RequestContext } from "./request-context.js";

/** Described anew for each exchange, or not meant for the upstream at all. */
const NOT_RELAYED: ReadonlySet<string> = new Set([...HOP_BY_HOP, "host", "content-length", "expect"]);

/**
 * Stage 7. Decides what is sent: bucket, target, Host and headers. What the client signed arrives as it was signed, or
 * the request is refused here with the reason, instead of by OSS without one.
 */
export function prepare(ctx: RequestContext): Denial | null {
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
  checkSignatureSurvives(ctx, route);
  if (route.rawKeyPrefix !== "") {
    checkStaysInside(ctx);
    rawPath = `/${route.rawKeyPrefix}${rawPath.slice(1)}`;
  }
  ctx.upstreamRequest = {
    method: ctx.req.method ?? "",
    rawTarget: rawPath === ctx.rawPath ? ctx.rawTarget : rawPath + ctx.rawSuffix,
    headers: relayedHeaders(ctx, route, chooseHost(ctx, route, ctx.bucket as CompiledBucket)),
  };
  return null;
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

function checkSignatureSurvives(ctx: RequestContext, route: CompiledRoute): void {
  const { signatureClass } = ctx;
  checkChunkedSignature(ctx);
  if (signatureClass === "anonymous") return;
  const changesKey = route.rawKeyPrefix !== "" || (route.stripPrefix && route.pathPrefix !== "");
  if (signatureClass === "post-form") {
    if (route.rawKeyPrefix === "") return;
    throw new GatewayError(
      "SIGNATURE_WOULD_BREAK",
      "A form upload names its key inside the body, so it cannot be used on a route with a keyPrefix.",
    );
  }
  if (!changesKey) return;
  throw new GatewayError(
    "SIGNATURE_WOULD_BREAK",
    `This route changes the key (${route.stripPrefix ? "stripPrefix" : "keyPrefix"}), and the client signed the key that it wrote. Use a route without stripPrefix and keyPrefix for signed requests.`,
  );
}

/** Headers that name a second key, which the prefix would not be put before. */
const NAMES_ANOTHER_KEY: readonly string[] = ["x-oss-copy-source", "x-oss-symlink-target"];

function checkStaysInside(ctx: RequestContext): void {
  const name = NAMES_ANOTHER_KEY.find((header) => headerValue(ctx.req.rawHeaders, header) !== undefined);
  if (name === undefined) return;
  throw new GatewayError(
    "HEADER_NOT_ALLOWED",
    `${name} names a key outside the keyPrefix of this route. Use a route without keyPrefix.`,
  );
}

/** AWS's signed chunks: OSS would store the envelope as if it were the object. */
function checkChunkedSignature(ctx: RequestContext): void {
  if (!ctx.hasBody) return;
  const { rawHeaders } = ctx.req;
  const encoding = headerValue(rawHeaders, "content-encoding");
  const payload = headerValue(rawHeaders, "x-amz-content-sha256");
  if (encoding?.toLowerCase().includes("aws-chunked") !== true && payload?.startsWith("STREAMING-") !== true) return;
  throw new GatewayError(
    "UNSUPPORTED_ENCODING",
    "OSS does not understand aws-chunked bodies. Turn off chunked payload signing and trailing checksums in the client.",
  );
}

/**
 * The Host that is sent. OSS picks the bucket by it alone, so the client's own is kept only when it means this bucket;
 * where the client signed its Host that is the one rewrite which leaves the signature whole.
 */
function chooseHost(ctx: RequestContext, route: CompiledRoute, bucket: CompiledBucket): string {
  const isOwn = bucket.ownHosts.has(ctx.host);
  if (route.keepsClientHost && isOwn) return ctx.rawHost;
  const wanted = route.hostHeader ?? bucket.hostHeader;
  if (ctx.signatureClass === "anonymous" || !signsHost(ctx.signatureClass, ctx.rawQuery, ctx.req.rawHeaders)) {
    return wanted;
  }
  if (isOwn || ctx.rawHost === wanted) return ctx.rawHost;
  throw new GatewayError(
    "SIGNATURE_WOULD_BREAK",
    `The client signed its Host header, and OSS knows this bucket only as ${wanted}. Let the client use a bound domain of the bucket, or sign without the host header (native OSS signatures do not need it).`,
  );
}

function relayedHeaders(ctx: RequestContext, route: CompiledRoute, host: string): string[] {
  const { rawHeaders } = ctx.req;
  const named = ctx.connection === null ? null : connectionNamed(ctx.connection);
  const removed = route.removedRequestHeaders;
  const headers = ["Host", host];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lowerName = name.toLowerCase();
    if (NOT_RELAYED.has(lowerName) || named?.has(lowerName) === true || removed?.has(lowerName) === true) continue;
    headers.push(name, rawHeaders[i + 1] as string);
  }
  return headers;
}
