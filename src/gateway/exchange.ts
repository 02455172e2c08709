import { STATUS_CODES } from "node:http";
import { GatewayError } from "../core/errors.js";
import type { HeaderList } from "../core/headers.js";
import type { CompiledBucket, CompiledRoute } from "../route/compiled-route.js";
import { BodyCollector } from "../transport/collect.js";
import { startDownload } from "../transport/download.js";
import type { ExchangeSink, UpstreamRequest } from "../transport/exchange.js";
import { decideRetry } from "../transport/retry.js";
import { startUpload, type UploadSource } from "../transport/upload.js";
import type { AddressPool } from "../transport/upstream.js";
import { flushSoon, writeEarlyHints } from "./early-writes.js";
import { ADDRESS_FAULTS, bugFound, logFault, logOwnFault } from "./exchange-faults.js";
import { chargeBucket } from "./limits.js";
import { type ErrorReader, errorReader } from "./oss-error-lines.js";
import { chargeEgress, openEgress } from "./paced-answer.js";
import { openIngress } from "./paced-body.js";
import type { RequestContext } from "./request-context.js";
import { respondError } from "./respond.js";
import { errorDocumentHead } from "./serve-site.js";
import { signNow } from "./signed-request.js";
import { streamedHead } from "./streamed-head.js";
import { countFromOss, countReceived, countSent, countToOss } from "./traffic.js";
import type { WholeAnswer } from "./upstream-answer.js";
import { wholeAnswerFor } from "./whole-answer.js";

/** Bodies, and the methods whose second sending could do harm: they take a fresh connection each (see `upload.ts`). */
const FRESH_METHODS: ReadonlySet<string> = new Set(["PUT", "POST", "PATCH"]);

/** Stages 8 and 9: sends the prepared request, tries again where that is safe, and streams the answer to the client. */
export class RequestExchange implements ExchangeSink {
  readonly #ctx: RequestContext;
  /** The answer is collected and not streamed. */
  #whole: CollectedAnswer | null = null;
  #deadline: NodeJS.Timeout | undefined;
  /** Reads an error of OSS's aside while it is streamed, for the log. */
  #errorReader: ErrorReader | null = null;
  /** To be told of the first bytes of an error of OSS's. */
  #noteStart: ((start: Buffer | null) => void) | null = null;

  constructor(ctx: RequestContext) {
    this.#ctx = ctx;
  }

