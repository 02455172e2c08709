import type { Slots } from "./budget.js";

/** Slots of this process alone. */
export class LocalSlots implements Slots {
  #count: number;
  #inUse = 0;

  constructor(count: number) {
    this.#count = count;
  }

  /** Who is in stays in. */
  resize(count: number): void {
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
export class LocalClientSlots {
  #count: number;
  readonly #inUse = new Map<string, number>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Who is in stays in. */
  resize(count: number): void {
    this.#count = count;
  }

  of(client: string): Slots {
    return new ClientSlots(this, client);
  }

  take(client: string): boolean {
    const inUse = this.#inUse.get(client) ?? 0;
    if (inUse >= this.#count) return false;
    this.#inUse.set(client, inUse + 1);
    return true;
  }

  release(client: string): void {
    const inUse = this.#inUse.get(client) ?? 0;
    if (inUse > 1) this.#inUse.set(client, inUse - 1);
    else this.#inUse.delete(client);
  }
}

class ClientSlots implements Slots {
  readonly #slots: LocalClientSlots;
  readonly #client: string;

  constructor(slots: LocalClientSlots, client: string) {
    this.#slots = slots;
    this.#client = client;
  }

  take(): boolean {
    return this.#slots.take(this.#client);
  }

  release(): void {
    this.#slots.release(this.#client);
  }
}
