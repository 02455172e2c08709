/**
 * A token bucket in plain numbers: it fills at a rate up to a burst, and over any window of T seconds at most
 * rate × T + burst are taken from it. Starts full. Who needs several to agree on time passes them the same clock.
 */
export class TokenBucket {
  #ratePerMs: number;
  #burst: number;
  /** Below 0: owed. As of `#updatedMs`. */
  #level: number;
  #updatedMs = Number.NEGATIVE_INFINITY;

  /**
   * @param ratePerSecond above 0, fractions too
   * @param burst at least 1
   */
  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerMs = ratePerSecond / 1000;
    this.#burst = burst;
    this.#level = burst;
  }

  /**
   * Takes all or nothing.
   * @param nowMs monotonic milliseconds; a clock that goes back gives nothing until it is where it was
   * @param reserve what must be left; where the burst cannot hold both, as much of it as it can
   * @returns 0 when it was taken; otherwise the milliseconds, at least 1, after which it is there if nobody else takes
   * of it, or Infinity when it is more than the burst
   */
  take(count: number, nowMs: number, reserve = 0): number {
    this.#refill(nowMs);
    const missing = count + Math.max(0, Math.min(reserve, this.#burst - count)) - this.#level;
    if (missing <= ROUNDING) {
      this.#level -= count;
      return 0;
    }
    return count > this.#burst ? Number.POSITIVE_INFINITY : this.#msToGain(missing);
  }

  /** @returns what was taken: a whole number, `maxCount` at most and 0 when nothing is there beyond the reserve */
  takeUpTo(maxCount: number, nowMs: number, reserve = 0): number {
    this.#refill(nowMs);
    const there = Math.floor(this.#level - Math.min(reserve, this.#burst - 1) + ROUNDING);
    const taken = Math.max(0, Math.min(maxCount, there));
    this.#level -= taken;
    return taken;
  }

  /**
   * Takes what is spent already, there or not. What is owed is bounded, so that no mistake closes a budget for good.
   * @returns milliseconds until nothing is owed
   */
  charge(count: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#level = Math.max(this.#level - count, -MAX_DEBT_MS * this.#ratePerMs - this.#burst);
    return this.#level >= -ROUNDING ? 0 : this.#msToGain(-this.#level);
  }

  /** Puts back what was taken and not spent; what the burst cannot hold is lost. */
  giveBack(count: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level = Math.min(this.#burst, this.#level + count);
  }

  /** What may be taken at once; below 0: owed. */
  level(nowMs: number): number {
    this.#refill(nowMs);
    return this.#level;
  }

  /** Goes on with another rate and burst; what is there beyond the new burst is lost. */
  retune(ratePerSecond: number, burst: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#ratePerMs = ratePerSecond / 1000;
    this.#burst = burst;
    this.#level = Math.min(this.#level, burst);
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#updatedMs) return;
    this.#level = Math.min(this.#burst, this.#level + (nowMs - this.#updatedMs) * this.#ratePerMs);
    this.#updatedMs = nowMs;
  }

  #msToGain(count: number): number {
    return Math.max(1, Math.ceil(count / this.#ratePerMs - ROUNDING));
  }
}

/** What sums of fractions may be off by. It is carried along: what was taken too early is missing later. */
const ROUNDING = 1e-6;

const MAX_DEBT_MS = 60_000;
