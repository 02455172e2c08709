/** Counters by a key from a closed set; those of a new key are made when they are first asked for. */
export class StatsMap<V> extends Map<string, V> {
  readonly #make: (key: string) => V;

  constructor(make: (key: string) => V) {
    super();
    this.#make = make;
  }

  /** What is counted of a key, from 0 on. */
  of(key: string): V {
    let counters = this.get(key);
    if (counters === undefined) {
      counters = this.#make(key);
      this.set(key, counters);
    }
    return counters;
  }
}

/** The place of each label in an array of counts. */
export function indexOf(labels: readonly string[]): ReadonlyMap<string, number> {
  return new Map(labels.map((label, index) => [label, index]));
}

export function increment(counts: Float64Array, index: number, by = 1): void {
  counts[index] = (counts[index] as number) + by;
}
