import { type Denial, ERRORS, type ErrorCode, GatewayError } from "../core/errors.js";
import { headerValue, headerValues } from "../core/headers.js";
import { encodePath } from "../core/target.js";
import { type CallbackToken, checkCallbackToken, coversKey } from "../policy/callback-token.js";
import type { CompiledCallback } from "../route/callback.js";
import { callbackMessage, isPlainCallbackPath, publicKeyUrl, verifyCallback } from "../signing/callback.js";
import { readCallbackReport } from "../signing/callback-report.js";
import { NEXT_STEPS, writeSeldom } from "../telemetry/error-lines.js";
import { postCallback } from "../transport/application.js";
import { BodyCollector } from "../transport/collect.js";
import type { Exchange } from "../transport/exchange.js";
import { errorHeaders } from "./error-document.js";
import { bugFound } from "./exchange-faults.js";
import type { RequestContext } from "./request-context.js";
import { sendWhole } from "./respond.js";
import { countReceived } from "./traffic.js";

/** Callbacks of one route at a time: each may hold a body, and an answer of the application. */
const MAX_IN_FLIGHT = 128;

/**
 * Serves a route for upload callbacks: checks that OSS sent this one and that a token of ours was in it, posts it to
 * the application, and hands the application's JSON to OSS. What costs nothing is checked first: without a valid token
 * no body is read and no key is fetched.
 *
 * What passes was caused by somebody who had a token for this bucket and prefix, until it expired, and may come more than
 * once. That the object is there, its size and its ETag are what that somebody says (see `verifyCallback`): an
 * application that must know asks OSS.
 *
 * The application gets the body byte for byte, Content-Type, the `x-oss-*` headers (which OSS does not sign) and
 * `x-ossgate-verified: bucket/key`, the key percent-encoded: no header of that name comes from outside.
 * @param ctx after `begin`, `route` and `admit`: head read, target split, framing known, route's counters set
 */
export function serveCallback(ctx: RequestContext, callback: CompiledCallback): void {
  const service = new CallbackService(ctx, callback);
  ctx.exchange = service;
  service.run().catch((error: unknown) => service.fail(error));
}

/** What is told to whoever fails a check: the same for all, since what exactly was wrong helps a forger alone. */
const REFUSAL = "This is not an upload callback of OSS that this route takes. The gateway's log tells why.";
const TOLD: Partial<Record<ErrorCode, string>> = {
  CALLBACK_NOT_GENUINE: REFUSAL,
  CALLBACK_KEY_UNAVAILABLE: "The public key of OSS could not be had. The gateway's log tells why.",
  CALLBACK_FORWARD_FAILED:
    "The application did not answer with 200 and JSON in time. The gateway's log tells why under this request id.",
};

/** @param reason for the log: constant text, nothing of the request */
const refusal = (reason: string): Denial => Object.freeze({ code: "CALLBACK_NOT_GENUINE", reason });

// Preflights pass every route's methods, and the signature covers none.
const NO_POST = refusal("The method is not POST.");
const PATH_AMBIGUOUS = refusal(
  "The path holds an encoded '?' or control character, which the signature does not tell apart.",
);
const OTHER_BUCKET = refusal("The token is of a bucket that is not one of the route's.");
const NO_SIGNATURE = refusal("There is not exactly one Authorization and one x-oss-pub-key-url header.");
const FOREIGN_KEY = refusal("x-oss-pub-key-url is not a plain path on the vendor's own host.");
const TWO_TYPES = refusal("There is more than one Content-Type header.");
const BUCKET_DIFFERS = refusal("The reported bucket is not the token's.");
const OUTSIDE = refusal("The reported object is outside the token's key prefix.");
const NOT_SIGNED = refusal("The signature is not of this request and this key.");

/** What the head of a callback says, once all of it that needs no body was found right. */
interface CallbackHead {
  readonly token: CallbackToken;
  readonly authorization: string;
  readonly keyUrl: URL;
}

class CallbackService implements Exchange {
  /** The body is read here, so a client that stops sending it has stopped. */
  readonly bodyTaken = true;
  readonly #ctx: RequestContext;
  readonly #callback: CompiledCallback;
  readonly #aborter = new AbortController();
  #deadline: NodeJS.Timeout | undefined;

  constructor(ctx: RequestContext, callback: CompiledCallback) {
    this.#ctx = ctx;
    this.#callback = callback;
  }

