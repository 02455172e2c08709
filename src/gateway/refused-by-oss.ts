import { MISMATCH_CAUSES, type Mismatch, type Place } from "../signing/mismatch-causes.js";
import type { OssError } from "./oss-error.js";

/** Why OSS refused a request, as far as it can be told; a closed set, so that lines can be counted and searched. */
export const REFUSAL_CAUSES = [
  ...MISMATCH_CAUSES,
  "signature-mismatch",
  "wrong-key-id",
  "expired",
  "not-yet-valid",
  "clock",
  "date-missing",
  "security-token-missing",
  "security-token-invalid",
  "security-token-expired",
  "signature-incomplete",
  "other-login",
  "two-signatures",
  "bucket-private",
  "not-permitted",
  "referer-denied",
  "cors-denied",
  "other-region",
  "host-unknown",
  "public-endpoint-forbidden",
  "acceleration-off",
  "account-disabled",
  "object-archived",
  "no-document",
  "other",
] as const;

export type RefusalCause = (typeof REFUSAL_CAUSES)[number];

/** What of a refused request decides between causes of one code. */
export interface RefusedRequest {
  readonly isSigned: boolean;
  readonly accessKeyId: string;
  readonly hasSecurityToken: boolean;
  /** Its `Authorization` is none of OSS's: a website's login, `Basic` or `Bearer`. Absent: not so. */
  readonly hasOtherLogin?: boolean;
}

const BY_CODE: Readonly<Record<string, RefusalCause>> = {
  SecurityTokenExpired: "security-token-expired",
  RequestTimeTooSkewed: "clock",
  SignatureDoesNotMatch: "signature-mismatch",
  AccessForbidden: "cors-denied",
  NonStandardHostForbidden: "host-unknown",
  SecondLevelDomainForbidden: "host-unknown",
  CnameDenied: "host-unknown",
  PublicEndpointForbidden: "public-endpoint-forbidden",
  TransferAccelerationDisabled: "acceleration-off",
  UserDisable: "account-disabled",
  InvalidObjectState: "object-archived",
};

/**
 * The cause that the answer alone tells (oss-semantics §2.2, §2.4–§2.6, §5, §7.2): by code and message, since ECs may
 * change. `signature-mismatch` asks for a comparison of what was signed.
 * @returns `null`: a client's mistake that has nothing to do with who may do what
 */
export function causeOfAnswer(status: number, error: OssError, request: RefusedRequest): RefusalCause | null {
  const [family = ""] = error.code.split(".");
  const known = BY_CODE[family];
  if (known !== undefined) return known;
  const isTokenMissing = request.accessKeyId.startsWith("STS.") && !request.hasSecurityToken;
  if (family === "InvalidAccessKeyId") return isTokenMissing ? "security-token-missing" : "wrong-key-id";
  if (family === "InvalidSecurityToken") {
    return request.hasSecurityToken ? "security-token-invalid" : "security-token-missing";
  }
  if (family === "AccessDenied") return causeOfDenial(error, request);
  if (family === "InvalidArgument") return causeOfArgument(error, request);
  return status === 403 ? "other" : null;
}

function causeOfDenial(
  { message, elements }: OssError,
  { isSigned, hasOtherLogin = false }: RefusedRequest,
): RefusalCause {
  if (elements.has("Endpoint")) return "other-region";
  if (/referer policy/i.test(message)) return "referer-denied";
  if (/has expired/i.test(message)) return "expired";
  if (/not valid yet/i.test(message)) return "not-yet-valid";
  if (/valid Date\b/i.test(message)) return "date-missing";
  if (/signature in the URL|query string authentication|invalid date/i.test(message)) return "signature-incomplete";
  if (hasOtherLogin && !isSigned) return "other-login";
  return isSigned ? "not-permitted" : "bucket-private";
}

/** 400: the form of a signature (oss-semantics §2.4). */
function causeOfArgument(
  { message, elements }: OssError,
  { isSigned, hasOtherLogin = false }: RefusedRequest,
): RefusalCause | null {
  if (/signing (?:region|product)/i.test(message)) return "region-mismatch";
  if (/signing date/i.test(message)) return "date-changed";
  if (/only one way of authentication|URL, not both/i.test(message)) return "two-signatures";
  const isOfSignature = elements.get("ArgumentName") === "Authorization" || /authorization header/i.test(message);
  if (!isOfSignature) return null;
  return hasOtherLogin && !isSigned ? "other-login" : "signature-incomplete";
}

