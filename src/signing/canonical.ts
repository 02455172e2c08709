import { isUtf8 } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { type HeaderList, headerValue } from "../core/headers.js";
import type { QueryPairs } from "./types.js";

/**
 * The query parameters that V1 signs (oss-semantics §2.1, the union over the official SDKs; case matters).
 * Names beginning with `x-oss-` are signed besides: see {@link isV1SignedParameter}.
 */
export const V1_SIGNED_PARAMETERS: ReadonlySet<string> = new Set(
  `accessPoint accessPointPolicy acl append asyncFetch bucketArchiveDirectRead bucketInfo callback callback-var
  cloudboxes cname comp continuation-token cors delete encryption endTime group httpsConfig img inventory inventoryId
  lifecycle link live location logging metaQuery objectInfo objectMeta partNumber policy policyStatus position
  processConfiguration publicAccessBlock qos qosInfo qosRequester redundancyTransition referer regionList replication
  replicationLocation replicationProgress requestPayment requesterQosInfo resourceGroup resourcePool
  resourcePoolBuckets resourcePoolInfo response-cache-control response-content-disposition response-content-encoding
  response-content-language response-content-type response-expires responseHeader restore rtc seal security-token
  sequential startTime stat status style styleName symlink tagging transferAcceleration udf udfApplication
  udfApplicationLog udfId udfImage udfImageDesc udfName uploadId uploads versionId versioning versions vip vod vpcip
  website withHashContext worm wormExtend wormId`.split(/\s+/),
);

/** Whether V1 has this query parameter in its CanonicalizedResource (oss-semantics §2.1). */
export function isV1SignedParameter(name: string): boolean {
  return name.startsWith("x-oss-") || V1_SIGNED_PARAMETERS.has(name);
}

/**
 * Takes a raw query (without `?`) apart into decoded pairs, in order, repetitions included.
 *
 * As OSS's decoder does (oss-semantics §2.2), `+` is a space and `%xx` a byte of UTF-8. What is malformed stays as it
 * is: a `%` without two hex digits, and escapes whose bytes are not UTF-8. Empty segments (`a&&b`) are no parameters.
 * A value is `null` without `=` and `""` with one and nothing after it; no signature tells the two apart.
 */
export function parseQuery(rawQuery: string): QueryPairs {
  const pairs: [string, string | null][] = [];
  for (let start = 0; start < rawQuery.length; ) {
    const amp = rawQuery.indexOf("&", start);
    const end = amp === -1 ? rawQuery.length : amp;
    if (end > start) pairs.push(parsePair(rawQuery.slice(start, end)));
    start = end + 1;
  }
  return pairs;
}

function parsePair(segment: string): [string, string | null] {
  const equals = segment.indexOf("=");
  if (equals === -1) return [decodeQueryText(segment), null];
  return [decodeQueryText(segment.slice(0, equals)), decodeQueryText(segment.slice(equals + 1))];
}

const ESCAPES = /(?:%[0-9A-Fa-f]{2})+/g;

/** Decodes one name or value of a raw query: see {@link parseQuery}. */
export function decodeQueryText(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!spaced.includes("%")) return spaced;
  return tryDecode(spaced) ?? spaced.replace(ESCAPES, (escapes) => tryDecode(escapes) ?? escapes);
}

function tryDecode(escaped: string): string | null {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return null;
  }
}

/**
 * The decoded value of the first parameter of that name, for OSS takes the first of repeated ones (oss-semantics §2.2).
 * `""` for a parameter without value, `undefined` when there is none of the name.
 */
export function queryValue(query: QueryPairs, name: string): string | undefined {
  for (const [candidate, value] of query) if (candidate === name) return value ?? "";
  return undefined;
}

/**
 * Percent-encodes every UTF-8 byte but `A–Z a–z 0–9 - . _ ~`, in upper-case hex: `enc` of oss-semantics §2.
 * @throws URIError for a lone surrogate, which no decoded request contains
 */
export function enc(text: string): string {
  const encoded = encodeURIComponent(text);
  return SUB_DELIMS.test(encoded) ? encoded.replace(SUB_DELIMS_ALL, percentEncode) : encoded;
}

const SUB_DELIMS = /[!'()*]/;
const SUB_DELIMS_ALL = /[!'()*]/g;
const percentEncode = (c: string): string => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;

/**
 * All query parameters as V4 and V2 sign them: `enc(name)=enc(value)`, or the bare name for an empty value, sorted
 * bytewise by encoded name (oss-semantics §2.4). The SDKs disagree on repeated names; here every pair is signed and the
 * encoded value decides among equal names, so that nothing in a query escapes the signature.
 */
export function canonicalQuery(query: QueryPairs): string {
  if (query.length === 0) return "";
  const encoded = query.map(([name, value]): [string, string] => [enc(name), value ? enc(value) : ""]);
  encoded.sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB));
  return encoded.map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join("&");
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const NON_ASCII = /[^\0-\x7f]/;

/**
 * The text that a header value signs. Values travel as bytes and Node shows each byte as one character, so bytes that
 * form UTF-8 are read as UTF-8, which is what the signing client hashed; anything else is left as it is.
 */
export function wireText(value: string): string {
  if (!NON_ASCII.test(value)) return value;
  const bytes = Buffer.from(value, "latin1");
  return bytes.toString("latin1") === value && isUtf8(bytes) ? bytes.toString("utf8") : value;
}

/** Takes spaces and tabs off both ends. `String.trim` would take U+00A0 and others too, which are data in a header. */
function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** The text that the header of that name puts into its own line of a V1 or V2 string to sign; `""` when there is none. */
export function headerLine(headers: HeaderList, lowerName: string): string {
  return wireText(headerValue(headers, lowerName) ?? "");
}

/**
 * The CanonicalHeaders block: `name:value\n` for each header that `isSigned` picks by its lower-case name, sorted by
 * name, values trimmed, repeated headers joined with `,` (oss-semantics §2.1, §2.4).
 */
export function canonicalHeaders(headers: HeaderList, isSigned: (lowerName: string) => boolean): string {
  const values = new Map<string, string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (!isSigned(name)) continue;
    const value = trimBlanks(wireText(headers[i + 1] as string));
    const earlier = values.get(name);
    values.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  let block = "";
  for (const name of [...values.keys()].sort()) block += `${name}:${values.get(name)}\n`;
  return block;
}

/** Whether a header is signed by its name alone, in every version. */
export function isOssHeader(lowerName: string): boolean {
  return lowerName.startsWith("x-oss-");
}

/** Compares two signatures in a time that tells nothing but whether their lengths agree. */
export function signaturesEqual(a: string, b: string): boolean {
  const bytesA = Buffer.from(a);
  const bytesB = Buffer.from(b);
  return bytesA.length === bytesB.length && timingSafeEqual(bytesA, bytesB);
}
