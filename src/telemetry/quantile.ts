import { DURATION_BOUNDS_S } from "./stats.js";

/**
 * A quantile of a histogram of durations, as Prometheus's `histogram_quantile` reads it: evenly spread within a bucket,
 * the highest bound for what is above it.
 * @param counts as `DurationHistogram.counts`
 * @param quantile 0 to 1
 * @returns milliseconds, `NaN` when nothing was observed
 */
export function quantileMs(counts: Float64Array, quantile: number): number {
  let total = 0;
  for (const count of counts) total += count;
  if (total === 0) return Number.NaN;
  const rank = quantile * total;
  let below = 0;
  for (let i = 0; i < DURATION_BOUNDS_S.length; i += 1) {
    const count = counts[i] as number;
    if (count > 0 && below + count >= rank) {
      const lowerS = i === 0 ? 0 : (DURATION_BOUNDS_S[i - 1] as number);
      const upperS = DURATION_BOUNDS_S[i] as number;
      return (lowerS + ((upperS - lowerS) * Math.max(0, rank - below)) / count) * 1_000;
    }
    below += count;
  }
  return (DURATION_BOUNDS_S.at(-1) as number) * 1_000;
}
