import { ERROR_CODES, ERRORS, type ErrorCode } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";
import { DurationHistogram } from "./stats-histogram.js";
import { increment, indexOf } from "./stats-map.js";
import { errorCodeAt, isThrottled, ThrottledAnswers } from "./throttled-answers.js";

/** Why a try failed before OSS's answer was complete: the codes whose origin is upstream. A closed set of labels. */
export const UPSTREAM_CAUSES: readonly ErrorCode[] = ERROR_CODES.filter((code) => ERRORS[code].origin === "upstream");

/** Classes of OSS's statuses as a closed set of labels. */
export const ANSWER_LABELS = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/**
 * What OSS calls its errors (oss-semantics §7.2), as a closed set of labels. `other`: a code that is not among them;
 * `unknown`: none could be read.
 */
export const OSS_CODES = [
  ...["AccessDenied", "AccessForbidden", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"],
  ...["SecurityTokenExpired", "InvalidSecurityToken", "UserDisable", "SecondLevelDomainForbidden"],
  ...["NonStandardHostForbidden", "CnameDenied", "TransferAccelerationDisabled", "InvalidObjectState"],
  ...["PublicEndpointForbidden", "ApkDownloadForbidden", "ExternalRedirectForbidden"],
  ...["NoSuchBucket", "NoSuchKey", "NoSuchUpload", "SymlinkTargetNotExist", "NoSuchCORSConfiguration"],
  ...["NoSuchWebsiteConfiguration", "MethodNotAllowed", "FileAlreadyExists", "PositionNotEqualToLength"],
  ...["ObjectNotAppendable", "BucketAlreadyExists", "BucketNotEmpty", "MissingContentLength", "PreconditionFailed"],
  ...["InvalidRange", "InvalidArgument", "InvalidRequest", "InvalidBucketName", "InvalidObjectName", "InvalidDigest"],
  ...["InvalidCRC64", "IncompleteBody", "RequestTimeout", "MalformedXML", "EntityTooLarge", "EntityTooSmall"],
  ...["InvalidPart", "InvalidPartOrder", "InvalidPolicyDocument", "NotImplemented", "CallbackFailed"],
  ...["QpsLimitExceeded", "TotalQpsLimitExceeded", "MetaOperationQpsLimitExceeded"],
  ...["DownloadTrafficRateLimitExceeded", "UploadTrafficRateLimitExceeded", "ActiveRequestLimitExceeded"],
  ...["CpuLimitExceeded", "ServiceUnavailable", "InternalError"],
  ...["other", "unknown"],
] as const;

const CAUSE_INDEX = indexOf(UPSTREAM_CAUSES);
const OSS_CODE_INDEX = indexOf(OSS_CODES);
const OTHER = OSS_CODE_INDEX.get("other") as number;
const UNKNOWN = OSS_CODE_INDEX.get("unknown") as number;

/** Upload stored, callback failed: an error document under a status that is none (oss-semantics §9.2). */
const CALLBACK_FAILED_STATUS = 203;

/** Counters of one bucket's upstream. */
export class UpstreamStats {
  dnsChanges = 0;
  dnsLookUpsOk = 0;
  dnsLookUpsFailed = 0;
  setAside = 0;
  /** What was sent to OSS and came from it: tries, and bytes of bodies while they pass. */
  requests = 0;
  egressBytes = 0;
  ingressBytes = 0;
  /** Heads of answers by the place of their class in {@link ANSWER_LABELS}. */
  readonly answers = new Float64Array(ANSWER_LABELS.length);
  /** Tries that failed, by the place of the cause in {@link UPSTREAM_CAUSES}. */
  readonly errors = new Float64Array(UPSTREAM_CAUSES.length);
  /** OSS's own errors by their place in {@link OSS_CODES}. */
  readonly ossErrors = new Float64Array(OSS_CODES.length);
  /** What OSS refused or held up for its load. */
  readonly throttled = new ThrottledAnswers();
  /** How long connections took until they could be used, TLS included. */
  readonly connects = new DurationHistogram();
  /** How long requests took whose last try brought an answer: as clients saw them, and from sending to the answer's end. */
  readonly requestDurations = new DurationHistogram();
  readonly responseDurations = new DurationHistogram();
  /** Connections that are open now, used or idle. */
  openConnections = 0;
  /** Of those, the ones that carry a request. */
  usedConnections = 0;
  /** Requests that wait for one because all are taken. */
  queued = 0;

  /**
   * Notes the head of an answer.
   * @returns `null` where the body tells nothing more; else to be called once, with the first bytes of the body, or
   * `null` at its end when there were none
   */
  noteHead(status: number, headers: HeaderList): ((start: Buffer | null) => void) | null {
    increment(this.answers, Math.min(Math.max(Math.trunc(status / 100), 1), ANSWER_LABELS.length) - 1);
    this.throttled.noteDelay(headers);
    if (status < 400 && status !== CALLBACK_FAILED_STATUS) return null;
    return (start) => {
      const code = errorCodeAt(headers, start);
      increment(this.ossErrors, code === null ? UNKNOWN : (OSS_CODE_INDEX.get(code) ?? OTHER));
      if (isThrottled(status)) this.throttled.count(code);
    };
  }

  /** A try that brought no answer, or not all of it; of other origins than upstream nothing is counted. */
  countError(code: ErrorCode): void {
    const index = CAUSE_INDEX.get(code);
    if (index !== undefined) increment(this.errors, index);
  }
}