/** What the sentence of a cause is made of. */
export interface RefusalFacts {
  readonly cause: RefusalCause;
  readonly mismatch: Mismatch | null;
  /** The gateway made the signature. */
  readonly isOwnSignature: boolean;
  /** Of `other-region`: the endpoint that OSS names. */
  readonly endpoint: string | null;
  /** OSS's clock less the gateway's in seconds; `null`: not told. */
  readonly skewSeconds: number | null;
  /** Of a signature in a URL: the parameters that it lacks. Absent: none. */
  readonly missing?: readonly string[];
  /** Headers by which the request tells that it came through a proxy or a CDN. Absent: none. */
  readonly hops?: readonly string[];
}

const WHERE: Readonly<Record<Place, string>> = {
  before: "between the client and this gateway",
  gateway: "in this gateway (requestHeaders.remove, or a key that the route changes)",
  behind: "between this gateway and OSS",
};

/** What to do about a refusal, in a sentence or two. */
export function nextOfRefusal(facts: RefusalFacts): string {
  const { cause, mismatch } = facts;
  const isGuess =
    mismatch?.isProven === false && cause !== "changed-before-or-wrong-secret" && cause !== "wrong-secret";
  return isGuess ? `${sentenceOf(facts)} If it is not that, check the client's secret.` : sentenceOf(facts);
}

function sentenceOf(facts: RefusalFacts): string {
  const { cause, mismatch, isOwnSignature, endpoint, skewSeconds } = facts;
  const name = mismatch?.name ?? "A header";
  const where = WHERE[mismatch?.place ?? "before"];
  switch (cause) {
    case "method-changed":
      return `The signed method is another (${name}): look for what changes methods ${where}; caches and CDNs make GET of HEAD.`;
    case "host-signed":
      return `The client signed its Host header, which was changed ${where}: keep Host there, or sign without it (SDKs of OSS need not).`;
    case "content-type-added":
      return `A Content-Type that the client did not sign was added ${where}: stop that, or sign with this type.`;
    case "header-added-by-hop":
      return `${name}, which the client did not sign, was added ${where}: take it out there, or sign with it.`;
    case "header-changed":
      return `${name} is signed and was changed ${where}: let it pass as it is there.`;
    case "header-removed":
      return `${name} is signed and was taken away ${where}: let it pass there.`;
    case "date-changed":
      return `The signed date is another than the one that arrived: let Date and x-oss-date pass as they are ${where}.`;
    case "key-encoded-twice":
      return `The path was percent-encoded a second time ${where}: hand the raw path on there (NGINX: proxy_pass without a URI part).`;
    case "key-decoded":
      return `The path was decoded ${where}: hand the raw path on there (NGINX: proxy_pass without a URI part).`;
    case "key-changed":
      return `The path is another than the signed one: look for rewrites, merged slashes and stripped prefixes ${where}.`;
    case "bucket-changed":
      return "The request reached another bucket than the signed one: check the bucket of the route and the Host that is sent.";
    case "plus-as-space":
      return `A '+' and a space were taken for each other (${mismatch?.name ?? "the path"}): write %2B and %20 in URLs, and leave them so ${where}.`;
    case "query-changed":
      return `The query parameter ${mismatch?.name ?? ""} is not as it was signed: look for what adds or rewrites parameters ${where}.`;
    case "region-mismatch":
      return isOwnSignature
        ? "The signature names another region than the bucket's: set the bucket's region."
        : "The client signed for another region than the bucket's: set the bucket's region in the client.";
    case "signature-cut":
      return `What stands in the signature's place is none (${mismatch?.name ?? "it is cut"}): look for what cuts or rewrites URLs and Authorization ${where}.`;
    case "signature-changed":
      return `OSS got another signature than was sent from here: look for what rewrites URLs and Authorization ${WHERE.behind}.`;
    case "wrong-secret":
      return nextOfSecret(facts);
    case "changed-before-or-wrong-secret":
      return nextOfUndecided(facts);
    case "signature-mismatch":
      return "There were too many in this second to compare each: look for another line of this route that names the cause.";
    case "wrong-key-id":
      return `OSS does not know this access key id, or it is disabled: replace the ${isOwnSignature ? "gateway's credentials" : "client's key"}.`;
    case "expired":
      return "The signed URL has expired: have a new one made, for longer if it was short; if it was new, check the signer's clock.";
    case "not-yet-valid":
      return "The signed URL is of the future: set the clock of whoever signed it.";
    case "clock":
      return nextOfClock(skewSeconds, isOwnSignature);
    case "date-missing":
      return `The request has no Date that OSS reads: send x-oss-date or Date, and let them pass ${WHERE.before}.`;
    case "security-token-missing":
      return "Temporary keys (STS.…) need their security token: send x-oss-security-token, and let it pass where headers are filtered.";
    case "security-token-invalid":
      return "The security token does not belong to this key: use both of the same answer of STS.";
    case "security-token-expired":
      return `The temporary key has expired: ${isOwnSignature ? "look at the gateway's credentials source" : "let the client fetch a new one in time"}.`;
    case "signature-incomplete":
      return nextOfIncomplete(facts.missing ?? []);
    case "other-login":
      return "Authorization holds a website's login (Basic, Bearer), which OSS takes for a signature: serve OSS under a host name to which browsers send none, or let the gateway check it (allow.basic, allow.forwardAuth) or sign (auth: sign).";
    case "two-signatures":
      return "The request is signed in its URL and in its headers: send one of the two; a browser's Authorization of another login counts too.";
    case "bucket-private":
      return "The bucket is private and the request was not signed: let clients sign, set auth: sign on the route, or open the bucket's ACL.";
    case "not-permitted":
      return `The key is good and may not do this: grant it in the RAM policy or the bucket policy${isOwnSignature ? " to the gateway's user or role" : ""}.`;
    case "referer-denied":
      return "The bucket's own Referer rules refused it: change them at OSS, or keep such rules on the route instead.";
    case "cors-denied":
      return "The bucket's CORS rules do not have this origin and method: add a rule there, or set cors on the route.";
    case "other-region":
      return `The bucket is in another region: set the bucket's region so that ${endpoint ?? "the endpoint that OSS names"} is used.`;
    case "host-unknown":
      return "OSS knows no bucket by the Host that was sent: bind the domain to the bucket, or set hostHeader: bucket.";
    case "public-endpoint-forbidden":
      return "This account may not use public endpoints: use endpoint: internal, or a bound domain as hostHeader.";
    case "acceleration-off":
      return "Transfer acceleration is off for this bucket: turn it on, or use another endpoint.";
    case "account-disabled":
      return "The account is overdue or disabled: settle it with the vendor.";
    case "object-archived":
      return "The object is archived: restore it first.";
    case "no-document":
      return "The refusal of a HEAD came without its document (x-oss-err): look for what makes GET of HEAD between this gateway and OSS, and ask with GET for the reason.";
    case "other":
      return "Look the EC up on the vendor's troubleshooting page, or ask its support with this ossRequestId.";
  }
}

