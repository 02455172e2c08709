import type { Socket } from "node:net";
import { type Denial, ERRORS, type ErrorCode, GatewayError, type OssAnswer } from "../core/errors.js";
import { addCorsHeaders } from "./cross-origin.js";
import type { RequestContext } from "./request-context.js";

/** How long a connection is read after its last answer, so that a client which still sends can read why it must stop. */
const LINGER_IDLE_MS = 5_000;
const LINGER_TOTAL_MS = 30_000;

/** An error in OSS's own shape (oss-semantics §7.1), so that SDKs can parse it. */
export interface ErrorDocument {
  /** The `Code` element: OSS's name for the case. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  /** What the client addressed; echoed as OSS does. */
  readonly hostId: string;
  /** Further elements in order. */
  readonly elements: readonly (readonly [element: string, text: string])[];
}

/** A local answer. */
export interface LocalAnswer {
  readonly code: ErrorCode;
  readonly message: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly oss?: OssAnswer | undefined;
}

/** The XML document of a local error. */
export function errorXml({ code, message, requestId, hostId, oss }: LocalAnswer): string {
  return ossErrorXml({
    code: oss?.code ?? ERRORS[code].ossCode,
    message,
    requestId,
    hostId,
    elements: [...(oss?.elements ?? []), ...ecElements(oss?.ec ?? null), ["Gateway", `ossgate: ${code}`]],
  });
}

/** The elements that an error code of the vendor's adds. */
export function ecElements(ec: string | null): readonly (readonly [element: string, text: string])[] {
  return ec === null ? [] : [["EC", ec]];
}

/** The XML document of an error. */
export function ossErrorXml({ code, message, requestId, hostId, elements }: ErrorDocument): string {
  const all = [
    ["Code", code],
    ["Message", message],
    ["RequestId", requestId],
    ["HostId", hostId],
    ...elements,
  ] as const;
  const lines = all.map(([name, text]) => `  <${name}>${escapeXml(text)}</${name}>`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n${lines.join("\n")}\n</Error>\n`;
}

/** Text as it stands in an element. */
export function escapeXml(text: string): string {
  // XML 1.0 §2.2 has no way to write control characters, escaped or not.
  return text
    .replace(/[^\t\n\r\x20-\uffff]/g, "?")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;");
}

/** The header lines of a local error but Content-Length; the code is there in words for HEAD and for people with curl. */
export function errorHeaders({ code, message, requestId }: LocalAnswer): string[] {
  return [
    "Server",
    "ossgate",
    "Content-Type",
    "application/xml",
    "Cache-Control",
    "no-store",
    "x-oss-request-id",
    requestId,
    "x-ossgate-error",
    code,
    "x-ossgate-message",
    message.replace(/[^\x20-\x7e]/g, "?"),
  ];
}

/** Answers a refusal or a fault, once, if the head has not gone out yet. */
export function respondError(ctx: RequestContext, error: GatewayError | Denial): void {
  ctx.noteError(error);
  const denial = error instanceof GatewayError ? null : error;
  // OSS's own id is what the vendor's support asks for, and all that a client learns of a signature that OSS refused.
  const requestId = error.code === "UPSTREAM_AUTH_FAILED" ? (ctx.ossRequestId ?? ctx.requestId) : ctx.requestId;
  const oss = denial?.oss;
  const answer: LocalAnswer = { code: error.code, message: clientMessage(error), requestId, hostId: ctx.rawHost, oss };
  const xml = errorXml(answer);
  const headers = errorHeaders(answer);
  if (denial?.headers !== undefined) headers.push(...denial.headers);
  addOwnHeaders(ctx, headers);
  if (oss !== undefined && oss.ec !== null) headers.push("x-oss-ec", oss.ec);
  if (ctx.req.method === "HEAD") headers.push("x-oss-err", Buffer.from(xml).toString("base64"));
  sendWhole(ctx, oss?.status ?? ERRORS[error.code].status, headers, xml);
}

/** What the route adds to errors of the gateway's own: a page must be able to read why. */
function addOwnHeaders(ctx: RequestContext, headers: string[]): void {
  const { route } = ctx;
  if (route === null) return;
  if (route.cors !== null && !ctx.isPreflight) addCorsHeaders(ctx, route.cors, headers);
  if (route.responseRules !== null) headers.push(...route.responseRules.forLocal);
}

/**
 * Sends an answer that is at hand as a whole.
 * @param headers without Content-Length
 */
export function sendWhole(ctx: RequestContext, status: number, headers: string[], body: string | Buffer): void {
  const { req, res } = ctx;
  const length = Buffer.byteLength(body);
  headers.push("Content-Length", String(length));
  const mustClose = closesConnection(ctx);
  if (mustClose) headers.push("Connection", "close");
  ctx.status = status;
  ctx.isHeadSent = true;
  if (mustClose && mayStillSend(ctx)) linger(req.socket);
  res.writeHead(status, headers);
  if (req.method !== "HEAD") ctx.sentBytes = length;
  res.end(body);
}

const UPSTREAM_FAULTS: Partial<Record<ErrorCode, string>> = {
  UPSTREAM_NAME_NOT_RESOLVED: "No address of OSS is known at the moment.",
  UPSTREAM_REFUSED: "OSS did not take the connection.",
  UPSTREAM_TLS: "The connection to OSS could not be secured.",
  UPSTREAM_RESET: "The connection to OSS broke.",
  UPSTREAM_STALE_CONNECTION: "The connection to OSS broke.",
  UPSTREAM_BAD_RESPONSE: "The answer of OSS is not valid HTTP.",
  UPSTREAM_TRUNCATED: "The answer of OSS ended early.",
  UPSTREAM_CONNECT_TIMEOUT: "OSS could not be reached in time.",
  UPSTREAM_HEADERS_TIMEOUT: "OSS did not answer in time.",
  UPSTREAM_BODY_TIMEOUT: "OSS stopped sending.",
};

/** What a client may know: the cause of an upstream's fault names addresses, and is for the operator's log. */
function clientMessage(error: GatewayError | Denial): string {
  if (!(error instanceof GatewayError)) return error.reason;
  if (error.code === "UPSTREAM_AUTH_FAILED") {
    return "OSS refused the gateway's own signature or credentials. The gateway's log tells the cause under this request id.";
  }
  const fault = UPSTREAM_FAULTS[error.code];
  if (fault === undefined) return error.message;
  return `${fault} Try again; the gateway's log tells the cause under this request id.`;
}

/** Whether the connection must end with this answer: part of a body may still come, or the program is going down. */
export function closesConnection(ctx: RequestContext): boolean {
  return mayStillSend(ctx) || !ctx.res.shouldKeepAlive || ctx.gateway.isDraining();
}

/** Whether bytes of this request's body may still arrive; assumed where its framing was never understood. */
export function mayStillSend(ctx: RequestContext): boolean {
  return !ctx.isFramingKnown || (ctx.hasBody && !ctx.req.complete);
}

/**
 * Ends the connection in a way that lets the client read the answer: our side is shut down after the last byte, what
 * the client still sends is read and thrown away for a while. Closing at once would reset the connection, and the
 * answer would be lost with it (NGINX's lingering_close).
 */
export function linger(socket: Socket): void {
  socket.destroySoon = () => {
    socket.end();
    const total = setTimeout(() => socket.destroy(), LINGER_TOTAL_MS);
    socket.setTimeout(LINGER_IDLE_MS, () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => clearTimeout(total));
    socket.resume();
  };
}
