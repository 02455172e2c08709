import { type ErrorCode, GatewayError } from "./errors.js";

/** A request target taken apart without being changed: `rawPath + (rawQuery === "" ? "" : "?" + rawQuery)`, or with a bare `?`. */
export interface TargetParts {
  readonly rawPath: string;
  /** Without the `?`. */
  readonly rawQuery: string;
  /** `?query`, `?` or nothing, exactly as it arrived. */
  readonly rawSuffix: string;
}

/** Splits origin-form at the first `?`. */
export function splitTarget(rawTarget: string): TargetParts {
  const mark = rawTarget.indexOf("?");
  if (mark === -1) return { rawPath: rawTarget, rawQuery: "", rawSuffix: "" };
  return { rawPath: rawTarget.slice(0, mark), rawQuery: rawTarget.slice(mark + 1), rawSuffix: rawTarget.slice(mark) };
}

// RFC 3986 allows less; OSS and real clients use more. What is excluded would end the request line or means a fragment.
const FORBIDDEN_IN_TARGET = /[^\x21-\x22\x24-\x7e]/;

/** A sentence that says what is wrong with an origin-form target, or `null`. */
export function targetProblem(rawTarget: string): string | null {
  if (!rawTarget.startsWith("/")) return "The request target must begin with a slash.";
  const bad = FORBIDDEN_IN_TARGET.exec(rawTarget);
  if (bad === null) return null;
  if (bad[0] === "#") return "The request target contains a raw '#'. Write it as %23.";
  return "The request target contains a raw byte outside printable ASCII. Percent-encode it.";
}

const MALFORMED_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/**
 * Decodes a raw path exactly once, `%2F` included, as OSS does to find the key (oss-semantics §11.6).
 * @throws GatewayError `MALFORMED_TARGET` for a `%` without two hex digits, `INVALID_OBJECT_NAME` for bytes that are not UTF-8
 */
export function decodePath(rawPath: string): string {
  if (!rawPath.includes("%")) return rawPath;
  try {
    return decodeURIComponent(rawPath);
  } catch {
    const [code, detail]: [ErrorCode, string] = MALFORMED_ESCAPE.test(rawPath)
      ? [
          "MALFORMED_TARGET",
          "The path contains a '%' that two hexadecimal digits do not follow. Write a literal '%' as %25.",
        ]
      : [
          "INVALID_OBJECT_NAME",
          "The decoded path is not valid UTF-8, and OSS has no such key. Percent-encode the UTF-8 bytes of the name.",
        ];
    throw new GatewayError(code, detail);
  }
}

/** Whether a decoded path has a segment that is exactly `.` or `..`. */
export function hasDotSegment(path: string): boolean {
  if (!path.includes("/.")) return false;
  return /\/\.{1,2}(?:\/|$)/.test(path);
}

/** Whether `prefix` (no trailing slash, `""` is the root) covers the decoded `path` up to a segment border. */
export function coversPath(prefix: string, path: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}

/**
 * Takes a decoded prefix off the raw path without touching the rest: `/%6dedia%2Fa%20b` less `/media` is `/a%20b`.
 * The border's slash may be raw or `%2F`; the result always begins with a raw `/`.
 * @param prefix decoded, covers the decoded path (see {@link coversPath}), without trailing slash
 */
export function stripRawPrefix(rawPath: string, prefix: string): string {
  if (rawPath.startsWith(prefix)) return afterBorder(rawPath, prefix.length);
  let wanted = Buffer.byteLength(prefix);
  let at = 0;
  for (; wanted > 0 && at < rawPath.length; wanted -= 1) at += rawPath.charCodeAt(at) === 0x25 ? 3 : 1;
  return afterBorder(rawPath, at);
}

function afterBorder(rawPath: string, at: number): string {
  const borderLength = rawPath.charCodeAt(at) === 0x25 ? 3 : 1;
  return `/${rawPath.slice(at + borderLength)}`;
}

const NEEDS_ENCODING = /[^A-Za-z0-9\-._~/]/;
const SUB_DELIMS = /[!'()*]/g;
const percentEncode = (c: string): string => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;

/**
 * Percent-encodes every byte but the unreserved set, and leaves `/` alone (oss-semantics §2, `encPath`).
 * @throws URIError for a lone surrogate, which no decoded path contains
 */
export function encodePath(decoded: string): string {
  if (!NEEDS_ENCODING.test(decoded)) return decoded;
  return encodeURIComponent(decoded).replace(SUB_DELIMS, percentEncode).replaceAll("%2F", "/");
}
