import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the event loop is looked at. */
const RESOLUTION_MS = 20;
/** A window ends after this; what is told is of the last full one and of the one that runs. */
const WINDOW_MS = 10_000;
const NS_PER_MS = 1e6;

export interface Lag {
  /** Milliseconds that 99 of 100 looks were late at most, and the latest of all. */
  readonly p99: number;
  readonly max: number;
}

const NONE: Lag = { p99: 0, max: 0 };

/** How late this process's event loop is, over the last 10 to 20 s, whoever asks and how often. */
export class EventLoopLag {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #previous = NONE;
  #beganMs: number;

  /** @param nowMs monotonic milliseconds */
  constructor(nowMs: number) {
    this.#beganMs = nowMs;
    this.#delays.enable();
  }

  /** @param nowMs monotonic milliseconds */
  lately(nowMs: number): Lag {
    const running = this.#running();
    const lag = { p99: Math.max(running.p99, this.#previous.p99), max: Math.max(running.max, this.#previous.max) };
    if (nowMs - this.#beganMs >= WINDOW_MS) {
      this.#previous = running;
      this.#beganMs = nowMs;
      this.#delays.reset();
    }
    return lag;
  }

  stop(): void {
    this.#delays.disable();
  }

  /** Node counts the time between two looks, which is the resolution at least. */
  #running(): Lag {
    if (this.#delays.count === 0) return NONE;
    return { p99: lateness(this.#delays.percentile(99)), max: lateness(this.#delays.max) };
  }
}

function lateness(betweenNs: number): number {
  return Math.max(0, betweenNs / NS_PER_MS - RESOLUTION_MS);
}
