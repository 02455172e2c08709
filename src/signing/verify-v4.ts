import { headerValue } from "../core/headers.js";
import { additionalHeadersProblem, afterScheme, parseFields, splitHeaderNames } from "./authorization.js";
import { queryValue } from "./canonical.js";
import { deriveDayKey } from "./day-key.js";
import * as refuse from "./refusal.js";
import { isoBasic, parseHttpDateMs, parseIsoBasicMs } from "./time.js";
import type { KnownCredentials, Scope, Verdict, VerifyContext } from "./types.js";
import * as v4 from "./v4.js";
import {
  type Claim,
  checkSkew,
  MAX_SKEW_MS,
  type ParsedRequest,
  settleClaim,
  withoutSignature,
} from "./verify-steps.js";

// oss-semantics §2.4, but 201 and 206, which are on the vendor's pages of those codes.
const EC = {
  mismatch: "0002-00000201",
  malformed: "0002-00000202",
  accessKeyId: "0002-00000206",
  emptySignature: "0002-00000208",
  emptyList: "0002-00000209",
  emptyName: "0002-00000210",
  unknownName: "0002-00000211",
  headerDate: "0002-00000212",
  missingExpires: "0002-00000215",
  urlDate: "0002-00000223",
  urlRegion: "0002-00000226",
  product: "0002-00000227",
  headerRegion: "0002-00000228",
  expiresRange: "0002-00000232",
} as const;

const MAX_EXPIRES_SECONDS = 604_800;
const FIELD_NAMES = ["Credential", "AdditionalHeaders", "Signature"];

interface Credential {
  readonly accessKeyId: string;
  readonly scope: Scope;
}

/**
 * V4 in the `Authorization` header (oss-semantics §2.4). The order of the checks between the form of the header and the
 * signature is not documented; it is: scope, date, additional headers, payload.
 */
export function verifyV4Header(request: ParsedRequest, authorization: string, context: VerifyContext): Verdict {
  const text = afterScheme(authorization, v4.ALGORITHM);
  if (text === null) return refuse.invalidAuthorization(authorization, "0002-00000061");
  const fields = parseFields(text, "=", FIELD_NAMES);
  const credential = parseCredential(fields?.get("Credential"));
  const signature = fields?.get("Signature");
  if (credential === null || signature === undefined) return refuse.invalidAuthorization(authorization, EC.malformed);
  if (credential.accessKeyId === "") return refuse.invalidAuthorization(authorization, EC.accessKeyId);
  if (signature === "") return refuse.invalidAuthorization(authorization, EC.emptySignature);
  const wrongScope = checkScope(credential.scope, context, EC.headerRegion);
  if (wrongScope !== null) return wrongScope;

  const timestamp = headerTimestamp(request);
  const requestMs = timestamp === null ? null : parseIsoBasicMs(timestamp);
  if (timestamp === null || requestMs === null) return refuse.missingDate();
  const list = fields?.get("AdditionalHeaders");
  const problem =
    checkDate8(credential.scope, timestamp, EC.headerDate) ??
    checkSkew(requestMs, context.nowMs) ??
    checkList(list, request) ??
    checkPayload(headerValue(request.headers, "x-oss-content-sha256") ?? "");
  if (problem !== null) return problem;

  const securityToken = headerValue(request.headers, "x-oss-security-token");
  const proof = prove({ request, credential, timestamp, list, context });
  return settleClaim({ signatureClass: "v4-header", signature, securityToken, ...proof }, context);
}

/** V4 in the URL (oss-semantics §2.4): complete, then for this place, then in time, then signed. */
export function verifyV4Url(request: ParsedRequest, context: VerifyContext): Verdict {
  const { query } = request;
  const parts = readUrl(request);
  if ("ok" in parts) return parts;
  const { credential, timestamp, signature } = parts;
  const list = queryValue(query, "x-oss-additional-headers");
  const problem =
    checkScope(credential.scope, context, EC.urlRegion) ??
    checkUrlTime(parts, context.nowMs) ??
    checkList(list, request) ??
    checkPayload(headerValue(request.headers, "x-oss-content-sha256") ?? v4.UNSIGNED_PAYLOAD);
  if (problem !== null) return problem;

  const securityToken = queryValue(query, "x-oss-security-token");
  const signed = withoutSignature(request);
  const proof = prove({ request: signed, credential, timestamp, list, context });
  return settleClaim({ signatureClass: "v4-url", signature, securityToken, ...proof }, context);
}

interface UrlParts {
  readonly credential: Credential;
  readonly timestamp: string;
  readonly expires: string;
  readonly signature: string;
}

// That a missing part is 403 as in V1 is an inference: oss-semantics gives V4 only the EC of a missing x-oss-expires.
function readUrl({ query }: ParsedRequest): UrlParts | refuse.Refusal {
  if (queryValue(query, "x-oss-signature-version") !== v4.ALGORITHM) {
    return refuse.incompleteUrl(`A V4 signature in the URL needs x-oss-signature-version=${v4.ALGORITHM}.`);
  }
  const credentialText = queryValue(query, "x-oss-credential");
  const timestamp = queryValue(query, "x-oss-date");
  const expires = queryValue(query, "x-oss-expires");
  const signature = queryValue(query, "x-oss-signature");
  if (expires === undefined) {
    return refuse.incompleteUrl("A signature in the URL needs x-oss-expires.", EC.missingExpires);
  }
  if (credentialText === undefined || timestamp === undefined || signature === undefined) {
    return refuse.incompleteUrl("A V4 signature in the URL needs x-oss-credential, x-oss-date and x-oss-signature.");
  }
  if (signature === "") return refuse.invalidArgument("The signature is empty.", EC.emptySignature);
  const credential = parseCredential(credentialText);
  if (credential === null) return refuse.invalidArgument("x-oss-credential is invalid.", EC.malformed);
  if (credential.accessKeyId === "") return refuse.invalidArgument("x-oss-credential is invalid.", EC.accessKeyId);
  return { credential, timestamp, expires, signature };
}

