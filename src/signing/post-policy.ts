import type { Secret } from "../core/secret.js";
import * as v1 from "./v1.js";
import * as v4 from "./v4.js";

/**
 * The `Signature` field of a PostObject form, V1 (oss-semantics §9.1).
 * @param policyBase64 the `policy` field as it is sent
 */
export function postSignatureV1(accessKeySecret: Secret, policyBase64: string): string {
  return v1.signature(accessKeySecret, policyBase64);
}

/**
 * The `x-oss-signature` field of a PostObject form, V4 (oss-semantics §9.1).
 * @param signingKey the day key of the form's `x-oss-credential`: see `deriveDayKey`
 * @param policyBase64 the `policy` field as it is sent
 */
export function postSignatureV4(signingKey: Uint8Array, policyBase64: string): string {
  return v4.signature(signingKey, policyBase64);
}
