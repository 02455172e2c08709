import { isoExtended } from "./time.js";
import type { Verdict } from "./types.js";

/** A failed verification; the statuses, codes and messages are those of oss-semantics §2.2, §2.4–2.6 and §7.2. */
export type Refusal = Extract<Verdict, { readonly ok: false }>;

type Elements = readonly (readonly [element: string, text: string])[];

function refusal(status: number, code: string, message: string, ec: string | null, extra: Elements = []): Refusal {
  return { ok: false, status, code, message, ec, extra };
}

/** 400 for a signature whose form is wrong. */
export function invalidArgument(message: string, ec: string | null, extra: Elements = []): Refusal {
  return refusal(400, "InvalidArgument", message, ec, extra);
}

/** 400 for an `Authorization` header that cannot be read; the header comes back as the argument. */
export function invalidAuthorization(authorization: string, ec: string): Refusal {
  return invalidArgument("Authorization header is invalid.", ec, authorizationArgument(authorization));
}

export function bothSignatures(authorization: string): Refusal {
  const message =
    "Only one way of authentication is allowed: a signature in the URL or an Authorization header, not both.";
  return invalidArgument(message, "0002-00000039", authorizationArgument(authorization));
}

const authorizationArgument = (authorization: string): Elements => [
  ["ArgumentName", "Authorization"],
  ["ArgumentValue", authorization],
];

/** 403 for a URL signature of which a part is missing; `ec` where that part has one of its own. */
export function incompleteUrl(message: string, ec = "0002-00000037"): Refusal {
  return refusal(403, "AccessDenied", message, ec);
}

export function invalidExpires(): Refusal {
  return refusal(403, "AccessDenied", "Invalid date (should be seconds since epoch)", "0002-00000070");
}

/** @param ec `0002-00000069` for V1 and V2 (the vendor's page of that code); none is known for V4 */
export function expired(expiresMs: number, nowMs: number, ec: string | null): Refusal {
  const extra: Elements = [
    ["Expires", isoExtended(expiresMs)],
    ["ServerTime", isoExtended(nowMs)],
  ];
  return refusal(403, "AccessDenied", "Request has expired.", ec, extra);
}

// The status and the code are not documented for EC 235; an expired URL, its counterpart, is 403 AccessDenied.
export function notYetValid(nowMs: number): Refusal {
  return refusal(403, "AccessDenied", "Request is not valid yet.", "0002-00000235", [
    ["ServerTime", isoExtended(nowMs)],
  ]);
}

export function missingDate(): Refusal {
  return refusal(403, "AccessDenied", "OSS authentication requires a valid Date.", "0002-00000503");
}

export function timeTooSkewed(requestMs: number, nowMs: number): Refusal {
  const message = "The difference between the request time and the current time is too large.";
  return refusal(403, "RequestTimeTooSkewed", message, "0002-00000504", [
    ["RequestTime", isoExtended(requestMs)],
    ["ServerTime", isoExtended(nowMs)],
  ]);
}

export function invalidAccessKeyId(accessKeyId: string): Refusal {
  const message = "The OSS Access Key Id you provided does not exist in our records.";
  return refusal(403, "InvalidAccessKeyId", message, "0002-00000902", [["OSSAccessKeyId", accessKeyId]]);
}

export function invalidSecurityToken(securityToken: string): Refusal {
  const message = "The security token you provided is invalid.";
  return refusal(403, "InvalidSecurityToken", message, "0002-00000006", [["SecurityToken", securityToken]]);
}

export function securityTokenExpired(securityToken: string): Refusal {
  const message = "The security token you provided has expired.";
  return refusal(403, "SecurityTokenExpired", message, "0002-00000007", [["SecurityToken", securityToken]]);
}

/** What a mismatch tells the client so that it can find the difference. */
export interface Mismatch {
  readonly accessKeyId: string;
  readonly signatureProvided: string;
  readonly stringToSign: string;
  /** V4 only. */
  readonly canonicalRequest?: string;
  readonly ec: string;
}

export function signatureDoesNotMatch(mismatch: Mismatch): Refusal {
  const { accessKeyId, signatureProvided, stringToSign, canonicalRequest, ec } = mismatch;
  const message =
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
  const extra: [string, string][] = [
    ["OSSAccessKeyId", accessKeyId],
    ["SignatureProvided", signatureProvided],
    ["StringToSign", stringToSign],
    ["StringToSignBytes", hexBytes(stringToSign)],
  ];
  if (canonicalRequest !== undefined) extra.push(["CanonicalRequest", canonicalRequest]);
  return refusal(403, "SignatureDoesNotMatch", message, ec, extra);
}

/** `47 45 54 0A`: the UTF-8 bytes in upper-case hex, separated by spaces. */
function hexBytes(text: string): string {
  const bytes: string[] = [];
  for (const byte of Buffer.from(text)) bytes.push(byte.toString(16).toUpperCase().padStart(2, "0"));
  return bytes.join(" ");
}

/** For a signature of the S3 dialect, which oss-semantics does not describe. */
export function unsupportedDialect(): Refusal {
  return refusal(400, "NotImplemented", "A signature of the S3 dialect cannot be verified here.", null);
}
