import { GatewayError } from "../core/errors.js";
import { type HeaderList, headerValue } from "../core/headers.js";
import type { CompiledBucket, CompiledRoute, CompiledSigning } from "../route/compiled-route.js";
import { clientXml } from "./client-xml.js";
import { ecElements, ossErrorXml } from "./error-document.js";
import {
  isAuthFailure,
  isCredentialFailure,
  isErrorDocument,
  type OssError,
  readOssError,
  toldElements,
} from "./oss-error.js";
import { tellOssError } from "./oss-error-lines.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";
import { playlistAnswer } from "./serve-playlist.js";
import { siteAnswerFor } from "./serve-site.js";
import { type UpstreamAnswer, type WholeAnswer, withoutBodyHeaders, withoutFraming } from "./upstream-answer.js";

/**
 * Which answers are collected: on routes that the gateway signs, those that could tell a client what is ours
 * (errors, documents with our keys and endpoints) and playlists; on sites those that may lead to another document. All
 * others are streamed: `null`.
 */
export function wholeAnswerFor(ctx: RequestContext, status: number): WholeAnswer | null {
  const { site } = ctx;
  const plain = plainAnswerFor(ctx, status);
  return site === null ? plain : siteAnswerFor(ctx, site, status, plain);
}

function plainAnswerFor(ctx: RequestContext, status: number): WholeAnswer | null {
  const { signing } = ctx.route as CompiledRoute;
  if (signing === null) return null;
  const draft = ctx.signedDraft;
  // 203 is an upload whose callback failed: stored, and answered with an error document.
  if (status >= 400 || status === 203) return UPSTREAM_ERROR;
  if (status >= 300 && status !== 304) return REDIRECT;
  if (status !== 200 || draft === null) return null;
  if (draft.playlist !== null) return playlistAnswer(draft.playlist);
  return draft.answersXml ? XML_ANSWER : null;
}

const KIB = 1024;

const UPSTREAM_ERROR: WholeAnswer = {
  maxBytes: 256 * KIB,
  tooLargeCode: "UPSTREAM_BAD_RESPONSE",
  finish(ctx, answer) {
    const { clock } = ctx.bucket as CompiledBucket;
    clock.observe(headerValue(answer.headers, "date") ?? "", Date.now());
    return finishError(ctx, answer, readOssError(answer.headers, answer.body));
  },
};

function finishError(ctx: RequestContext, answer: UpstreamAnswer, error: OssError | null): "done" | "again" {
  noteRequestId(ctx, answer.headers, error);
  if (ctx.signedDraft !== null && error !== null && isAuthFailure(error)) return refusedSignature(ctx, answer, error);
  tellOssError(ctx, answer.status, error, answer.headers);
  respondOssError(ctx, answer, error);
  return "done";
}

/** Where it leads is in the head; the document beside it would name OSS's endpoint (oss-semantics §1.3). */
const REDIRECT: WholeAnswer = {
  maxBytes: 256 * KIB,
  tooLargeCode: "UPSTREAM_BAD_RESPONSE",
  finish(ctx, { status, headers }) {
    sendWhole(ctx, status, withoutBodyHeaders(ctx, status, headers), "");
    return "done";
  },
};

/** A list of 1,000 keys of 1,023 bytes, each byte written as `%XX`, with what stands around them. */
const MAX_XML_BYTES = 8 * KIB * KIB;

const XML_ANSWER: WholeAnswer = {
  maxBytes: MAX_XML_BYTES,
  // Putting a large upload together takes OSS minutes.
  deadlineFactor: 10,
  tooLargeCode: "UPSTREAM_BAD_RESPONSE",
  finish(ctx, answer) {
    const { status, headers, body } = answer;
    // Some calls answer 200 before they know how they end.
    if (isErrorDocument(body.toString("utf8"))) return finishError(ctx, answer, readOssError(headers, body));
    const kept = withoutFraming(ctx, status, headers);
    kept.push("Content-Type", headerValue(headers, "content-type") ?? "application/xml");
    sendWhole(ctx, status, kept, clientXml(ctx, body));
    return "done";
  },
};

