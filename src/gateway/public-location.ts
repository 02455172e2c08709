import { headerValues } from "../core/headers.js";
import { canonicalClient } from "../policy/clients.js";
import { peerOf } from "./client-address.js";
import type { RequestContext } from "./request-context.js";

/**
 * The `Location` of a redirect that the gateway makes, on the host that the route was found by. Absolute, so that no
 * path can be read as another host; and since a server in front may make it relative again, a path that would then name
 * one gets none.
 * @param rawPath begins with `/`, percent-encoded as the client wrote it; its octets are those of a checked target
 * @param rawSuffix `?query`, `?` or nothing
 * @returns `null` where the path begins like a host, `//` or `/\`, encoded or not
 */
export function publicLocation(ctx: RequestContext, rawPath: string, rawSuffix: string): string | null {
  if (beginsLikeHost(rawPath)) return null;
  const host = ctx.host.includes(":") ? `[${ctx.host}]` : ctx.host;
  return `${publicScheme(ctx)}://${host}${portOf(ctx.rawHost)}${rawPath}${rawSuffix}`;
}

const BEGINS_LIKE_HOST = /^\/(?:[/\\]|%2f|%5c)/i;

/** Whether a path could be read as `//host`, by a browser or by a server in front that decodes it. */
export function beginsLikeHost(rawPath: string): boolean {
  return BEGINS_LIKE_HOST.test(rawPath);
}

const PORT = /:(\d{1,5})$/;

/** The port of the client's Host, with its colon; `""` for none, and for what is no port. */
function portOf(rawHost: string): string {
  const [, port] = PORT.exec(rawHost) ?? [];
  return port === undefined || Number(port) > 0xffff ? "" : `:${port}`;
}

/** `https` behind a proxy that ends TLS and says so, when it is one of the trusted. */
export function publicScheme({ gateway, req }: RequestContext): "http" | "https" {
  if (gateway.isTls) return "https";
  if (gateway.trustedProxies === null) return "http";
  const { socket, rawHeaders } = req;
  const isBelieved = gateway.trustedProxies.has(canonicalClient(peerOf(socket)));
  return isBelieved && headerValues(rawHeaders, "x-forwarded-proto").join().toLowerCase() === "https"
    ? "https"
    : "http";
}
