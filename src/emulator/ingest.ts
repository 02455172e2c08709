import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type HeaderList, headerValue } from "../core/headers.js";
import { type BodySource, bytesSource } from "./body.js";
import { Crc64 } from "./crc64.js";
import { type Refusal, refuse } from "./errors.js";

/** 5 GB, what one request may bring (oss-semantics §11.6). */
export const MAX_BODY_BYTES = 5 * 2 ** 30;

/** A request body that arrived whole. `body` is `null` when the bytes were dropped. */
export interface ReceivedBody {
  readonly body: BodySource | null;
  readonly size: number;
  readonly md5: Buffer;
  readonly crc64: bigint;
}

/** Reads the body of the current request: sends `100 Continue` first when the client waits for it. */
export type ReceiveBody = (options?: {
  readonly discard?: boolean;
  readonly maxBytes?: number;
}) => Promise<ReceivedBody | Refusal>;

/** What keeps an upload from being read at all: no length, or one above 5 GB (oss-semantics §11.7). */
export function lengthProblem(headers: HeaderList): Refusal | null {
  if (headerValue(headers, "transfer-encoding") !== undefined) return null;
  const length = headerValue(headers, "content-length");
  if (length === undefined) return refuse("MissingContentLength");
  return Number(length) > MAX_BODY_BYTES ? refuse("EntityTooLarge") : null;
}

interface BodyReading {
  /** Is told of the bytes as they arrive. */
  readonly count: (bytes: number) => void;
  readonly discard: boolean;
  readonly maxBytes: number;
  /** Fires when the connection ends, or idles too long, in the middle of the body; the reason is OSS's code for it. */
  readonly cutOff: AbortSignal;
}

/**
 * Reads a body, hashing it on the way.
 * @returns `IncompleteBody` when the client stops before the end, `EntityTooLarge` as soon as the limit is passed
 */
export function readBody(request: IncomingMessage, reading: BodyReading): Promise<ReceivedBody | Refusal> {
  const { count, discard, maxBytes, cutOff } = reading;
  const chunks: Buffer[] = [];
  const md5 = createHash("md5");
  const crc = new Crc64();
  let size = 0;
  return new Promise((resolve) => {
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      count(chunk.length);
      if (size > maxBytes) {
        resolve(refuse("EntityTooLarge"));
        return;
      }
      md5.update(chunk);
      crc.update(chunk);
      if (!discard) chunks.push(chunk);
    };
    const onCutOff = (): void =>
      resolve(refuse(cutOff.reason === "RequestTimeout" ? "RequestTimeout" : "IncompleteBody"));
    request.on("data", onData);
    request.once("end", () => {
      const body = discard ? null : bytesSource(Buffer.concat(chunks));
      resolve({ body, size, md5: md5.digest(), crc64: crc.value() });
    });
    request.once("error", onCutOff);
    request.once("close", onCutOff);
    cutOff.addEventListener("abort", onCutOff);
  });
}

const MD5_BASE64 = /^[A-Za-z0-9+/]{22}==$/;

/** Holds `Content-MD5` and `x-oss-hash-crc64ecma` of the request against what arrived (oss-semantics §10, §11.7). */
export function digestProblem(headers: HeaderList, received: ReceivedBody): Refusal | null {
  const md5 = headerValue(headers, "content-md5");
  if (md5 !== undefined && md5 !== received.md5.toString("base64")) return refuse("InvalidDigest");
  const crc = headerValue(headers, "x-oss-hash-crc64ecma");
  return crc !== undefined && crc !== String(received.crc64) ? refuse("InvalidCRC64") : null;
}

/** A `Content-MD5` that is no base64 of 16 bytes is refused before the body is read (oss-semantics §7.2). */
export function digestHeaderProblem(headers: HeaderList): Refusal | null {
  const md5 = headerValue(headers, "content-md5");
  return md5 === undefined || MD5_BASE64.test(md5)
    ? null
    : refuse("InvalidDigest", { message: "The Content-MD5 you specified was invalid." });
}
