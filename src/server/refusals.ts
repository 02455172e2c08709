import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode } from "../core/errors.js";
import { errorHeaders, errorXml } from "../gateway/error-document.js";
import { linger } from "../gateway/respond.js";

/** How many connections may be on their way out with an answer at a time; beyond that they are closed behind it. */
const MAX_LINGERING = 256;
let lingering = 0;

/**
 * Writes an error answer where there is no request to answer: the head never became one, or the connection is one too
 * many. Then the connection ends, read for a while so that the client can see why.
 * @returns the bytes of its body
 */
export function refuseConnection(socket: Socket, code: ErrorCode, message: string, requestId: string): number {
  if (!socket.writable) {
    socket.destroy();
    return 0;
  }
  socket.on("error", () => socket.destroy());
  const { status } = ERRORS[code];
  const answer = { code, message, requestId, hostId: "" };
  const xml = errorXml(answer);
  const headers = errorHeaders(answer);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  const bodyBytes = Buffer.byteLength(xml);
  head += `Content-Length: ${bodyBytes}\r\nConnection: close\r\n\r\n`;
  if (lingering >= MAX_LINGERING) {
    socket.end(head + xml, () => socket.destroy());
    return bodyBytes;
  }
  lingering += 1;
  socket.on("close", () => {
    lingering -= 1;
  });
  linger(socket);
  socket.write(head + xml);
  socket.destroySoon();
  return bodyBytes;
}

/** What Node's parser found wrong, in terms of the error table. */
export function parserRefusal(error: NodeJS.ErrnoException): { readonly code: ErrorCode; readonly message: string } {
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
      return { code: "MALFORMED_REQUEST", message: "HTTP/2 is not spoken here. Use HTTP/1.1." };
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
