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

/**
 * A bounded queue that is fair to clients: they take turns, however many works one has waiting, and where it is full the
 * client with the most gives way. A flood from one address delays a login from another by one turn.
 */
export class FairQueue {
  readonly #limits: QueueLimits;
  /** By client, in the order of their turns; no list is empty. */
  readonly #clients = new Map<string, Waiting[]>();
  #running = 0;
  #waiting = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** @returns what the work gives; `null` when it was not done, since too much waits */
  run<T>(client: string, work: () => Promise<T>): Promise<T | null> {
    if (this.#running < this.#limits.running) return this.#start(work);
    if (!this.#hasRoomFor(client)) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#push(client, {
        start: () => void this.#start(work).then(resolve, reject),
        refuse: () => resolve(null),
      });
    });
  }

  async #start<T>(work: () => Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#startNext();
    }
  }

  #push(client: string, waiting: Waiting): void {
    const own = this.#clients.get(client);
    if (own === undefined) this.#clients.set(client, [waiting]);
    else own.push(waiting);
    this.#waiting += 1;
  }

  #startNext(): void {
    for (const [client, [first, ...others]] of this.#clients) {
      this.#clients.delete(client);
      if (others.length > 0) this.#clients.set(client, others);
      this.#waiting -= 1;
      first?.start();
      return;
    }
  }

  /** Makes room where another client has more than this one would have. */
  #hasRoomFor(client: string): boolean {
    if (this.#waiting < this.#limits.waiting) return true;
    const own = this.#clients.get(client)?.length ?? 0;
    let longest: Waiting[] = [];
    for (const list of this.#clients.values()) if (list.length > longest.length) longest = list;
    if (longest.length <= own + 1) return false;
    longest.pop()?.refuse();
    this.#waiting -= 1;
    return true;
  }
}
