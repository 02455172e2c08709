import { type HeaderList, withoutHeaders } from "../core/headers.js";
import { encodePath } from "../core/target.js";
import type { CompiledRoute } from "../route/compiled-route.js";
import { readOssError } from "./oss-error.js";
import { publicLocation } from "./public-location.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";
import { askFor, servesIndex } from "./site-request.js";
import type { SiteState } from "./site-state.js";
import type { UpstreamAnswer, WholeAnswer } from "./upstream-answer.js";
import { filterResponseHeaders } from "./upstream-response.js";

type Site = NonNullable<CompiledRoute["site"]>;

/**
 * What becomes of an answer of a static site. An object that is not there may be a directory without its slash, whose
 * page is then redirected to, or else the error document is shown; in both cases what was missing is held until the
 * answer is known.
 * @param plain what would become of it elsewhere; `null`: it is streamed
 */
export function siteAnswerFor(
  ctx: RequestContext,
  site: SiteState,
  status: number,
  plain: WholeAnswer | null,
): WholeAnswer | null {
  if (site.step === "index") return INDEX_ANSWER;
  if (site.step === "errorDocument") return status === OK ? null : NO_ERROR_DOCUMENT;
  return status === NOT_FOUND && !isPlaylist(ctx) ? missingAnswer(site, plain) : plain;
}

const OK = 200;
const NOT_FOUND = 404;
/**
 * Not 301, which browsers keep for good: an object of the name without the slash may come, or the directory go. Only
 * GET and HEAD are redirected, so that neither changes the method.
 */
const FOUND = 302;

const LIMITS = { maxBytes: 256 * 1024, tooLargeCode: "UPSTREAM_BAD_RESPONSE" } as const;

/** A player can do nothing with a page. */
function isPlaylist({ signedDraft }: RequestContext): boolean {
  return signedDraft !== null && (signedDraft.playlist !== null || signedDraft.urlExpiresSeconds !== null);
}

// Allocates: only for objects that are not there.
function missingAnswer(site: SiteState, plain: WholeAnswer | null): WholeAnswer {
  return {
    ...LIMITS,
    finish(ctx, answer) {
      const giveUp = () => (plain === null ? relayWhole(ctx, answer) : plain.finish(ctx, answer));
      if (!saysNoSuchKey(ctx, answer)) return giveUp();
      site.missing = { ...answer, answer: giveUp };
      return askNext(ctx, site);
    },
  };
}

/** A bucket that is not there is another matter. The answer to a HEAD need not say what it is about. */
function saysNoSuchKey(ctx: RequestContext, { headers, body }: UpstreamAnswer): boolean {
  const error = readOssError(headers, body);
  return error === null ? ctx.req.method === "HEAD" : error.code === "NoSuchKey";
}

/** What OSS answered, as it would have been streamed. */
function relayWhole(ctx: RequestContext, { status, headers, body }: UpstreamAnswer): "done" {
  sendWhole(ctx, status, withoutHeaders(filterResponseHeaders(ctx, status, headers), LENGTH), body);
  return "done";
}

const LENGTH: ReadonlySet<string> = new Set(["content-length"]);

function askNext(ctx: RequestContext, state: SiteState): "done" | "again" | "next" {
  const { indexDocument, errorDocument } = (ctx.route as CompiledRoute).site as Site;
  if (state.step === "object" && indexDocument !== null && mayBeDirectory(ctx, indexDocument)) {
    askFor(ctx, state, "index", `${ctx.rawKeyPath}/${encodePath(indexDocument)}`);
    return "next";
  }
  if (state.step !== "errorDocument" && errorDocument !== null) {
    askFor(ctx, state, "errorDocument", `/${encodePath(errorDocument)}`);
    ctx.answerStatus = NOT_FOUND;
    return "next";
  }
  ctx.answerStatus = null;
  return (state.missing as NonNullable<SiteState["missing"]>).answer();
}

function mayBeDirectory(ctx: RequestContext, indexDocument: string): boolean {
  return redirectLocation(ctx) !== null && servesIndex(ctx, indexDocument);
}

/**
 * Where a directory without its slash is; `null` where there is no way to it. A link is for one path: with the slash it
 * would not hold, and what it grants is not to be made anew here.
 */
function redirectLocation(ctx: RequestContext): string | null {
  if ((ctx.route as CompiledRoute).links !== null || ctx.path.endsWith("/")) return null;
  return publicLocation(ctx, `${ctx.rawPath}/`, ctx.rawSuffix);
}

const INDEX_ANSWER: WholeAnswer = {
  ...LIMITS,
  finish(ctx, answer) {
    const state = ctx.site as SiteState;
    const location = answer.status === OK ? redirectLocation(ctx) : null;
    if (location !== null) return redirect(ctx, location, answer.headers);
    return askNext(ctx, state);
  },
};

/** Answers where relative links of the page would lead elsewhere: at the root of a site, whose slash is missing. */
export function redirectToRoot(ctx: RequestContext): void {
  const location = ctx.site?.isRootWithoutSlash === true ? redirectLocation(ctx) : null;
  if (location !== null) redirect(ctx, location, []);
}

/** Of the index document's head what a page of another origin needs to follow, and the id that the vendor asks for. */
const OF_REDIRECTS = /^(?:access-control-.*|vary|x-oss-request-id)$/i;

function redirect(ctx: RequestContext, location: string, headers: HeaderList): "done" {
  const kept = filterResponseHeaders(ctx, FOUND, linesNamed(headers, OF_REDIRECTS));
  kept.push("Location", location);
  sendWhole(ctx, FOUND, kept, "");
  return "done";
}

function linesNamed(headers: HeaderList, names: RegExp): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (names.test(headers[i] as string)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}

const NO_ERROR_DOCUMENT: WholeAnswer = {
  ...LIMITS,
  finish: (ctx) => askNext(ctx, ctx.site as SiteState),
};

/**
 * Of an error document what is about it as an object: with them a client would ask for a part of the 404, or keep it
 * when the object has come.
 */
const OF_THE_DOCUMENT: ReadonlySet<string> = new Set([
  "etag",
  "last-modified",
  "accept-ranges",
  "content-range",
  "cache-control",
  "expires",
]);

/** The upstream's head of a document that is shown in place of an object. */
export function errorDocumentHead(headers: HeaderList): string[] {
  return withoutHeaders(headers, OF_THE_DOCUMENT);
}
