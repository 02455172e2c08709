import { element, xmlDocument } from "./xml.js";

interface OssErrorRow {
  readonly status: number;
  readonly message: string;
  /** The `EC` element and `x-oss-ec`; `null` where oss-semantics names none. */
  readonly ec: string | null;
}

const row = (status: number, message: string, ec: string | null = null): OssErrorRow => ({ status, message, ec });

const DIGEST_MISMATCH = "The Content-MD5 you specified did not match what we received.";
const THROTTLED = "Please reduce your request rate.";

/** The codes that the emulator itself answers (oss-semantics §7.2); signature failures bring their own rows. */
export const OSS_ERRORS = {
  AccessDenied: row(403, "AccessDenied"),
  AccessForbidden: row(
    403,
    // The spelling is the one on the wire (oss-semantics §6.3).
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Requet-Headers are not whitelisted by the resource's CORS spec.",
  ),
  ApkDownloadForbidden: row(400, "APK and IPA files cannot be downloaded through the default domain."),
  BadRequest: row(400, "Insufficient information."),
  CORSRuleBeyondLimit: row(400, "The number of CORS rules exceeds the limit."),
  DownloadTrafficRateLimitExceeded: row(503, THROTTLED, "0004-00000304"),
  EntityTooLarge: row(400, "Your proposed upload exceeds the maximum allowed size."),
  EntityTooSmall: row(400, "Your proposed upload is smaller than the minimum allowed size."),
  FieldItemTooLong: row(400, "A form field is longer than allowed."),
  FileAlreadyExists: row(409, "The object you specified already exists and can not be overwritten."),
  IncompleteBody: row(400, "The request body terminated unexpectedly."),
  IncorrectNumberOfFilesInPOSTRequest: row(400, "POST requires exactly one file upload per request."),
  InternalError: row(500, "We encountered an internal error. Please try again."),
  InvalidArgument: row(400, "Invalid Argument."),
  InvalidBucketName: row(400, "The specified bucket is not valid."),
  InvalidCRC64: row(400, "The x-oss-hash-crc64ecma you specified does not match what we calculated."),
  InvalidDigest: row(400, DIGEST_MISMATCH),
  InvalidObjectName: row(400, "The specified object is not valid."),
  InvalidPart: row(
    400,
    "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.",
  ),
  InvalidPartOrder: row(
    400,
    "The list of parts was not in ascending order. Parts list must be ordered by part number.",
  ),
  InvalidPolicyDocument: row(400, "Invalid Policy."),
  InvalidRange: row(416, "The requested range cannot be satisfied."),
  InvalidRequest: row(400, "Request specific response headers cannot be used for anonymous GET requests."),
  InvalidURI: row(400, "Couldn't parse the specified URI."),
  MalformedPOSTRequest: row(400, "The body of your POST request is not well-formed multipart/form-data."),
  MalformedXML: row(
    400,
    "The XML you provided was not well-formed or did not validate against our published schema.",
    "0016-00000608",
  ),
  MaxPOSTPreDataLengthExceededError: row(400, "Your POST request fields preceding the upload file were too large."),
  MetaOperationQpsLimitExceeded: row(503, THROTTLED),
  MethodNotAllowed: row(405, "The specified method is not allowed against this resource."),
  MissingContentLength: row(411, "You must provide the Content-Length HTTP header."),
  NonStandardHostForbidden: row(403, "Your host is invalid. Please use Open Storage Service standard host."),
  NoSuchBucket: row(404, "The specified bucket does not exist.", "0015-00000101"),
  NoSuchCORSConfiguration: row(404, "The CORS Configuration does not exist.", "0034-00000001"),
  NoSuchKey: row(404, "The specified key does not exist.", "0026-00000001"),
  NoSuchUpload: row(
    404,
    "The specified upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.",
  ),
  NoSuchWebsiteConfiguration: row(404, "The specified bucket does not have a website configuration."),
  NotImplemented: row(501, "A header, parameter or operation of this request is not emulated."),
  ObjectNotAppendable: row(409, "The object is not appendable."),
  PositionNotEqualToLength: row(409, "Position is not equal to file length.", "0026-00000016"),
  PreconditionFailed: row(412, "At least one of the pre-conditions you specified did not hold."),
  PublicEndpointForbidden: row(400, "Public endpoints may not be used by this account.", "0048-00000401"),
  QpsLimitExceeded: row(429, THROTTLED),
  RequestIsNotMultiPartContent: row(400, "Bucket POST must be of the enclosure-type multipart/form-data."),
  RequestTimeout: row(
    400,
    "Your socket connection to the server was not read from or written to within the timeout period.",
  ),
  SecondLevelDomainForbidden: row(
    403,
    "The bucket you are attempting to access must be addressed using OSS third level domain.",
  ),
  ServiceUnavailable: row(503, "Please reduce your request rate."),
  TotalQpsLimitExceeded: row(503, "Max total qps limit is exceeded"),
  TransferAccelerationDisabled: row(403, "Transfer acceleration is disabled for this bucket."),
  UploadTrafficRateLimitExceeded: row(503, THROTTLED, "0004-00000402"),
} as const satisfies Record<string, OssErrorRow>;

export type OssErrorCode = keyof typeof OSS_ERRORS;

/** A refusal ready to be written; `extra` are XML elements in order, `headers` a flat list. */
export interface Refusal {
  readonly kind: "refusal";
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly ec: string | null;
  readonly extra: readonly (readonly [element: string, text: string])[];
  readonly headers: readonly string[];
}

export type RefusalDetails = Partial<Pick<Refusal, "status" | "message" | "ec" | "extra" | "headers">>;

/** A refusal from the table, with what this request adds to it or says differently. */
export function refuse(code: OssErrorCode, details: RefusalDetails = {}): Refusal {
  return { kind: "refusal", code, extra: [], headers: [], ...OSS_ERRORS[code], ...details };
}

/** 501 in OSS's own shape: what is asked for exists at OSS and is not emulated. `what` is named in the message. */
export function notEmulated(what: string): Refusal {
  return refuse("NotImplemented", { message: `Not emulated: ${what}.` });
}

/** 400 InvalidArgument with the argument's name and value (oss-semantics §7.2). */
export function invalidArgument(name: string, value: string, message = "Invalid Argument."): Refusal {
  return refuse("InvalidArgument", {
    message,
    extra: [
      ["ArgumentName", name],
      ["ArgumentValue", value],
    ],
  });
}

/** The document of oss-semantics §7.1. `hostId` is the Host that the client sent. */
export function renderErrorXml(refusal: Refusal, requestId: string, hostId: string): string {
  const ec =
    refusal.ec === null ? [] : [element("EC", refusal.ec), element("RecommendDoc", troubleshootUrl(refusal.ec))];
  return xmlDocument(
    "Error",
    element("Code", refusal.code),
    element("Message", refusal.message),
    element("RequestId", requestId),
    element("HostId", hostId),
    ...refusal.extra.map(([name, text]) => element(name, text)),
    ...ec,
  );
}

function troubleshootUrl(ec: string): string {
  return `https://api.aliyun.com/troubleshoot?q=${ec}`;
}
