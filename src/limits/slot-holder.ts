import { clientGroup } from "../policy/client-group.js";
import type { BudgetSizes, Slots } from "./budget.js";
import { KeptByKey } from "./kept-by-key.js";

/** How many slots a worker uses, as it tells the main process. */
export interface SlotUse {
  readonly key: string;
  /** Group of the client whose slots they are; `""`: of all. */
  readonly client: string;
  /** Of all workers. */
  readonly count: number;
  readonly inUse: number;
}

/** What the main process tells workers of slots that are half used or more; after `isHeavy: false` nothing until then. */
export interface SlotNews {
  readonly key: string;
  readonly client: string;
  readonly count: number;
  /** In use by all other workers. */
  readonly others: number;
  readonly isHeavy: boolean;
}

/**
 * One worker's side of slots that workers share. It takes slots without asking, and tells of it; of slots that are half
 * used all workers are told. What the main process does not know yet is bounded by a worker's part of what is free, so
 * that too many run for some milliseconds at worst, and hardly more than one a worker.
 */
export class SlotHolder {
  #workers: number;
  readonly #onChange: (isUrgent: boolean) => void;
  readonly #sizes = new KeptByKey((count: number): Size => ({ count }));
  readonly #clientSizes = new KeptByKey((count: number): Size => ({ count }));
  readonly #entries = new Map<string, SlotEntry>();
  readonly #changed = new Set<SlotEntry>();

  /** @param onChange told when {@link takeUses} has something new */
  constructor(workers: number, onChange: (isUrgent: boolean) => void) {
    this.#workers = workers;
    this.#onChange = onChange;
  }

  /** So many workers share from here on. */
  share(workers: number): void {
    this.#workers = workers;
  }

  /** A key that is known keeps its count, whatever is asked for. */
  slots(key: string, count: number): Slots {
    return new HeldSlots(this, key, "", this.#sizes.of(key, count));
  }

  slotsPerClient(key: string, count: number): (client: string) => Slots {
    const size = this.#clientSizes.of(key, count);
    return (client) => new HeldSlots(this, key, clientGroup(client), size);
  }

  /** See `LastingBudgets`. Who is in stays in. */
  resize({ slots, clientSlots }: BudgetSizes): void {
    const change = (size: Size, count: number): void => {
      size.count = count;
    };
    this.#sizes.resize(slots, change);
    this.#clientSizes.resize(clientSlots, change);
  }

  /** See `LastingBudgets`. */
  keep(isUsed: (key: string) => boolean): void {
    this.#sizes.keep(isUsed);
    this.#clientSizes.keep(isUsed);
  }

  /** For slots. */
  take(key: string, client: string, count: number): boolean {
    const name = nameOf(key, client);
    const known = this.#entries.get(name);
    const entry = known ?? newEntry(key, client, count);
    entry.count = count;
    if (!mayTake(entry, this.#workers)) return false;
    if (known === undefined) this.#entries.set(name, entry);
    entry.inUse += 1;
    this.#note(entry, 2 * (entry.inUse - entry.known) >= creditOf(entry, this.#workers));
    return true;
  }

  /** For slots. */
  release(key: string, client: string): void {
    const entry = this.#entries.get(nameOf(key, client));
    if (entry === undefined || entry.inUse === 0) return;
    entry.inUse -= 1;
    this.#note(entry, entry.isHeavy);
  }

  /** What has changed since the last time. Its arrival is told to {@link arrived}. */
  takeUses(): readonly SlotUse[] {
    const uses = Array.from(this.#changed, ({ key, client, count, inUse }) => ({ key, client, count, inUse }));
    this.#changed.clear();
    return uses;
  }

  /** The main process knows of these uses. */
  arrived(uses: readonly SlotUse[]): void {
    for (const { key, client, inUse } of uses) {
      const entry = this.#entries.get(nameOf(key, client));
      if (entry === undefined) continue;
      entry.known = inUse;
      this.#dropIfIdle(entry);
    }
  }

  learn({ key, client, count, others, isHeavy }: SlotNews): void {
    const name = nameOf(key, client);
    const known = this.#entries.get(name);
    const entry = known ?? newEntry(key, client, count);
    entry.others = others;
    entry.isHeavy = isHeavy;
    if (known === undefined && isHeavy) this.#entries.set(name, entry);
    this.#dropIfIdle(entry);
  }

  #note(entry: SlotEntry, isUrgent: boolean): void {
    this.#changed.add(entry);
    this.#onChange(isUrgent);
  }

  #dropIfIdle(entry: SlotEntry): void {
    if (entry.inUse > 0 || entry.known > 0 || entry.isHeavy || this.#changed.has(entry)) return;
    this.#entries.delete(nameOf(entry.key, entry.client));
  }
}

/** How many slots a key has now. */
interface Size {
  count: number;
}

interface SlotEntry {
  readonly key: string;
  readonly client: string;
  count: number;
  inUse: number;
  /** Of these the main process knows. */
  known: number;
  others: number;
  isHeavy: boolean;
}

function newEntry(key: string, client: string, count: number): SlotEntry {
  return { key, client, count, inUse: 0, known: 0, others: 0, isHeavy: false };
}

function mayTake(entry: SlotEntry, workers: number): boolean {
  return entry.inUse + entry.others < entry.count && entry.inUse - entry.known < creditOf(entry, workers);
}

/** How many may be taken that the main process does not know of: a part of what is free, for all that is known here. */
function creditOf({ count, known, others, isHeavy }: SlotEntry, workers: number): number {
  // Nobody else takes any.
  if (workers === 1) return Number.POSITIVE_INFINITY;
  const free = isHeavy ? count - known - others : count / 2;
  return Math.max(1, Math.floor(free / workers));
}

/** One name for the slots of a key and a client; groups of clients hold no space. */
export function nameOf(key: string, client: string): string {
  return client === "" ? key : `${key} ${client}`;
}

class HeldSlots implements Slots {
  readonly #holder: SlotHolder;
  readonly #key: string;
  readonly #client: string;
  readonly #size: Size;

  constructor(holder: SlotHolder, key: string, client: string, size: Size) {
    this.#holder = holder;
    this.#key = key;
    this.#client = client;
    this.#size = size;
  }

  take(): boolean {
    return this.#holder.take(this.#key, this.#client, this.#size.count);
  }

  release(): void {
    this.#holder.release(this.#key, this.#client);
  }
}
