import { ERROR_CODES, ERRORS } from "../core/errors.js";
import { quantileMs } from "./quantile.js";
import { DURATION_BOUNDS_S, type RouteStats } from "./stats.js";

/**
 * Rates are per second, latencies milliseconds. `refused` is what the gateway refused, `failed` 5xx and answers that
 * were cut off.
 */
export const SERIES = ["requests", "refused", "failed", "sentBytes", "receivedBytes", "p50", "p95", "p99"] as const;
export type SeriesName = (typeof SERIES)[number];

const RATES = ["requests", "refused", "failed", "sentBytes", "receivedBytes"] as const;
type RateName = (typeof RATES)[number];
const QUANTILES = [
  ["p50", 0.5],
  ["p95", 0.95],
  ["p99", 0.99],
] as const;

/** What passes now. */
export interface TrackNow {
  /** Per second, over the last 10 s. */
  readonly requests: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Of the answers of the last minute; `null` where there were none. */
  readonly refusedRatio: number | null;
  readonly failedRatio: number | null;
  /** Milliseconds, over the last minute. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Samples come once a second: so many are 10 s, and a minute. */
const SHORT = 10;
const LONG = 60;
const BINS = DURATION_BOUNDS_S.length + 1;
/** Totals of one sample: the rates, then the bins of the durations. */
const WIDTH = RATES.length + BINS;
/** One more, for what was before the first. */
const KEPT = LONG + 1;
const INDEX = Object.fromEntries(RATES.map((name, i) => [name, i])) as Readonly<Record<RateName, number>>;
/** The places of refusals in `RouteStats.errors`; a client that leaves is none. */
const REFUSALS: readonly number[] = ERROR_CODES.flatMap((code, place) =>
  ERRORS[code].origin === "client" && code !== "CLIENT_GONE" ? [place] : [],
);

/**
 * One line of the history. Totals of the last minute are kept as they were sampled, what is older as rates. Takes about
 * 20 KiB.
 */
export class HistoryTrack {
  readonly #slots: number;
  readonly #series: Readonly<Record<SeriesName, Float64Array>>;
  readonly #samples = new Float64Array(KEPT * WIDTH);
  readonly #timesMs = new Float64Array(KEPT);
  #count = 0;
  #slot = 0;
  /** Totals, and when, at the end of the last slot. */
  readonly #closed = new Float64Array(WIDTH);
  #closedMs = 0;

  /** @param sinceMs since when there was nothing, monotonic; `null`: what the first sample says was before */
  constructor(slots: number, sinceMs: number | null) {
    this.#slots = slots;
    if (sinceMs !== null) {
      this.#timesMs[0] = sinceMs;
      this.#closedMs = sinceMs;
      this.#count = 1;
    }
    this.#series = Object.fromEntries(
      SERIES.map((name) => [name, new Float64Array(slots).fill(Number.NaN)]),
    ) as unknown as Record<SeriesName, Float64Array>;
  }

  /** Begins a sample; then {@link count} for each route that belongs to it, then {@link end}. */
  begin(nowMs: number): void {
    this.#timesMs[this.#count % KEPT] = nowMs;
    this.#current().fill(0);
  }

  count(stats: RouteStats): void {
    const totals = this.#current();
    const { durations, errors } = stats;
    add(totals, INDEX.requests, stats.requestCount);
    for (const place of REFUSALS) add(totals, INDEX.refused, errors[place] as number);
    add(totals, INDEX.failed, stats.failureCount);
    add(totals, INDEX.sentBytes, stats.sentBytes);
    add(totals, INDEX.receivedBytes, stats.receivedBytes);
    for (let i = 0; i < BINS; i += 1) add(totals, RATES.length + i, durations.counts[i] as number);
  }

  end(): void {
    if (this.#count === 0) {
      this.#closed.set(this.#current());
      this.#closedMs = this.#timesMs[0] as number;
    }
    this.#count += 1;
  }

  /** Ends `passed` slots, of which all but the last are unknown. */
  close(passed: number): void {
    for (let i = 1; i < passed; i += 1) this.#write(null);
    this.#write(this.#sample(0));
  }

  now(): TrackNow {
    const short = this.#since(SHORT);
    const long = this.#since(LONG);
    const answers = long.of("requests");
    const ratio = (amount: number): number | null => (answers > 0 ? Math.min(1, amount / answers) : null);
    const quantile = (q: number): number | null => {
      const ms = quantileMs(long.bins(), q);
      return Number.isNaN(ms) ? null : ms;
    };
    return {
      requests: short.perSecond("requests"),
      sentBytes: short.perSecond("sentBytes"),
      receivedBytes: short.perSecond("receivedBytes"),
      refusedRatio: ratio(long.of("refused")),
      failedRatio: ratio(long.of("failed")),
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
    };
  }

  /** The last `wanted` points. */
  points(series: SeriesName, wanted: number): (number | null)[] {
    const values = this.#series[series];
    const points: (number | null)[] = [];
    for (let back = wanted; back >= 1; back -= 1) {
      const slot = this.#slot - back;
      const value = slot < 0 ? Number.NaN : (values[slot % this.#slots] as number);
      points.push(Number.isNaN(value) ? null : value);
    }
    return points;
  }

  #write(totals: Float64Array | null): void {
    const at = this.#slot % this.#slots;
    this.#slot += 1;
    if (totals === null) {
      for (const name of SERIES) this.#series[name][at] = Number.NaN;
      return;
    }
    const endMs = this.#timesMs[(this.#count - 1) % KEPT] as number;
    const change = new Change(totals, this.#closed, endMs - this.#closedMs);
    for (const name of RATES) this.#series[name][at] = change.perSecond(name);
    const bins = change.bins();
    for (const [name, q] of QUANTILES) this.#series[name][at] = quantileMs(bins, q);
    this.#closed.set(totals);
    this.#closedMs = endMs;
  }

  #current(): Float64Array {
    return this.#at(this.#count % KEPT);
  }

  #at(index: number): Float64Array {
    return this.#samples.subarray(index * WIDTH, (index + 1) * WIDTH);
  }

  /** @param back 0 is the last one */
  #sample(back: number): Float64Array {
    return this.#at((this.#count - 1 - back) % KEPT);
  }

  #since(samples: number): Change {
    const back = Math.min(samples, this.#count - 1);
    const passedMs =
      (this.#timesMs[(this.#count - 1) % KEPT] as number) - (this.#timesMs[(this.#count - 1 - back) % KEPT] as number);
    return new Change(this.#sample(0), this.#sample(back), passedMs);
  }
}

/** What was counted between two samples. */
class Change {
  readonly #to: Float64Array;
  readonly #from: Float64Array;
  readonly #passedMs: number;

  constructor(to: Float64Array, from: Float64Array, passedMs: number) {
    this.#to = to;
    this.#from = from;
    this.#passedMs = passedMs;
  }

  of(name: RateName): number {
    return this.#at(INDEX[name]);
  }

  perSecond(name: RateName): number {
    return this.#passedMs > 0 ? (this.of(name) * 1_000) / this.#passedMs : 0;
  }

  bins(): Float64Array {
    const bins = new Float64Array(BINS);
    for (let i = 0; i < BINS; i += 1) bins[i] = this.#at(RATES.length + i);
    return bins;
  }

  #at(index: number): number {
    return Math.max(0, (this.#to[index] as number) - (this.#from[index] as number));
  }
}

function add(totals: Float64Array, index: number, amount: number): void {
  totals[index] = (totals[index] as number) + amount;
}
