import { GatewayError } from "../core/errors.js";
import { hostOf } from "../core/host.js";
import { decodePath, hasDotSegment } from "../core/target.js";
import { parseQuery } from "../signing/canonical.js";
import type { QueryPairs } from "../signing/types.js";
import { IssueRefusal } from "./refusal.js";
import { isPlainText, isUnicode } from "./text.js";

/** A URL as clients of the gateway use it, taken apart. */
export interface PublicUrl {
  /** `http://47.0.2.73:8080`: the scheme in lower case, the authority as it was written but in lower case. */
  readonly origin: string;
  /** For the route table: lower case, without port, brackets and trailing dot. */
  readonly host: string;
  /** As written, or the scheme's own. */
  readonly port: number;
  /** Decoded once, begins with `/`, has no `.` and `..` segments. */
  readonly path: string;
  /** Decoded. */
  readonly query: QueryPairs;
}

const URL_SHAPE = /^(https?):\/\/([^/?#\\]+)([^?#]*)(?:\?([^#]*))?(#.*)?$/is;
const NOT_PRINTABLE_ASCII = /[^\x21-\x7e]+/g;

/**
 * Reads what a person or an application wrote as the URL of an object. By hand, since `URL` resolves `..` and moves
 * other bytes of a path about (oss-semantics §2.8). What is not ASCII may be written raw or percent-encoded. A raw `+`
 * in the path may not: OSS reads a space there, and a route that signs what its `plusInPath` says.
 */
export function parsePublicUrl(text: string): PublicUrl | IssueRefusal {
  const match = isPlainText(text) ? URL_SHAPE.exec(text) : null;
  if (match === null) return bad("The URL must be whole, as clients use it: http://host/path or https://host/path.");
  const [, scheme = "", authority = "", rawPath = "", rawQuery = "", fragment] = match;
  if (fragment !== undefined) {
    return bad("The URL has a '#', and what follows it is never sent. Write %23 if it belongs to the key.");
  }
  const host = hostOf(authority);
  if (host === null) return bad("The URL's host is no host name and no address.");
  if (rawPath.includes("+")) return bad("A '+' in the URL's path can mean a space or itself: write %20 or %2B.");
  const path = readPath(rawPath);
  if (path instanceof IssueRefusal) return path;
  const lowerScheme = scheme.toLowerCase();
  return {
    origin: `${lowerScheme}://${authority.toLowerCase()}`,
    host,
    port: portOf(authority) ?? (lowerScheme === "http" ? 80 : 443),
    path,
    query: parseQuery(rawQuery),
  };
}

function readPath(rawPath: string): string | IssueRefusal {
  try {
    const path = decodePath(rawPath.replace(NOT_PRINTABLE_ASCII, encodeURIComponent));
    return checkPath(path === "" ? "/" : path);
  } catch (error) {
    return bad(error instanceof GatewayError ? error.message : "The URL's path is not Unicode text.");
  }
}

/** A decoded path that a URL can carry: clients take `.` and `..` segments out before they send it. */
export function checkPath(path: string): string | IssueRefusal {
  if (!path.startsWith("/")) return bad("The path must begin with '/'.");
  if (!isUnicode(path)) return bad("The URL's path is not Unicode text.");
  if (!hasDotSegment(path)) return path;
  return bad(
    "The path has a '.' or '..' segment; clients resolve those before they send a URL, so it would not arrive.",
  );
}

function portOf(authority: string): number | null {
  const digits = /:(\d+)$/.exec(authority)?.[1];
  return digits === undefined ? null : Number(digits);
}

function bad(message: string): IssueRefusal {
  return new IssueRefusal(400, message);
}
