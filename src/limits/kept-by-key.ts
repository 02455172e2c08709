/** What keys stand for: made once each, whoever asks first, and changed or forgotten only on purpose. */
export class KeptByKey<Said, Made> {
  readonly #make: (said: Said) => Made;
  readonly #all = new Map<string, Made>();

  constructor(make: (said: Said) => Made) {
    this.#make = make;
  }

  /** @param said what it is made with, if it is not there yet */
  of(key: string, said: Said): Made {
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    const made = this.#make(said);
    this.#all.set(key, made);
    return made;
  }

  resize(sizes: ReadonlyMap<string, Said>, change: (made: Made, said: Said) => void): void {
    for (const [key, said] of sizes) {
      const known = this.#all.get(key);
      if (known !== undefined) change(known, said);
    }
  }

  /** @param onForgotten told of each that is not there any more */
  keep(isUsed: (key: string) => boolean, onForgotten: (made: Made) => void = () => {}): void {
    for (const [key, made] of this.#all) {
      if (isUsed(key)) continue;
      this.#all.delete(key);
      onForgotten(made);
    }
  }

  get size(): number {
    return this.#all.size;
  }
}
