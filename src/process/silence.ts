/** So often in a row a worker must have left a question without an answer … */
const MIN_MISSES = 10;

/**
 * How long a worker has said nothing although it was asked. Both count: one that was asked by many at once is not gone
 * for it, and when this process was stopped itself, what workers said meanwhile is read before they are asked as often.
 */
export class Silence {
  #misses = 0;
  #sinceMs: number | null = null;

  /** It said something, whatever that was. */
  heard(): void {
    this.#misses = 0;
    this.#sinceMs = null;
  }

  /** It did not answer in time. */
  missed(): void {
    this.#misses += 1;
  }

  /**
   * To be asked behind each question.
   * @param nowMs monotonic milliseconds
   * @returns whether it has lasted for so long
   */
  lasts(limitMs: number, nowMs: number): boolean {
    if (this.#misses === 0) return false;
    this.#sinceMs ??= nowMs;
    return this.#misses >= MIN_MISSES && nowMs - this.#sinceMs >= limitMs;
  }
}
