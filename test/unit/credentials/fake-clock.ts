import type { Clock } from "../../../src/credentials/clock.js";

/** A clock that stands until a test moves it. Its timers run by elapsed time, as Node's do, not by the wall clock. */
export class FakeClock implements Clock {
  chance = 0;
  #wallMs: number;
  #elapsedMs = 0;
  readonly #timers = new Map<number, { readonly callback: () => void; readonly atMs: number }>();
  #last = 0;

  constructor(wallMs = Date.parse("2025-06-01T12:00:00Z")) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs + this.#elapsedMs;
  }

  random(): number {
    return this.chance;
  }

  setTimer(callback: () => void, delayMs: number): number {
    this.#last += 1;
    this.#timers.set(this.#last, { callback, atMs: this.#elapsedMs + delayMs });
    return this.#last;
  }

  clearTimer(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock forward or back; no time passes. */
  setBy(changeMs: number): void {
    this.#wallMs += changeMs;
  }

  /** Lets time pass, timer by timer, with all that follows at once from each. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#elapsedMs + byMs;
    for (let handle = this.#firstDue(endMs); handle !== null; handle = this.#firstDue(endMs)) {
      const timer = this.#timers.get(handle);
      this.#timers.delete(handle);
      this.#elapsedMs = Math.max(this.#elapsedMs, timer?.atMs ?? 0);
      timer?.callback();
      await settled();
    }
    this.#elapsedMs = endMs;
  }

  #firstDue(endMs: number): number | null {
    const due = [...this.#timers].filter(([, { atMs }]) => atMs <= endMs);
    return due.sort(([, a], [, b]) => a.atMs - b.atMs)[0]?.[0] ?? null;
  }
}

/** Everything that waits for promises only has had its turn. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
