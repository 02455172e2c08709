import type { HeaderList } from "../core/headers.js";
import { signaturesEqual } from "./canonical.js";
import * as refuse from "./refusal.js";
import type { KnownCredentials, QueryPairs, SignatureClass, Verdict, VerifyContext } from "./types.js";

export const MAX_SKEW_MS = 15 * 60_000;

/** A request as it arrived at the host of one bucket. */
export interface RequestToVerify {
  /** Upper case, as it was sent. */
  readonly method: string;
  /** The name at OSS; `""` on a service-level host. */
  readonly bucket: string;
  /** The path decoded once, without its leading slash. */
  readonly key: string;
  /** Without the `?`. */
  readonly rawQuery: string;
  readonly headers: HeaderList;
}

/** A request whose query is taken apart: what the verifiers of the versions share. */
export interface ParsedRequest extends Omit<RequestToVerify, "rawQuery"> {
  /** All parameters, those of the signature included. */
  readonly query: QueryPairs;
}

/** What a request says about its signer, and how to find out whether it is true. */
export interface Claim {
  readonly signatureClass: SignatureClass;
  readonly accessKeyId: string;
  readonly signature: string;
  readonly securityToken: string | undefined;
  readonly stringToSign: string;
  readonly canonicalRequest?: string;
  /** The EC of a mismatch. */
  readonly mismatchEc: string;
  readonly sign: (credentials: KnownCredentials) => string;
}

/** The last checks, the same in every version: the key is known, its token is right and alive, the signature agrees. */
export function settleClaim(claim: Claim, context: VerifyContext): Verdict {
  const credentials = context.findCredentials(claim.accessKeyId);
  if (credentials === null) return refuse.invalidAccessKeyId(claim.accessKeyId);
  const tokenProblem = checkToken(claim.securityToken, credentials, context.nowMs);
  if (tokenProblem !== null) return tokenProblem;
  if (signaturesEqual(claim.sign(credentials), claim.signature)) {
    return { ok: true, signatureClass: claim.signatureClass, accessKeyId: claim.accessKeyId };
  }
  const { accessKeyId, signature, stringToSign, canonicalRequest, mismatchEc: ec } = claim;
  const mismatch = { accessKeyId, signatureProvided: signature, stringToSign, ec };
  return refuse.signatureDoesNotMatch(canonicalRequest === undefined ? mismatch : { ...mismatch, canonicalRequest });
}

// oss-semantics §2.6 does not say what an STS key without a token, or a token with a permanent key, is answered.
// Neither can be right, so both count as a bad token.
function checkToken(securityToken: string | undefined, known: KnownCredentials, nowMs: number): refuse.Refusal | null {
  const provided = securityToken ?? "";
  if (!signaturesEqual(provided, known.securityToken ?? "")) return refuse.invalidSecurityToken(provided);
  const isExpired = known.expiresAtMs !== undefined && nowMs >= known.expiresAtMs;
  return isExpired ? refuse.securityTokenExpired(provided) : null;
}

/** The clock rule of header signatures: 15 minutes either way (oss-semantics §2.5). */
export function checkSkew(requestMs: number, nowMs: number): refuse.Refusal | null {
  return Math.abs(nowMs - requestMs) > MAX_SKEW_MS ? refuse.timeTooSkewed(requestMs, nowMs) : null;
}

const SECONDS = /^\d+$/;

/** The expiry rule of V1 and V2 URLs: absolute Unix seconds (oss-semantics §2.2). */
export function checkExpires(expires: string, nowMs: number): refuse.Refusal | null {
  if (!SECONDS.test(expires)) return refuse.invalidExpires();
  const expiresMs = Number(expires) * 1000;
  return nowMs > expiresMs ? refuse.expired(expiresMs, nowMs, "0002-00000069") : null;
}

/** The request without the parameter that is the signature of V2 and V4. */
export function withoutSignature({ method, bucket, key, headers, query }: ParsedRequest): ParsedRequest {
  // No spread: with a property that replaces one of its own it costs 3 µs (V8 of Node 20).
  return { method, bucket, key, headers, query: query.filter(([name]) => name !== "x-oss-signature") };
}