function noteRequestId(ctx: RequestContext, headers: HeaderList, error: OssError | null): void {
  ctx.ossRequestId = headerValue(headers, "x-oss-request-id") ?? error?.elements.get("RequestId");
  ctx.ossEc = headerValue(headers, "x-oss-ec") ?? error?.elements.get("EC");
}

/** OSS refused what the gateway signed: nothing of it is the client's business, and a wrong clock is put right. */
function refusedSignature(ctx: RequestContext, answer: UpstreamAnswer, error: OssError): "again" {
  const { source } = (ctx.route as CompiledRoute).signing as CompiledSigning;
  if (isCredentialFailure(error)) source.noteRefused(ctx.signedWith);
  // What was refused was not done, but a body can be sent once only.
  const { offsetMs } = (ctx.bucket as CompiledBucket).clock;
  const mayRepeat =
    offsetMs !== ctx.signedOffsetMs && !ctx.hasRepeated && !STREAMED.has(ctx.req.method ?? "") && !ctx.hasBody;
  if (mayRepeat) return "again";
  // Some calls tell it in an answer that begins with 200.
  tellOssError(ctx, Math.max(answer.status, 400), error, answer.headers);
  throw new GatewayError("UPSTREAM_AUTH_FAILED", `OSS answered ${error.code}: ${withoutIds(error.message)}`);
}

const STREAMED: ReadonlySet<string> = new Set(["PUT", "POST", "PATCH"]);

/** For the log: a message may quote the key id or the signature. */
function withoutIds(message: string): string {
  return message.replace(/[A-Za-z0-9+/=_-]{16,}/g, "***").slice(0, 200);
}

function respondOssError(ctx: RequestContext, { status, headers }: UpstreamAnswer, error: OssError | null): void {
  const { method } = ctx.req;
  const kept = withoutBodyHeaders(ctx, status, headers);
  if (method === "HEAD") {
    sendWhole(ctx, status, kept, "");
    return;
  }
  kept.push("Content-Type", "application/xml");
  const xml = ossErrorXml({
    code: error?.code ?? "UpstreamError",
    message: error === null ? `OSS answered ${status}.` : withoutOurs(ctx, error.message),
    requestId: ctx.ossRequestId ?? ctx.requestId,
    hostId: ctx.rawHost,
    elements:
      error === null
        ? ecElements(ctx.ossEc ?? null)
        : [
            ...keyElement(ctx, error),
            ...toldElements(error).map(
              ([name, text]) => [name, isOfTheCode(name) ? text : withoutOurs(ctx, text)] as const,
            ),
          ],
  });
  sendWhole(ctx, status, kept, xml);
}

const isOfTheCode = (element: string): boolean => element === "EC" || element === "RecommendDoc";

const RESOURCE_NAME = /acs:[^\s"'<>,]+/g;

/** A message in which nothing names our key, our role or the route's prefix. */
function withoutOurs(ctx: RequestContext, message: string): string {
  const { keyPrefix, rawKeyPrefix } = ctx.route as CompiledRoute;
  const own = keyPrefix === "" ? message : message.replaceAll(keyPrefix, "").replaceAll(rawKeyPrefix, "");
  const masked = ctx.signedWith === "" ? own : own.replaceAll(ctx.signedWith, "***");
  return masked.replaceAll(RESOURCE_NAME, "***");
}

/** The key as the client wrote it: without the route's prefix. */
function keyElement(ctx: RequestContext, { elements }: OssError): (readonly [element: string, text: string])[] {
  const key = elements.get("Key");
  if (key === undefined) return [];
  const { keyPrefix } = ctx.route as CompiledRoute;
  return key.startsWith(keyPrefix) ? [["Key", key.slice(keyPrefix.length)]] : [];
}
