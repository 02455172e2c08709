import type { Socket } from "node:net";
import { type Denial, ERRORS, type ErrorCode, GatewayError } from "../core/errors.js";
import { addCorsHeaders } from "./cross-origin.js";
import { errorHeaders, errorXml, escapeXml, type LocalAnswer } from "./error-document.js";
import { withHsts } from "./hsts.js";
import { templateOf } from "./refusal-template.js";
import type { RequestContext } from "./request-context.js";
import { countSent } from "./traffic.js";

/** How long a connection is read after its last answer, so that a client which still sends can read why it must stop. */
const LINGER_IDLE_MS = 5_000;
const LINGER_TOTAL_MS = 30_000;

/** Answers a refusal or a fault, once, if the head has not gone out yet. */
export function respondError(ctx: RequestContext, error: GatewayError | Denial): void {
  ctx.noteError(error);
  if (error instanceof GatewayError) respondFault(ctx, error);
  // One that was made for this request alone has no use for a template.
  else if (Object.isFrozen(error)) respondRefusal(ctx, error);
  else respondOnce(ctx, error);
}

function respondRefusal(ctx: RequestContext, denial: Denial): void {
  const { status, headers, xml } = templateOf(denial);
  const body = xml(ctx.requestId, escapeXml(ctx.rawHost));
  sendError(ctx, { status, headers: [...headers, "x-oss-request-id", ctx.requestId], body });
}

function respondOnce(ctx: RequestContext, denial: Denial): void {
  const { code, reason: message, oss, headers: more = [] } = denial;
  const answer: LocalAnswer = { code, message, requestId: ctx.requestId, hostId: ctx.rawHost, oss };
  const headers = [...errorHeaders(answer), ...more];
  if (oss !== undefined && oss.ec !== null) headers.push("x-oss-ec", oss.ec);
  sendError(ctx, { status: oss?.status ?? ERRORS[code].status, headers, body: errorXml(answer) });
}

function respondFault(ctx: RequestContext, error: GatewayError): void {
  const { code } = error;
  // OSS's own id is what the vendor's support asks for, and all that a client learns of a signature that OSS refused.
  const requestId = code === "UPSTREAM_AUTH_FAILED" ? (ctx.ossRequestId ?? ctx.requestId) : ctx.requestId;
  const answer: LocalAnswer = { code, message: clientMessage(error), requestId, hostId: ctx.rawHost };
  sendError(ctx, { status: ERRORS[code].status, headers: errorHeaders(answer), body: errorXml(answer) });
}

interface ErrorAnswer {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

function sendError(ctx: RequestContext, { status, headers, body }: ErrorAnswer): void {
  addOwnHeaders(ctx, headers);
  if (ctx.req.method === "HEAD") headers.push("x-oss-err", Buffer.from(body).toString("base64"));
  sendWhole(ctx, status, headers, body);
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
  res.writeHead(status, withHsts(ctx, headers));
  if (req.method !== "HEAD") countSent(ctx, length);
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
function clientMessage(error: GatewayError): string {
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
