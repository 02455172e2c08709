import { originOf, splitReferer } from "./referer-parts.js";

const NONE = "-";
const UNREADABLE = "(unreadable)";

/**
 * The host that a referer names, for a person to read: lower case, without scheme, port, path and query, at most 254
 * characters of letters, digits and `.-_:[]`. `-`: there is no referer; `(unreadable)`: it names no host.
 */
export function refererHost(referer: string | undefined): string {
  if (referer === undefined || referer === "") return NONE;
  const parts = splitReferer(referer);
  const origin = parts.authorityStart === 0 ? null : originOf(parts);
  return origin === null ? UNREADABLE : origin.withoutPort.slice(parts.authorityStart);
}
