import { headerValue } from "../core/headers.js";
import type { CorsPolicy } from "../policy/cors-policy.js";
import type { RequestContext } from "./request-context.js";

/** Adds what pages of other origins need to read an answer; the upstream's own was taken out before. */
export function addCorsHeaders(ctx: RequestContext, cors: CorsPolicy, headers: string[]): void {
  // Not off req.headers, which an upload has emptied.
  const origin = headerValue(ctx.req.rawHeaders, "origin");
  headers.push(...cors.actual(origin, ctx.req.method ?? ""));
  if (cors.varies) addVaryOrigin(headers);
}

/** A list that names Origin already is left alone. */
function addVaryOrigin(headers: string[]): void {
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== "vary") continue;
    const names = (headers[i + 1] as string).toLowerCase().split(",");
    if (names.some((name) => name.trim() === "origin" || name.trim() === "*")) return;
  }
  headers.push("Vary", "Origin");
}
