import { type buildConnector, Client, type Dispatcher, Pool } from "undici";
import type { HeaderList } from "../core/headers.js";
import { verifiedConnector } from "./ask-once.js";
import { FairPlaces } from "./forward-auth-places.js";
import { Question, type ServiceAnswer } from "./forward-auth-question.js";

const CONNECTIONS = 64;
const MAX_WAITING = 192;
const MAX_HEADER_BYTES = 16 * 1024;

export interface AuthServiceOptions {
  /** http or https; path and query are used as they are. */
  readonly url: URL;
  /** From the question to the head of its answer, the wait for a connection included. */
  readonly timeoutMs: number;
  /** PEM text of an extra authority, or `null`. */
  readonly ca: string | null;
}

/** A question that was put. */
export interface AskedService {
  /** @throws Error whatever broke, no answer in time included; its message names addresses and is for the log */
  readonly answer: Promise<ServiceAnswer>;
  /** Nobody waits for the answer any more: it rejects unless it is there. Idempotent. */
  drop(): void;
}

/** The service that is asked, and its connections: kept alive, and bounded as what waits for them is. */
export class AuthService {
  readonly #options: AuthServiceOptions;
  readonly #clientOptions: Client.Options & { readonly connect: buildConnector.connector };
  readonly #pool: Pool;
  readonly #path: string;
  /** Not undici's own queue: it is fair to nobody, and keeps what nobody waits for. */
  readonly #places = new FairPlaces({ places: CONNECTIONS, waiting: MAX_WAITING });

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
   * @param client whose turn it takes: an address, or a group of them
   */
  ask(client: string, headers: HeaderList): AskedService {
    let drop = (): void => {};
    const answer = new Promise<ServiceAnswer>((resolve, reject) => {
      const question = new Question({
        client,
        timeoutMs: this.#options.timeoutMs,
        dispatch: (handler, isFresh) => this.#dispatch(headers, handler, isFresh),
        onAnswer: resolve,
        onFailure: reject,
        onEnd: (ended) => this.#places.leave(ended),
      });
      drop = () => question.drop();
      this.#places.enter(question);
    });
    return { answer, drop };
  }

  /** Ends what runs, too. */
  destroy(): void {
    this.#pool.destroy().catch(() => {});
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
