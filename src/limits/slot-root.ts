import { nameOf, type SlotNews, type SlotUse } from "./slot-holder.js";

/** The main process's side of slots that workers share: knows how many each uses, and tells all of those that matter. */
export class SlotRoot {
  readonly #entries = new Map<string, Entry>();
  /** What workers are to be told, by name: the last that holds. */
  readonly #news = new Map<string, Entry>();

  /** @param worker any name of it, for as long as it lives */
  note(worker: number, { key, client, count, inUse }: SlotUse): void {
    const name = nameOf(key, client);
    const entry = this.#entries.get(name) ?? { key, client, count, byWorker: new Map(), total: 0, isHeavy: false };
    this.#entries.set(name, entry);
    entry.count = count;
    this.#change(name, entry, worker, inUse);
  }

  /** A worker is gone, and with it what it used. */
  forget(worker: number): void {
    for (const [name, entry] of this.#entries) {
      if (entry.byWorker.has(worker)) this.#change(name, entry, worker, 0);
    }
  }

  /** For a worker that is new: all that is heavy. */
  newsFor(worker: number): readonly SlotNews[] {
    return Array.from(this.#entries.values())
      .filter(({ isHeavy }) => isHeavy)
      .map((entry) => newsOf(entry, worker));
  }

  /**
   * What has changed since the last time, for all workers.
   * @returns makes it for one worker; `null` when there is nothing
   */
  takeNews(): ((worker: number) => readonly SlotNews[]) | null {
    if (this.#news.size === 0) return null;
    const changed = [...this.#news.values()];
    this.#news.clear();
    return (worker) => changed.map((entry) => newsOf(entry, worker));
  }

  /** How many keys are known: those of which any slot is in use. */
  get size(): number {
    return this.#entries.size;
  }

  #change(name: string, entry: Entry, worker: number, inUse: number): void {
    entry.total += inUse - (entry.byWorker.get(worker) ?? 0);
    if (inUse === 0) entry.byWorker.delete(worker);
    else entry.byWorker.set(worker, inUse);
    const wasHeavy = entry.isHeavy;
    entry.isHeavy = 2 * entry.total >= entry.count;
    if (wasHeavy || entry.isHeavy) this.#news.set(name, entry);
    if (entry.total === 0) this.#entries.delete(name);
  }
}

interface Entry {
  readonly key: string;
  readonly client: string;
  /** As the last worker said: while they take a new configuration, for some milliseconds, they may differ. */
  count: number;
  readonly byWorker: Map<number, number>;
  total: number;
  isHeavy: boolean;
}

function newsOf({ key, client, count, byWorker, total, isHeavy }: Entry, worker: number): SlotNews {
  return { key, client, count, others: isHeavy ? total - (byWorker.get(worker) ?? 0) : 0, isHeavy };
}
