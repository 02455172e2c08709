import { headerValues } from "../core/headers.js";
import { parseQuery } from "./canonical.js";
import { urlSignatureClass } from "./classify.js";
import * as refuse from "./refusal.js";
import type { SignatureClass, Verdict, VerifyContext } from "./types.js";
import type { RequestToVerify } from "./verify-steps.js";
import { verifyV1Header, verifyV1Url } from "./verify-v1.js";
import { verifyV2Header, verifyV2Url } from "./verify-v2.js";
import { verifyV4Header, verifyV4Url } from "./verify-v4.js";

export type { RequestToVerify } from "./verify-steps.js";

/**
 * Verifies the signature of a request as OSS would (oss-semantics §2): form, then time, then key, token and signature.
 *
 * `anonymous` and `post-form` pass with `accessKeyId: null`, which says only that nothing in the head had to be
 * verified: the ACL, or the form's policy, decides. `aws-sigv4` is always refused.
 * @param signatureClass what `classify` said about the same request
 */
export function verifyRequest(
  request: RequestToVerify,
  signatureClass: SignatureClass,
  context: VerifyContext,
): Verdict {
  const authorizations = headerValues(request.headers, "authorization");
  const problem = checkAuthorizations(authorizations, request.rawQuery);
  if (problem !== null) return problem;
  if (signatureClass === "anonymous" || signatureClass === "post-form") {
    return { ok: true, signatureClass, accessKeyId: null };
  }
  return verifySigned(request, signatureClass, authorizations[0] ?? "", context);
}

const KNOWN_SCHEME = /^(?:OSS|OSS2|OSS4-HMAC-SHA256|AWS|AWS4-HMAC-SHA256) /;

// Any Authorization header counts, not only OSS's: with a scheme of its own OSS answers 400 as well (oss-semantics §2.6).
function checkAuthorizations(authorizations: readonly string[], rawQuery: string): refuse.Refusal | null {
  const [authorization, second] = authorizations;
  if (authorization === undefined) return null;
  if (urlSignatureClass(rawQuery) !== null) return refuse.bothSignatures(authorization);
  // Which of two would count is not documented, so neither does.
  if (second !== undefined) return refuse.invalidAuthorization(second, "0002-00000061");
  return KNOWN_SCHEME.test(authorization) ? null : refuse.invalidAuthorization(authorization, "0002-00000061");
}

function verifySigned(
  request: RequestToVerify,
  signatureClass: Exclude<SignatureClass, "anonymous" | "post-form">,
  authorization: string,
  context: VerifyContext,
): Verdict {
  const { method, bucket, key, headers } = request;
  const parsed = { method, bucket, key, headers, query: parseQuery(request.rawQuery) };
  switch (signatureClass) {
    case "v1-header":
      return verifyV1Header(parsed, authorization, context);
    case "v1-url":
      return verifyV1Url(parsed, context);
    case "v2-header":
      return verifyV2Header(parsed, authorization, context);
    case "v2-url":
      return verifyV2Url(parsed, context);
    case "v4-header":
      return verifyV4Header(parsed, authorization, context);
    case "v4-url":
      return verifyV4Url(parsed, context);
    case "aws-sigv4":
      return refuse.unsupportedDialect();
  }
}
