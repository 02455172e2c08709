import type { RouteStats, Stats, UpstreamStats } from "./stats.js";

/** What passes through a route now. */
export interface RouteRates {
  readonly requestsPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly sentBytesPerSecond: number;
  /** 5xx, and answers that were cut off. */
  readonly failuresPerSecond: number;
}

/** What passes between the gateway and a bucket now, in OSS's directions: egress is what OSS sends. */
export interface BucketRates {
  readonly requestsPerSecond: number;
  readonly ingressBytesPerSecond: number;
  readonly egressBytesPerSecond: number;
}

const WINDOW_MS = 10_000;
/** With a sample a second, those of the window and the one it begins after. */
const KEPT = 11;

/**
 * How much passes, over the last 10 s: the difference of the counters between the newest sample and the oldest that is
 * not older than that. Samples that come late make the window longer, never the rate higher.
 */
export class RecentRates {
  readonly #stats: Stats;
  readonly #routes = new Map<string, Totals<RouteStats>>();
  readonly #buckets = new Map<string, Totals<UpstreamStats>>();
  /** Monotonic milliseconds of the samples, the oldest first. */
  readonly #timesMs: number[] = [];

  constructor(stats: Stats) {
    this.#stats = stats;
  }

  /** Takes a sample; to be called once a second. @param nowMs monotonic milliseconds */
  tick(nowMs: number): void {
    const last = this.#timesMs.at(-1);
    if (last !== undefined && nowMs <= last) return;
    this.#timesMs.push(nowMs);
    const outdated = this.#outdated(nowMs);
    this.#timesMs.splice(0, outdated);
    sampleAll(this.#routes, this.#stats.routes, ROUTE_FIELDS, this.#timesMs.length);
    sampleAll(this.#buckets, this.#stats.upstreams, BUCKET_FIELDS, this.#timesMs.length);
  }

  /** By route; all 0 before the second sample. */
  *routes(): Iterable<readonly [route: string, rates: RouteRates]> {
    const seconds = this.#seconds();
    for (const [route, totals] of this.#routes) {
      const rate = (field: number): number => totals.rate(field, seconds);
      yield [
        route,
        {
          requestsPerSecond: rate(0),
          receivedBytesPerSecond: rate(1),
          sentBytesPerSecond: rate(2),
          failuresPerSecond: rate(3),
        },
      ];
    }
  }

  /** By the bucket's alias; all 0 before the second sample. */
  *buckets(): Iterable<readonly [bucket: string, rates: BucketRates]> {
    const seconds = this.#seconds();
    for (const [bucket, totals] of this.#buckets) {
      const rate = (field: number): number => totals.rate(field, seconds);
      yield [bucket, { requestsPerSecond: rate(0), ingressBytesPerSecond: rate(1), egressBytesPerSecond: rate(2) }];
    }
  }

  /** By route: how long requests that ended in the last 10 s took, in seconds; 0 where there were none. */
  *routeMeans(): Iterable<readonly [route: string, seconds: number]> {
    for (const [route, totals] of this.#routes) yield [route, totals.mean(4, 5)];
  }

  /** The same of all routes. */
  wholeMean(): number {
    let [ms, count] = [0, 0];
    for (const totals of this.#routes.values()) {
      ms += totals.growth(4);
      count += totals.growth(5);
    }
    return count === 0 ? 0 : ms / 1_000 / count;
  }

  /** The same by the bucket's alias, of requests that it answered: as clients saw them, and from sending to the end. */
  *bucketMeans(): Iterable<readonly [bucket: string, requestSeconds: number, responseSeconds: number]> {
    for (const [bucket, totals] of this.#buckets) yield [bucket, totals.mean(3, 5), totals.mean(4, 5)];
  }

  /** How many of the oldest samples are not needed: two are always kept, and one at or before the window's begin. */
  #outdated(nowMs: number): number {
    const begin = nowMs - WINDOW_MS;
    let count = 0;
    while (count + 2 < this.#timesMs.length && (this.#timesMs[count + 1] as number) <= begin) count += 1;
    return Math.max(count, this.#timesMs.length - KEPT);
  }

  #seconds(): number {
    return ((this.#timesMs.at(-1) ?? 0) - (this.#timesMs[0] ?? 0)) / 1_000;
  }
}

const ROUTE_FIELDS: readonly ((stats: RouteStats) => number)[] = [
  ({ requestCount }) => requestCount,
  ({ receivedBytes }) => receivedBytes,
  ({ sentBytes }) => sentBytes,
  ({ failureCount }) => failureCount,
  ({ durations }) => durations.sumMs,
  ({ durations }) => durations.count,
];

const BUCKET_FIELDS: readonly ((stats: UpstreamStats) => number)[] = [
  ({ requests }) => requests,
  ({ ingressBytes }) => ingressBytes,
  ({ egressBytes }) => egressBytes,
  ({ requestDurations }) => requestDurations.sumMs,
  ({ responseDurations }) => responseDurations.sumMs,
  ({ responseDurations }) => responseDurations.count,
];

/** The totals of one key, as many samples of each field as there are times. */
class Totals<S> {
  readonly #fields: readonly ((stats: S) => number)[];
  readonly #samples: number[][];

  constructor(fields: readonly ((stats: S) => number)[]) {
    this.#fields = fields;
    this.#samples = fields.map(() => []);
  }

  /** @param kept how many samples are kept, this one included; before a key was known it had counted nothing */
  sample(stats: S, kept: number): void {
    this.#fields.forEach((pick, index) => {
      const samples = this.#samples[index] as number[];
      samples.push(pick(stats));
      while (samples.length < kept) samples.unshift(0);
      samples.splice(0, samples.length - kept);
    });
  }

  rate(field: number, seconds: number): number {
    return seconds === 0 ? 0 : this.growth(field) / seconds;
  }

  /** Seconds for each of what was counted in one field, of the milliseconds in another. */
  mean(msField: number, countField: number): number {
    const count = this.growth(countField);
    return count === 0 ? 0 : this.growth(msField) / 1_000 / count;
  }

  growth(field: number): number {
    const samples = this.#samples[field] as number[];
    return Math.max(0, (samples.at(-1) as number) - (samples[0] as number));
  }
}

function sampleAll<S>(
  totals: Map<string, Totals<S>>,
  stats: ReadonlyMap<string, S>,
  fields: readonly ((stats: S) => number)[],
  kept: number,
): void {
  for (const [key, counters] of stats) {
    let known = totals.get(key);
    if (known === undefined) {
      known = new Totals(fields);
      totals.set(key, known);
    }
    known.sample(counters, kept);
  }
}
