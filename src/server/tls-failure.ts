import type { TLSSocket } from "node:tls";
import type { TlsFailure } from "../telemetry/stats.js";

const BY_CODE: Readonly<Record<string, TlsFailure>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: "timeout",
  ECONNRESET: "closed",
  EPIPE: "closed",
  ETIMEDOUT: "closed",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "protocol",
  ERR_SSL_VERSION_TOO_LOW: "protocol",
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: "protocol",
  ERR_SSL_NO_APPLICATION_PROTOCOL: "protocol",
  ERR_SSL_INAPPROPRIATE_FALLBACK: "protocol",
  ERR_SSL_NO_SHARED_CIPHER: "cipher",
  ERR_SSL_NO_SHARED_GROUP: "cipher",
  ERR_SSL_NO_SUITABLE_KEY_SHARE: "cipher",
  ERR_SSL_NO_SUITABLE_GROUPS: "cipher",
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: "cipher",
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: "cipher",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "noCertificate",
  ERR_SSL_CERTIFICATE_VERIFY_FAILED: "badCertificate",
  ERR_SSL_HTTP_REQUEST: "notTls",
  ERR_SSL_HTTPS_PROXY_REQUEST: "notTls",
  ERR_SSL_WRONG_VERSION_NUMBER: "notTls",
  ERR_SSL_BAD_RECORD_TYPE: "notTls",
  ERR_SSL_RECORD_LAYER_FAILURE: "notTls",
};

/** Why a handshake failed, as a label. */
export function tlsFailureOf(error: NodeJS.ErrnoException, socket: TLSSocket): TlsFailure {
  const code = error.code ?? "";
  // Node ends such a connection itself, and tells of it as of one that the client has closed. The types are wrong: it
  // is a code, not an Error.
  const refused = socket.authorizationError as unknown as string | undefined;
  if (refused != null && BY_CODE[code] === "closed") return "badCertificate";
  if (/_ALERT_/.test(code)) return "refusedByClient";
  return BY_CODE[code] ?? "other";
}
