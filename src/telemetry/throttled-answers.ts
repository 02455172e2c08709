import { type HeaderList, headerValue } from "../core/headers.js";

/**
 * What OSS calls its refusals for load (oss-semantics §7.2), as a closed set of labels. `other`: a code that is not
 * among them; `unknown`: none could be read.
 */
export const THROTTLE_CODES = [
  "QpsLimitExceeded",
  "TotalQpsLimitExceeded",
  "MetaOperationQpsLimitExceeded",
  "DownloadTrafficRateLimitExceeded",
  "UploadTrafficRateLimitExceeded",
  "ActiveRequestLimitExceeded",
  "CpuLimitExceeded",
  "ServiceUnavailable",
  "other",
  "unknown",
] as const;

const INDEX: ReadonlyMap<string, number> = new Map(THROTTLE_CODES.map((code, index) => [code, index]));
const OTHER = INDEX.get("other") as number;
const UNKNOWN = INDEX.get("unknown") as number;

/** Whether an answer of OSS says that there was too much: 503, and 429 of `QpsLimitExceeded`. */
export function isThrottled(status: number): boolean {
  return status === 503 || status === 429;
}

/** What OSS threw away or held up, of one bucket. */
export class ThrottledAnswers {
  /** By the place of the code in {@link THROTTLE_CODES}. */
  readonly counts = new Float64Array(THROTTLE_CODES.length);
  /** What OSS says that it held answers up for, in milliseconds. */
  qosDelayMs = 0;

  /** Notes what the head of an answer says that it was held up for. */
  noteDelay(headers: HeaderList): void {
    const delay = headerValue(headers, "x-oss-qos-delay-time");
    if (delay !== undefined) this.addDelay(delay);
  }

  /** @param code of the error document; `null` when it could not be read */
  count(code: string | null): void {
    const index = code === null ? UNKNOWN : (INDEX.get(code) ?? OTHER);
    this.counts[index] = (this.counts[index] as number) + 1;
  }

  /** @param delayMs the value of `x-oss-qos-delay-time`, which OSS sends with answers of any status */
  addDelay(delayMs: string): void {
    // What is no plain number, or out of all proportion, is not OSS's.
    if (/^\d{1,9}$/.test(delayMs)) this.qosDelayMs += Number(delayMs);
  }
}

/** Error documents are small, and `Code` is their first element. */
const LOOKED_AT_BYTES = 1024;
const CODE = /<Error>\s*<Code>([A-Za-z]{1,64})<\/Code>/;

/**
 * The code of an error that is relayed and not read as a whole.
 * @param start the first bytes of the body; `null` for an answer to a HEAD, whose document is in `x-oss-err`
 * @returns `null` when it cannot be read
 */
export function errorCodeAt(headers: HeaderList, start: Buffer | null): string | null {
  const text =
    start === null
      ? Buffer.from((headerValue(headers, "x-oss-err") ?? "").slice(0, 2 * LOOKED_AT_BYTES), "base64").toString(
          "latin1",
        )
      : start.toString("latin1", 0, LOOKED_AT_BYTES);
  return CODE.exec(text)?.[1] ?? null;
}
