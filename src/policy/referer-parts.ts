import { hostOf } from "../core/host.js";
import type { Subject } from "./referer-glob.js";

/** A referer as it was sent, cut at its joints: `text.slice(0, headEnd)` is scheme and authority. */
export interface RefererParts {
  readonly text: string;
  readonly authorityStart: number;
  readonly headEnd: number;
}

/** Where a page is from. */
interface Origin {
  /** `https://host:8443`; without `:port` where the referer names none. Lower case, without user information. */
  readonly withPort: string;
  readonly withoutPort: string;
}

const SCHEME = /^[a-z][a-z0-9+.-]{0,30}:\/\//i;

/** Finds scheme and authority; a text without `scheme://` begins with its authority. */
export function splitReferer(text: string): RefererParts {
  const authorityStart = SCHEME.exec(text)?.[0].length ?? 0;
  return { text, authorityStart, headEnd: endOfAuthority(text, authorityStart) };
}

function endOfAuthority(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === "/" || character === "?" || character === "#") return at;
  }
  return text.length;
}

/** As it is compared where the case of scheme and host does not count. */
export function foldHead({ text, headEnd }: RefererParts): Subject {
  const head = text.slice(0, headEnd).toLowerCase();
  return { text: head + text.slice(headEnd), foldedEnd: head.length };
}

/**
 * Where the page really is from: user information in front of the host (`http://a.com@evil.net`) and a dot at its end
 * are off.
 * @returns `null` when no host can be read, or when readers differ: browsers take `\` for `/`, RFC 3986 does not
 */
export function originOf({ text, authorityStart, headEnd }: RefererParts): Origin | null {
  const authority = text.slice(authorityStart, headEnd);
  if (authority.includes("\\")) return null;
  const hostAndPort = authority.slice(authority.lastIndexOf("@") + 1);
  const host = hostOf(hostAndPort);
  if (host === null) return null;
  const scheme = text.slice(0, authorityStart).toLowerCase();
  const withoutPort = scheme + (host.includes(":") ? `[${host}]` : host);
  const port = /:\d+$/.exec(hostAndPort)?.[0] ?? "";
  return { withoutPort, withPort: withoutPort + port };
}
