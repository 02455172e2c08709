import type { Denial } from "../core/errors.js";
import { beginsLikeHost, publicScheme } from "./public-location.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";

/**
 * Within stage 3, on routes with `httpsRedirect`, behind addresses and rates and before all that a client has to show:
 * plain HTTP is sent to https, to the host that the route was found by and the target as it was written. Methods that may change something are asked to come again as they are (308).
 */
export function redirectToHttps(ctx: RequestContext): Denial | null {
  const port = ctx.route?.httpsPort ?? null;
  if (port === null || publicScheme(ctx) === "https") return null;
  // A server in front may make the redirect relative, and then the path would name a host.
  if (beginsLikeHost(ctx.rawPath)) return LIKE_HOST;
  const host = ctx.host.includes(":") ? `[${ctx.host}]` : ctx.host;
  const { method } = ctx.req;
  const status = method === "GET" || method === "HEAD" ? 301 : 308;
  const location = `https://${host}${port === 443 ? "" : `:${port}`}${ctx.rawTarget}`;
  sendWhole(ctx, status, ["Location", location, "x-oss-request-id", ctx.requestId], "");
  return null;
}

const LIKE_HOST: Denial = Object.freeze({
  code: "MALFORMED_TARGET",
  reason: "The path begins with two slashes, which a redirect to https could not keep. Ask by https.",
});
