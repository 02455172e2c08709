import { type buildConnector, Client, type Dispatcher, Pool } from "undici";
import type { HeaderList } from "../core/headers.js";
import { verifiedConnector } from "./ask-once.js";

const CONNECTIONS = 64;
/** Questions that run or wait for a connection. */
const MAX_PENDING = 256;
const MAX_HEADER_BYTES = 16 * 1024;
/** Bodies are not read, only got out of the connection's way; a longer one ends it. */
const MAX_BODY_BYTES = 64 * 1024;

export interface AuthServiceOptions {
  /** http or https; path and query are used as they are. */
  readonly url: URL;
  /** From the question to the head of its answer, the wait for a connection included. */
  readonly timeoutMs: number;
  /** PEM text of an extra authority, or `null`. */
  readonly ca: string | null;
}

/** The head of an answer. */
export interface ServiceAnswer {
  readonly status: number;
  /** A byte of a value is one character. */
  readonly headers: HeaderList;
}

/** The service that is asked, and its connections: kept alive, and bounded as what waits for them is. */
export class AuthService {
  readonly #options: AuthServiceOptions;
  readonly #clientOptions: Client.Options & { readonly connect: buildConnector.connector };
  readonly #pool: Pool;
  readonly #path: string;
  /** Questions for which no connection is free, in order. Not undici's own queue: it keeps what nobody waits for. */
  readonly #waiting = new Set<Question>();
  #running = 0;

  constructor(options: AuthServiceOptions) {
    this.#options = options;
    this.#path = `${options.url.pathname}${options.url.search}`;
    this.#clientOptions = {
      pipelining: 1,
      maxHeaderSize: MAX_HEADER_BYTES,
      // A timer of ours is for all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: false,
      connect: verifiedConnector(options),
    };
    this.#pool = new Pool(options.url.origin, { ...this.#clientOptions, connections: CONNECTIONS });
  }

  /**
   * Sends a GET. A connection that breaks before the answer may just have been idle for too long, so one that did is
   * followed by one more try, on a connection of its own.
   * @throws Error whatever broke, no answer in time included; its message names addresses and is for the log
   */
  ask(headers: HeaderList): Promise<ServiceAnswer> {
    if (this.#running + this.#waiting.size >= MAX_PENDING) {
      return Promise.reject(new Error(`${MAX_PENDING} questions are unanswered`));
    }
    return new Promise((resolve, reject) => {
      const question: Question = new Question({
        timeoutMs: this.#options.timeoutMs,
        dispatch: (handler, isFresh) => this.#dispatch(headers, handler, isFresh),
        onAnswer: resolve,
        onFailure: reject,
        onEnd: () => this.#onEnd(question),
      });
      if (this.#running < CONNECTIONS) this.#begin(question);
      else this.#waiting.add(question);
    });
  }

  /** Ends what runs, too. */
  destroy(): void {
    this.#pool.destroy().catch(() => {});
  }

  #begin(question: Question): void {
    this.#running += 1;
    question.try();
  }

  #onEnd(question: Question): void {
    if (this.#waiting.delete(question)) return;
    this.#running -= 1;
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      this.#begin(next);
      return;
    }
  }

  #dispatch(headers: HeaderList, handler: Dispatcher.DispatchHandler, isFresh: boolean): void {
    const dispatcher = isFresh ? new Client(this.#options.url.origin, this.#clientOptions) : this.#pool;
    try {
      dispatcher.dispatch({ method: "GET", path: this.#path, headers: headers as string[] }, handler);
    } finally {
      if (isFresh) dispatcher.close().catch(() => {});
    }
  }
}

interface QuestionParts {
  readonly timeoutMs: number;
  /** @throws Error for what is no request */
  dispatch(handler: Dispatcher.DispatchHandler, isFresh: boolean): void;
  onAnswer(answer: ServiceAnswer): void;
  onFailure(error: Error): void;
  /** Nothing of it is left, neither on a connection nor waiting for one. */
  onEnd(): void;
}

const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED", "UND_ERR_SOCKET"]);

/**
 * One question, as undici's handler of it: it is answered with the head, and lasts until the body is out of the way. Its
 * time runs from the beginning, while it waits too.
 */
class Question implements Dispatcher.DispatchHandler {
  readonly #parts: QuestionParts;
  readonly #timer: NodeJS.Timeout;
  #abort: (() => void) | null = null;
  #tries = 0;
  #isAnswered = false;
  #isTimedOut = false;
  #isEnded = false;
  #bodyBytes = 0;

  constructor(parts: QuestionParts) {
    this.#parts = parts;
    this.#timer = setTimeout(() => this.#onTimeout(), parts.timeoutMs);
  }

  onConnect(abort: () => void): void {
    this.#abort = abort;
    // The connection took so long to be made.
    if (this.#isTimedOut) abort();
  }

  onHeaders(status: number, rawHeaders: Buffer[]): boolean {
    if (status < 200 || this.#isTimedOut) return true;
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
    if (mayBeStale && !this.#isAnswered && !this.#isTimedOut) {
      this.try();
      return;
    }
    this.#end();
    // Does nothing where there was an answer, or no time left.
    this.#parts.onFailure(error);
  }

  try(): void {
    this.#tries += 1;
    try {
      this.#parts.dispatch(this, this.#tries > 1);
    } catch (error) {
      this.onError(error as Error);
    }
  }

  #onTimeout(): void {
    this.#isTimedOut = true;
    if (!this.#isAnswered) this.#parts.onFailure(new Error(`no answer within ${this.#parts.timeoutMs} ms`));
    if (this.#tries === 0) this.#end();
    else this.#abort?.();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#parts.onEnd();
  }
}
