import { headerValue } from "../core/headers.js";
import { afterScheme } from "./authorization.js";
import { queryValue } from "./canonical.js";
import * as refuse from "./refusal.js";
import { parseHttpDateMs } from "./time.js";
import type { KnownCredentials, Verdict, VerifyContext } from "./types.js";
import * as v1 from "./v1.js";
import { type Claim, checkExpires, checkSkew, type ParsedRequest, settleClaim } from "./verify-steps.js";

const MISMATCH_EC = "0002-00000040";

/** V1 in the `Authorization` header (oss-semantics §2.1): form, then date, then key and signature. */
export function verifyV1Header(request: ParsedRequest, authorization: string, context: VerifyContext): Verdict {
  const credentials = afterScheme(authorization, "OSS");
  if (credentials === null) return refuse.invalidAuthorization(authorization, "0002-00000061");
  const colon = credentials.indexOf(":");
  // 062 is the vendor's code for a header without colon; an empty id is the same fault.
  if (colon < 1) return refuse.invalidAuthorization(authorization, "0002-00000062");
  const signature = credentials.slice(colon + 1);
  if (signature === "") return refuse.invalidAuthorization(authorization, "0002-00000065");

  const date = v1.dateLine(request.headers);
  const requestMs = parseHttpDateMs(date);
  if (requestMs === null) return refuse.missingDate();
  const skewed = checkSkew(requestMs, context.nowMs);
  if (skewed !== null) return skewed;

  const accessKeyId = credentials.slice(0, colon);
  const securityToken = headerValue(request.headers, "x-oss-security-token");
  const proof = prove(request, date);
  return settleClaim({ signatureClass: "v1-header", accessKeyId, signature, securityToken, ...proof }, context);
}

/**
 * V1 in the URL (oss-semantics §2.2): complete, then in time, then signed. A URL bound to client addresses by an
 * `x-oss-ac-*` parameter that OSS would have to add does not verify: the peer's address is not known here.
 */
export function verifyV1Url(request: ParsedRequest, context: VerifyContext): Verdict {
  const { query } = request;
  const accessKeyId = queryValue(query, "OSSAccessKeyId");
  const expires = queryValue(query, "Expires");
  const signature = queryValue(query, "Signature");
  if (!accessKeyId || expires === undefined || !signature) {
    return refuse.incompleteUrl("A signature in the URL needs the parameters OSSAccessKeyId, Expires and Signature.");
  }
  const late = checkExpires(expires, context.nowMs);
  if (late !== null) return late;
  const securityToken = queryValue(query, "security-token");
  const proof = prove(request, expires);
  return settleClaim({ signatureClass: "v1-url", accessKeyId, signature, securityToken, ...proof }, context);
}

function prove(request: ParsedRequest, date: string): Pick<Claim, "stringToSign" | "mismatchEc" | "sign"> {
  const stringToSign = v1.stringToSign(request, date);
  const sign = (known: KnownCredentials): string => v1.signature(known.accessKeySecret, stringToSign);
  return { stringToSign, mismatchEc: MISMATCH_EC, sign };
}
