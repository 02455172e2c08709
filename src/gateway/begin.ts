import { IncomingMessage } from "node:http";
import { type Denial, GatewayError } from "../core/errors.js";
import { hostOf } from "../core/host.js";
import { decodePath, splitTarget, targetProblem } from "../core/target.js";
import { classify } from "../signing/classify.js";
import type { RequestContext } from "./request-context.js";

const DIGITS = /^\d+$/;

/**
 * Stage 1. Refuses what is malformed, and takes the head apart: one pass over the header lines, the target split as it
 * is sent and its path decoded once as it decides.
 * @throws GatewayError with a 4xx code that says what is wrong
 */
export function begin(ctx: RequestContext): Denial | null {
  const { req } = ctx;
  checkVersion(req);
  const { rawHeaders } = req;
  const { headerCount, targetSizeBytes, headerSizeBytes } = ctx.gateway.limits;
  if (req.httpVersionMajor === 2) checkSize(req, headerSizeBytes);
  if (rawHeaders.length > 2 * headerCount) {
    throw new GatewayError("HEADERS_TOO_LARGE", `The request has more than ${headerCount} header lines.`);
  }
  readHeaders(ctx, rawHeaders);
  const rawTarget = req.url ?? "";
  if (rawTarget.length > targetSizeBytes) {
    throw new GatewayError("TARGET_TOO_LONG", `The request target is longer than ${targetSizeBytes} bytes.`);
  }
  readTarget(ctx, rawTarget);
  checkFraming(ctx);
  ctx.isFramingKnown = true;
  ctx.signatureClass = classify(req.method ?? "", ctx.rawQuery, rawHeaders);
  return null;
}

/** What Node's parser of HTTP/1 reads is HTTP/1, whatever its request line calls it. */
function checkVersion(req: IncomingMessage): void {
  const { httpVersion } = req;
  if (httpVersion === "1.1" || httpVersion === "1.0") return;
  if (httpVersion === "2.0" && !(req instanceof IncomingMessage)) return;
  throw new GatewayError("MALFORMED_REQUEST", "Only HTTP/2, HTTP/1.1 and HTTP/1.0 are spoken here.");
}

/** Of HTTP/1 Node's parser counts them; of HTTP/2 it resets the stream beyond twice as many, which says nothing. */
function checkSize({ method = "", url = "", rawHeaders }: IncomingMessage, limitBytes: number): void {
  let sizeBytes = method.length + url.length + "  HTTP/2.0\r\n\r\n".length;
  for (const text of rawHeaders) sizeBytes += text.length + 2;
  if (sizeBytes <= limitBytes) return;
  throw new GatewayError("HEADERS_TOO_LARGE", "The request line and headers are larger than limits.headerSize allows.");
}

function readHeaders(ctx: RequestContext, rawHeaders: readonly string[]): void {
  let hasHost = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    // The length decides first: most headers need no lower-casing here.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== "host") break;
        if (hasHost) throw new GatewayError("INVALID_HOST", "The request has two Host headers. Send one.");
        hasHost = true;
        ctx.rawHost = value;
        break;
      case 6:
        if (name.toLowerCase() === "expect") readExpect(ctx, value);
        break;
      case 7:
        readNamesOfSeven(ctx, name.toLowerCase(), value);
        break;
      case 10:
        readNamesOfTen(ctx, name.toLowerCase(), value);
        break;
      case 13:
        // Of several the first, as NGINX takes it.
        if (name.toLowerCase() === "authorization") ctx.authorization ??= value;
        break;
      case 14:
        if (name.toLowerCase() === "content-length") readContentLength(ctx, value);
        break;
      case 17:
        if (name.toLowerCase() === "transfer-encoding") readTransferEncoding(ctx, value);
        break;
    }
  }
}

