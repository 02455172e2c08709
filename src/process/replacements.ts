const FIRST_BACK_OFF_MS = 100;
const LAST_BACK_OFF_MS = 10_000;
/** A worker that served for so long was good: the next begins at once, and to begin each time costs little of it. */
const GOOD_AFTER_MS = 5_000;
/** So soon after its start an end means that it cannot run at all … */
const FAST_DEATH_MS = 5_000;
/** … when it happens so often in a row before the program has served. */
export const MAX_FAST_DEATHS = 3;

/** A worker that ended, or that the system could not give. */
export interface EndedWorker {
  readonly number: number;
  /** 0: it never had one. */
  readonly pid: number;
  /** Monotonic milliseconds, as are the others. */
  readonly startedMs: number;
  /** `null`: it never served. */
  readonly servingSinceMs: number | null;
}

/** When workers that ended are followed by others: each number waits by itself, longer each time. */
export class Replacements {
  /** By number: those that wait. */
  readonly #waiting = new Map<number, NodeJS.Timeout>();
  /** By number: how long its next worker waits. Workers that end seldom do not wait for others that end often. */
  readonly #backOffsMs = new Map<number, number>();
  #fastDeaths = 0;

  /** Whether one waits. */
  has(number: number): boolean {
    return this.#waiting.has(number);
  }

  /** A worker serves, so that it is not the program that cannot run. */
  served(): void {
    this.#fastDeaths = 0;
  }

  /** Before the program has served: @returns whether so many ended right after their start that it never will */
  areHopeless({ startedMs }: EndedWorker, nowMs: number): boolean {
    if (nowMs - startedMs >= FAST_DEATH_MS) return false;
    this.#fastDeaths += 1;
    return this.#fastDeaths >= MAX_FAST_DEATHS;
  }

  /** @returns after how many milliseconds the next begins */
  begin({ number, servingSinceMs }: EndedWorker, nowMs: number, begin: () => void): number {
    const wasGood = servingSinceMs !== null && nowMs - servingSinceMs >= GOOD_AFTER_MS;
    const backOffMs = wasGood ? FIRST_BACK_OFF_MS : (this.#backOffsMs.get(number) ?? FIRST_BACK_OFF_MS);
    this.#backOffsMs.set(number, Math.min(LAST_BACK_OFF_MS, backOffMs * 2));
    this.cancel(number);
    const timer = setTimeout(() => {
      this.#waiting.delete(number);
      begin();
    }, backOffMs);
    this.#waiting.set(number, timer);
    return backOffMs;
  }

  cancel(number: number): void {
    clearTimeout(this.#waiting.get(number));
    this.#waiting.delete(number);
  }

  /** Those of numbers above `count`; absent: all. */
  cancelAbove(count = 0): void {
    for (const number of [...this.#waiting.keys()]) if (number > count) this.cancel(number);
  }
}