  /** The client is gone, or was answered otherwise. */
  abort(): void {
    clearTimeout(this.#deadline);
    this.#aborter.abort();
  }

  resume(): void {}

  async run(): Promise<void> {
    const ctx = this.#ctx;
    const head = this.#checkHead();
    if (isDenial(head)) return this.fail(head);
    if (ctx.routeStats.inFlight > MAX_IN_FLIGHT) throw new GatewayError("GATEWAY_BUSY", BUSY);
    this.#deadline = setTimeout(() => this.#onDeadline(), this.#remainingMs());
    const body = await this.#readBody();
    const object = checkReport(ctx, head, body);
    if (typeof object !== "string") return this.fail(object);
    const denied = await this.#checkSignature(head, body);
    if (this.#isOver) return;
    if (denied !== null) return this.fail(denied);
    const answer = await this.#forward(`${head.token.bucket}/${encodePath(object)}`, body);
    if (!this.#isOver) this.#answer(200, [...ANSWER_HEADERS], answer);
  }

  /** Answers a refusal or a fault, once; anything else is a bug, and the program goes on. */
  fail(error: unknown): void {
    const ctx = this.#ctx;
    if (this.#isOver) return;
    if (!(error instanceof GatewayError) && !isDenial(error)) {
      bugFound(ctx, error);
      this.fail(new GatewayError("INTERNAL", "The gateway failed."));
      return;
    }
    ctx.noteError(error);
    const { code } = error;
    if (code === "CALLBACK_FORWARD_FAILED") logFault(ctx, error);
    const message = TOLD[code] ?? (error instanceof Error ? error.message : error.reason);
    const { requestId, rawHost: hostId } = ctx;
    const headers = errorHeaders({ code, message, requestId, hostId }).map(toJsonType);
    const { status, ossCode } = ERRORS[code];
    const document = { Code: ossCode, Message: message, RequestId: requestId, Gateway: `ossgate: ${code}` };
    this.#answer(status, headers, JSON.stringify(document));
  }

  /** Whether somebody was answered, or nobody is left to answer. */
  get #isOver(): boolean {
    return this.#aborter.signal.aborted || this.#ctx.isHeadSent || this.#ctx.isFinished;
  }

  #remainingMs(): number {
    return Math.max(0, this.#callback.answerWithinMs - (performance.now() - this.#ctx.startMs));
  }

  /** OSS is about to give up; what is still under way ends. */
  #onDeadline(): void {
    const { req, attempt } = this.#ctx;
    if (!req.complete)
      this.fail(new GatewayError("REQUEST_TIMEOUT", "The body of the callback did not arrive in time."));
    else if (attempt === 0) this.fail(KEY_UNAVAILABLE);
    else this.fail(new GatewayError("CALLBACK_FORWARD_FAILED", "OSS does not wait any longer"));
  }

  #checkHead(): CallbackHead | Denial {
    const ctx = this.#ctx;
    const { secret, buckets, maxBodyBytes } = this.#callback;
    if ((ctx.framing.contentLength ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
    if (ctx.req.method !== "POST") return NO_POST;
    if (!isPlainCallbackPath(ctx.path)) return PATH_AMBIGUOUS;
    const token = checkCallbackToken(ctx.rawQuery, secret, Date.now());
    if (!token.ok) return refusal(token.reason);
    const bucket = buckets.get(token.bucket);
    if (bucket === undefined) return OTHER_BUCKET;
    ctx.bucket = bucket;
    const { rawHeaders } = ctx.req;
    const [authorization, ...moreAuthorizations] = headerValues(rawHeaders, "authorization");
    const [keyHeader, ...moreKeys] = headerValues(rawHeaders, "x-oss-pub-key-url");
    if (authorization === undefined || keyHeader === undefined) return NO_SIGNATURE;
    if (moreAuthorizations.length + moreKeys.length > 0) return NO_SIGNATURE;
    if (headerValues(rawHeaders, "content-type").length > 1) return TWO_TYPES;
    const keyUrl = publicKeyUrl(keyHeader);
    return keyUrl === null ? FOREIGN_KEY : { token, authorization, keyUrl };
  }

  /** @throws GatewayError `BODY_TOO_LARGE`. Never settles when the client goes. */
  #readBody(): Promise<Buffer> {
    const { req, res, framing } = this.#ctx;
    const { maxBodyBytes } = this.#callback;
    if (framing.expectsContinue && req.httpVersion !== "1.0") {
      this.#ctx.hasContinued = true;
      res.writeContinue();
    }
    const collector = new BodyCollector(maxBodyBytes);
    return new Promise((resolve, reject) => {
      const onData = (chunk: Buffer): void => {
        countReceived(this.#ctx, chunk.length);
        if (collector.push(chunk)) return;
        req.off("data", onData);
        reject(tooLarge(maxBodyBytes));
      };
      req.on("data", onData);
      req.on("end", () => resolve(collector.body()));
    });
  }

  async #checkSignature({ keyUrl, authorization }: CallbackHead, body: Buffer): Promise<Denial | null> {
    const ctx = this.#ctx;
    const key = await this.#callback.keys.get(keyUrl, performance.now());
    if (key === null) return KEY_UNAVAILABLE;
    const message = callbackMessage(ctx.path, ctx.rawQuery, body);
    return verifyCallback(message, authorization, key) ? null : NOT_SIGNED;
  }

  async #forward(verified: string, body: Buffer): Promise<Buffer> {
    const ctx = this.#ctx;
    ctx.attempt = 1;
    ctx.sentUpstreamMs = performance.now();
    const answer = await postCallback(this.#callback.application, {
      headers: forwardedHeaders(ctx, verified),
      body,
      withinMs: this.#remainingMs(),
      signal: this.#aborter.signal,
    });
    ctx.firstByteMs = performance.now();
    return answer;
  }

