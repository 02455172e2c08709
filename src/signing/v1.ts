import { createHmac, type KeyObject } from "node:crypto";
import type { HeaderList } from "../core/headers.js";
import { headerValue } from "../core/headers.js";
import { Secret } from "../core/secret.js";
import { canonicalHeaders, headerLine, isOssHeader, isV1SignedParameter } from "./canonical.js";
import type { QueryPairs, SigningInput } from "./types.js";

/**
 * The StringToSign of V1 (oss-semantics §2.1, §2.2).
 * @param date the line in the date's place: {@link dateLine} in the header form, the `Expires` value in the URL form
 */
export function stringToSign(input: SigningInput, date: string): string {
  const { method, headers } = input;
  const contentMd5 = headerLine(headers, "content-md5");
  const contentType = headerLine(headers, "content-type");
  const block = canonicalHeaders(headers, isOssHeader);
  return `${method}\n${contentMd5}\n${contentType}\n${date}\n${block}${canonicalizedResource(input)}`;
}

/** The date line of the header form: `x-oss-date` when it is there, otherwise `Date`, otherwise `""`. */
export function dateLine(headers: HeaderList): string {
  return headerValue(headers, "x-oss-date") ?? headerValue(headers, "date") ?? "";
}

/** `/bucket/key` with the decoded key, then the signed parameters with decoded values (oss-semantics §2.1). */
export function canonicalizedResource(input: SigningInput): string {
  const resource = input.bucket === "" ? "/" : `/${input.bucket}/${input.key}`;
  const parameters = signedParameters(input.query);
  return parameters === "" ? resource : `${resource}?${parameters}`;
}

// Of repeated parameters OSS takes the first (oss-semantics §2.2), so the first is the one that is signed.
function signedParameters(query: QueryPairs): string {
  const first = new Map<string, string>();
  for (const [name, value] of query) {
    if (isV1SignedParameter(name) && !first.has(name)) first.set(name, value ? `${name}=${value}` : name);
  }
  if (first.size === 0) return "";
  const names = [...first.keys()].sort(compareUtf8);
  return names.map((name) => first.get(name)).join("&");
}

// UTF-16 order differs from that of the bytes above U+FFFF.
function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * `b64(HMAC-SHA1(secret, stringToSign))`.
 * @param accessKeySecret the secret, or a key object made of its UTF-8 bytes
 */
export function signature(accessKeySecret: Secret | KeyObject, stringToSign: string): string {
  const key = accessKeySecret instanceof Secret ? accessKeySecret.reveal() : accessKeySecret;
  return createHmac("sha1", key).update(stringToSign, "utf8").digest("base64");
}
