import { encodePath, hasDotSegment } from "../core/target.js";
import type { LinkKind, PlaylistRewrite, UriParameters } from "./rewrite.js";

/** Whether a path, decoded or not, is a playlist's by its name: `.m3u8` or `.m3u`, in any case. */
export function isPlaylistPath(path: string): boolean {
  const last = path.charCodeAt(path.length - 1);
  // Nearly every path of a playlist is a segment's, and lower-casing it costs a fifth of the whole rewrite.
  if (last !== DIGIT_8 && (last | LOWER_CASE_BIT) !== LOWER_U) return false;
  const end = path.slice(-5).toLowerCase();
  return end === ".m3u8" || end.endsWith(".m3u");
}

const DIGIT_8 = 0x38;
const LOWER_CASE_BIT = 0x20;
const LOWER_U = 0x75;

// One relative path of unreserved characters in which no segment is empty or begins with a dot: it means what it says.
const PLAIN_RELATIVE = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$/;

// Browsers read a backslash as a slash and drop control characters; `{$x}` is a variable (RFC 8216bis §4.3).
const UNTOUCHABLE = /[\p{Cc}\\]|\{\$/u;

const NO_PARAMETERS: UriParameters = [];

/** Makes links of the URIs of one playlist. */
export class UriRewriter {
  readonly #rewrite: PlaylistRewrite;
  /** Of the playlist, with the slash at its end. */
  readonly #directory: string;
  readonly #ownsDirectory: boolean;

  constructor(rewrite: PlaylistRewrite) {
    this.#rewrite = rewrite;
    this.#directory = rewrite.playlistPath.slice(0, rewrite.playlistPath.lastIndexOf("/") + 1);
    this.#ownsDirectory = this.#directory.startsWith(rewrite.scope) && isTidy(this.#directory);
  }

  /**
   * The URI as a link, with its fragment.
   * @param uri as it stands in the playlist
   * @param kind what the playlist says about it; a playlist's name makes it one in any case
   * @returns `null` when the URI must stay as it is
   */
  link(uri: string, kind: LinkKind): string | null {
    if (this.#ownsDirectory && PLAIN_RELATIVE.test(uri)) {
      return `${uri}?${this.#mint(this.#directory + uri, kind, NO_PARAMETERS)}`;
    }
    return UNTOUCHABLE.test(uri) ? null : this.#linkAny(uri, kind);
  }

  #linkAny(uri: string, kind: LinkKind): string | null {
    const reference = splitReference(uri);
    if (reference === null || isSameDocument(reference)) return null;
    const target = this.#resolve(reference);
    if (target === null || !this.#isMintable(target.path)) return null;
    const { kept, known } = sortParameters(reference.rawQuery, this.#rewrite);
    const link = this.#mint(target.path, kind, known);
    return `${target.text}?${kept === "" ? "" : `${kept}&`}${link}${reference.fragment}`;
  }

  #mint(path: string, kind: LinkKind, parameters: UriParameters): string {
    return this.#rewrite.link(path, isPlaylistPath(path) ? "playlist" : kind, parameters);
  }

  // A path that ends at a slash would be a link to all below, and `//host` is not a path to a client.
  #isMintable(path: string): boolean {
    return path.startsWith(this.#rewrite.scope) && !path.endsWith("/") && isTidy(path);
  }

  #resolve({ authority, rawPath }: Reference): Target | null {
    const decoded = decodeOnce(rawPath);
    if (decoded === null) return null;
    if (authority !== null) return this.#resolveAbsolute(authority, decoded);
    if (rawPath.startsWith("/")) return pathAbsolute(removeDotSegments(decoded));
    const path = decoded === "" ? this.#rewrite.playlistPath : removeDotSegments(this.#directory + decoded);
    return { path, text: encode(shortenRelative(decoded)) };
  }

  #resolveAbsolute(authority: string, decoded: string): Target | null {
    const path = this.#rewrite.clientPath(authority, removeDotSegments(decoded));
    return path === null ? null : pathAbsolute(path);
  }
}

/** A URI reference taken apart (RFC 3986 §4.1); only what may become a link. */
interface Reference {
  /** Lower case; `null` for a path alone. */
  readonly authority: string | null;
  readonly rawPath: string;
  readonly rawQuery: string;
  /** With its `#`, or nothing. */
  readonly fragment: string;
}

/** Where a reference leads: its decoded path, and what is written into the playlist in place of its path. */
interface Target {
  readonly path: string;
  readonly text: string;
}

const pathAbsolute = (path: string): Target => ({ path, text: encode(path) });

const UNRESERVED = /^[A-Za-z0-9._~/-]*$/;

const encode = (path: string): string => (UNRESERVED.test(path) ? path : encodePath(path));