  #answer(status: number, headers: string[], json: string | Buffer): void {
    sendWhole(this.#ctx, status, headers, json);
    this.abort();
  }
}

const ANSWER_HEADERS = ["Server", "ossgate", "Content-Type", "application/json", "Cache-Control", "no-store"];

const BUSY = "The application still has as many callbacks as this route has at a time. Try again later.";

const KEY_UNAVAILABLE: Denial = Object.freeze({
  code: "CALLBACK_KEY_UNAVAILABLE",
  reason: "The public key could not be fetched, is none, or too many keys were asked for.",
});

function tooLarge(maxBodyBytes: number): GatewayError {
  return new GatewayError("BODY_TOO_LARGE", `The body of a callback may have ${maxBodyBytes} bytes on this route.`);
}

/** @returns the object's key when the body reports one that the token covers */
function checkReport(ctx: RequestContext, { token }: CallbackHead, body: Buffer): string | Denial {
  const report = readCallbackReport(headerValue(ctx.req.rawHeaders, "content-type"), body);
  if (!report.ok) return refusal(report.reason);
  if (report.bucket !== token.bucket) return BUCKET_DIFFERS;
  return coversKey(token, report.bucket, report.object) ? report.object : OUTSIDE;
}

/** Not Authorization, the query or anything else: what is not needed cannot be mistaken for something verified. */
function forwardedHeaders(ctx: RequestContext, verified: string): string[] {
  const { rawHeaders } = ctx.req;
  const headers = ["User-Agent", "ossgate", "x-ossgate-verified", verified, "x-ossgate-request-id", ctx.requestId];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (isForwarded(name.toLowerCase())) headers.push(name, rawHeaders[i + 1] as string);
  }
  return headers;
}

/** `x-oss-bucket` is not signed and could say something else than what was verified. */
function isForwarded(lowerName: string): boolean {
  return lowerName === "content-type" || (lowerName.startsWith("x-oss-") && lowerName !== "x-oss-bucket");
}

/** The one value of `errorHeaders` that is of its document. */
function toJsonType(value: string): string {
  return value === "application/xml" ? "application/json" : value;
}

function isDenial(value: unknown): value is Denial {
  return typeof value === "object" && value !== null && "reason" in value && "code" in value;
}

function logFault(ctx: RequestContext, error: GatewayError | Denial): void {
  const { requestId, routeStats, bucket } = ctx;
  const cause = error instanceof Error ? error.message : error.reason;
  const { route } = routeStats;
  const { code } = error;
  const fields = () => ({ requestId, route, bucket: bucket?.alias, code, cause, next: NEXT_STEPS[code] });
  writeSeldom(ctx.gateway.log, "error", `callback/${route}/${code}`, performance.now(), fields, "callback failed");
}