  start(): void {
    const { upstream } = this.#ctx.bucket as CompiledBucket;
    upstream.retryBudget.earn();
    if (upstream.isFull) {
      const detail =
        "All connections to this bucket are busy, and as many requests wait. Raise the bucket's connections or lower the load.";
      const error = new GatewayError("GATEWAY_BUSY", detail);
      logOwnFault(this.#ctx, error);
      respondError(this.#ctx, error);
      return;
    }
    this.#try(null, false);
  }

  /** The client is gone, or its answer is decided otherwise: the upstream side ends at once. */
  abort(): void {
    clearTimeout(this.#deadline);
    this.#ctx.exchange?.abort();
    this.#ctx.exchange = null;
    this.#ctx.egress?.close();
  }

  /** The client's socket has taken what was written. */
  resume(): void {
    const { egress, exchange } = this.#ctx;
    if (egress !== null) {
      egress.onDrain();
      return;
    }
    this.#ctx.isPaused = false;
    exchange?.resume();
  }

  #try(avoid: AddressPool | null, fresh: boolean): void {
    const ctx = this.#ctx;
    const { upstream } = ctx.bucket as CompiledBucket;
    const pool = fresh ? avoid : upstream.pick(performance.now(), avoid);
    if (pool === null) {
      upstream.whenResolved().then(
        () => {
          if (!ctx.isFinished) this.#try(null, false);
        },
        (error: GatewayError) => {
          if (!ctx.isFinished) this.#fail(error);
        },
      );
      return;
    }
    if (ctx.signedDraft !== null) {
      const request = signNow(ctx);
      if (request instanceof GatewayError) {
        this.#giveUp(request);
        return;
      }
      ctx.upstreamRequest = request;
    }
    this.#whole = null;
    if (ctx.attempt > 0) chargeBucket(ctx);
    ctx.attempt += 1;
    (ctx.bucket as CompiledBucket).stats.requests += 1;
    ctx.pool = pool;
    ctx.sentUpstreamMs = performance.now();
    const request = ctx.upstreamRequest as UpstreamRequest;
    const streams = ctx.hasBody || FRESH_METHODS.has(request.method);
    ctx.exchange = streams
      ? startUpload(request, this.#uploadSource(), pool, this)
      : startDownload(request, pool, this, fresh);
  }

  #uploadSource(): UploadSource {
    const ctx = this.#ctx;
    return {
      req: ctx.req,
      res: ctx.res,
      contentLength: ctx.framing.contentLength,
      expectsContinue: ctx.framing.expectsContinue,
      hold: (ctx.route as CompiledRoute).bandwidth === null ? null : () => openIngress(ctx),
      onBodyBytes: (byteCount) => this.#onBodyBytes(byteCount),
    };
  }

  #onBodyBytes(byteCount: number): void {
    const ctx = this.#ctx;
    countReceived(ctx, byteCount);
    countToOss(ctx, byteCount);
    const { bodySizeBytes } = ctx.route as CompiledRoute;
    if (ctx.receivedBytes <= bodySizeBytes || ctx.isHeadSent) return;
    this.abort();
    respondError(ctx, bodyTooLarge(bodySizeBytes));
  }

  onInformation(status: number, rawHeaders: HeaderList): void {
    const { res, req, framing } = this.#ctx;
    if (req.httpVersion === "1.0" || res.headersSent) return;
    if (status === 100 && framing.expectsContinue) {
      this.#ctx.hasContinued = true;
      res.writeContinue();
    } else if (status === 102) res.writeProcessing();
    else if (status === 103) writeEarlyHints(this.#ctx, rawHeaders);
  }

  onHead(status: number, statusText: string, rawHeaders: HeaderList): void {
    const ctx = this.#ctx;
    ctx.firstByteMs = performance.now();
    // RFC 9110 §15: there is none above 599; HTTP/2 could not say it, and caches would guess what it means.
    if (status > 599) {
      this.#refuseAnswer(`The upstream answered with the status ${status}, which HTTP does not have.`);
      return;
    }
    this.#noteStart = (ctx.bucket as CompiledBucket).stats.noteHead(status, rawHeaders);
    const whole = wholeAnswerFor(ctx, status);
    if (whole !== null) {
      this.#whole = { whole, status, rawHeaders, collector: new BodyCollector(whole.maxBytes) };
      this.#limitCollecting(whole.deadlineFactor ?? 1);
      return;
    }
    if (ctx.answerStatus === null) this.#stream(status, statusText, rawHeaders);
    else this.#stream(ctx.answerStatus, STATUS_CODES[ctx.answerStatus] ?? "", errorDocumentHead(rawHeaders));
    this.#errorReader = errorReader(ctx, status, rawHeaders);
  }

  #stream(status: number, statusText: string, rawHeaders: HeaderList): void {
    const ctx = this.#ctx;
    const headers = streamedHead(ctx, status, rawHeaders);
    try {
      ctx.res.writeHead(status, statusText, headers);
    } catch (cause) {
      this.#refuseAnswer("The upstream's answer is not valid HTTP.", cause);
      return;
    }
    ctx.status = status;
    ctx.isHeadSent = true;
    if ((ctx.route as CompiledRoute).bandwidth !== null) ctx.egress = openEgress(ctx);
    if (ctx.req.method === "HEAD" && ctx.upstreamRequest?.method !== "HEAD") {
      // OSS processes only what is got; of that the client wants the head.
      this.abort();
      ctx.res.end();
    } else flushSoon(ctx);
  }

  onData(chunk: Buffer): boolean {
    const ctx = this.#ctx;
    countFromOss(ctx, chunk.length);
    if (this.#noteStart !== null) this.#noteAnswer(chunk);
    if (this.#whole !== null) return this.#collect(this.#whole, chunk);
    if (this.#errorReader !== null && !this.#errorReader.push(chunk)) this.#errorReader = null;
    if (ctx.egress !== null) return ctx.egress.push(chunk);
    countSent(ctx, chunk.length);
    if (ctx.remainingBytes > 0) {
      ctx.remainingBytes -= chunk.length;
      if (ctx.remainingBytes === 0) {
        ctx.res.end(chunk);
        return true;
      }
    }
    if (ctx.res.write(chunk)) return true;
    ctx.isPaused = true;
    return false;
  }

  onEnd(): void {
    const ctx = this.#ctx;
    ctx.exchange = null;
    clearTimeout(this.#deadline);
    if (this.#noteStart !== null) this.#noteAnswer(null);
    if (this.#whole !== null) this.#finishWhole(this.#whole);
    else if (ctx.egress !== null) ctx.egress.end();
    else if (!ctx.res.writableEnded) ctx.res.end();
  }

  #noteAnswer(start: Buffer | null): void {
    this.#noteStart?.(start);
    this.#noteStart = null;
  }

  /** Small answers are read as a whole, and an upstream that drips must not hold a client for hours. */
  #limitCollecting(factor: number): void {
    const limitMs = factor * (this.#ctx.bucket as CompiledBucket).upstream.options.timeouts.headersMs;
    this.#deadline = setTimeout(() => {
      this.abort();
      this.#fail(new GatewayError("UPSTREAM_BODY_TIMEOUT", `The answer was not complete after ${limitMs} ms.`));
    }, limitMs);
  }

  #collect({ whole, collector }: CollectedAnswer, chunk: Buffer): boolean {
    if (collector.push(chunk)) return true;
    this.abort();
    this.#fail(new GatewayError(whole.tooLargeCode, `The answer of OSS is larger than ${whole.maxBytes} bytes.`));
    return true;
  }

  #finishWhole({ whole, status, rawHeaders, collector }: CollectedAnswer): void {
    const ctx = this.#ctx;
    let outcome: ReturnType<WholeAnswer["finish"]>;
    try {
      outcome = whole.finish(ctx, { status, headers: rawHeaders, body: collector.body() });
    } catch (error) {
      this.#fail(error instanceof GatewayError ? error : bugFound(ctx, error));
      return;
    }
    if (outcome === "done" && (ctx.route as CompiledRoute).bandwidth !== null) chargeEgress(ctx);
    if (outcome === "next") this.#try(null, false);
    else if (outcome === "again") {
      ctx.hasRepeated = true;
      this.#again(null, false);
    }
  }

  onFail(error: GatewayError): void {
    const ctx = this.#ctx;
    const { exchange, pool } = ctx;
    ctx.exchange = null;
    clearTimeout(this.#deadline);
    if (ctx.isFinished) return;
    this.#countFailure(error);
    if (pool !== null && ADDRESS_FAULTS.has(error.code)) {
      pool.upstream.setAside(pool, performance.now(), error.code);
    }
    if (ctx.isHeadSent) {
      this.#truncate(error);
      return;
    }
    const decision = decideRetry({
      method: ctx.req.method ?? "",
      attempt: ctx.attempt - (ctx.site?.attemptsBefore ?? 0),
      bodyTaken: exchange?.bodyTaken ?? false,
      error,
    });
    if (decision === "fresh-connection") this.#again(pool, true);
    else if (decision === "other-address" && pool?.upstream.retryBudget.take() === true) this.#again(pool, false);
    else this.#giveUp(error);
  }

  #again(pool: AddressPool | null, fresh: boolean): void {
    this.#ctx.routeStats.retries += 1;
    this.#try(pool, fresh);
  }

  /** The try failed here and not in the transport. */
  #fail(error: GatewayError): void {
    this.#countFailure(error);
    this.#giveUp(error);
  }

  #countFailure({ code }: GatewayError): void {
    (this.#ctx.bucket as CompiledBucket).stats.countError(code);
  }

  #giveUp(error: GatewayError): void {
    const ctx = this.#ctx;
    logFault(ctx, error);
    respondError(ctx, error);
  }

  /** Part of the answer has gone out: the only honest signal left is to end the connection. */
  #truncate(error: GatewayError): void {
    const ctx = this.#ctx;
    ctx.noteError(error);
    logFault(ctx, error);
    ctx.egress?.close();
    // HTTP/1.0 without a length: a connection that ends in good order would say that this was all.
    if (ctx.remainingBytes < 0 && !ctx.res.chunkedEncoding) ctx.req.socket.resetAndDestroy();
    else ctx.res.destroy();
  }

  /** The upstream's head cannot be written as HTTP: a status out of range, control characters in a value. */
  #refuseAnswer(detail: string, cause?: unknown): void {
    this.abort();
    this.#fail(new GatewayError("UPSTREAM_BAD_RESPONSE", detail, { cause }));
  }
}

interface CollectedAnswer {
  readonly whole: WholeAnswer;
  readonly status: number;
  readonly rawHeaders: HeaderList;
  readonly collector: BodyCollector;
}

/** The refusal of a body over the route's limit. */
export function bodyTooLarge(bodySizeBytes: number): GatewayError {
  return new GatewayError(
    "BODY_TOO_LARGE",
    `The body is larger than the ${bodySizeBytes} bytes that this route allows.`,
  );
}
