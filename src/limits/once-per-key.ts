/**
 * Makes what a key stands for once, whoever asks first.
 * @param make called with what the first who asks says; later ones must say the same of the key
 */
export function oncePerKey<Said, Made>(
  make: (key: string, said: Said) => Made,
  isSame: (one: Said, other: Said) => boolean,
): (key: string, said: Said) => Made {
  const all = new Map<string, { readonly said: Said; readonly made: Made }>();
  return (key, said) => {
    const known = all.get(key);
    if (known === undefined) {
      const made = make(key, said);
      all.set(key, { said, made });
      return made;
    }
    if (!isSame(known.said, said)) throw new Error(`Two budgets of different size have the key ${key}.`);
    return known.made;
  };
}

/** For sizes that are plain numbers. */
export function isSameNumber(one: number, other: number): boolean {
  return one === other;
}

/** For rates; what each holder leaves to others may differ. */
export function isSameRate(one: RateSize, other: RateSize): boolean {
  return one.ratePerSecond === other.ratePerSecond && one.burst === other.burst;
}

interface RateSize {
  readonly ratePerSecond: number;
  readonly burst: number;
}
