import { isIPv6 } from "node:net";

const NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?\.?$/;
const PORT = /^:\d{0,5}$/;

/**
 * The host that a `Host` value or an authority means: lower case, without port, brackets and trailing dot.
 * @returns `null` for what is no host (RFC 9110 §7.2): user info, spaces, an empty value, a broken address
 */
export function hostOf(authority: string): string | null {
  if (authority.startsWith("[")) return ipv6Of(authority);
  const colon = authority.indexOf(":");
  if (colon !== -1 && !PORT.test(authority.slice(colon))) return null;
  const host = (colon === -1 ? authority : authority.slice(0, colon)).toLowerCase();
  if (!NAME.test(host) || host.length > 254) return null;
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

function ipv6Of(authority: string): string | null {
  const end = authority.indexOf("]");
  const rest = authority.slice(end + 1);
  if (end === -1 || (rest !== "" && !PORT.test(rest))) return null;
  const address = authority.slice(1, end);
  return isIPv6(address) ? canonicalIpv6(address) : null;
}

/** One spelling for each IPv6 address, so that hosts can be compared as text; anything else is returned as it is. */
export function canonicalIpv6(address: string): string {
  if (!isIPv6(address) || address.includes("%")) return address;
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}