/** Reads `{accessKeyId}/{date8}/{region}/{product}/aliyun_v4_request`. */
function parseCredential(text: string | undefined): Credential | null {
  const [accessKeyId, date8, region, product, terminator, ...rest] = (text ?? "").split("/");
  if (accessKeyId === undefined || !date8 || !region || !product || rest.length > 0) return null;
  return terminator === v4.SCOPE_TERMINATOR ? { accessKeyId, scope: { date8, region, product } } : null;
}

// An acceleration host tells no region; then the signer's is taken.
function checkScope(scope: Scope, context: VerifyContext, regionEc: string): refuse.Refusal | null {
  if (context.region !== null && scope.region !== context.region) {
    return refuse.invalidArgument("Invalid signing region in Authorization header.", regionEc);
  }
  if (scope.product === context.product) return null;
  return refuse.invalidArgument("Invalid signing product in Authorization header.", EC.product);
}

/** `x-oss-date`, or without it `Date` in either format, as `YYYYMMDD'T'HHMMSS'Z'`; `null` when there is neither. */
function headerTimestamp({ headers }: ParsedRequest): string | null {
  const date = headerValue(headers, "x-oss-date") ?? headerValue(headers, "date");
  if (date === undefined) return null;
  const httpDateMs = headerValue(headers, "x-oss-date") === undefined ? parseHttpDateMs(date) : null;
  return httpDateMs === null ? date : isoBasic(httpDateMs);
}

function checkDate8(scope: Scope, timestamp: string, ec: string): refuse.Refusal | null {
  if (timestamp.startsWith(`${scope.date8}T`)) return null;
  return refuse.invalidArgument("Invalid signing date in Authorization header.", ec);
}

const SECONDS = /^\d{1,6}$/;

function checkUrlTime({ credential, timestamp, expires }: UrlParts, nowMs: number): refuse.Refusal | null {
  const startMs = parseIsoBasicMs(timestamp);
  if (startMs === null) return refuse.invalidArgument("x-oss-date is invalid.", EC.urlDate);
  const wrongDay = checkDate8(credential.scope, timestamp, EC.urlDate);
  if (wrongDay !== null) return wrongDay;
  const seconds = SECONDS.test(expires) ? Number(expires) : 0;
  if (seconds < 1 || seconds > MAX_EXPIRES_SECONDS) {
    return refuse.invalidArgument(`x-oss-expires must be between 1 and ${MAX_EXPIRES_SECONDS}.`, EC.expiresRange);
  }
  if (nowMs < startMs - MAX_SKEW_MS) return refuse.notYetValid(nowMs);
  const expiresMs = startMs + seconds * 1000;
  return nowMs > expiresMs ? refuse.expired(expiresMs, nowMs, null) : null;
}

const LIST_PROBLEMS = {
  "empty-list": ["The list of additional headers is empty.", EC.emptyList],
  "empty-name": ["The list of additional headers has an empty name.", EC.emptyName],
  "unknown-name": ["The additional headers must be names of headers of the request.", EC.unknownName],
} as const;

function checkList(list: string | undefined, { headers }: ParsedRequest): refuse.Refusal | null {
  const problem = list === undefined ? null : additionalHeadersProblem(list, headers);
  if (problem === null) return null;
  const [message, ec] = LIST_PROBLEMS[problem];
  return refuse.invalidArgument(message, ec);
}

// The literal is the only value in use (oss-semantics §2.4). A hash could not be checked here, for bodies are not seen,
// and accepting one would promise a check that nobody makes.
function checkPayload(value: string): refuse.Refusal | null {
  if (value === v4.UNSIGNED_PAYLOAD) return null;
  return refuse.invalidArgument(`x-oss-content-sha256 must be ${v4.UNSIGNED_PAYLOAD}.`, null);
}

interface Proof {
  readonly request: ParsedRequest;
  readonly credential: Credential;
  readonly timestamp: string;
  readonly list: string | undefined;
  readonly context: VerifyContext;
}

function prove({ request, credential, timestamp, list, context }: Proof) {
  const { accessKeyId, scope } = credential;
  const names = list === undefined ? [] : v4.additionalHeaderNames(splitHeaderNames(list));
  const canonicalRequest = v4.canonicalRequest(request, names);
  const stringToSign = v4.stringToSign(timestamp, scope, canonicalRequest);
  const sign = ({ accessKeySecret }: KnownCredentials): string => {
    const key = context.dayKeys?.get(accessKeyId, accessKeySecret, scope) ?? deriveDayKey(accessKeySecret, scope);
    return v4.signature(key, stringToSign);
  };
  return { accessKeyId, canonicalRequest, stringToSign, mismatchEc: EC.mismatch, sign } satisfies Partial<Claim>;
}
