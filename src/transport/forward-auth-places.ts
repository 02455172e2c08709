import { ClientTurns } from "../core/client-turns.js";

/** What takes a place, or waits for one. */
export interface Visitor {
  /** Whose turn it takes: an address, or a group of them. */
  readonly client: string;
  /** It has a place, until it leaves. */
  begin(): void;
  /** There is no room to wait. It need not leave. */
  refuse(): void;
}

/**
 * Places that clients share. A client gets one more only while more are free than it has: alone it has half of them at
 * most, beside another a third, and whoever comes next finds one. The rest waits, and clients take turns. So one client
 * keeps others from nothing, however long its visits last.
 */
export class FairPlaces {
  readonly #visitors = new Map<string, Set<Visitor>>();
  readonly #turns: ClientTurns<Visitor>;
  #free: number;

  constructor({ places, waiting }: { readonly places: number; readonly waiting: number }) {
    this.#free = places;
    this.#turns = new ClientTurns(waiting);
  }

  /** Calls `begin` at once or in its turn, unless it leaves before; or it refuses one, which may be another client's. */
  enter(visitor: Visitor): void {
    // Nobody is passed: whoever waits may not begin.
    if (this.#mayBegin(visitor.client)) this.#begin(visitor);
    else this.#turns.add(visitor.client, visitor)?.refuse();
  }

  /** Gives up its place, or waits no more. Idempotent. */
  leave(visitor: Visitor): void {
    const { client } = visitor;
    const own = this.#visitors.get(client);
    if (own?.delete(visitor) !== true) {
      this.#turns.remove(client, visitor);
      return;
    }
    if (own.size === 0) this.#visitors.delete(client);
    this.#free += 1;
    this.#beginWaiting();
  }

  #mayBegin(client: string): boolean {
    return (this.#visitors.get(client)?.size ?? 0) < this.#free;
  }

  #begin(visitor: Visitor): void {
    const own = this.#visitors.get(visitor.client);
    if (own === undefined) this.#visitors.set(visitor.client, new Set([visitor]));
    else own.add(visitor);
    this.#free -= 1;
    visitor.begin();
  }

  /** One that leaves can make two clients wait for the same place; the loop ends when nobody may begin. */
  #beginWaiting(): void {
    const mayBegin = (client: string): boolean => this.#mayBegin(client);
    for (let next = this.#turns.take(mayBegin); next !== null; next = this.#turns.take(mayBegin)) this.#begin(next);
  }
}
