import { type ErrorCode, GatewayError } from "../core/errors.js";

/** Socket, resolver and undici codes → ours. The only place that knows theirs. */
const BY_CODE: ReadonlyMap<string, ErrorCode> = new Map([
  ["ECONNREFUSED", "UPSTREAM_REFUSED"],
  ["EHOSTUNREACH", "UPSTREAM_REFUSED"],
  ["ENETUNREACH", "UPSTREAM_REFUSED"],
  ["EADDRNOTAVAIL", "UPSTREAM_REFUSED"],
  ["EMFILE", "GATEWAY_BUSY"],
  ["ENFILE", "GATEWAY_BUSY"],
  ["ECONNRESET", "UPSTREAM_RESET"],
  ["EPIPE", "UPSTREAM_RESET"],
  ["ECONNABORTED", "UPSTREAM_RESET"],
  ["UND_ERR_SOCKET", "UPSTREAM_RESET"],
  ["UND_ERR_CLOSED", "UPSTREAM_RESET"],
  ["UND_ERR_DESTROYED", "UPSTREAM_RESET"],
  ["ETIMEDOUT", "UPSTREAM_CONNECT_TIMEOUT"],
  ["UND_ERR_CONNECT_TIMEOUT", "UPSTREAM_CONNECT_TIMEOUT"],
  ["UND_ERR_HEADERS_TIMEOUT", "UPSTREAM_HEADERS_TIMEOUT"],
  ["UND_ERR_BODY_TIMEOUT", "UPSTREAM_BODY_TIMEOUT"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "UPSTREAM_TRUNCATED"],
  ["UND_ERR_HEADERS_OVERFLOW", "UPSTREAM_BAD_RESPONSE"],
  ["UND_ERR_INVALID_ARG", "INTERNAL"],
  ["UND_ERR_NOT_SUPPORTED", "INTERNAL"],
  ["ENOTFOUND", "UPSTREAM_NAME_NOT_RESOLVED"],
  ["EAI_AGAIN", "UPSTREAM_NAME_NOT_RESOLVED"],
]);

/** undici tells an answer that it does not take from a broken connection by nothing but its message. */
const BAD_ANSWERS: ReadonlySet<unknown> = new Set(["bad response", "bad upgrade"]);

interface ForeignError {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly socket?: { readonly bytesRead?: unknown };
}

/** How far an exchange had come when it failed. */
export interface ExchangeState {
  /** The head of the answer had arrived. */
  readonly headSeen: boolean;
  /** It had a connection of its own, which cannot have been closed for being idle. */
  readonly fresh: boolean;
}

/** Whether the connection had served an answer before it broke, so that it may just have been closed for being idle. */
function wasReused(error: ForeignError): boolean {
  const bytesRead = error.socket?.bytesRead;
  return typeof bytesRead === "number" && bytesRead > 0;
}

/**
 * Maps what a client library or a socket threw onto the error table.
 * @param where the upstream's address, for the message
 */
export function toGatewayError(cause: unknown, where: string, state: ExchangeState): GatewayError {
  if (cause instanceof GatewayError) return cause;
  const error = (cause ?? {}) as ForeignError;
  const code = typeof error.code === "string" ? error.code : "";
  const text = typeof error.message === "string" ? error.message : String(cause);
  return new GatewayError(codeOf(code, error, state), `${where}: ${text}`, { cause });
}

function codeOf(code: string, error: ForeignError, { headSeen, fresh }: ExchangeState): ErrorCode {
  if (code.startsWith("HPE_") || BAD_ANSWERS.has(error.message)) return "UPSTREAM_BAD_RESPONSE";
  if (code.startsWith("ERR_TLS_") || code.startsWith("ERR_SSL_") || isCertificateCode(code)) return "UPSTREAM_TLS";
  const mapped = BY_CODE.get(code) ?? "UPSTREAM_BAD_RESPONSE";
  if (mapped === "UPSTREAM_TRUNCATED" && !headSeen) return "UPSTREAM_BAD_RESPONSE";
  if (mapped !== "UPSTREAM_RESET") return mapped;
  if (headSeen) return "UPSTREAM_TRUNCATED";
  return !fresh && wasReused(error) ? "UPSTREAM_STALE_CONNECTION" : mapped;
}

/** OpenSSL's verification results come as bare codes: CERT_HAS_EXPIRED, DEPTH_ZERO_SELF_SIGNED_CERT … */
function isCertificateCode(code: string): boolean {
  return code.includes("CERT") || code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE" || code === "EPROTO";
}
