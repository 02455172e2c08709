import type { HeaderList } from "../core/headers.js";

/** One request as it arrived on the wire, and what became of it. */
export interface CapturedRequest {
  readonly requestId: string;
  readonly method: string;
  /** The request target byte for byte. */
  readonly rawTarget: string;
  readonly httpVersion: string;
  /** Names and values in their order and case; a byte is one character. */
  readonly rawHeaders: HeaderList;
  readonly remotePort: number;
  /** 1 for the first request on its connection. */
  readonly numberOnSocket: number;
  /** Bytes of the body that arrived so far. */
  readonly bodyBytes: number;
  /** Whether `100 Continue` was sent. */
  readonly continueSent: boolean;
  /** The final status, or `null` while there is none. */
  readonly status: number | null;
  /** `aborted`: the connection ended before the answer did, by whoever. */
  readonly state: "pending" | "answered" | "aborted";
}

/** The emulator's own, writable view of a capture. */
export type OpenCapture = { -readonly [Name in keyof CapturedRequest]: CapturedRequest[Name] };

/** The last requests, oldest first; older ones are dropped. */
export class CaptureRing {
  readonly #limit: number;
  readonly #captures: OpenCapture[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(capture: OpenCapture): void {
    this.#captures.push(capture);
    if (this.#captures.length > this.#limit) this.#captures.shift();
  }

  all(): readonly CapturedRequest[] {
    return [...this.#captures];
  }

  clear(): void {
    this.#captures.length = 0;
  }
}
