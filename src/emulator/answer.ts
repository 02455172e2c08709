import type { HeaderList } from "../core/headers.js";
import { type BodySource, bytesSource } from "./body.js";
import type { Refusal } from "./errors.js";

/** The part of a source that is sent. Offsets in bytes, `end` is exclusive. */
export interface AnswerBody {
  readonly source: BodySource;
  readonly start: number;
  readonly end: number;
}

/** An answer of an operation, without the headers that every answer has. `Content-Length` comes from the body. */
export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: HeaderList;
  /** `null` where the status allows none (204, 304) or the operation says its length itself (HEAD). */
  readonly body: AnswerBody | null;
}

export type Outcome = Answer | Refusal;

const NOTHING = bytesSource(Buffer.alloc(0));

/** An answer with an empty body, `Content-Length: 0`. */
export function emptyAnswer(status: number, headers: HeaderList = []): Answer {
  return { kind: "answer", status, headers, body: { source: NOTHING, start: 0, end: 0 } };
}

/** An answer without any body (204, 304, HEAD). */
export function bodilessAnswer(status: number, headers: HeaderList = []): Answer {
  return { kind: "answer", status, headers, body: null };
}

/** 204, what deletions answer. */
export const NO_CONTENT: Answer = bodilessAnswer(204);

/** An answer with these bytes. */
export function bytesAnswer(status: number, headers: HeaderList, bytes: Buffer): Answer {
  return { kind: "answer", status, headers, body: { source: bytesSource(bytes), start: 0, end: bytes.length } };
}

/** An answer with an XML document. */
export function xmlAnswer(xml: string, headers: HeaderList = [], status = 200): Answer {
  return bytesAnswer(status, ["Content-Type", "application/xml", ...headers], Buffer.from(xml));
}

/** Whether a function that gives a value or a refusal gave the refusal. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "refusal";
}
