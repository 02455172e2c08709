const DEFAULT_CAPACITY = 256;
const MAX_KEY_CHARACTERS = 256;

/** One key of a top list. */
export interface TopEntry {
  readonly key: string;
  /** How often it was seen, at most. */
  readonly count: number;
  /** How often it was seen for sure: less than `count` for a key that took the place of another. */
  readonly atLeast: number;
}

interface Counted {
  count: number;
  /** The count of the key whose place it took: what it may owe to others. */
  readonly inherited: number;
}

/**
 * The keys that are seen most, in bounded memory (Space-Saving; Metwally et al., 2005): a new key takes the place of the
 * one with the lowest count. Whatever else comes by, a key with more than its share, one in `capacity`, is on the list;
 * so nobody hides one by sending many others. Keys of more than 256 characters are cut.
 */
export class TopList {
  readonly #capacity: number;
  readonly #counted = new Map<string, Counted>();
  /** The keys by their count, so that each step takes the same time however long the list is. */
  readonly #keysByCount = new Map<number, Set<string>>();
  #lowest = 1;

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  note(key: string): void {
    const name = key.length > MAX_KEY_CHARACTERS ? key.slice(0, MAX_KEY_CHARACTERS) : key;
    const counted = this.#counted.get(name);
    if (counted !== undefined) this.#count(name, counted);
    else this.#add(flat(name));
  }

  /** The first `limit` of the list, those seen most for sure first. */
  top(limit: number): TopEntry[] {
    const entries = [...this.#counted].map(([key, { count, inherited }]) => ({
      key,
      count,
      atLeast: count - inherited,
    }));
    return entries.sort((a, b) => b.atLeast - a.atLeast || b.count - a.count).slice(0, limit);
  }

  #count(key: string, counted: Counted): void {
    this.#leave(key, counted.count);
    counted.count += 1;
    this.#enter(key, counted.count);
    this.#raiseLowest();
  }

  #add(key: string): void {
    const inherited = this.#counted.size < this.#capacity ? 0 : this.#dropOne();
    const counted = { count: inherited + 1, inherited };
    this.#counted.set(key, counted);
    this.#enter(key, counted.count);
    if (inherited === 0) this.#lowest = 1;
    else this.#raiseLowest();
  }

  /** Drops the key that has been at the lowest count for longest; returns that count. */
  #dropOne(): number {
    const [key] = this.#keysByCount.get(this.#lowest) ?? [];
    if (key !== undefined) {
      this.#leave(key, this.#lowest);
      this.#counted.delete(key);
    }
    return this.#lowest;
  }

  #enter(key: string, count: number): void {
    const keys = this.#keysByCount.get(count);
    if (keys === undefined) this.#keysByCount.set(count, new Set([key]));
    else keys.add(key);
  }

  #leave(key: string, count: number): void {
    const keys = this.#keysByCount.get(count);
    if (keys?.delete(key) && keys.size === 0) this.#keysByCount.delete(count);
  }

  /** Whoever left the lowest count last went up by one, so the new lowest is no further away. */
  #raiseLowest(): void {
    if (!this.#keysByCount.has(this.#lowest)) this.#lowest += 1;
  }
}

/** A copy of its own: a part of a header's text would keep all of that text. */
function flat(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}
