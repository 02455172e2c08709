import { Queue, type Queued } from "./pacer-queue.js";

const SLOTS = 32;

/** What sleeps until a time, by turns of a clock of 32 slots: thousands of sleepers cost nothing until they wake. */
export class Wheel<T extends Queued<T>> {
  readonly #tickMs: number;
  readonly #slots: readonly Queue<T>[] = Array.from({ length: SLOTS }, () => new Queue<T>());
  #lastTick = 0;
  #size = 0;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** @param delayMs is cut to what the wheel holds, some 30 ticks; who wakes too early asks again */
  add(item: T, delayMs: number, nowMs: number): void {
    const nowTick = Math.floor(nowMs / this.#tickMs);
    if (this.#size === 0) this.#lastTick = nowTick;
    const dueTick = Math.ceil((nowMs + delayMs) / this.#tickMs);
    this.#slots[Math.min(Math.max(nowTick + 1, dueTick), nowTick + SLOTS - 2) % SLOTS]?.push(item);
    this.#size += 1;
  }

  /** @param item sleeps here */
  remove(item: T): void {
    item.queue?.remove(item);
    this.#size -= 1;
  }

  /** Calls for each whose time has come, after it was taken out. */
  wake(nowMs: number, onWake: (item: T) => void): void {
    if (this.#size === 0) return;
    const nowTick = Math.floor(nowMs / this.#tickMs);
    // After a long pause every slot is due, and once round is enough.
    for (let tick = Math.max(this.#lastTick + 1, nowTick - SLOTS + 1); tick <= nowTick; tick += 1) {
      const slot = this.#slots[tick % SLOTS] as Queue<T>;
      for (let item = slot.first; item !== null; item = slot.first) {
        this.remove(item);
        onWake(item);
      }
    }
    this.#lastTick = Math.max(this.#lastTick, nowTick);
  }
}
