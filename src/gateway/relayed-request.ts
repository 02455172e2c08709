import { type Denial, GatewayError } from "../core/errors.js";
import { connectionNamed, type HeaderList, HOP_BY_HOP, headerValue } from "../core/headers.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import { signsItsRequest } from "./client-signature.js";
import { locate } from "./locate.js";
import type { RequestContext } from "./request-context.js";
import { chooseHost } from "./upstream-host.js";

/** Described anew for each exchange, or not meant for the upstream at all. */
const NOT_RELAYED: ReadonlySet<string> = new Set([...HOP_BY_HOP, "host", "content-length", "expect"]);

/**
 * Stage 7 where the request is relayed. Decides what is sent: bucket, target, Host and headers. What the client signed
 * arrives as it was signed, or the request is refused here with the reason, instead of by OSS without one.
 */
export function prepareRelayed(ctx: RequestContext): Denial | null {
  const route = ctx.route as CompiledRoute;
  locate(ctx);
  let rawPath = ctx.rawKeyPath;
  checkSignatureSurvives(ctx, route);
  checkLinkedHeaders(ctx, ctx.req.rawHeaders);
  if (route.rawKeyPrefix !== "") {
    checkStaysInside(ctx);
    rawPath = `/${route.rawKeyPrefix}${rawPath.slice(1)}`;
  }
  ctx.upstreamRequest = {
    method: ctx.req.method ?? "",
    rawTarget: rawPath === ctx.rawPath && !ctx.carriedLink ? ctx.rawTarget : rawPath + ctx.rawSuffix,
    headers: relayedHeaders(ctx, route, chooseHost(ctx, route, ctx.bucket as CompiledBucket)),
  };
  return null;
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
const NAMES_ANOTHER_KEY: readonly string[] = ["x-oss-copy-source", "x-oss-symlink-target", "x-amz-copy-source"];

function checkStaysInside(ctx: RequestContext): void {
  const name = NAMES_ANOTHER_KEY.find((header) => headerValue(ctx.req.rawHeaders, header) !== undefined);
  if (name === undefined) return;
  throw new GatewayError(
    "HEADER_NOT_ALLOWED",
    `${name} names a key outside the keyPrefix of this route. Use a route without keyPrefix.`,
  );
}

/** What a link does not cover may say how an object is stored, and nothing that makes another call of the request. */
const BESIDE_A_LINK = /^x-oss-(?:meta-.*|forbid-overwrite|hash-crc64ecma|range-behavior|multi-range-behavior)$/;

/**
 * A link signs the method, the path and the parameters; with `x-oss-copy-source` or an ACL a link for one upload would be
 * one for reading the bucket. What the client itself signed is covered by that.
 */
export function checkLinkedHeaders(ctx: RequestContext, headers: HeaderList): void {
  if (ctx.link === null || ctx.hasVerifiedSignature || signsItsRequest(ctx)) return;
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (!/^x-(?:oss|amz)-/.test(name) || BESIDE_A_LINK.test(name)) continue;
    throw new GatewayError("HEADER_NOT_ALLOWED", `The link does not cover ${name}, which would change what is done.`);
  }
}

/** AWS's signed chunks: OSS would store the envelope as if it were the object. */
export function checkChunkedSignature(ctx: RequestContext): void {
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

function relayedHeaders(ctx: RequestContext, route: CompiledRoute, host: string): string[] {
  const { rawHeaders } = ctx.req;
  const named = ctx.connection === null ? null : connectionNamed(ctx.connection);
  const removed = route.removedRequestHeaders;
  const consumesCookie = route.login?.forwardAuth?.requestHeaders.has("cookie") === true;
  const headers = ["Host", host];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lowerName = name.toLowerCase();
    if (NOT_RELAYED.has(lowerName) || named?.has(lowerName) === true || removed?.has(lowerName) === true) continue;
    // They were for the gateway; OSS would take the first for a signature of its own.
    if (ctx.consumedAuthorization && lowerName === "authorization") continue;
    if (consumesCookie && lowerName === "cookie") continue;
    headers.push(name, rawHeaders[i + 1] as string);
  }
  return headers;
}