// Neither a dot segment nor a second slash at the beginning, which is no path but an authority.
const isTidy = (path: string): boolean => path.startsWith("/") && !path.startsWith("//") && !hasDotSegment(path);

const isSameDocument = ({ authority, rawPath, rawQuery }: Reference): boolean =>
  authority === null && rawPath === "" && rawQuery === "";

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const HTTP = /^https?:$/i;
const HOST_AND_PORT = /^[A-Za-z0-9_.:[\]-]+$/;

/** `null` for other schemes, and for an authority that is more than a host and a port. */
function splitReference(uri: string): Reference | null {
  const hash = uri.indexOf("#");
  const fragment = hash === -1 ? "" : uri.slice(hash);
  const whole = hash === -1 ? uri : uri.slice(0, hash);
  const mark = whole.indexOf("?");
  const rawQuery = mark === -1 ? "" : whole.slice(mark + 1);
  let place = mark === -1 ? whole : whole.slice(0, mark);
  const scheme = SCHEME.exec(place)?.[0];
  if (scheme !== undefined) {
    place = place.slice(scheme.length);
    if (!HTTP.test(scheme) || !place.startsWith("//")) return null;
  }
  if (!place.startsWith("//")) return { authority: null, rawPath: place, rawQuery, fragment };
  const slash = place.indexOf("/", 2);
  const authority = place.slice(2, slash === -1 ? undefined : slash);
  if (!HOST_AND_PORT.test(authority)) return null;
  return { authority: authority.toLowerCase(), rawPath: slash === -1 ? "/" : place.slice(slash), rawQuery, fragment };
}

/** `null` for escapes that are not UTF-8, and for those of what is untouchable when it stands there as it is. */
function decodeOnce(rawPath: string): string | null {
  if (!rawPath.includes("%")) return rawPath;
  try {
    const decoded = decodeURIComponent(rawPath);
    return UNTOUCHABLE.test(decoded) ? null : decoded;
  } catch {
    return null;
  }
}

/** RFC 3986 §5.2.4 on a decoded path, so that `%2e%2e` and `%2F` hide nothing; `..` at the root stays at the root. */
function removeDotSegments(path: string): string {
  if (!hasDotSegment(path)) return path;
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === ".." && kept.length > 1) kept.pop();
    if (segment !== "." && segment !== "..") kept.push(segment);
  }
  return kept.join("/") + (path.endsWith("/.") || path.endsWith("/..") ? "/" : "");
}

/**
 * The same relative path with dot segments at its beginning only: clients differ in how well they remove the others
 * (Node 20 leaves `a/.b/./c` as it is), and the gateway refuses what they leave.
 */
function shortenRelative(path: string): string {
  // `%2Fa` is below the playlist's directory, and `/a` is not.
  const short = hasDotSegment(`/${path}`) ? withoutInnerDots(path) : path;
  return short.startsWith("/") ? `./${short}` : short;
}

function withoutInnerDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    const isUp = segment === "..";
    if (isUp && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (isUp || segment !== ".") kept.push(segment);
  }
  return kept.join("/");
}

// What a signature at OSS adds to a URL (oss-semantics §2.2, §2.4): another one takes its place.
const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "Expires",
  "OSSAccessKeyId",
  "Signature",
  "security-token",
  "x-oss-access-key-id",
  "x-oss-additional-headers",
  "x-oss-credential",
  "x-oss-date",
  "x-oss-expires",
  "x-oss-security-token",
  "x-oss-signature",
  "x-oss-signature-version",
]);
const LINK_PREFIX = "ossgate-";

interface SortedParameters {
  /** As written, joined with `&`. */
  readonly kept: string;
  readonly known: UriParameters;
}

const NOTHING: SortedParameters = { kept: "", known: NO_PARAMETERS };

/** Takes signatures and links out of a query, and picks what OSS knows from the rest. */
function sortParameters(rawQuery: string, rewrite: PlaylistRewrite): SortedParameters {
  if (rawQuery === "") return NOTHING;
  const kept: string[] = [];
  const known: (readonly [string, string | null])[] = [];
  for (const segment of rawQuery.split("&")) {
    const equals = segment.indexOf("=");
    const name = rewrite.decodeQueryText(equals === -1 ? segment : segment.slice(0, equals));
    if (segment === "" || SIGNATURE_PARAMETERS.has(name) || name.startsWith(LINK_PREFIX)) continue;
    kept.push(segment);
    if (!rewrite.isOssParameter(name)) continue;
    known.push([name, equals === -1 ? null : rewrite.decodeQueryText(segment.slice(equals + 1))]);
  }
  return { kept: kept.join("&"), known };
}
