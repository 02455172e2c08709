import type { Slots } from "./budget.js";

/** Slots of this process alone. */
export class LocalSlots implements Slots {
  readonly #count: number;
  #inUse = 0;

  constructor(count: number) {
    this.#count = count;
  }

  take(): boolean {
    if (this.#inUse >= this.#count) return false;
    this.#inUse += 1;
    return true;
  }

  release(): void {
    this.#inUse = Math.max(0, this.#inUse - 1);
  }
}

/** Slots of each client of this process. A client that uses none takes no memory, and one that does is never forgotten. */
export function localSlotsPerClient(count: number): (client: string) => Slots {
  const inUse = new Map<string, number>();
  return (client) => new ClientSlots(inUse, client, count);
}

class ClientSlots implements Slots {
  readonly #inUse: Map<string, number>;
  readonly #client: string;
  readonly #count: number;

  constructor(inUse: Map<string, number>, client: string, count: number) {
    this.#inUse = inUse;
    this.#client = client;
    this.#count = count;
  }

  take(): boolean {
    const inUse = this.#inUse.get(this.#client) ?? 0;
    if (inUse >= this.#count) return false;
    this.#inUse.set(this.#client, inUse + 1);
    return true;
  }

  release(): void {
    const inUse = this.#inUse.get(this.#client) ?? 0;
    if (inUse > 1) this.#inUse.set(this.#client, inUse - 1);
    else this.#inUse.delete(this.#client);
  }
}
