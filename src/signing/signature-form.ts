import type { StatedSignature } from "./signed-text.js";

interface Form {
  readonly pattern: RegExp;
  readonly length: number;
  readonly kind: string;
}

/** Base64 of HMAC-SHA1, base64 of HMAC-SHA256, hex of HMAC-SHA256 (oss-semantics §2.1, §2.3, §2.4). */
const FORMS: Readonly<Record<"v1" | "v2" | "v4", Form>> = {
  v1: { pattern: /^[A-Za-z0-9+/]{27}=$/, length: 28, kind: "base64" },
  v2: { pattern: /^[A-Za-z0-9+/]{43}=$/, length: 44, kind: "base64" },
  v4: { pattern: /^[0-9a-f]{64}$/, length: 64, kind: "lower-case hex" },
};

/** What makes a text no signature at all, so that no secret makes it right. */
export interface SignatureFlaw {
  /** Blanks stand where plus signs did: a `+` in a URL was not written `%2B`. */
  readonly isPlusAsSpace: boolean;
  /** `25 of 28 characters`, or `not base64`. */
  readonly inWords: string;
}

/** @returns `null`: it has the form of a signature of its version */
export function signatureFlaw({
  signatureClass,
  signature,
}: Pick<StatedSignature, "signatureClass" | "signature">): SignatureFlaw | null {
  const { pattern, length, kind } = FORMS[signatureClass.slice(0, 2) as keyof typeof FORMS];
  if (pattern.test(signature)) return null;
  return {
    isPlusAsSpace: kind === "base64" && pattern.test(signature.replaceAll(" ", "+")),
    inWords: signature.length === length ? `not ${kind}` : `${signature.length} of ${length} characters`,
  };
}
