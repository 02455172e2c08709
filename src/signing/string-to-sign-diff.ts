import { encodePath } from "../core/target.js";
import type { OssSignatureClass } from "./signed-text.js";

/** One part of a signed text that is not the same in two of them. */
export interface Difference {
  readonly part: "method" | "resource" | "query" | "header" | "date" | "additional-headers" | "payload";
  /** Lower-case name of the header, name of the parameter; `null` for the other parts. */
  readonly name: string | null;
  /** As it was before; `null`: it was not there. */
  readonly before: string | null;
  /** As it is now; `null`: it is gone. */
  readonly after: string | null;
}

interface Parts {
  readonly method: string;
  /** Those of V1 and V2 that have a line of their own are here too when they are not empty. */
  readonly headers: ReadonlyMap<string, string>;
  readonly date: string;
  /** `/bucket/key`: V1 decoded, V2 and V4 encoded. */
  readonly resource: string;
  /** By name, encoded as the version has it; of repeated ones all values. */
  readonly query: ReadonlyMap<string, string>;
  readonly additionalHeaders: string;
  readonly payload: string;
}

/**
 * Compares two signed texts (see `signedText`) part by part, what was `before` with what is `after`.
 * @param resource of `before`, decoded, `/bucket/key`: in V1 a key may hold what looks like parameters
 * @returns in an order in which the first says the most; empty when both are the same, or cannot be taken apart
 */
export function diffSignedTexts(
  before: string,
  after: string,
  { signatureClass, resource }: { readonly signatureClass: OssSignatureClass; readonly resource: string },
): readonly Difference[] {
  if (before === after) return [];
  const a = partsOf(before, signatureClass, { resource, query: "" });
  const b = partsOf(after, signatureClass, {
    resource,
    query: before.slice(before.lastIndexOf(resource) + resource.length),
  });
  if (a === null || b === null) return [];
  return [
    ...(a.method === b.method ? [] : [plain("method", a.method, b.method)]),
    ...mapDifferences("header", a.headers, b.headers),
    ...(a.additionalHeaders === b.additionalHeaders
      ? []
      : [plain("additional-headers", a.additionalHeaders, b.additionalHeaders)]),
    ...(a.resource === b.resource ? [] : [plain("resource", a.resource, b.resource)]),
    ...mapDifferences("query", a.query, b.query),
    ...(a.date === b.date ? [] : [plain("date", a.date, b.date)]),
    ...(a.payload === b.payload ? [] : [plain("payload", a.payload, b.payload)]),
  ];
}

const plain = (part: Difference["part"], before: string, after: string): Difference => ({
  part,
  name: null,
  before,
  after,
});

function mapDifferences(
  part: "header" | "query",
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Difference[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].flatMap((name) => {
    const [was, is] = [before.get(name) ?? null, after.get(name) ?? null];
    return was === is ? [] : [{ part, name, before: was, after: is }];
  });
}

/** What is known of a V1 text: its resource, or its `?parameters`. */
interface Known {
  readonly resource: string;
  readonly query: string;
}

function partsOf(text: string, signatureClass: OssSignatureClass, known: Known): Parts | null {
  const lines = text.split("\n");
  if (signatureClass === "v4-header" || signatureClass === "v4-url") return partsOfV4(lines);
  return partsOfOlder(lines, signatureClass === "v1-header" || signatureClass === "v1-url" ? known : null);
}

/** Method, URI, query, headers, an empty line, the additional names, the payload (oss-semantics §2.4). */
function partsOfV4(lines: readonly string[]): Parts | null {
  if (lines.length < 6) return null;
  const [method = "", resource = "", query = ""] = lines;
  return {
    method,
    resource,
    headers: headersOf(lines.slice(3, -3)),
    date: "",
    query: queryOf(query),
    additionalHeaders: lines.at(-2) ?? "",
    payload: lines.at(-1) ?? "",
  };
}

/** Method, MD5, type, date, headers, with V2 the additional names, the resource (oss-semantics §2.1, §2.3). */
function partsOfOlder(lines: readonly string[], knownOfV1: Known | null): Parts | null {
  const isV1 = knownOfV1 !== null;
  if (lines.length < 5) return null;
  const [method = "", md5 = "", type = "", date = ""] = lines;
  // A header's name begins with a letter; of V1 a decoded key may hold line ends, so the first such line counts.
  const resourceAt = lines.findIndex((line, i) => i >= 4 && line.startsWith(isV1 ? "/" : "%2F"));
  if (resourceAt === -1) return null;
  const headers = new Map(headersOf(lines.slice(4, isV1 ? resourceAt : resourceAt - 1)));
  if (md5 !== "") headers.set("content-md5", md5);
  if (type !== "") headers.set("content-type", type);
  const whole = lines.slice(resourceAt).join("\n");
  const mark = isV1 ? queryStart(whole, knownOfV1) : whole.indexOf("?");
  return {
    method,
    resource: mark === -1 ? whole : whole.slice(0, mark),
    headers,
    date,
    query: queryOf(mark === -1 ? "" : whole.slice(mark + 1)),
    additionalHeaders: isV1 ? "" : (lines[resourceAt - 1] ?? ""),
    payload: "",
  };
}

/** Where a decoded resource's parameters begin; `-1`: it has none, or nothing tells a `?` of the key from theirs. */
function queryStart(whole: string, { resource, query }: Known): number {
  if (whole.startsWith(resource) && (whole.length === resource.length || whole[resource.length] === "?")) {
    return whole.length === resource.length ? -1 : resource.length;
  }
  if (query.startsWith("?") && whole.endsWith(query)) return whole.length - query.length;
  const mark = whole.lastIndexOf("?");
  return mark !== -1 && /^\?[A-Za-z][A-Za-z0-9-]*(?:[=&]|$)/.test(whole.slice(mark)) && query !== "" ? mark : -1;
}

function headersOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return headers;
}

function queryOf(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  for (const pair of text === "" ? [] : text.split("&")) {
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const value = equals === -1 ? "" : pair.slice(equals + 1);
    const earlier = query.get(name);
    query.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return query;
}

/** How a key, or a value, became another one. */
export type TextChange = "encoded-twice" | "decoded" | "plus-as-space" | "slashes-merged" | "changed";

/** @param before decoded, as is `after` */
export function textChange(before: string, after: string): TextChange {
  if (tryDecode(after) === before) return "encoded-twice";
  if (tryDecode(before) === after) return "decoded";
  if (before.replaceAll("+", " ") === after.replaceAll("+", " ")) return "plus-as-space";
  if (before.replace(/\/{2,}/g, "/") === after.replace(/\/{2,}/g, "/")) return "slashes-merged";
  return "changed";
}

/** What a resource of either spelling says, decoded. @param isEncoded of V2 and V4 */
export function decodedResource(resource: string, isEncoded: boolean): string {
  return isEncoded ? (tryDecode(resource) ?? resource) : resource;
}

function tryDecode(text: string): string | null {
  try {
    return text.includes("%") ? decodeURIComponent(text) : null;
  } catch {
    return null;
  }
}

/** The key as it would be if somebody had taken it for decoded and encoded it once more. */
export const encodedOnceMore = (key: string): string => encodePath(key);

/** The value as it would be if somebody had decoded it once more. */
export const decodedOnceMore = (text: string): string => tryDecode(text) ?? text;
