import { ClientTurns } from "../core/client-turns.js";

export interface QueueLimits {
  /** Works that run at once. */
  readonly running: number;
  /** Works that wait. */
  readonly waiting: number;
}

interface Waiting {
  start(): void;
  refuse(): void;
}

/** A bounded queue that is fair to clients: a flood from one address delays a login from another by one turn. */
export class FairQueue {
  readonly #places: number;
  readonly #turns: ClientTurns<Waiting>;
  #running = 0;

  constructor({ running, waiting }: QueueLimits) {
    this.#places = running;
    this.#turns = new ClientTurns(waiting);
  }

  /** @returns what the work gives; `null` when it was not done, since too much waits */
  run<T>(client: string, work: () => Promise<T>): Promise<T | null> {
    if (this.#running < this.#places) return this.#start(work);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        start: () => void this.#start(work).then(resolve, reject),
        refuse: () => resolve(null),
      };
      this.#turns.add(client, waiting)?.refuse();
    });
  }

  async #start<T>(work: () => Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#turns.take()?.start();
    }
  }
}
