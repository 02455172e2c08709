import type { Denial } from "../core/errors.js";
import { headerValues } from "../core/headers.js";
import { decodePath } from "../core/target.js";
import type { AccessFacts } from "../policy/access.js";
import { checkLink } from "../policy/link-check.js";
import { type RawLink, takeLinkParameters } from "../policy/link-query.js";
import { INVALID, type LinkVerdict } from "../policy/link-verdict.js";
import type { CompiledLinks, CompiledLogin, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import { parseQuery } from "../signing/canonical.js";
import { isKnownParameter } from "../signing/request-parameters.js";
import type { QueryPairs } from "../signing/types.js";
import { askMembers, consumesAuthorization } from "./ask-members.js";
import { type ClientSignature, clientSignature, isRelayed, signsItsRequest } from "./client-signature.js";
import { checkReferer } from "./referer.js";
import type { RequestContext } from "./request-context.js";

/**
 * Stage 5. Decides who may use the route: takes a link off the query and checks it, verifies what the client signed
 * where the route wants that, looks at the page that it comes from, and asks the policy about all that is known. Only
 * where the policy leaves it to a password or to a service is there somebody to wait for.
 */
export function authorize(ctx: RequestContext): Denial | null | Promise<Denial | null> {
  const { access, links, login, signing, referer } = ctx.route as CompiledRoute;
  if (ctx.rawPath.includes("+") && mayBeAnothersPath(ctx)) return PLUS_IS_AMBIGUOUS.denial;
  if (access === null && signing === null && referer === null) return null;
  if (login !== null) {
    if (headerValues(ctx.req.rawHeaders, "authorization").length > 1) return TWO_AUTHORIZATIONS;
    ctx.consumedAuthorization = consumesAuthorization(ctx, login);
  }
  const rawLink = links === null ? null : takeLink(ctx, links);
  // A browser shows nobody's credentials with it, and OSS tells nothing of the object (oss-semantics §6.3).
  if (ctx.isPreflight) return null;
  const signature = signing === null ? null : takeSignature(ctx, signing);
  if (signature?.kind === "refused") return signature.denial;
  const denied = referer === null ? null : checkReferer(ctx);
  if (denied !== null || access === null) return denied;
  const link = signature?.kind === "signed-url" ? signature.verdict : linkVerdict(ctx, rawLink, links);
  const { client, clientCertificate: certificate, hasVerifiedSignature: isSignatureVerified } = ctx;
  const facts: AccessFacts = { client, link, isSignatureVerified, certificate };
  const decision = access.decide(facts);
  if (decision !== "ask") return admit(ctx, link, decision);
  const outcome = askMembers(ctx, { login: login as CompiledLogin, access, facts });
  if (outcome instanceof Promise) return outcome.then((known) => admit(ctx, link, known));
  return admit(ctx, link, outcome);
}

const TWO_AUTHORIZATIONS: Denial = Object.freeze({
  code: "MALFORMED_REQUEST",
  reason: "The request has two Authorization headers, and one of them may be for somebody else. Send one.",
});

/** Notes the link, where it may have helped to let the request in. */
function admit(ctx: RequestContext, link: LinkVerdict | null, denied: Denial | null): Denial | null {
  if (denied === null && link?.ok === true) ctx.link = admitting(link);
  return denied;
}

function takeLink(ctx: RequestContext, links: CompiledLinks): RawLink | null {
  const { link, rest } = takeLinkParameters(ctx.rawQuery, links.secureLinkNames);
  if (link === null) return null;
  ctx.carriedLink = true;
  ctx.rawQuery = rest;
  ctx.rawSuffix = rest === "" ? "" : `?${rest}`;
  return link;
}

function takeSignature(ctx: RequestContext, signing: CompiledSigning): ClientSignature {
  ctx.isRelayed = isRelayed(ctx, signing);
  // The link and the signature must be about the key that is read, so this comes before both.
  if (!ctx.isRelayed && signing.plusIsSpace && ctx.rawPath.includes("+")) {
    ctx.rawPath = ctx.rawPath.replaceAll("+", "%20");
    ctx.path = decodePath(ctx.rawPath);
    // The route was chosen by the path with its plus; with the space it may be another's to guard.
    if (ctx.gateway.table.find(ctx.host, ctx.path) !== ctx.route) return PLUS_IS_AMBIGUOUS;
  }
  return ctx.signatureClass === "anonymous" || ctx.isRelayed ? { kind: "none" } : clientSignature(ctx, signing);
}

/** A raw plus is relayed as it is, and OSS is reported to read it as a space: of a route that is guarded, perhaps. */
function mayBeAnothersPath(ctx: RequestContext): boolean {
  const found = ctx.gateway.table.find(ctx.host, decodePath(ctx.rawPath.replaceAll("+", "%20")));
  return (
    found !== null &&
    found !== ctx.route &&
    (found.access !== null || found.referer !== null || found.deniedPaths !== null)
  );
}

const PLUS_IS_AMBIGUOUS: Extract<ClientSignature, { kind: "refused" }> = Object.freeze({
  kind: "refused",
  denial: Object.freeze({
    code: "MALFORMED_TARGET",
    reason: "The path has a raw '+', which could mean two routes. Write %20 for a space or %2B for a plus.",
  }),
});

function linkVerdict(ctx: RequestContext, raw: RawLink | null, links: CompiledLinks | null): LinkVerdict | null {
  if (raw === null || links === null) return null;
  // What is relayed keeps its raw plus, which readers take for a plus or for a space: that would be two objects.
  if ((ctx.route as CompiledRoute).signing === null && ctx.rawPath.includes("+")) return INVALID;
  const { path, client, host } = ctx;
  const request = { path, method: ctx.req.method ?? "", client, host, parameters: parametersThatCount(ctx) };
  return checkLink(raw, request, links.keys, Date.now());
}

/**
 * What of the query goes upstream and must be part of the link. Where the gateway signs, what OSS does not know is
 * dropped; what the client itself signed is covered by that.
 */
function parametersThatCount(ctx: RequestContext): QueryPairs {
  if (ctx.rawQuery === "") return [];
  if (ctx.isRelayed || ctx.hasVerifiedSignature) return [];
  const pairs = parseQuery(ctx.rawQuery);
  if ((ctx.route as CompiledRoute).signing !== null) return pairs.filter(([name]) => isKnownParameter(name));
  return signsItsRequest(ctx) ? [] : pairs;
}

function admitting(link: Extract<LinkVerdict, { ok: true }>): RequestContext["link"] {
  const { expiresSeconds, client } = link;
  return { expiresSeconds, client, scope: link.scope ?? (link.isPrefix ? link.path : null) };
}
