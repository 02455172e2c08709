import type { Denial } from "../core/errors.js";
import type { LinkVerdict } from "../policy/link-verdict.js";
import type { CompiledBucket, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import { parseQuery, queryValue } from "../signing/canonical.js";
import type { SignatureClass, Verdict } from "../signing/types.js";
import { verifyRequest } from "../signing/verify.js";
import { clientKey, locate } from "./locate.js";
import type { RequestContext } from "./request-context.js";

/** What a client's own signature means on a route that signs. */
export type ClientSignature =
  | { readonly kind: "none" }
  | { readonly kind: "verified" }
  /** A URL that OSS signed in a playlist: it admits like a link. */
  | { readonly kind: "signed-url"; readonly verdict: LinkVerdict }
  | { readonly kind: "refused"; readonly denial: Denial };

const NOT_ALLOWED: ClientSignature = Object.freeze({
  kind: "refused",
  denial: Object.freeze({
    code: "CLIENT_SIGNATURE_NOT_ALLOWED",
    reason:
      "This route signs for its clients and takes no signed requests. Send the request without a signature, or set clientSignatures on the route.",
  }),
});

/** All that a signature in a URL must have; OSS refuses one with less (oss-semantics §2.2–§2.4). */
const PARTS_OF_URL: Partial<Record<SignatureClass, readonly string[]>> = {
  "v1-url": ["OSSAccessKeyId", "Expires", "Signature"],
  "v2-url": ["x-oss-access-key-id", "x-oss-expires", "x-oss-signature"],
  "v4-url": ["x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"],
};

/** Whether the request carries a whole OSS signature of its own, which then covers what it asks for. */
export function signsItsRequest({ signatureClass, rawQuery }: RequestContext): boolean {
  if (signatureClass === "anonymous" || signatureClass === "post-form") return false;
  const query = parseQuery(rawQuery);
  return PARTS_OF_URL[signatureClass]?.every((name) => queryValue(query, name) !== undefined) ?? true;
}

/** Whether what the client signed goes upstream as it is: a URL that OSS signed with our key in a playlist does not. */
export function isRelayed(ctx: RequestContext, { clientSignatures, source }: CompiledSigning): boolean {
  if (ctx.signatureClass === "anonymous" || clientSignatures !== "relay") return false;
  if (!mayBeFromPlaylist(ctx)) return true;
  return source.find(queryValue(parseQuery(ctx.rawQuery), "OSSAccessKeyId") ?? "", Date.now()) === null;
}

/** Whether the request is a read whose URL OSS may have signed in a playlist of this route. */
function mayBeFromPlaylist(ctx: RequestContext): boolean {
  const { hls } = ctx.route as CompiledRoute;
  const { method } = ctx.req;
  return hls?.mode === "ossSign" && ctx.signatureClass === "v1-url" && (method === "GET" || method === "HEAD");
}

/** Decides about a request that the client signed. The URLs in OSS's own playlists are V1, and of the route's key. */
export function clientSignature(ctx: RequestContext, signing: CompiledSigning): ClientSignature {
  const isFromPlaylist = mayBeFromPlaylist(ctx);
  if (!isFromPlaylist && (signing.clientSignatures !== "verify" || ctx.signatureClass === "post-form"))
    return NOT_ALLOWED;
  locate(ctx);
  const verdict = isFromPlaylist ? verifySegment(ctx, signing) : verify(ctx, signing, signedKey(ctx));
  if (!verdict.ok) return { kind: "refused", denial: denialOf(verdict) };
  ctx.hasVerifiedSignature = true;
  if (!isFromPlaylist) return { kind: "verified" };
  return {
    kind: "signed-url",
    verdict: {
      ok: true,
      expiresSeconds: signedExpirySeconds(ctx),
      isPrefix: false,
      path: ctx.path,
      scope: null,
      client: null,
    },
  };
}

/** A request without a key is on the bucket, and a signature for the prefix itself is none for it. */
const withPrefix = (keyPrefix: string, key: string): string => (key === "" ? "" : keyPrefix + key);

/** OSS signs a playlist's URLs for GET; like a link of ours, such a URL admits HEAD too. */
function verifySegment(ctx: RequestContext, signing: CompiledSigning): Verdict {
  const key = signedKey(ctx);
  const verdict = verify(ctx, signing, key);
  return verdict.ok || ctx.req.method !== "HEAD" ? verdict : verify(ctx, signing, key, "GET");
}

/** In our own time; OSS wrote it in its own. */
function signedExpirySeconds(ctx: RequestContext): number {
  const { offsetMs } = (ctx.bucket as CompiledBucket).clock;
  return Math.floor(Number(queryValue(parseQuery(ctx.rawQuery), "Expires")) - offsetMs / 1_000);
}

/**
 * The key that a signature must be for. A URL can be handed on and is good at OSS too, so it must be for the key that is
 * sent. Who signs a header holds the secret; SDKs sign the path that they write, without the bucket's name where they
 * write that, and cannot know of the route's prefix.
 */
function signedKey(ctx: RequestContext): string {
  const { choice, keyPrefix } = ctx.route as CompiledRoute;
  if (ctx.signatureClass.endsWith("-url")) return withPrefix(keyPrefix, clientKey(ctx));
  return choice === null ? ctx.path.slice(1) : clientKey(ctx);
}

function verify(
  ctx: RequestContext,
  { source, dayKeys }: CompiledSigning,
  key: string,
  method = ctx.req.method ?? "",
): Verdict {
  const { ossName, region, clock } = ctx.bucket as CompiledBucket;
  const nowMs = Date.now();
  const { rawHeaders: headers } = ctx.req;
  return verifyRequest({ method, bucket: ossName, key, rawQuery: ctx.rawQuery, headers }, ctx.signatureClass, {
    nowMs: clock.at(nowMs),
    region,
    product: "oss",
    findCredentials: (accessKeyId) => source.find(accessKeyId, nowMs),
    dayKeys,
  });
}

/** What a client may read of a failed verification. What was signed, and with which key, it knows; others need not. */
const NOT_TOLD: ReadonlySet<string> = new Set([
  "OSSAccessKeyId",
  "SecurityToken",
  "SignatureProvided",
  "StringToSign",
  "StringToSignBytes",
  "CanonicalRequest",
  "ArgumentValue",
]);

function denialOf({ status, code, message, ec, extra }: Extract<Verdict, { ok: false }>): Denial {
  const elements = extra.filter(([name]) => !NOT_TOLD.has(name));
  return { code: "CLIENT_SIGNATURE_INVALID", reason: message, oss: { status, code, ec, elements } };
}
