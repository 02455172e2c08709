import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode } from "../core/errors.js";
import { errorHeaders, errorXml } from "../gateway/error-document.js";
import { linger } from "../gateway/respond.js";
import { http2Refusal } from "./http2-refusal.js";

/** How many connections may be on their way out with an answer at a time; beyond that they are closed behind it. */
const MAX_LINGERING = 256;
let lingering = 0;

/** What is answered where there is no request to answer. */
export interface Refusal {
  readonly code: ErrorCode;
  /** A sentence. */
  readonly message: string;
  /** Whether the client speaks HTTP/2, though nobody has agreed on it. */
  readonly isHttp2?: boolean;
}

/**
 * Writes an error answer where there is no request to answer: the head never became one, or the connection is one too
 * many. Then the connection ends, read for a while so that the client can see why.
 * @returns the bytes of its body
 */
export function refuseConnection(socket: Socket, refusal: Refusal, requestId: string): number {
  if (!socket.writable) {
    socket.destroy();
    return 0;
  }
  socket.on("error", () => socket.destroy());
  const { answer, bodyBytes } = answerOf(refusal, requestId);
  if (lingering >= MAX_LINGERING) {
    socket.end(answer, () => socket.destroy());
    return bodyBytes;
  }
  lingering += 1;
  socket.on("close", () => {
    lingering -= 1;
  });
  linger(socket);
  socket.write(answer);
  socket.destroySoon();
  return bodyBytes;
}

function answerOf({ code, message, isHttp2 = false }: Refusal, requestId: string) {
  const { status } = ERRORS[code];
  const document = { code, message, requestId, hostId: "" };
  const body = Buffer.from(errorXml(document));
  const headers = [...errorHeaders(document), "Content-Length", String(body.length)];
  const answer = isHttp2 ? http2Refusal(status, headers, body, message) : http1Refusal(status, headers, body);
  return { answer, bodyBytes: body.length };
}

function http1Refusal(status: number, headers: readonly string[], body: Buffer): Buffer {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return Buffer.concat([Buffer.from(`${head}Connection: close\r\n\r\n`), body]);
}

/** What Node's parser found wrong, in terms of the error table. */
export function parserRefusal(error: NodeJS.ErrnoException): Refusal {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return {
        code: "HEADERS_TOO_LARGE",
        message: "The request line and headers are larger than limits.headerSize allows.",
      };
    case "HPE_INVALID_URL":
      return {
        code: "MALFORMED_TARGET",
        message: "The request target is not a path in printable ASCII. Percent-encode every other byte of it.",
      };
    case "HPE_PAUSED_H2_UPGRADE":
      return {
        code: "MALFORMED_REQUEST",
        message: "HTTP/2 is spoken here over TLS alone, where client and server agree on it (ALPN). Use HTTP/1.1.",
        isHttp2: true,
      };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { code: "REQUEST_TIMEOUT", message: "The head of the request did not arrive in time." };
    default:
      return { code: "MALFORMED_REQUEST", message: `The request is not valid HTTP/1.1: ${reasonOf(error)}.` };
  }
}

function reasonOf(error: NodeJS.ErrnoException & { readonly reason?: unknown }): string {
  const reason = typeof error.reason === "string" && error.reason !== "" ? error.reason : error.message;
  return `${reason.replace(/\.$/, "")} (${error.code ?? "unknown"})`;
}
