/**
 * What several configurations may have in common: made when the first one needs it, ended when the last one lets go. So
 * what a new configuration says in the same words is the same thing, with its connections and with what it knows.
 */
export class Holdings<T> {
  readonly #entries = new Map<string, { readonly value: T; holders: number }>();
  readonly #end: (value: T) => void;

  constructor(end: (value: T) => void) {
    this.#end = end;
  }

  /**
   * Finds what is held under the key, or makes it; {@link letGo} must follow once.
   * @param key all that decides what it is
   */
  hold(key: string, make: () => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.holders += 1;
      return known.value;
    }
    const value = make();
    this.#entries.set(key, { value, holders: 1 });
    return value;
  }

  letGo(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.holders -= 1;
    if (entry.holders > 0) return;
    this.#entries.delete(key);
    this.#end(entry.value);
  }

  get size(): number {
    return this.#entries.size;
  }
}

/** One holder of {@link Holdings}: remembers what it holds, so as to let go of all of it together. */
export class Holder {
  #lets: (() => void)[] = [];

  hold<T>(holdings: Holdings<T>, key: string, make: () => T): T {
    const value = holdings.hold(key, make);
    this.#lets.push(() => holdings.letGo(key));
    return value;
  }

  /** Idempotent. What was made of others ends before them. */
  letGo(): void {
    const lets = this.#lets.reverse();
    this.#lets = [];
    for (const letGo of lets) letGo();
  }
}
