import { headerValue } from "../core/headers.js";
import { additionalHeadersProblem, afterScheme, parseFields, splitHeaderNames } from "./authorization.js";
import { queryValue } from "./canonical.js";
import * as refuse from "./refusal.js";
import { parseHttpDateMs } from "./time.js";
import type { KnownCredentials, Verdict, VerifyContext } from "./types.js";
import * as v2 from "./v2.js";
import {
  type Claim,
  checkExpires,
  checkSkew,
  type ParsedRequest,
  settleClaim,
  withoutSignature,
} from "./verify-steps.js";

// oss-semantics §2.6 names 101 for a mismatch; 104, 112, 113 and 077 are on the vendor's pages of those codes.
const EC = {
  mismatch: "0002-00000101",
  malformed: "0002-00000104",
  headerList: "0002-00000112",
  urlList: "0002-00000077",
  missingExpires: "0002-00000113",
} as const;

const FIELD_NAMES = ["AccessKeyId", "AdditionalHeaders", "Signature"];

/** V2 in the `Authorization` header (oss-semantics §2.3). */
export function verifyV2Header(request: ParsedRequest, authorization: string, context: VerifyContext): Verdict {
  const text = afterScheme(authorization, "OSS2");
  if (text === null) return refuse.invalidAuthorization(authorization, "0002-00000061");
  const fields = parseFields(text, ":", FIELD_NAMES);
  const accessKeyId = fields?.get("AccessKeyId");
  const signature = fields?.get("Signature");
  if (!accessKeyId || !signature) return refuse.invalidAuthorization(authorization, EC.malformed);

  const date = v2.dateLine(request.headers);
  const requestMs = parseHttpDateMs(date);
  if (requestMs === null) return refuse.missingDate();
  const list = fields?.get("AdditionalHeaders");
  const problem = checkSkew(requestMs, context.nowMs) ?? checkList(list, request, EC.headerList);
  if (problem !== null) return problem;

  const securityToken = headerValue(request.headers, "x-oss-security-token");
  const proof = prove(request, date, list);
  return settleClaim({ signatureClass: "v2-header", accessKeyId, signature, securityToken, ...proof }, context);
}

/** V2 in the URL (oss-semantics §2.3). */
export function verifyV2Url(request: ParsedRequest, context: VerifyContext): Verdict {
  const { query } = request;
  if (queryValue(query, "x-oss-signature-version") !== "OSS2") {
    return refuse.incompleteUrl("A V2 signature in the URL needs x-oss-signature-version=OSS2.");
  }
  const accessKeyId = queryValue(query, "x-oss-access-key-id");
  const signature = queryValue(query, "x-oss-signature");
  const expires = queryValue(query, "x-oss-expires");
  if (expires === undefined) {
    return refuse.incompleteUrl("A signature in the URL needs x-oss-expires.", EC.missingExpires);
  }
  if (!accessKeyId || !signature) {
    return refuse.incompleteUrl("A V2 signature in the URL needs x-oss-access-key-id and x-oss-signature.");
  }
  const list = queryValue(query, "x-oss-additional-headers");
  const problem = checkExpires(expires, context.nowMs) ?? checkList(list, request, EC.urlList);
  if (problem !== null) return problem;

  const securityToken = queryValue(query, "security-token");
  const signed = withoutSignature(request);
  const proof = prove(signed, expires, list);
  return settleClaim({ signatureClass: "v2-url", accessKeyId, signature, securityToken, ...proof }, context);
}

function checkList(list: string | undefined, request: ParsedRequest, ec: string): refuse.Refusal | null {
  if (list === undefined || additionalHeadersProblem(list, request.headers) === null) return null;
  return refuse.invalidArgument("The additional headers must be names of headers of the request.", ec);
}

function prove(
  request: ParsedRequest,
  date: string,
  list: string | undefined,
): Pick<Claim, "stringToSign" | "mismatchEc" | "sign"> {
  const names = list === undefined ? [] : v2.additionalHeaderNames(splitHeaderNames(list));
  const stringToSign = v2.stringToSign(request, date, names);
  const sign = (known: KnownCredentials): string => v2.signature(known.accessKeySecret, stringToSign);
  return { stringToSign, mismatchEc: EC.mismatch, sign };
}
