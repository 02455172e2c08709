import { increment } from "./stats-map.js";

/** Upper bounds of the duration histograms in seconds; the last bucket is +Inf. */
export const DURATION_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** A histogram as plain numbers: `counts[i]` is of observations ≤ bound i and above bound i − 1, the last of the rest. */
export class DurationHistogram {
  readonly counts = new Float64Array(DURATION_BOUNDS_S.length + 1);
  sumMs = 0;

  /** Observations so far. */
  get count(): number {
    let count = 0;
    for (let i = 0; i < this.counts.length; i += 1) count += this.counts[i] as number;
    return count;
  }

  observe(durationMs: number): void {
    const seconds = durationMs / 1_000;
    let i = 0;
    while (i < DURATION_BOUNDS_S.length && seconds > (DURATION_BOUNDS_S[i] as number)) i += 1;
    increment(this.counts, i);
    this.sumMs += durationMs;
  }
}
