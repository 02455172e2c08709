import { GatewayError } from "../core/errors.js";
import { type HeaderList, headerValue, withoutHeaders } from "../core/headers.js";
import { hostOf } from "../core/host.js";
import { decodePath } from "../core/target.js";
import { PLAYLIST_LIMITS, type PlaylistRewrite, rewritePlaylist } from "../hls/playlist.js";
import type { CompiledBucket, CompiledHls, CompiledLinks, CompiledRoute } from "../route/compiled-route.js";
import { decodeQueryText } from "../signing/canonical.js";
import { isKnownParameter } from "../signing/request-parameters.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";
import { type WholeAnswer, withoutBodyHeaders } from "./upstream-answer.js";

/** Stage 9 of a playlist that is rewritten: every URI in it that is ours becomes a link. */
export function playlistAnswer(hls: CompiledHls): WholeAnswer {
  return {
    maxBytes: PLAYLIST_LIMITS.bodyBytes,
    tooLargeCode: "PLAYLIST_INVALID",
    finish(ctx, { status, headers, body }) {
      if (headerValue(headers, "content-encoding") !== undefined) throw notAPlaylist("It is compressed.");
      const rewritten = rewritePlaylist(body, rewriteOf(ctx, hls));
      if (!rewritten.ok) throw notAPlaylist(rewritten.reason);
      sendWhole(ctx, status, playlistHead(ctx, status, headers), rewritten.body);
      return "done";
    },
  };
}

function notAPlaylist(reason: string): GatewayError {
  return new GatewayError("PLAYLIST_INVALID", `The object cannot be served as a playlist. ${reason}`);
}

/** The head of a playlist that OSS signed: it is good for one client and a while too, and the object's dates are not its own. */
export function signedPlaylistHead(headers: HeaderList): string[] {
  const kept = withoutHeaders(headers, NOT_OF_SIGNED);
  kept.push("Cache-Control", "private, no-store");
  return kept;
}

const NOT_OF_SIGNED: ReadonlySet<string> = new Set([
  "cache-control",
  "expires",
  "etag",
  "last-modified",
  "accept-ranges",
  "content-md5",
  "x-oss-hash-crc64ecma",
]);

/** What described the object's bytes is gone: the text is another, and good for one client and a while. */
function playlistHead(ctx: RequestContext, status: number, headers: HeaderList): string[] {
  const kept = withoutHeaders(withoutBodyHeaders(ctx, status, headers), OF_THE_OBJECT);
  kept.push("Content-Type", playlistType(headerValue(headers, "content-type")), "X-Content-Type-Options", "nosniff");
  kept.push("Cache-Control", "private, no-store");
  return kept;
}

const OF_THE_OBJECT: ReadonlySet<string> = new Set([
  "cache-control",
  "expires",
  "content-disposition",
  "x-content-type-options",
]);

/** Of a list of types browsers take the last, so that nothing may follow but a charset. */
const PLAYLIST_TYPE =
  /^(?:application|audio)\/(?:vnd\.apple\.mpegurl|x-mpegurl|mpegurl)(?:[ \t]*;[ \t]*charset="?[\w-]+"?)?$/i;

/** Comments of a playlist pass as they are: whatever it was stored as, a browser must not take it for a page. */
function playlistType(upstream: string | undefined): string {
  return upstream !== undefined && PLAYLIST_TYPE.test(upstream) ? upstream : "application/vnd.apple.mpegurl";
}

function rewriteOf(ctx: RequestContext, hls: CompiledHls): PlaylistRewrite {
  const route = ctx.route as CompiledRoute;
  const { signer } = route.links as CompiledLinks;
  const nowMs = Date.now();
  const scope = (ctx.link === null ? hls.root : ctx.link.scope) ?? directoryOf(ctx.path);
  const client = hls.bindClient ? ctx.client : (ctx.link?.client ?? null);
  // Nothing outlives the link that admitted the playlist.
  const playlistEnd = ctx.link?.expiresSeconds ?? secondsFrom(nowMs, hls.sessionTtlMs);
  const segmentEnd = Math.min(secondsFrom(nowMs, hls.ttlMs), playlistEnd);
  const of = {
    segment: { method: "GET", client, scope: null, expiresSeconds: segmentEnd },
    playlist: { method: "GET", client, scope, expiresSeconds: playlistEnd },
  };
  const plain = { segment: signer.batch(of.segment), playlist: signer.batch(of.playlist) };
  return {
    playlistPath: ctx.path,
    scope,
    clientPath: (authority, path) => clientPathOf(ctx, authority, path),
    link: (path, kind, parameters) =>
      parameters.length === 0 ? plain[kind](path) : signer.sign({ ...of[kind], path, isPrefix: false, parameters }),
    decodeQueryText,
    isOssParameter: isKnownParameter,
  };
}

/** The path of an absolute URL as the client would write it, when it is of this host or of the bucket's own. */
function clientPathOf(ctx: RequestContext, authority: string, path: string): string | null {
  if (authority === ctx.rawHost.toLowerCase()) return path;
  const host = hostOf(authority);
  if (host === null || !(ctx.bucket as CompiledBucket).ownHosts.has(host)) return null;
  const { keyPrefix } = ctx.route as CompiledRoute;
  if (!path.startsWith(`/${keyPrefix}`)) return null;
  return `${decodePath(ctx.strippedPrefix)}/${path.slice(keyPrefix.length + 1)}`;
}

function secondsFrom(nowMs: number, ttlMs: number): number {
  return Math.floor((nowMs + ttlMs) / 1_000);
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
