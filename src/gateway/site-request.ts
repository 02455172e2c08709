import { withoutHeaders } from "../core/headers.js";
import { decodePath, encodePath } from "../core/target.js";
import type { CompiledRoute } from "../route/compiled-route.js";
import { parseQuery } from "../signing/canonical.js";
import { isKnownParameter } from "../signing/request-parameters.js";
import type { UpstreamRequest } from "../transport/exchange.js";
import type { RequestContext } from "./request-context.js";
import type { SiteState, SiteStep } from "./site-state.js";

type CompiledSite = NonNullable<CompiledRoute["site"]>;

/**
 * Reads the index document where the path ends at a slash, and notes that more may be asked for. Does nothing for what
 * means something else than a page: other methods, what the client signed, and operations (`?prefix=`, `?acl`).
 * The request is located, and nothing of it described yet.
 */
export function enterSite(ctx: RequestContext, site: CompiledSite): void {
  if (!isPageRead(ctx)) return;
  const { indexDocument } = site;
  const isDirectory = indexDocument !== null && ENDS_AT_SLASH.test(ctx.rawKeyPath) && servesIndex(ctx, indexDocument);
  ctx.site = {
    step: "object",
    attemptsBefore: 0,
    isRootWithoutSlash: isDirectory && !ctx.path.endsWith("/"),
    missing: null,
  };
  if (isDirectory) ctx.rawKeyPath += encodePath(indexDocument);
}

/** Whether the page of the directory that the path names is this route's, and not another's, to guard perhaps, and none that is refused. */
export function servesIndex({ gateway, host, path, route }: RequestContext, indexDocument: string): boolean {
  const page = (path.endsWith("/") ? path : `${path}/`) + indexDocument;
  return gateway.table.find(host, page) === route && route?.deniedPaths?.has(page, "") !== true;
}

const ENDS_AT_SLASH = /(?:\/|%2f)$/i;

function isPageRead({ req: { method }, signatureClass, hasBody, rawQuery }: RequestContext): boolean {
  if ((method !== "GET" && method !== "HEAD") || signatureClass !== "anonymous" || hasBody) return false;
  // What OSS gives no meaning does not change what is read: `?utm_source=…`.
  return rawQuery === "" || !parseQuery(rawQuery).some(([name]) => isKnownParameter(name));
}

/** About the object that is asked for, and none of the others that are asked for in its place. */
const OF_THE_OBJECT: ReadonlySet<string> = new Set([
  "range",
  "if-range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
]);

/**
 * Describes the next thing that is asked for, in place of what was.
 * @param rawKeyPath begins with `/`, before the route's prefix
 */
export function askFor(
  ctx: RequestContext,
  site: SiteState,
  step: Exclude<SiteStep, "object">,
  rawKeyPath: string,
): void {
  const { keyPrefix, rawKeyPrefix } = ctx.route as CompiledRoute;
  const method = step === "index" ? "HEAD" : (ctx.req.method ?? "");
  const { signedDraft } = ctx;
  if (signedDraft === null) {
    const headers = withoutHeaders((ctx.upstreamRequest as UpstreamRequest).headers, OF_THE_OBJECT);
    ctx.upstreamRequest = { method, rawTarget: `/${rawKeyPrefix}${rawKeyPath.slice(1)}`, headers };
  } else {
    const key = keyPrefix + decodePath(rawKeyPath).slice(1);
    const headers = withoutHeaders(signedDraft.headers, OF_THE_OBJECT);
    ctx.signedDraft = { ...signedDraft, method, key, query: [], headers, rawTarget: `/${encodePath(key)}` };
  }
  site.step = step;
  site.attemptsBefore = ctx.attempt;
}
