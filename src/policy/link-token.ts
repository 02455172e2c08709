import type { Secret } from "../core/secret.js";
import { encodePath, hasDotSegment } from "../core/target.js";
import { MacKey, macField } from "./link-mac.js";

/**
 * Links that the gateway's own secret signed: they admit their bearer to a route that is otherwise closed.
 * The parameters of a link are taken off before the upstream (link-query.ts); link-check.ts decides about them.
 */

/** What a link says. Times in Unix seconds. */
export interface LinkClaims {
  readonly route: string;
  /** Decoded path as the client asks for it; with `isPrefix` it ends at `/` and the link covers all below. */
  readonly path: string;
  readonly isPrefix: boolean;
  readonly expiresSeconds: number;
  /** The decoded path prefix inside which a playlist that this link admits may mint links; `null`: see `isPrefix`, then the playlist's directory. */
  readonly scope: string | null;
  /** The client's address, canonical; `null`: any. */
  readonly client: string | null;
  /** `GET` admits HEAD too. */
  readonly method: string;
  /** Decoded parameters that go upstream, in any order; they are signed. Empty for most links. */
  readonly parameters: QueryParameters;
}

/** Decoded; a bare name (`null`) and an empty value are one and the same, as they are to OSS (oss-semantics §2.4). */
export type QueryParameters = readonly (readonly [name: string, value: string | null])[];

/** What many links of one playlist have in common: each covers one exact path, and no parameters. */
export type BatchClaims = Pick<LinkClaims, "expiresSeconds" | "client" | "method" | "scope">;

/** All parameters of links begin with it; no others may. */
export const LINK_PARAMETER_PREFIX = "ossgate-";

/** Seconds have at most this many digits: the year 5138. */
export const MAX_EXPIRES_DIGITS = 11;

// Another kind of token under the same secret has another version, so that neither passes for the other.
const VERSION = "ossgate-link-1";
const MAX_EXPIRES_SECONDS = 10 ** MAX_EXPIRES_DIGITS - 1;

/** Makes the links of one route. */
export class LinkSigner {
  readonly #key: MacKey;
  readonly #head: string;

  /** @param route the route's name: a link of one route is none of another's, even under the same secret */
  constructor(secret: Secret, route: string) {
    this.#key = new MacKey(secret);
    this.#head = linkTextHead(route);
  }

  /**
   * @returns the link's own parameters, encoded, without `?` and without a leading `&`; the parameters that go upstream
   * are signed but not repeated here
   * @throws RangeError for claims that no link can make: see {@link claimsProblem}
   */
  sign(claims: Omit<LinkClaims, "route">): string {
    const problem = claimsProblem(claims);
    if (problem !== null) throw new RangeError(problem);
    const text = linkText(this.#head, signedClaims(claims), claims.path);
    return linkParameters(claims) + this.#key.sign(text);
  }

  /**
   * For the segments of a playlist: {@link sign} for links that differ in nothing but their exact path, at a third of
   * the price.
   * @returns a function from a decoded path, which begins with `/`, to what `sign` would give
   * @throws RangeError as `sign` does
   */
  batch(common: BatchClaims): (path: string) => string {
    const claims = { ...common, path: "/", isPrefix: false, parameters: [] };
    const problem = claimsProblem(claims);
    if (problem !== null) throw new RangeError(problem);
    const key = this.#key;
    const head = linkText(this.#head, signedClaims(claims), null);
    const parameters = linkParameters(claims);
    return (path) => parameters + key.sign(head + macField(path));
  }
}

/** Claims as they are signed, with the expiry in the digits that the link carries. */
export interface SignedClaims extends Omit<LinkClaims, "route" | "path" | "expiresSeconds"> {
  readonly expires: string;
}

function signedClaims(claims: Omit<LinkClaims, "route">): SignedClaims {
  return { ...claims, expires: String(claims.expiresSeconds) };
}

/** How the signed text of all links of a route begins. */
export function linkTextHead(route: string): string {
  return macField(VERSION) + macField(route);
}

/**
 * The text that a link's HMAC is computed over: netstrings (see {@link macField}), in this order: the version, the
 * route, `path` or `prefix`, the expiry, the client's address or `-`, the method, the scope or `-`, the number of
 * parameters, their names and values sorted by name and then value, and last the path, because the links of a playlist
 * have the rest in common. Different claims give different texts.
 * @param head of the route, see {@link linkTextHead}
 * @param path `null` leaves it to be appended
 */
export function linkText(head: string, claims: SignedClaims, path: string | null): string {
  const { isPrefix, expires, client, method, scope, parameters } = claims;
  // Digits and methods are ASCII: as many bytes as characters.
  const kind = isPrefix ? "6:prefix," : "4:path,";
  const who = `${expires.length}:${expires},${macField(client)}${method.length}:${method},${macField(scope)}`;
  return head + kind + who + parameterFields(parameters) + (path === null ? "" : macField(path));
}

function parameterFields(parameters: QueryParameters): string {
  if (parameters.length === 0) return "1:0,";
  const pairs = parameters.map(([name, value]): readonly [string, string] => [name, value ?? ""]);
  pairs.sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB));
  return macField(String(pairs.length)) + pairs.map(([name, value]) => macField(name) + macField(value)).join("");
}

function compare(a: string, b: string): number {
  const order = a < b ? -1 : 1;
  return a === b ? 0 : order;
}

function linkParameters(claims: Omit<LinkClaims, "route">): string {
  const { path, isPrefix, expiresSeconds, scope, client, method } = claims;
  let text = `ossgate-expires=${expiresSeconds}`;
  if (isPrefix) text += `&ossgate-prefix=${encodePath(path)}`;
  if (scope !== null) text += `&ossgate-scope=${encodePath(scope)}`;
  if (client !== null) text += "&ossgate-client=1";
  if (method !== "GET") text += `&ossgate-method=${encodePath(method)}`;
  return `${text}&ossgate-signature=`;
}

/** One sentence about claims that no link can make, or `null`. */
export function claimsProblem(claims: Omit<LinkClaims, "route">): string | null {
  const { path, isPrefix, expiresSeconds, scope, client, method } = claims;
  if (!path.startsWith("/")) return "The path of a link must begin with a slash.";
  if (isPrefix && !isLinkPrefix(path)) return "A link's prefix must end with a slash and have no '.' or '..' segment.";
  if (scope !== null && !isLinkPrefix(scope)) {
    return "A link's scope must begin and end with a slash and have no '.' or '..' segment.";
  }
  if (!Number.isInteger(expiresSeconds) || expiresSeconds <= 0 || expiresSeconds > MAX_EXPIRES_SECONDS) {
    return "A link's expiry must be whole Unix seconds.";
  }
  if (client === "") return "A link cannot be bound to an empty address.";
  if (!METHOD.test(method)) return "A link's method must be in capital letters.";
  return null;
}

const METHOD = /^[A-Z]{1,16}$/;

/** Whether a decoded path may be a link's prefix or scope: it begins and ends with `/` and means what it says. */
export function isLinkPrefix(path: string): boolean {
  return path.startsWith("/") && path.endsWith("/") && !hasDotSegment(path);
}
