import t from "tap";
import { type ErrorCode, GatewayError } from "../../../src/core/errors.js";
import { toGatewayError } from "../../../src/transport/upstream-errors.js";

interface Given {
  readonly headSeen?: boolean;
  readonly fresh?: boolean;
  readonly bytesRead?: number;
  readonly message?: string;
}

function codeOf(
  code: string,
  { headSeen = false, fresh = false, bytesRead, message = "broken" }: Given = {},
): ErrorCode {
  const socket = bytesRead === undefined ? {} : { socket: { bytesRead } };
  return toGatewayError(Object.assign(new Error(message), { code, ...socket }), "10.0.0.1", { headSeen, fresh }).code;
}

const TABLE: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "UPSTREAM_REFUSED",
  EHOSTUNREACH: "UPSTREAM_REFUSED",
  ENETUNREACH: "UPSTREAM_REFUSED",
  EADDRNOTAVAIL: "UPSTREAM_REFUSED",
  EMFILE: "GATEWAY_BUSY",
  ENFILE: "GATEWAY_BUSY",
  ECONNRESET: "UPSTREAM_RESET",
  EPIPE: "UPSTREAM_RESET",
  ECONNABORTED: "UPSTREAM_RESET",
  UND_ERR_SOCKET: "UPSTREAM_RESET",
  UND_ERR_CLOSED: "UPSTREAM_RESET",
  UND_ERR_DESTROYED: "UPSTREAM_RESET",
  ETIMEDOUT: "UPSTREAM_CONNECT_TIMEOUT",
  UND_ERR_CONNECT_TIMEOUT: "UPSTREAM_CONNECT_TIMEOUT",
  UND_ERR_HEADERS_TIMEOUT: "UPSTREAM_HEADERS_TIMEOUT",
  UND_ERR_BODY_TIMEOUT: "UPSTREAM_BODY_TIMEOUT",
  UND_ERR_HEADERS_OVERFLOW: "UPSTREAM_BAD_RESPONSE",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "UPSTREAM_BAD_RESPONSE",
  HPE_INVALID_CONSTANT: "UPSTREAM_BAD_RESPONSE",
  HPE_HEADER_OVERFLOW: "UPSTREAM_BAD_RESPONSE",
  UND_ERR_INVALID_ARG: "INTERNAL",
  UND_ERR_NOT_SUPPORTED: "INTERNAL",
  ENOTFOUND: "UPSTREAM_NAME_NOT_RESOLVED",
  EAI_AGAIN: "UPSTREAM_NAME_NOT_RESOLVED",
  CERT_HAS_EXPIRED: "UPSTREAM_TLS",
  DEPTH_ZERO_SELF_SIGNED_CERT: "UPSTREAM_TLS",
  SELF_SIGNED_CERT_IN_CHAIN: "UPSTREAM_TLS",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "UPSTREAM_TLS",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "UPSTREAM_TLS",
  ERR_TLS_CERT_ALTNAME_INVALID: "UPSTREAM_TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "UPSTREAM_TLS",
  EPROTO: "UPSTREAM_TLS",
  SOMETHING_NEW: "UPSTREAM_BAD_RESPONSE",
};

t.test("every code of sockets, resolver, TLS and undici has one of ours", async (t) => {
  for (const [theirs, ours] of Object.entries(TABLE)) t.equal(codeOf(theirs), ours, theirs);
});

t.test("a connection that broke after the head is a truncated answer", async (t) => {
  for (const code of ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH"]) {
    t.equal(codeOf(code, { headSeen: true }), "UPSTREAM_TRUNCATED", code);
  }
  t.equal(codeOf("ECONNRESET", { headSeen: true, bytesRead: 900 }), "UPSTREAM_TRUNCATED");
  t.equal(codeOf("UND_ERR_BODY_TIMEOUT", { headSeen: true }), "UPSTREAM_BODY_TIMEOUT");
});

t.test("a connection that had served before and broke is stale, unless it cannot have been idle", async (t) => {
  t.equal(codeOf("ECONNRESET", { bytesRead: 900 }), "UPSTREAM_STALE_CONNECTION");
  t.equal(codeOf("UND_ERR_SOCKET", { bytesRead: 900 }), "UPSTREAM_STALE_CONNECTION");
  t.equal(codeOf("ECONNRESET", { bytesRead: 0 }), "UPSTREAM_RESET");
  t.equal(codeOf("ECONNRESET", { bytesRead: 900, fresh: true }), "UPSTREAM_RESET");
  t.equal(codeOf("UND_ERR_HEADERS_TIMEOUT", { bytesRead: 900 }), "UPSTREAM_HEADERS_TIMEOUT");
});

t.test("what undici calls bad is a bad response, and not a connection that broke", async (t) => {
  for (const message of ["bad response", "bad upgrade"]) {
    t.equal(codeOf("UND_ERR_SOCKET", { message, bytesRead: 900 }), "UPSTREAM_BAD_RESPONSE");
  }
});

t.test("a fault of ours passes as it is, and what is no error at all has a code too", async (t) => {
  const fault = new GatewayError("GATEWAY_BUSY", "x");
  t.equal(toGatewayError(fault, "10.0.0.1", { headSeen: true, fresh: true }), fault);
  for (const cause of [undefined, null, "text", 7, {}]) {
    t.equal(toGatewayError(cause, "10.0.0.1", { headSeen: false, fresh: false }).code, "UPSTREAM_BAD_RESPONSE");
  }
});

t.test("the message names the address, and the cause is kept", async (t) => {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const fault = toGatewayError(cause, "10.0.0.1", { headSeen: false, fresh: false });
  t.match(fault.message, "10.0.0.1");
  t.equal(fault.cause, cause);
});
