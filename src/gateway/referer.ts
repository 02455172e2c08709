import type { Denial } from "../core/errors.js";
import type { SignatureClass } from "../signing/types.js";
import type { RequestContext } from "./request-context.js";

/**
 * Whether the page that a request comes from may show the route's objects (oss-semantics §5). Questions before a request
 * are answered before (stage 4); what the client signed in its head is exempt, as at OSS.
 */
export function checkReferer(ctx: RequestContext): Denial | null {
  const referer = ctx.route?.referer ?? null;
  if (referer === null || ctx.isPreflight || isExempt(ctx)) return null;
  const reason = referer.check(ctx.referer);
  if (reason === null) return null;
  ctx.routeStats.countReferer(reason, referer.isEnforced);
  ctx.gateway.stats.noteRefusedReferer(ctx.routeStats.route, ctx.referer);
  if (referer.isEnforced) return referer.denials[reason];
  ctx.reported = [...ctx.reported, "REFERER_DENIED"];
  return null;
}

/** What signs the head of a request; a signature in the URL can be handed on, and a page can show it. */
const SIGNS_HEAD: ReadonlySet<SignatureClass> = new Set(["v1-header", "v2-header", "v4-header"]);

/** Only where somebody checks that signature: OSS, because it arrives there as it is, or the gateway just did. */
function isExempt(ctx: RequestContext): boolean {
  if (!SIGNS_HEAD.has(ctx.signatureClass)) return false;
  return ctx.route?.signing === null || ctx.isRelayed || ctx.hasVerifiedSignature;
}