function readNamesOfSeven(ctx: RequestContext, lowerName: string, value: string): void {
  // Of several the first, as NGINX takes it.
  if (lowerName === "referer") ctx.referer ??= value;
  // Node's parser throws away what follows on a connection that asked for another protocol, so it serves nothing else.
  else if (lowerName === "upgrade") ctx.res.shouldKeepAlive = false;
}

function readNamesOfTen(ctx: RequestContext, lowerName: string, value: string): void {
  if (lowerName === "user-agent") ctx.userAgent ??= value;
  else if (lowerName === "connection") ctx.connection = ctx.connection === null ? value : `${ctx.connection},${value}`;
}

function readExpect(ctx: RequestContext, value: string): void {
  if (value.toLowerCase() !== "100-continue") {
    throw new GatewayError("EXPECTATION_FAILED", "The only expectation that is understood here is 100-continue.");
  }
  ctx.framing.expectsContinue = true;
}

function readContentLength(ctx: RequestContext, value: string): void {
  const { framing } = ctx;
  const length = Number(value);
  if (!DIGITS.test(value) || !Number.isSafeInteger(length) || framing.contentLength !== null) {
    throw new GatewayError("MALFORMED_REQUEST", "Content-Length must be given once, as a decimal number.");
  }
  framing.contentLength = length;
}

function readTransferEncoding(ctx: RequestContext, value: string): void {
  if (value.toLowerCase() !== "chunked" || ctx.framing.isChunked) {
    throw new GatewayError("MALFORMED_REQUEST", "The only Transfer-Encoding that is understood here is chunked.");
  }
  ctx.framing.isChunked = true;
}

/** Origin-form, or absolute-form whose authority is also the Host; anything else would make this an open proxy. */
function readTarget(ctx: RequestContext, rawTarget: string): void {
  const host = hostOf(ctx.rawHost);
  if (host === null) {
    throw new GatewayError("INVALID_HOST", "The Host header is missing or is not a host name or an address.");
  }
  ctx.host = host;
  const originForm = rawTarget.startsWith("/") ? rawTarget : fromAbsoluteForm(rawTarget, ctx.rawHost);
  if (originForm !== rawTarget) ctx.absoluteTarget = rawTarget;
  const problem = targetProblem(originForm);
  if (problem !== null) throw new GatewayError("MALFORMED_TARGET", problem);
  ctx.rawTarget = originForm;
  const { rawPath, rawQuery, rawSuffix } = splitTarget(originForm);
  ctx.rawPath = rawPath;
  ctx.rawQuery = rawQuery;
  ctx.rawSuffix = rawSuffix;
  ctx.path = decodePath(rawPath);
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/is;

function fromAbsoluteForm(rawTarget: string, rawHost: string): string {
  const match = ABSOLUTE_FORM.exec(rawTarget);
  if (match === null) throw new GatewayError("MALFORMED_TARGET", "The request target must begin with a slash.");
  const [, authority = "", rest = ""] = match;
  if (authority.toLowerCase() !== rawHost.toLowerCase()) {
    throw new GatewayError("INVALID_HOST", "The authority of the request target differs from the Host header.");
  }
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function checkFraming(ctx: RequestContext): void {
  const { framing, req } = ctx;
  if (framing.isChunked) {
    if (req.httpVersion === "1.0") {
      throw new GatewayError(
        "MALFORMED_REQUEST",
        "HTTP/1.0 has no chunked encoding. Send HTTP/1.1 or a Content-Length.",
      );
    }
    // The C SDK and ali-oss send both; RFC 9112 §6.3: Transfer-Encoding counts, the connection ends after the answer.
    if (framing.contentLength !== null) {
      framing.contentLength = null;
      ctx.res.shouldKeepAlive = false;
    }
    return;
  }
  const needsLength = req.method === "PUT" || req.method === "POST";
  if (needsLength && framing.contentLength === null) {
    throw new GatewayError("LENGTH_REQUIRED", `A ${req.method} needs a Content-Length or chunked encoding.`);
  }
}
