import { Refusal } from "../config/refusal.js";
import { parseKeyPrefix, parsePathPrefix } from "../config/values.js";

/** Which paths a `location` takes, as far as a prefix says it. */
export interface LocationPath {
  /** As `match.pathPrefix` takes it. */
  readonly pathPrefix: string;
  /** What NGINX takes off where `proxy_pass` has a path: the location as it is written. */
  readonly literal: string;
  /** What differs from NGINX; `null`: nothing. */
  readonly difference: string | null;
  /** `exact`: one path alone; `pattern`: what the prefix says is not all. */
  readonly kind: "prefix" | "exact" | "pattern";
}

/** Of what only an expression says. */
export const BY_PATTERN: LocationPath = { pathPrefix: "/", literal: "/", difference: null, kind: "pattern" };

/** A whole folder: one that ends in the middle of a name, or at its end, is no prefix. */
const EXPRESSION = /^\^((?:\/[\w-]+)*\/)(?:(?:\(\.[*+]\)|\.[*+])\$?)?$/;

/**
 * Reads the arguments of a `location`.
 * @returns a sentence that says why it is no prefix
 */
export function readLocation(args: readonly string[]): LocationPath | string {
  const [first = "", second] = args;
  const modifier = second === undefined ? (/^(?:\^~|=|~\*?)/.exec(first)?.[0] ?? "") : first;
  const pattern = second ?? first.slice(modifier.length);
  if (modifier.startsWith("~")) return fromExpression(pattern, modifier === "~*");
  if (pattern.startsWith("@")) return "named locations are not reached by any request here";
  const pathPrefix = parsePathPrefix(pattern);
  if (pathPrefix instanceof Refusal)
    return `${pattern} cannot be a pathPrefix: ${pathPrefix.hint || pathPrefix.expected}`;
  const kind = modifier === "=" ? "exact" : "prefix";
  return { pathPrefix, literal: pattern, difference: differenceOf(modifier, pattern), kind };
}

function differenceOf(modifier: string, pattern: string): string | null {
  if (modifier === "=" || pattern === "/") return null;
  if (pattern.endsWith("/")) return withoutSlash(pattern);
  return `a prefix ends at a segment: ${pattern}/… is taken, ${pattern}… is not`;
}

const withoutSlash = (literal: string): string =>
  `${literal.slice(0, -1)} without its slash is refused (deny.paths); NGINX redirected it, or had it elsewhere`;

function fromExpression(pattern: string, ignoresCase: boolean): LocationPath | string {
  const literal = /^\^?(?:\.\*|\(\.\*\))\$?$/.test(pattern) ? "/" : EXPRESSION.exec(pattern)?.[1];
  if (literal === undefined || (ignoresCase && /[a-z]/i.test(literal)))
    return "routes are chosen by prefix or by expressions of RE2, and not by this one: write the prefix that the paths have in common";
  const prefix = parsePathPrefix(literal === "" ? "/" : literal);
  if (prefix instanceof Refusal) return prefix.expected;
  return {
    pathPrefix: prefix,
    literal: literal === "" ? "/" : literal,
    difference: literal === "/" ? null : `a prefix in the place of the expression; ${withoutSlash(literal)}`,
    kind: "prefix",
  };
}

/** How a path becomes a key: `stripPrefix` and `keyPrefix`. */
export interface KeyChange {
  readonly stripPrefix: boolean;
  readonly keyPrefix: string;
  /** What differs from NGINX; `null`: nothing. */
  readonly difference: string | null;
}

export const NO_CHANGE: KeyChange = { stripPrefix: false, keyPrefix: "", difference: null };

const NORMALISED = "NGINX sends the path decoded and encoded anew; here it is sent as it came";

/**
 * What the path behind the host of a `proxy_pass` does.
 * @param uri what stands there, `""` for nothing
 * @param hasVariables whether the directive had variables, which makes NGINX send just that
 * @returns a sentence that says why it cannot be said here
 */
export function readUri(uri: string, location: LocationPath, hasVariables: boolean): KeyChange | string {
  if (uri === "") return NO_CHANGE;
  if (!hasVariables) return replaced(uri, location, NORMALISED);
  const match = /^([^$]*)(\$request_uri|\$uri\$is_args\$args|\$uri|\$(?:1|\w+)(?:\$is_args\$args)?)?$/.exec(uri);
  const [, before = "", rest] = match ?? [];
  if (match === null || rest === undefined) return `every request would ask for ${uri}; write what each asks for`;
  if (/^\$(?:request_uri|uri)/.test(rest)) {
    const difference = rest.startsWith("$uri")
      ? rest === "$uri"
        ? "NGINX leaves the query out; here it is sent"
        : NORMALISED
      : null;
    return withPrefix(before, false, difference);
  }
  if (location.kind === "pattern") return `${rest} is what its expression found, which is not known here`;
  return rest.startsWith("$1") ? withPrefix(before, true, NORMALISED) : `${rest} is not known here`;
}

/** What `rewrite EXPRESSION TO break` does to the paths of a location; `null`: it is not understood. */
export function readRewrite(args: readonly string[], location: LocationPath): KeyChange | null {
  const [from = "", to = "", flag = ""] = args;
  if (flag !== "break" && flag !== "last" && flag !== "") return null;
  const match = /^\^((?:\/[\w-]+)*\/)?\(\.[*+]\)\$?$/.exec(from);
  const target = /^(\/[^$]*)?\$1$/.exec(to);
  if (match === null || target === null) return null;
  const taken = match[1] ?? "";
  const change = replaced(`${target[1] ?? ""}`, { ...location, literal: taken }, null);
  if (typeof change === "string") return null;
  const covers = taken === "" || taken === "/" || taken.replace(/\/$/, "") === location.pathPrefix;
  return covers ? change : null;
}

/** `literal` at the beginning of the path becomes `uri`. */
function replaced(
  uri: string,
  { literal, pathPrefix, kind }: LocationPath,
  difference: string | null,
): KeyChange | string {
  if (/[$?]/.test(uri)) return `${uri} cannot be the beginning of a key`;
  if (kind === "exact") return uri === literal ? { ...NO_CHANGE, difference } : withPrefix(uri, true, difference);
  if (uri === literal || (literal === "" && uri === "")) return { ...NO_CHANGE, difference };
  if (literal !== "/" && literal !== "" && !literal.endsWith("/") && uri.endsWith("/")) {
    const doubled = `${literal} becomes ${uri}, so NGINX asks for two slashes in a row; here it is one`;
    return withPrefix(uri, pathPrefix !== "/", doubled);
  }
  const isWhole = literal === "" || literal === "/";
  // What is left begins with a slash where the literal does not end with one.
  const joined = literal.endsWith("/") || uri === "" ? uri : `${uri}/`;
  return withPrefix(joined, !isWhole, difference);
}

function withPrefix(text: string, stripPrefix: boolean, difference: string | null): KeyChange | string {
  const keyPrefix = parseKeyPrefix(safeDecode(text).replace(/^\//, ""));
  if (keyPrefix instanceof Refusal) return `${text} cannot be a keyPrefix: ${keyPrefix.hint || keyPrefix.expected}`;
  return { stripPrefix, keyPrefix, difference };
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
