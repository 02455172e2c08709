import { type HeaderList, headerValue } from "../core/headers.js";
import { nextOfOssError, repeatedLinesOf, writeSeldom } from "../telemetry/error-lines.js";
import { bugFound } from "./exchange-faults.js";
import { explainRefusal, tellNothingSaid } from "./explain-403.js";
import { type OssError, readOssError } from "./oss-error.js";
import type { RequestContext } from "./request-context.js";

/** Error documents with a string to sign are a few KiB. */
const MAX_ASIDE_BYTES = 16 * 1024;

/**
 * Takes a copy of an error document that is streamed to the client, and tells the operator about it when it is whole.
 * Nothing waits for it, and nothing is changed.
 */
export class ErrorReader {
  readonly #ctx: RequestContext;
  readonly #status: number;
  readonly #headers: HeaderList;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(ctx: RequestContext, status: number, headers: HeaderList) {
    this.#ctx = ctx;
    this.#status = status;
    this.#headers = headers;
  }

  /** @returns whether more is wanted */
  push(chunk: Buffer): boolean {
    this.#size += chunk.length;
    if (this.#size > MAX_ASIDE_BYTES) return false;
    this.#chunks.push(chunk);
    // The end may lie across two chunks.
    const isWhole = chunk.includes(END) || (this.#chunks.length > 1 && Buffer.concat(this.#chunks).includes(END));
    // Behind what is written to the client now, and before anything that its end causes.
    if (isWhole) process.nextTick(() => this.end());
    return !isWhole;
  }

  end(): void {
    const body = Buffer.concat(this.#chunks);
    tellOssError(this.#ctx, this.#status, readOssError(this.#headers, body), this.#headers);
  }
}

const END = "</Error>";

/**
 * Who reads an answer of OSS's aside; `null` for all but refusals (403, and 400, which OSS answers to signatures that it
 * cannot read), throttling and faults. What has its document in the head, or none, is told at once.
 */
export function errorReader(ctx: RequestContext, status: number, headers: HeaderList): ErrorReader | null {
  if (status < 400 || !isTold(status)) return null;
  if (!repeatedLinesOf(ctx.gateway.log).readings.take(performance.now())) return null;
  const reader = new ErrorReader(ctx, status, headers);
  const isXml = headerValue(headers, "content-type")?.includes("xml") === true;
  if (ctx.upstreamRequest?.method !== "HEAD" && isXml && headerValue(headers, "content-encoding") === undefined) {
    return reader;
  }
  reader.end();
  return null;
}

const isTold = (status: number): boolean => status === 403 || status === 400 || status === 429 || status >= 500;

/**
 * Tells the operator what OSS's error says.
 * @param error `null`: there is no document, or it cannot be read
 */
export function tellOssError(ctx: RequestContext, status: number, error: OssError | null, headers: HeaderList): void {
  try {
    if (status === 429 || status >= 500) tellFault(ctx, status, error);
    else if (error !== null && isTold(status)) explainRefusal(ctx, status, error, headers);
    else if (status === 403 && ctx.upstreamRequest?.method === "HEAD") tellNothingSaid(ctx, headers);
  } catch (bug) {
    // The client has its answer, or gets it, whatever is wrong here.
    bugFound(ctx, bug);
  }
}

const MAX_MESSAGE = 200;

function tellFault(ctx: RequestContext, status: number, error: OssError | null): void {
  const { route } = ctx.routeStats;
  const code = error?.code.slice(0, MAX_MESSAGE);
  const fields = () => ({
    requestId: ctx.requestId,
    route,
    bucket: ctx.bucket?.alias,
    upstream: ctx.pool?.address,
    status,
    ossCode: code,
    ossRequestId: ctx.ossRequestId ?? error?.elements.get("RequestId"),
    ec: ctx.ossEc ?? error?.elements.get("EC"),
    cause: error?.message.slice(0, MAX_MESSAGE) ?? `OSS answered ${status} without a document.`,
    next: nextOfOssError(status),
  });
  // By the status and not the code, which is whatever answers there.
  const kind = `fault/${route}/${status}`;
  writeSeldom(ctx.gateway.log, "warn", kind, performance.now(), fields, "OSS answered with an error");
}
