import { type Denial, GatewayError } from "../core/errors.js";
import { withoutHeaders } from "../core/headers.js";
import type { Operation } from "../core/operations.js";
import { encodePath } from "../core/target.js";
import { isPlaylistPath } from "../hls/uri.js";
import type { CompiledBucket, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import { canonicalQuery } from "../signing/canonical.js";
import { presignV1Url } from "../signing/sign.js";
import { filterSignedRequest, TRAFFIC_LIMIT } from "../signing/signed-request.js";
import type { QueryPairs } from "../signing/types.js";
import type { UpstreamRequest } from "../transport/exchange.js";
import { clientKey, locate } from "./locate.js";
import { checkChunkedSignature, checkLinkedHeaders } from "./relayed-request.js";
import type { RequestContext, SignedDraft } from "./request-context.js";
import { wantedHost } from "./upstream-host.js";

const NO_CREDENTIALS_DETAIL =
  "The gateway has no valid credentials for this route at the moment. Try again soon; its log tells why.";

/**
 * Stage 7 where the gateway signs: takes from the client's request what it may ask for, and describes what is sent. The
 * signature itself is made when the request goes out, and anew for each retry.
 */
export function prepareSigned(ctx: RequestContext): Denial | null {
  locate(ctx);
  const route = ctx.route as CompiledRoute;
  const bucket = ctx.bucket as CompiledBucket;
  const { rules, source } = route.signing as CompiledSigning;
  const method = ctx.req.method ?? "";
  const filtered = filterSignedRequest(
    {
      method,
      key: clientKey(ctx),
      bucket: bucket.ossName,
      rawQuery: withoutOwnProcess(ctx),
      headers: ctx.req.rawHeaders,
      carriesVerifiedSignature: ctx.hasVerifiedSignature,
    },
    rules,
  );
  if (!filtered.ok) return filtered.denial;
  checkChunkedSignature(ctx);
  checkLinkedHeaders(ctx, filtered.headers);
  if (source.current(Date.now()) === null) throw new GatewayError("NO_CREDENTIALS", NO_CREDENTIALS_DETAIL);
  const { removedRequestHeaders: removed } = route;
  const kept = removed === null ? filtered.headers : withoutHeaders(filtered.headers, removed);
  const headers = ["Host", wantedHost(ctx, route, bucket), ...kept];
  if (filtered.trafficLimit !== null) headers.push(TRAFFIC_LIMIT, filtered.trafficLimit);
  const draft = { method, key: filtered.key, query: filtered.query, headers };
  ctx.signedDraft = asPlaylist(ctx, draft) ?? asObject(draft, isCopy(filtered.operation));
  return null;
}

const isCopy = (operation: Operation | null): boolean => operation === "CopyObject" || operation === "UploadPartCopy";

function asObject(draft: Draft, isOfCopy: boolean): SignedDraft {
  const { method, key, query, headers } = draft;
  const isXml = isOfCopy || answersXml(method, key, query);
  // No spread of the draft: with a property that replaces one of its own it costs 3 µs (V8 of Node 20).
  return {
    method,
    key,
    query,
    // A compressed document could not be read here.
    headers: isXml ? withoutHeaders(headers, ACCEPT_ENCODING) : headers,
    rawTarget: targetOf(key, query),
    playlist: null,
    urlExpiresSeconds: null,
    answersXml: isXml,
  };
}

const ACCEPT_ENCODING: ReadonlySet<string> = new Set(["accept-encoding"]);

/**
 * A browser's question before a cross-origin request. OSS answers it without a signature (oss-semantics §6.3), by the
 * bucket's own rules, and it says nothing of the object.
 */
export function preparePreflight(ctx: RequestContext): Denial | null {
  locate(ctx);
  const route = ctx.route as CompiledRoute;
  const headers = ["Host", wantedHost(ctx, route, ctx.bucket as CompiledBucket)];
  const { rawHeaders } = ctx.req;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (OF_PREFLIGHTS.has(name.toLowerCase())) headers.push(name, rawHeaders[i + 1] as string);
  }
  const rawTarget = targetOf(route.keyPrefix + clientKey(ctx), []);
  ctx.upstreamRequest = { method: "OPTIONS", rawTarget, headers };
  return null;
}

const OF_PREFLIGHTS: ReadonlySet<string> = new Set([
  "origin",
  "access-control-request-method",
  "access-control-request-headers",
  "user-agent",
]);

/** The playlists of OSS name each other with the processing that the gateway asks for itself. */
function withoutOwnProcess(ctx: RequestContext): string {
  const { hls } = ctx.route as CompiledRoute;
  if (hls?.mode !== "ossSign" || !ctx.rawQuery.includes("x-oss-process=hls") || !isPlaylistPath(ctx.path))
    return ctx.rawQuery;
  return ctx.rawQuery
    .split("&")
    .filter((segment) => !/^x-oss-process=hls(?:\/|%2F)sign$/i.test(segment))
    .join("&");
}

