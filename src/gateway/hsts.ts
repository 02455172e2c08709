import { withoutHeaders } from "../core/headers.js";
import { publicScheme } from "./public-location.js";
import type { RequestContext } from "./request-context.js";

const NAMES: ReadonlySet<string> = new Set(["strict-transport-security"]);

/**
 * Adds the route's `Strict-Transport-Security` to an answer over TLS, in place of what the upstream says: browsers take
 * the first (RFC 6797 §8.1).
 * @returns the list, or another one
 */
export function withHsts(ctx: RequestContext, headers: string[]): string[] {
  const hsts = ctx.route?.hsts ?? null;
  if (hsts === null || publicScheme(ctx) !== "https") return headers;
  const kept = withoutHeaders(headers, NAMES);
  kept.push("Strict-Transport-Security", hsts);
  return kept;
}
