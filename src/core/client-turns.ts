/**
 * What waits, by client: clients take turns, however much one of them has waiting, and where there is no room the client
 * with the most gives way. A flood from one address delays what another waits for by one turn.
 */
export class ClientTurns<T extends object> {
  readonly #limit: number;
  /** In the order of their turns; no set is empty. */
  readonly #clients = new Map<string, Set<T>>();
  #size = 0;

  /** @param limit how many wait at most, of all clients */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /**
   * Lets it wait, behind what its client has waiting.
   * @param item waits for nothing yet
   * @returns what does not wait after this for want of room: the last of the client with the most, or the item itself;
   * `null` where there was room
   */
  add(client: string, item: T): T | null {
    const evicted = this.#size < this.#limit ? null : this.#makeRoom(client);
    if (evicted === null && this.#size >= this.#limit) return item;
    const own = this.#clients.get(client);
    if (own === undefined) this.#clients.set(client, new Set([item]));
    else own.add(item);
    this.#size += 1;
    return evicted;
  }

  /**
   * Takes out whose turn it is.
   * @param mayGo passes over the clients that it is false for; they keep their turn
   * @returns `null` when there is none
   */
  take(mayGo: (client: string) => boolean = () => true): T | null {
    for (const [client, items] of this.#clients) {
      if (!mayGo(client)) continue;
      const first = items.values().next().value as T;
      this.remove(client, first);
      if (items.size > 0) this.#moveBack(client, items);
      return first;
    }
    return null;
  }

  /** @returns whether it did wait */
  remove(client: string, item: T): boolean {
    const items = this.#clients.get(client);
    if (items === undefined || !items.delete(item)) return false;
    if (items.size === 0) this.#clients.delete(client);
    this.#size -= 1;
    return true;
  }

  #moveBack(client: string, items: Set<T>): void {
    this.#clients.delete(client);
    this.#clients.set(client, items);
  }

  /** Only where another client has more than this one would have. */
  #makeRoom(client: string): T | null {
    let longest = client;
    let mostItems = (this.#clients.get(client)?.size ?? 0) + 1;
    for (const [other, { size }] of this.#clients) {
      if (size <= mostItems) continue;
      longest = other;
      mostItems = size;
    }
    if (longest === client) return null;
    const last = [...(this.#clients.get(longest) as Set<T>)].at(-1) as T;
    this.remove(longest, last);
    return last;
  }
}
