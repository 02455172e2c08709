import { ERROR_CODES, ERRORS, type ErrorCode } from "../core/errors.js";
import { REFERER_REASONS, type RefererReason } from "../policy/referer.js";
import type { SignatureClass } from "../signing/types.js";
import { DurationHistogram } from "./stats-histogram.js";
import { increment, indexOf, StatsMap } from "./stats-map.js";

/** Request methods as a closed set of labels. */
export const METHOD_LABELS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "other"] as const;

/** Status codes as a closed set of labels: what OSS and the gateway answer with, and one for all others of a class. */
export const CODE_LABELS = [
  ...["101", "1xx"],
  ...["200", "201", "203", "204", "206", "2xx"],
  ...["301", "302", "303", "304", "307", "308", "3xx"],
  ...["400", "401", "403", "404", "405", "408", "409", "411", "412", "413", "414", "416", "417", "421", "424"],
  ...["429", "431", "499", "4xx"],
  ...["500", "501", "502", "503", "504", "5xx"],
] as const;

/** What a limit is of, and whose it is: a route's for all its clients, a client's, a bucket's. */
export const LIMIT_LABELS = ["requests", "connections", "egress", "ingress"] as const;
export const PARTY_LABELS = ["all", "client", "bucket"] as const;
export type LimitLabel = (typeof LIMIT_LABELS)[number];
export type PartyLabel = (typeof PARTY_LABELS)[number];

/** The label of requests whose bucket was not known when they were refused, or that are for none. */
export const NO_BUCKET = "-";

const METHOD_INDEX = indexOf(METHOD_LABELS);
const ERROR_INDEX = indexOf(ERROR_CODES);
const LIMIT_INDEX = indexOf(LIMIT_LABELS);
const PARTY_INDEX = indexOf(PARTY_LABELS);
const REFERER_INDEX = indexOf(REFERER_REASONS);

/** By status: the place of its label. */
const CODE_INDEX: Uint8Array = codeIndexes();

function codeIndexes(): Uint8Array {
  const labels: readonly string[] = CODE_LABELS;
  return Uint8Array.from({ length: 600 }, (_, status) => {
    const exact = labels.indexOf(String(status));
    return exact !== -1 ? exact : labels.indexOf(`${Math.max(1, Math.trunc(status / 100))}xx`);
  });
}

/** The place of a status in {@link CODE_LABELS}; what is no status of HTTP counts as 1xx, or as 5xx. */
export function codeIndex(status: number): number {
  return CODE_INDEX[Math.min(Math.max(Math.trunc(status), 0), 599)] as number;
}

/** The place in {@link RequestCounts.counts}. */
export function requestsIndex(methodIndex: number, codeLabelIndex: number): number {
  return methodIndex * CODE_LABELS.length + codeLabelIndex;
}

/** Requests of one signature class. */
export class RequestCounts {
  /** By method and status: see {@link requestsIndex}. */
  readonly counts = new Float64Array(METHOD_LABELS.length * CODE_LABELS.length);
}

/** What one route served of one bucket. */
export class RouteBucketStats {
  /** By signature class. */
  readonly requests = new StatsMap(() => new RequestCounts());
  /** All of {@link requests}. */
  requestCount = 0;
  /** Of those, what went wrong on our side of the client: 5xx, and answers that were cut off. */
  failureCount = 0;
  /** Bytes of bodies from and to clients, while they pass. */
  receivedBytes = 0;
  sentBytes = 0;
  /** The same between the gateway and OSS, in OSS's directions: egress is what OSS sends. */
  egressBytes = 0;
  ingressBytes = 0;
}

/** A request that has ended. */
export interface EndedRequest {
  readonly signature: SignatureClass;
  readonly method: string;
  readonly status: number;
  /** The bucket's alias, or {@link NO_BUCKET}. */
  readonly bucket: string;
  /** `null`: nothing was refused here, and nothing failed. */
  readonly errorCode: ErrorCode | null;
}

/**
 * The counters of one route, as plain numbers that Prometheus reads at a scrape: a bin costs 8 ns, a labelled counter
 * of prom-client 180 to 450 (architecture §5).
 */
export class RouteStats {
  readonly route: string;
  /** By the bucket's alias. */
  readonly buckets = new StatsMap(() => new RouteBucketStats());
  readonly durations = new DurationHistogram();
  readonly upstreamFirstByte = new DurationHistogram();
  /** Faults and refusals by their place in `ERROR_CODES`. */
  readonly errors = new Float64Array(ERROR_CODES.length);
  /** What was over a limit: see {@link limitedIndex}. */
  readonly limited = new Float64Array(LIMIT_LABELS.length * PARTY_LABELS.length * 2);
  /** Referers that were refused: see {@link refererIndex}. */
  readonly refererRefusals = new Float64Array(REFERER_REASONS.length * 2);
  inFlight = 0;
  retries = 0;
  /** Transfers that run now and whose bandwidth is limited. */
  pacedEgress = 0;
  pacedIngress = 0;

  constructor(route: string) {
    this.route = route;
  }

  get receivedBytes(): number {
    return this.#sum((bucket) => bucket.receivedBytes);
  }

  get sentBytes(): number {
    return this.#sum((bucket) => bucket.sentBytes);
  }

  get requestCount(): number {
    return this.#sum((bucket) => bucket.requestCount);
  }

  get failureCount(): number {
    return this.#sum((bucket) => bucket.failureCount);
  }

  #sum(pick: (bucket: RouteBucketStats) => number): number {
    let sum = 0;
    for (const bucket of this.buckets.values()) sum += pick(bucket);
    return sum;
  }

  countRequest({ signature, method, status, bucket, errorCode }: EndedRequest): void {
    const stats = this.buckets.of(bucket);
    const methodIndex = METHOD_INDEX.get(method) ?? METHOD_LABELS.length - 1;
    increment(stats.requests.of(signature).counts, requestsIndex(methodIndex, codeIndex(status)));
    stats.requestCount += 1;
    if (errorCode !== null) this.countError(errorCode);
    if (status >= 500 || (errorCode !== null && ERRORS[errorCode].origin !== "client")) stats.failureCount += 1;
  }

  countError(code: ErrorCode): void {
    increment(this.errors, ERROR_INDEX.get(code) as number);
  }

  /** @param enforced false in a dry run: the request went on */
  countLimited(limit: LimitLabel, party: PartyLabel, enforced: boolean): void {
    const limitIndex = LIMIT_INDEX.get(limit) as number;
    increment(this.limited, limitedIndex(limitIndex, PARTY_INDEX.get(party) as number, enforced));
  }

  /** @param enforced false in `mode: report`: the request went on */
  countReferer(reason: RefererReason, enforced: boolean): void {
    increment(this.refererRefusals, refererIndex(REFERER_INDEX.get(reason) as number, enforced));
  }
}

/** The place in {@link RouteStats.limited}. */
export function limitedIndex(limitIndex: number, partyIndex: number, enforced: boolean): number {
  return (limitIndex * PARTY_LABELS.length + partyIndex) * 2 + (enforced ? 1 : 0);
}

/** The place in {@link RouteStats.refererRefusals}. */
export function refererIndex(reasonIndex: number, enforced: boolean): number {
  return reasonIndex * 2 + (enforced ? 1 : 0);
}
