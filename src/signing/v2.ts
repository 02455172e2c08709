import { createHmac } from "node:crypto";
import type { Secret } from "../core/secret.js";
import { canonicalHeaders, canonicalQuery, enc, headerLine, isOssHeader } from "./canonical.js";
import type { SigningInput } from "./types.js";

export { dateLine } from "./v1.js";

/**
 * The StringToSign of V2 (oss-semantics §2.3).
 * @param date the date line of the header form, or the `x-oss-expires` value of the URL form
 * @param additionalHeaders lower case, sorted, without repetitions
 */
export function stringToSign(input: SigningInput, date: string, additionalHeaders: readonly string[]): string {
  const { method, headers } = input;
  const contentMd5 = headerLine(headers, "content-md5");
  const contentType = headerLine(headers, "content-type");
  const block = canonicalHeaders(headers, (name) => isOssHeader(name) || additionalHeaders.includes(name));
  const lines = `${method}\n${contentMd5}\n${contentType}\n${date}\n${block}${additionalHeaders.join(";")}\n`;
  return lines + canonicalizedResource(input);
}

// Unlike V1 and V4, the slashes of the resource are encoded too.
function canonicalizedResource(input: SigningInput): string {
  const resource = enc(input.bucket === "" ? "/" : `/${input.bucket}/${input.key}`);
  const query = canonicalQuery(input.query);
  return query === "" ? resource : `${resource}?${query}`;
}

/** The list in the form that is signed: lower case, sorted, without repetitions. */
export function additionalHeaderNames(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))].sort();
}

/** `b64(HMAC-SHA256(secret, stringToSign))`. */
export function signature(accessKeySecret: Secret, stringToSign: string): string {
  return createHmac("sha256", accessKeySecret.reveal()).update(stringToSign, "utf8").digest("base64");
}
