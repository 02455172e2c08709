import { type HeaderList, headerValues } from "../core/headers.js";
import { splitHeaderNames } from "./authorization.js";
import { decodeQueryText, parseQuery } from "./canonical.js";
import type { SignatureClass } from "./types.js";

/**
 * Says how a request is signed, by its form alone: nothing is verified, and a broken signature is one too.
 *
 * A signature in the `Authorization` header goes before one in the URL; `Authorization` of another kind (`Basic`) is no
 * signature. A POST of `multipart/form-data` without either is a PostObject form (oss-semantics §9.1).
 * Costs one pass over the headers, and one over the query when it may hold a signature at all.
 */
export function classify(method: string, rawQuery: string, headers: HeaderList): SignatureClass {
  let isForm = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 13) {
      const found = name.toLowerCase() === "authorization" ? headerSignatureClass(headers[i + 1] as string) : null;
      if (found !== null) return found;
    } else if (name.length === 12 && method === "POST" && name.toLowerCase() === "content-type") {
      isForm ||= isFormData(headers[i + 1] as string);
    }
  }
  return urlSignatureClass(rawQuery) ?? (isForm ? "post-form" : "anonymous");
}

const FORM_DATA = "multipart/form-data";

function isFormData(contentType: string): boolean {
  return contentType.trimStart().slice(0, FORM_DATA.length).toLowerCase() === FORM_DATA;
}

// Schemes are matched in any case: a header that OSS might take for a signature must never pass as none.
function headerSignatureClass(authorization: string): SignatureClass | null {
  const trimmed = authorization.trim();
  const blank = trimmed.search(BLANK);
  const scheme = (blank === -1 ? trimmed : trimmed.slice(0, blank)).toLowerCase();
  if (scheme === "oss") return "v1-header";
  if (scheme === "oss2") return "v2-header";
  if (scheme.startsWith("oss4-")) return "v4-header";
  return scheme === "aws" || scheme.startsWith("aws4-") ? "aws-sigv4" : null;
}

const BLANK = /[ \t]/;

/** Whether an `Authorization` value is a signature of OSS's or of the S3 dialect, or might be taken for one. */
export function isOssAuthorization(authorization: string): boolean {
  return headerSignatureClass(authorization) !== null;
}

/** The class of the signature in a raw query, complete or not; `null` when there is no part of one. */
export function urlSignatureClass(rawQuery: string): SignatureClass | null {
  return rawQuery === "" || !mayHoldSignature(rawQuery) ? null : scanNames(rawQuery);
}

// The names of all parts of a signature, cut down to what they have in common. A `%` may hide any of them.
function mayHoldSignature(rawQuery: string): boolean {
  return (
    rawQuery.includes("%") ||
    rawQuery.includes("Signature") ||
    rawQuery.includes("AccessKeyId") ||
    rawQuery.includes("x-oss-") ||
    rawQuery.includes("X-Amz-")
  );
}

function scanNames(rawQuery: string): SignatureClass | null {
  let found: SignatureClass | null = null;
  for (let start = 0; start < rawQuery.length; ) {
    const amp = rawQuery.indexOf("&", start);
    const end = amp === -1 ? rawQuery.length : amp;
    const equals = rawQuery.indexOf("=", start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    const name = parameterName(rawQuery.slice(start, nameEnd));
    if (name === "x-oss-signature-version") return versionClass(rawQuery.slice(nameEnd + 1, end));
    found = preferred(found, CLASS_OF_NAME.get(name) ?? null);
    start = end + 1;
  }
  return found;
}

function parameterName(rawName: string): string {
  return rawName.includes("%") ? decodeQueryText(rawName) : rawName;
}

function versionClass(rawValue: string): SignatureClass {
  return decodeQueryText(rawValue) === "OSS2" ? "v2-url" : "v4-url";
}

const CLASS_OF_NAME: ReadonlyMap<string, SignatureClass> = new Map([
  ["OSSAccessKeyId", "v1-url"],
  ["Signature", "v1-url"],
  ["x-oss-access-key-id", "v2-url"],
  ["x-oss-credential", "v4-url"],
  ["x-oss-signature", "v4-url"],
  ["X-Amz-Algorithm", "aws-sigv4"],
  ["X-Amz-Credential", "aws-sigv4"],
  ["X-Amz-Signature", "aws-sigv4"],
  ["AWSAccessKeyId", "aws-sigv4"],
]);

// `x-oss-signature` is a part of V2 too, and `Signature` one of the old S3 signature: the more telling name decides.
const PRECEDENCE: readonly (SignatureClass | null)[] = [null, "v1-url", "aws-sigv4", "v4-url", "v2-url"];

function preferred(a: SignatureClass | null, b: SignatureClass | null): SignatureClass | null {
  return PRECEDENCE.indexOf(b) > PRECEDENCE.indexOf(a) ? b : a;
}

/**
 * Whether the signature covers the `Host` header, so that the request cannot be sent to OSS under another host
 * (oss-semantics §2.7): V2 and V4 with `host` among the additional headers, and the S3 dialect always.
 * @param signatureClass what {@link classify} said about the same request
 */
export function signsHost(signatureClass: SignatureClass, rawQuery: string, headers: HeaderList): boolean {
  switch (signatureClass) {
    case "aws-sigv4":
      return true;
    case "v2-header":
    case "v4-header":
      return headerValues(headers, "authorization").some(authorizationListsHost);
    case "v2-url":
    case "v4-url":
      return parseQuery(rawQuery).some(
        ([name, value]) => name === "x-oss-additional-headers" && value !== null && listsHost(value),
      );
    default:
      return false;
  }
}

const ADDITIONAL_HEADERS = /(?:^|[\s,])additionalheaders\s*[=:]([^,]*)/gi;

function authorizationListsHost(authorization: string): boolean {
  for (const [, list] of authorization.matchAll(ADDITIONAL_HEADERS)) if (listsHost(list ?? "")) return true;
  return false;
}

function listsHost(list: string): boolean {
  return splitHeaderNames(list).some((name) => name.toLowerCase() === "host");
}
