import { connectionNamed, type HeaderList, HOP_BY_HOP, headerValues } from "../core/headers.js";
import { hostOf } from "../core/host.js";
import type { ResponseFacts } from "../policy/response-rules.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import { parseQuery } from "../signing/canonical.js";
import { addCorsHeaders } from "./cross-origin.js";
import { beginsLikeHost, publicScheme } from "./public-location.js";
import type { RequestContext } from "./request-context.js";

/**
 * Stage 9, the head: what of the upstream's header lines goes to the client. Hop-by-hop lines end here; a `Location`
 * that names the bucket is rewritten to what the client can reach; all else stays as OSS sent it. Notes on the way what
 * the log and the body need.
 */
export function filterResponseHeaders(ctx: RequestContext, status: number, upstream: HeaderList): string[] {
  const connection = headerValues(upstream, "connection").join();
  const named = connection === "" ? null : connectionNamed(connection);
  const { cors, responseRules, signing } = ctx.route as CompiledRoute;
  const isSigning = signing !== null;
  const headers: string[] = [];
  let lengthAt = -1;
  let hasDispositionAfterLength = false;
  for (let i = 0; i < upstream.length; i += 2) {
    const name = upstream[i] as string;
    const value = upstream[i + 1] as string;
    const lowerName = name.toLowerCase();
    if (HOP_BY_HOP.has(lowerName) || named?.has(lowerName) === true) continue;
    if (lowerName === "content-length") {
      lengthAt = headers.length;
      ctx.remainingBytes = Number(value);
    } else if (lowerName === "content-disposition") hasDispositionAfterLength = lengthAt !== -1;
    else if (lowerName === "x-oss-request-id") ctx.ossRequestId = value;
    else if (lowerName === "x-oss-ec") ctx.ossEc = value;
    else if (lowerName === "date") (ctx.bucket as CompiledBucket).clock.observe(value, Date.now());
    // Two answers to one question are none to a browser.
    else if (cors !== null && lowerName.startsWith("access-control-")) continue;
    // On a route that signs it would tell a client what was signed, and with whose key.
    else if (lowerName === "x-oss-err" && isSigning) continue;
    else if (lowerName === "x-oss-symlink-target" && isSigning && (ctx.route as CompiledRoute).keyPrefix !== "")
      continue;
    if (lowerName !== "location") headers.push(name, value);
    else {
      const location = rewriteLocation(ctx, value);
      if (!isSigning || isForClients(ctx, location, value)) headers.push(name, location);
    }
  }
  // Node refuses a Content-Disposition with bytes above 0x7f that comes after the length.
  if (hasDispositionAfterLength) headers.push(...headers.splice(lengthAt, 2));
  if (ctx.req.method === "HEAD" || status === 204 || status === 304) ctx.remainingBytes = -1;
  const ruled = responseRules === null ? headers : responseRules.applyToUpstream(headers, responseFacts(ctx, status));
  // Behind the rules: what they set or remove must not leave a copy for one origin to others.
  if (cors !== null) addCorsHeaders(ctx, cors, ruled);
  return ruled;
}

function responseFacts({ rawQuery }: RequestContext, status: number): ResponseFacts {
  const asksForDisposition =
    rawQuery !== "" && parseQuery(rawQuery).some(([name]) => name === "response-content-disposition");
  return { status, asksForDisposition };
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/is;

/** A URL of the bucket's own endpoint or domain in the client's terms: its scheme, Host and prefix. Others are kept. */
export function rewriteLocation(ctx: RequestContext, location: string): string {
  const bucket = ctx.bucket as CompiledBucket;
  const match = ABSOLUTE.exec(location);
  if (match === null) {
    const isPathOnly = location.startsWith("/") && !location.startsWith("//");
    const path = isPathOnly ? clientPath(ctx, location) : null;
    // What is left behind the prefix may begin like another host.
    return path === null || beginsLikeHost(path) ? location : path;
  }
  const [, authority = "", rest = ""] = match;
  const host = hostOf(authority);
  if (host === null || !bucket.ownHosts.has(host)) return location;
  const path = clientPath(ctx, rest.startsWith("/") ? rest : `/${rest}`);
  return path === null ? location : `${publicScheme(ctx)}://${ctx.rawHost}${path}`;
}

/** Whether a rewritten `Location` names nothing that is our side's: OSS's hosts, and paths that the client cannot reach. */
function isForClients(ctx: RequestContext, location: string, upstream: string): boolean {
  const [, authority] = ABSOLUTE.exec(location) ?? [];
  const isBound = (ctx.route as CompiledRoute).rawKeyPrefix !== "";
  if (authority === undefined) {
    return location.startsWith("/") && !beginsLikeHost(location) && !(isBound && location === upstream);
  }
  const host = hostOf(authority);
  if (authority === ctx.rawHost) return !(isBound && location === upstream);
  return host !== null && !(ctx.bucket as CompiledBucket).ownHosts.has(host) && !host.endsWith(".aliyuncs.com");
}

/** The upstream's path as the client would write it; `null` when the client cannot reach it (outside the key prefix). */
function clientPath(ctx: RequestContext, upstreamPath: string): string | null {
  const { rawKeyPrefix } = ctx.route as CompiledRoute;
  const prefix = `/${rawKeyPrefix}`;
  if (!upstreamPath.startsWith(prefix)) return null;
  return `${ctx.strippedPrefix}/${upstreamPath.slice(prefix.length)}`;
}
