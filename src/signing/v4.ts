import { createHmac, hash, type KeyObject } from "node:crypto";
import { headerValue } from "../core/headers.js";
import { encodePath } from "../core/target.js";
import { canonicalHeaders, canonicalQuery, isOssHeader } from "./canonical.js";
import type { Scope, SigningInput } from "./types.js";

export const ALGORITHM = "OSS4-HMAC-SHA256";
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
export const SCOPE_TERMINATOR = "aliyun_v4_request";

/** `date8/region/product/aliyun_v4_request`. */
export function scopeText(scope: Scope): string {
  return `${scope.date8}/${scope.region}/${scope.product}/${SCOPE_TERMINATOR}`;
}

/**
 * The CanonicalRequest (oss-semantics §2.4). In the URL form `input.query` includes the `x-oss-*` parameters of the
 * signature except `x-oss-signature`.
 * @param additionalHeaders as {@link additionalHeaderNames} gives them
 */
export function canonicalRequest(input: SigningInput, additionalHeaders: readonly string[]): string {
  const { method, bucket, key, headers } = input;
  const uri = bucket === "" ? "/" : encodePath(`/${bucket}/${key}`);
  const block = canonicalHeaders(headers, (name) => isSignedByDefault(name) || additionalHeaders.includes(name));
  const payload = headerValue(headers, "x-oss-content-sha256") ?? UNSIGNED_PAYLOAD;
  return `${method}\n${uri}\n${canonicalQuery(input.query)}\n${block}\n${additionalHeaders.join(";")}\n${payload}`;
}

/** Whether V4 signs a header without its being listed. */
export function isSignedByDefault(lowerName: string): boolean {
  return lowerName === "content-type" || lowerName === "content-md5" || isOssHeader(lowerName);
}

/** The AdditionalHeaders list as it is signed: lower case, sorted, without repetitions and without what is signed anyway. */
export function additionalHeaderNames(names: readonly string[]): readonly string[] {
  if (names.length === 0) return names;
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return [...lower].filter((name) => !isSignedByDefault(name)).sort();
}

/**
 * The StringToSign (oss-semantics §2.4).
 * @param timestamp `YYYYMMDD'T'HHMMSS'Z'`
 */
export function stringToSign(timestamp: string, scope: Scope, canonicalRequest: string): string {
  return stringToSignStart(timestamp, scope) + hashHex(canonicalRequest);
}

/** The StringToSign up to the hash of the canonical request. */
export function stringToSignStart(timestamp: string, scope: Scope): string {
  return `${ALGORITHM}\n${timestamp}\n${scopeText(scope)}\n`;
}

/** `hex(SHA256(text))`. */
export function hashHex(text: string): string {
  return hash("sha256", text, "hex");
}

/**
 * `hex(HMAC-SHA256(kSign, stringToSign))`.
 * @param signingKey kSign: see `deriveDayKey`
 */
export function signature(signingKey: Uint8Array | KeyObject, stringToSign: string): string {
  return createHmac("sha256", signingKey).update(stringToSign, "utf8").digest("hex");
}
