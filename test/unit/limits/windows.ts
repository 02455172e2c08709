/** How many passed when; in the order of time. */
export interface Passed {
  readonly atMs: number;
  readonly count: number;
}

/**
 * The most by which what passed in any window is above rate × T + burst; at or below 0 when it is within.
 * A window holds its ends.
 */
export function excess(passed: readonly Passed[], ratePerSecond: number, burst: number): number {
  let sum = 0;
  let lowest = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const { atMs, count } of passed) {
    const dueByRate = (atMs / 1000) * ratePerSecond;
    lowest = Math.min(lowest, sum - dueByRate);
    sum += count;
    most = Math.max(most, sum - dueByRate - lowest - burst);
  }
  return most;
}

/** What passed from one time to another. */
export function passedBetween(passed: readonly Passed[], fromMs: number, toMs: number): number {
  return passed.reduce((sum, { atMs, count }) => sum + (atMs >= fromMs && atMs < toMs ? count : 0), 0);
}
