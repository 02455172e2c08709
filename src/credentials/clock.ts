/** Time, timers and chance, as one thing that a test can take the place of. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  setTimer(callback: () => void, delayMs: number): unknown;
  clearTimer(handle: unknown): void;
  /** From 0 to below 1. */
  random(): number;
}

/** Node's own; its timers do not keep the process alive. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clearTimer: (handle) => clearTimeout(handle as NodeJS.Timeout),
  random: () => Math.random(),
};