type Draft = Pick<SignedDraft, "method" | "key" | "query" | "headers">;

/** Every byte outside the unreserved set and `/` is encoded, so that signer and reader cannot disagree. */
function targetOf(key: string, query: QueryPairs): string {
  const path = `/${encodePath(key)}`;
  return query.length === 0 ? path : `${path}?${canonicalQuery(query)}`;
}

/** Lists and the answers about multipart uploads are documents that hold keys. */
function answersXml(method: string, key: string, query: QueryPairs): boolean {
  if (query.length === 0 || method === "PUT" || method === "DELETE") return key === "" && method === "GET";
  return key === "" || query.some(([name]) => name === "uploads" || name === "uploadId");
}

/** A playlist is asked for as a whole and as it is now, for what the client gets of it is another text. */
const NOT_FOR_PLAYLISTS: ReadonlySet<string> = new Set([
  "range",
  "if-range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "accept-encoding",
]);

/** Its segments are fetched by URLs that OSS signs, which no header of ours reaches; the playlist itself is short. */
const NOT_FOR_OSS_PLAYLISTS: ReadonlySet<string> = new Set([...NOT_FOR_PLAYLISTS, TRAFFIC_LIMIT]);

/** What may be asked of a playlist as such; with any other parameter it is another call on the object. */
function isOfPlaylist([name]: QueryPairs[number]): boolean {
  return name.startsWith("response-") || name === "versionId";
}

function asPlaylist(ctx: RequestContext, draft: Draft): SignedDraft | null {
  const { hls } = ctx.route as CompiledRoute;
  const isRead = draft.method === "GET" || draft.method === "HEAD";
  if (hls === null || !isRead || !isPlaylistPath(ctx.path) || !draft.query.every(isOfPlaylist)) return null;
  const isRewritten = hls.mode === "rewrite";
  const headers = withoutHeaders(draft.headers, isRewritten ? NOT_FOR_PLAYLISTS : NOT_FOR_OSS_PLAYLISTS);
  if (isRewritten) {
    // The length of the answer is known only when it has been rewritten.
    const rawTarget = targetOf(draft.key, draft.query);
    return { ...draft, method: "GET", headers, rawTarget, playlist: hls, urlExpiresSeconds: null, answersXml: false };
  }
  const query: QueryPairs = [...draft.query, ["x-oss-process", "hls/sign"]];
  const rawTarget = targetOf(draft.key, query);
  const urlExpiresSeconds = playlistExpirySeconds(ctx, hls.ttlMs);
  return { ...draft, method: "GET", query, headers, rawTarget, playlist: null, urlExpiresSeconds, answersXml: false };
}

/** Nothing outlives the link that admitted the playlist. */
function playlistExpirySeconds(ctx: RequestContext, ttlMs: number): number {
  const end = Math.floor((Date.now() + ttlMs) / 1_000);
  return ctx.link === null ? end : Math.min(end, ctx.link.expiresSeconds);
}

/** Signs what {@link prepareSigned} described, with the credentials and the time of now. */
export function signNow(ctx: RequestContext): UpstreamRequest | GatewayError {
  const draft = ctx.signedDraft as SignedDraft;
  const { signing } = ctx.route as CompiledRoute & { readonly signing: CompiledSigning };
  const bucket = ctx.bucket as CompiledBucket;
  const nowMs = Date.now();
  const credentials = signing.source.current(nowMs);
  if (credentials === null) return new GatewayError("NO_CREDENTIALS", NO_CREDENTIALS_DETAIL);
  ctx.signedWith = credentials.accessKeyId;
  ctx.signedOffsetMs = bucket.clock.offsetMs;
  const { method, key, query, headers, rawTarget } = draft;
  if (draft.urlExpiresSeconds === null) {
    const signer = signing.signerOf(bucket);
    const added = signer.sign({ method, key, query, headers, credentials, nowMs: bucket.clock.at(nowMs) });
    return { method, rawTarget, headers: [...headers, ...added] };
  }
  const { expiresAtMs } = credentials;
  const credentialsEnd = expiresAtMs === undefined ? Number.POSITIVE_INFINITY : Math.floor(expiresAtMs / 1_000);
  const expires = Math.floor(bucket.clock.at(Math.min(draft.urlExpiresSeconds, credentialsEnd) * 1_000) / 1_000);
  const signature = presignV1Url({ method, bucket: bucket.ossName, key, query, headers }, credentials, expires);
  return { method, rawTarget: `${rawTarget}&${signature}`, headers };
}
