import { invalidArgument, type Refusal } from "./errors.js";
import { parseCount, type Query } from "./query.js";
import { element } from "./xml.js";

const DEFAULT_MAX_KEYS = 100;
const MAX_MAX_KEYS = 1000;

/** What a listing asks for; `after` is exclusive. */
export interface ListRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly maxKeys: number;
}

/** One page: keys and common prefixes, each in byte order. */
export interface ListPage {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
  /** The last entry of the page, key or prefix: the next page goes on after it. `""` for an empty page. */
  readonly last: string;
}

/** Compares by UTF-8 bytes, the order of every list (oss-semantics §11.8). */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * Cuts one page out of all keys: `maxKeys` counts keys and prefixes together (oss-semantics §11.8). A key that ends at its
 * first delimiter after the prefix is a common prefix of its own, as `dir/` is under `/`.
 */
export function listPage(keys: Iterable<string>, request: ListRequest): ListPage {
  const entries = new Map<string, boolean>();
  for (const key of keys) {
    if (!key.startsWith(request.prefix)) continue;
    const cut = request.delimiter === "" ? -1 : key.indexOf(request.delimiter, request.prefix.length);
    const entry = cut === -1 ? key : key.slice(0, cut + request.delimiter.length);
    if (request.after === "" || compareKeys(entry, request.after) > 0) entries.set(entry, cut !== -1);
  }
  const sorted = [...entries.keys()].sort(compareKeys);
  const page = sorted.slice(0, request.maxKeys);
  return {
    keys: page.filter((entry) => entries.get(entry) === false),
    commonPrefixes: page.filter((entry) => entries.get(entry) === true),
    isTruncated: sorted.length > page.length,
    last: page.at(-1) ?? "",
  };
}

/** Reads `max-keys`: 1 to 1000, 100 by default (oss-semantics §11.6). */
export function readMaxKeys(query: Query, name = "max-keys", fallback = DEFAULT_MAX_KEYS): number | Refusal {
  const text = query.get(name);
  if (text === undefined || text === "") return fallback;
  return parseCount(text, 1, MAX_MAX_KEYS) ?? invalidArgument(name, text);
}

/** How names are written into a document: as they are, or percent-encoded on request. */
export interface ListEncoding {
  readonly isUrl: boolean;
  /** The `EncodingType` element when there is one. */
  readonly elements: readonly string[];
}

/** Reads `encoding-type`: `url` or nothing. */
export function readEncodingType(query: Query): ListEncoding | Refusal {
  const type = query.get("encoding-type") ?? "";
  if (type === "") return { isUrl: false, elements: [] };
  return type === "url"
    ? { isUrl: true, elements: [element("EncodingType", "url")] }
    : invalidArgument("encoding-type", type);
}

/** A name as the document has it. */
export function encodeForList(name: string, encoding: ListEncoding): string {
  return encoding.isUrl ? encodeURIComponent(name) : name;
}

/** An opaque continuation token for the entry that a page ended with. */
export function makeToken(last: string): string {
  return Buffer.from(last).toString("base64");
}

/** The entry that a continuation token stands for, or `null` for what is no token. */
export function readToken(token: string): string | null {
  const bytes = Buffer.from(token, "base64");
  return bytes.length > 0 && bytes.toString("base64") === token ? bytes.toString() : null;
}
