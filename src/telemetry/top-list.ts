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
  /** What of `count` was told: see {@link TopList.take}. */
  told: number;
}

/** A key and how often it came, between processes. */
export type TopNews = readonly [key: string, times: number];

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

  note(key: string, times = 1): void {
    const name = key.length > MAX_KEY_CHARACTERS ? key.slice(0, MAX_KEY_CHARACTERS) : key;
    const counted = this.#counted.get(name);
    if (counted !== undefined) this.#count(name, counted, times);
    else this.#add(flat(name), times);
  }

  /** What came since this was called last, to be {@link add}ed elsewhere; what lost its place in between is left out. */
  take(): readonly TopNews[] {
    const news: TopNews[] = [];
    for (const [key, counted] of this.#counted) {
      if (counted.count > counted.told) news.push([key, counted.count - counted.told]);
      counted.told = counted.count;
    }
    return news;
  }

  /** Joins what another process has seen. */
  add(news: readonly TopNews[]): void {
    for (const [key, times] of news) this.note(key, times);
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

  #count(key: string, counted: Counted, times: number): void {
    this.#leave(key, counted.count);
    counted.count += times;
    this.#enter(key, counted.count);
    this.#raiseLowest();
  }

  #add(key: string, times: number): void {
    const inherited = this.#counted.size < this.#capacity ? 0 : this.#dropOne();
    const counted = { count: inherited + times, inherited, told: inherited };
    this.#counted.set(key, counted);
    this.#enter(key, counted.count);
    if (counted.count < this.#lowest) this.#lowest = counted.count;
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

  /** Whoever left the lowest count last mostly went up by one, and then the new lowest is no further away. */
  #raiseLowest(): void {
    if (this.#keysByCount.has(this.#lowest)) return;
    this.#lowest += 1;
    if (!this.#keysByCount.has(this.#lowest)) this.#lowest = Math.min(...this.#keysByCount.keys());
  }
}

/** A copy of its own: a part of a header's text would keep all of that text. */
function flat(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}