function nextOfSecret({ isOwnSignature }: RefusalFacts): string {
  if (isOwnSignature) return "OSS has another secret for the gateway's key: replace the credentials as a pair.";
  return "The signature is right by the secret that the gateway knows, and OSS has another: the pair was rotated or mistyped here and at the client.";
}

/** OSS's text, the one that was sent and the one that arrived are the same: only the signature belongs to none of them. */
function nextOfUndecided({ mismatch, hops = [] }: RefusalFacts): string {
  const { suspects = [] } = mismatch ?? {};
  const signed =
    suspects.length === 0 ? "" : ` Signed besides method, path and date, and so suspect: ${suspects.join(", ")}.`;
  const came = hops.length === 0 ? "" : ` It came through a proxy or CDN, as ${hops.join(", ")} tells.`;
  return `OSS signed what arrived here, so that either something before this gateway changed the request, or the client's secret is wrong: send the same request to OSS directly, which tells the two apart.${signed}${came}`;
}

function nextOfIncomplete(missing: readonly string[]): string {
  if (missing.length === 0) {
    return "The signature lacks a part, or cannot be read: look for what shortens URLs or rewrites Authorization.";
  }
  return `The URL has parts of a signature and lacks ${missing.join(", ")}: look for what shortens URLs; if it was never meant as one, the page's own parameter has a name of OSS's and must not come here.`;
}

/** Who is wrong shows in the gateway's own clock. */
function nextOfClock(skewSeconds: number | null, isOwnSignature: boolean): string {
  if (isOwnSignature || (skewSeconds !== null && Math.abs(skewSeconds) > 60)) {
    return "The clock of this machine is wrong: set it (chrony, systemd-timesyncd).";
  }
  return "The client's clock is wrong by more than 15 minutes, or the request took that long: set its clock.";
}
