import { LINK_PARAMETER_PREFIX } from "./link-token.js";

/** A link as a request carries it, nothing checked. Values are decoded. */
export interface GatewayLink {
  readonly form: "ossgate";
  /** A parameter came twice, does not decode, or is none of a link's. */
  readonly isMalformed: boolean;
  /** By the name after `ossgate-`. */
  readonly values: ReadonlyMap<string, string>;
}

/** NGINX's md5 form. Values are raw, as NGINX reads them. */
export interface SecureLink {
  readonly form: "secure-link";
  readonly isMalformed: boolean;
  readonly md5: string;
  /** `null` when the parameter is absent. */
  readonly expires: string | null;
  /** The raw query without the two. */
  readonly rest: string;
}

export type RawLink = GatewayLink | SecureLink;

/** The parameters that carry an NGINX secure link; case counts. */
export interface SecureLinkNames {
  readonly md5: string;
  readonly expires: string;
}

export interface TakenLink {
  /** `null`: the request carries no link. */
  readonly link: RawLink | null;
  /** The raw query without the link's own segments; byte for byte as it was, but for them. */
  readonly rest: string;
}

const KNOWN_NAMES: ReadonlySet<string> = new Set(["expires", "prefix", "scope", "client", "method", "signature"]);

/**
 * Takes a link off a raw query (without `?`). Names are recognised percent-encoded too, so that none slips upstream.
 *
 * Any parameter whose name begins with `ossgate-` makes it a link of ours, and then the secure-link names are ordinary
 * parameters. Otherwise the md5 parameter makes it a secure link.
 * @param secureLink `null` where the route does not take NGINX's form
 */
export function takeLinkParameters(rawQuery: string, secureLink: SecureLinkNames | null): TakenLink {
  if (rawQuery === "") return { link: null, rest: "" };
  const hasEscapes = rawQuery.includes("%");
  if (hasEscapes || rawQuery.includes(LINK_PARAMETER_PREFIX)) {
    const taken = takeGatewayLink(rawQuery);
    if (taken !== null) return taken;
  }
  if (secureLink !== null && (hasEscapes || rawQuery.includes(secureLink.md5))) {
    const taken = takeSecureLink(rawQuery, secureLink);
    if (taken !== null) return taken;
  }
  return { link: null, rest: rawQuery };
}

function takeGatewayLink(rawQuery: string): TakenLink | null {
  const { own, rest } = splitQuery(rawQuery, (name) => name.startsWith(LINK_PARAMETER_PREFIX));
  if (own.length === 0) return null;
  const values = new Map<string, string>();
  let isMalformed = false;
  for (const [fullName, rawValue] of own) {
    const name = fullName.slice(LINK_PARAMETER_PREFIX.length);
    const value = decodeQueryValue(rawValue);
    if (value === null || values.has(name) || !KNOWN_NAMES.has(name)) isMalformed = true;
    else values.set(name, value);
  }
  return { link: { form: "ossgate", isMalformed, values }, rest };
}

function takeSecureLink(rawQuery: string, names: SecureLinkNames): TakenLink | null {
  const { own, rest } = splitQuery(rawQuery, (name) => name === names.md5 || name === names.expires);
  const md5 = own.filter(([name]) => name === names.md5);
  if (md5.length === 0) return null;
  const expires = own.filter(([name]) => name === names.expires);
  const isMalformed = md5.length > 1 || expires.length > 1;
  const link = { isMalformed, md5: md5[0]?.[1] ?? "", expires: expires[0]?.[1] ?? null, rest };
  return { link: { form: "secure-link", ...link }, rest };
}

/** Tells the segments of a raw query whose decoded name is wanted from the rest, which stays as it is. */
export function splitQuery(
  rawQuery: string,
  isOwn: (name: string) => boolean,
): { readonly own: readonly (readonly [name: string, rawValue: string])[]; readonly rest: string } {
  const own: [string, string][] = [];
  const others: string[] = [];
  for (const segment of rawQuery.split("&")) {
    const equals = segment.indexOf("=");
    const rawName = equals === -1 ? segment : segment.slice(0, equals);
    const name = decodeQueryValue(rawName) ?? rawName;
    if (isOwn(name)) own.push([name, equals === -1 ? "" : segment.slice(equals + 1)]);
    else others.push(segment);
  }
  return { own, rest: others.join("&") };
}

/** A name or value of a raw query: `+` is a space, `%xx` a byte of UTF-8; `null` when it does not decode. */
export function decodeQueryValue(raw: string): string | null {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return null;
  }
}
