/**
 * Every fault the gateway can name: what the client is told, whose fault it is, and whether another try may help.
 * `origin` is a closed set, so it can be a metric label. The README's table of errors is this table.
 */
export interface ErrorRow {
  /** The HTTP status of the local answer; 499 is never sent, it is what the log and the metrics say. */
  readonly status: number;
  readonly origin: "client" | "upstream" | "gateway";
  /**
   * `safe`: nothing reached the upstream, any method may be tried elsewhere. `idempotent`: GET, HEAD and OPTIONS may.
   * `never`: another try cannot help or could do harm.
   */
  readonly retry: "safe" | "idempotent" | "never";
  /** The `Code` element of the answer: OSS's own name where OSS has one for the case. */
  readonly ossCode: string;
}

const row = (status: number, origin: ErrorRow["origin"], retry: ErrorRow["retry"], ossCode: string): ErrorRow => ({
  status,
  origin,
  retry,
  ossCode,
});

export const ERRORS = {
  MALFORMED_REQUEST: row(400, "client", "never", "InvalidRequest"),
  MALFORMED_TARGET: row(400, "client", "never", "InvalidURI"),
  INVALID_OBJECT_NAME: row(400, "client", "never", "InvalidObjectName"),
  DOT_SEGMENT: row(400, "client", "never", "InvalidObjectName"),
  INVALID_HOST: row(400, "client", "never", "InvalidHost"),
  SIGNATURE_WOULD_BREAK: row(400, "client", "never", "SignatureCannotBeRelayed"),
  HEADER_NOT_ALLOWED: row(400, "client", "never", "InvalidArgument"),
  UNSUPPORTED_ENCODING: row(400, "client", "never", "NotImplemented"),
  PARAMETER_NOT_ALLOWED: row(400, "client", "never", "InvalidArgument"),
  OPERATION_NOT_ALLOWED: row(403, "client", "never", "AccessDenied"),
  LOGIN_REQUIRED: row(401, "client", "never", "AccessDenied"),
  CLIENT_NOT_ALLOWED: row(403, "client", "never", "AccessDenied"),
  PATH_NOT_ALLOWED: row(403, "client", "never", "AccessDenied"),
  LINK_REQUIRED: row(403, "client", "never", "AccessDenied"),
  LINK_INVALID: row(403, "client", "never", "AccessDenied"),
  LINK_EXPIRED: row(403, "client", "never", "AccessDenied"),
  CLIENT_SIGNATURE_NOT_ALLOWED: row(403, "client", "never", "AccessDenied"),
  CLIENT_SIGNATURE_INVALID: row(403, "client", "never", "SignatureDoesNotMatch"),
  CALLBACK_NOT_GENUINE: row(403, "client", "never", "AccessDenied"),
  REFERER_DENIED: row(403, "client", "never", "AccessDenied"),
  PREFLIGHT_INCOMPLETE: row(400, "client", "never", "BadRequest"),
  CORS_DENIED: row(403, "client", "never", "AccessForbidden"),
  FORWARD_AUTH_DENIED: row(403, "client", "never", "AccessDenied"),
  NO_ROUTE: row(404, "client", "never", "NoSuchRoute"),
  NO_SUCH_BUCKET: row(404, "client", "never", "NoSuchBucket"),
  METHOD_NOT_ALLOWED: row(405, "client", "never", "MethodNotAllowed"),
  REQUEST_TIMEOUT: row(408, "client", "never", "RequestTimeout"),
  LENGTH_REQUIRED: row(411, "client", "never", "MissingContentLength"),
  BODY_TOO_LARGE: row(413, "client", "never", "EntityTooLarge"),
  TARGET_TOO_LONG: row(414, "client", "never", "RequestURITooLong"),
  EXPECTATION_FAILED: row(417, "client", "never", "ExpectationFailed"),
  RATE_LIMITED: row(429, "client", "never", "QpsLimitExceeded"),
  TOO_MANY_CONNECTIONS: row(429, "client", "never", "ActiveRequestLimitExceeded"),
  HEADERS_TOO_LARGE: row(431, "client", "never", "RequestHeaderTooLarge"),
  CLIENT_GONE: row(499, "client", "never", "ClientClosedRequest"),
  INTERNAL: row(500, "gateway", "never", "GatewayInternalError"),
  UPSTREAM_NAME_NOT_RESOLVED: row(502, "upstream", "safe", "UpstreamNameNotResolved"),
  UPSTREAM_REFUSED: row(502, "upstream", "safe", "UpstreamRefused"),
  UPSTREAM_TLS: row(502, "upstream", "safe", "UpstreamTlsFailed"),
  UPSTREAM_RESET: row(502, "upstream", "idempotent", "UpstreamReset"),
  UPSTREAM_STALE_CONNECTION: row(502, "upstream", "idempotent", "UpstreamReset"),
  UPSTREAM_BAD_RESPONSE: row(502, "upstream", "never", "UpstreamBadResponse"),
  UPSTREAM_TRUNCATED: row(502, "upstream", "never", "UpstreamTruncated"),
  UPSTREAM_AUTH_FAILED: row(502, "upstream", "never", "UpstreamAuthFailed"),
  PLAYLIST_INVALID: row(502, "upstream", "never", "PlaylistInvalid"),
  CALLBACK_FORWARD_FAILED: row(502, "upstream", "never", "CallbackForwardFailed"),
  NO_CREDENTIALS: row(503, "gateway", "never", "CredentialsUnavailable"),
  CALLBACK_KEY_UNAVAILABLE: row(503, "upstream", "never", "CallbackKeyUnavailable"),
  FORWARD_AUTH_UNAVAILABLE: row(503, "gateway", "never", "ServiceUnavailable"),
  SHED: row(503, "gateway", "never", "TotalQpsLimitExceeded"),
  GATEWAY_BUSY: row(503, "gateway", "never", "GatewayBusy"),
  UPSTREAM_CONNECT_TIMEOUT: row(504, "upstream", "safe", "UpstreamConnectTimeout"),
  UPSTREAM_HEADERS_TIMEOUT: row(504, "upstream", "never", "UpstreamTimeout"),
  UPSTREAM_BODY_TIMEOUT: row(504, "upstream", "never", "UpstreamTimeout"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** All codes in a fixed order: the index of a code is its place in counters. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(ERRORS) as ErrorCode[];

/** A fault, as against a refusal that policy expects: see {@link Denial}. `detail` is one sentence for a person. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly origin: ErrorRow["origin"];
  readonly retry: ErrorRow["retry"];

  constructor(code: ErrorCode, detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.name = "GatewayError";
    const { status, origin, retry } = ERRORS[code];
    this.code = code;
    this.status = status;
    this.origin = origin;
    this.retry = retry;
  }
}

/** A refusal that was expected: made once at compile time, frozen, and handed out by checks. */
export interface Denial {
  readonly code: ErrorCode;
  /** What was refused and what to do about it, for the `Message` element. */
  readonly reason: string;
  /** Response headers that belong to the refusal (`Allow` of a 405), as a flat list. */
  readonly headers?: readonly string[];
  /** The answer as OSS itself would give it, where the gateway decides in OSS's place: it goes before the row's. */
  readonly oss?: OssAnswer;
}

/** What an error of OSS says (oss-semantics §7.1). */
export interface OssAnswer {
  readonly status: number;
  readonly code: string;
  /** `x-oss-ec`; `null` where none is known. */
  readonly ec: string | null;
  /** Further elements of the document, in order. */
  readonly elements: readonly (readonly [element: string, text: string])[];
}
