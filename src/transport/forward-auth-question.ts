import type { Dispatcher } from "undici";
import type { HeaderList } from "../core/headers.js";
import type { Visitor } from "./forward-auth-places.js";

/** Bodies are not read, only got out of the connection's way; a longer one ends it. */
const MAX_BODY_BYTES = 64 * 1024;

/** The head of an answer. */
export interface ServiceAnswer {
  readonly status: number;
  /** A byte of a value is one character. */
  readonly headers: HeaderList;
}

export interface QuestionParts {
  /** Whose turn it takes. */
  readonly client: string;
  readonly timeoutMs: number;
  /** @throws Error for what is no request */
  dispatch(handler: Dispatcher.DispatchHandler, isFresh: boolean): void;
  onAnswer(answer: ServiceAnswer): void;
  /** Means nothing after an answer. */
  onFailure(error: Error): void;
  /** Nothing of it is left, neither on a connection nor waiting for one. */
  onEnd(question: Question): void;
}

const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "UND_ERR_SOCKET"]);

/**
 * One question, as undici's handler of it: it is answered with the head, and lasts until the body is out of the way. Its
 * time runs from the beginning, while it waits too.
 */
export class Question implements Dispatcher.DispatchHandler, Visitor {
  readonly client: string;
  readonly #parts: QuestionParts;
  readonly #timer: NodeJS.Timeout;
  #abort: (() => void) | null = null;
  #tries = 0;
  #isAnswered = false;
  /** What still comes is for nobody. */
  #isStopped = false;
  #isEnded = false;
  #bodyBytes = 0;

  constructor(parts: QuestionParts) {
    this.client = parts.client;
    this.#parts = parts;
    this.#timer = setTimeout(() => this.#stop(`no answer within ${parts.timeoutMs} ms`), parts.timeoutMs);
  }

  begin(): void {
    this.#try();
  }

  refuse(): void {
    this.#stop("too many questions are unanswered");
  }

  /** Nobody waits for the answer any more: it is not asked, or its connection ends. One that has its answer goes on. */
  drop(): void {
    if (!this.#isAnswered) this.#stop("nobody waits for the answer any more");
  }

  onConnect(abort: () => void): void {
    this.#abort = abort;
    // The connection took so long to be made.
    if (this.#isStopped) abort();
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (status < 200 || this.#isStopped) return true;
    this.#isAnswered = true;
    this.#parts.onAnswer({ status, headers: rawHeaders.map((bytes) => bytes.toString("latin1")) });
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > MAX_BODY_BYTES) this.#abort?.();
    return true;
  }

  onComplete(): void {
    this.#end();
  }

  onError(error: Error): void {
    this.#abort = null;
    const mayBeStale = BROKEN.has((error as NodeJS.ErrnoException).code ?? "") && this.#tries === 1;
    if (mayBeStale && !this.#isAnswered && !this.#isStopped) {
      this.#try();
      return;
    }
    this.#end();
    this.#parts.onFailure(error);
  }

  #try(): void {
    this.#tries += 1;
    try {
      this.#parts.dispatch(this, this.#tries > 1);
    } catch (error) {
      this.onError(error as Error);
    }
  }

  #stop(cause: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#parts.onFailure(new Error(cause));
    if (this.#tries === 0) this.#end();
    else this.#abort?.();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#parts.onEnd(this);
  }
}
