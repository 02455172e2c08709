import { ERROR_CODES, type ErrorCode } from "../core/errors.js";
import { REFERER_REASONS, type RefererReason } from "../policy/referer.js";
import { refererHost } from "../policy/referer-host.js";
import { ThrottledAnswers } from "./throttled-answers.js";
import type { QuotaScope } from "./throttling-events.js";
import { QuotaStats } from "./throttling-stats.js";
import { TopList } from "./top-list.js";

/** Upper bounds of the duration histograms in seconds; the last bucket is +Inf. */
export const DURATION_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** Request methods as a closed set of labels. */
export const METHOD_LABELS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "other"] as const;

/** Status classes as a closed set of labels; 499 counts as `4xx`. */
export const STATUS_LABELS = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** What a limit is of, and whose it is: a route's for all its clients, a client's, a bucket's. */
export const LIMIT_LABELS = ["requests", "connections", "egress", "ingress"] as const;
export const PARTY_LABELS = ["all", "client", "bucket"] as const;
export type LimitLabel = (typeof LIMIT_LABELS)[number];
export type PartyLabel = (typeof PARTY_LABELS)[number];

const METHOD_INDEX = indexOf(METHOD_LABELS);
const ERROR_INDEX = indexOf(ERROR_CODES);
const LIMIT_INDEX = indexOf(LIMIT_LABELS);
const PARTY_INDEX = indexOf(PARTY_LABELS);
const REFERER_INDEX = indexOf(REFERER_REASONS);

function indexOf(labels: readonly string[]): ReadonlyMap<string, number> {
  return new Map(labels.map((label, index) => [label, index]));
}

function increment(counts: Float64Array, index: number): void {
  counts[index] = (counts[index] as number) + 1;
}

/** A histogram as plain numbers: `counts[i]` is of observations ≤ bound i and above bound i − 1, the last of the rest. */
export class DurationHistogram {
  readonly counts = new Float64Array(DURATION_BOUNDS_S.length + 1);
  sumMs = 0;

  observe(durationMs: number): void {
    const seconds = durationMs / 1_000;
    let i = 0;
    while (i < DURATION_BOUNDS_S.length && seconds > (DURATION_BOUNDS_S[i] as number)) i += 1;
    increment(this.counts, i);
    this.sumMs += durationMs;
  }
}

/**
 * The counters of one route, as plain numbers that Prometheus reads at a scrape: a bin costs 8 ns, a labelled counter
 * of prom-client 180 to 450 (architecture §5).
 */
export class RouteStats {
  readonly route: string;
  /** Answers by signature class, method and status class: see {@link requestsIndex}. */
  readonly requests: Float64Array;
  readonly durations = new DurationHistogram();
  readonly upstreamFirstByte = new DurationHistogram();
  /** Faults and refusals by their place in `ERROR_CODES`. */
  readonly errors = new Float64Array(ERROR_CODES.length);
  /** What was over a limit: see {@link limitedIndex}. */
  readonly limited = new Float64Array(LIMIT_LABELS.length * PARTY_LABELS.length * 2);
  /** Referers that were refused: see {@link refererIndex}. */
  readonly refererRefusals = new Float64Array(REFERER_REASONS.length * 2);
  receivedBytes = 0;
  sentBytes = 0;
  inFlight = 0;
  retries = 0;
  /** Transfers that run now and whose bandwidth is limited. */
  pacedEgress = 0;
  pacedIngress = 0;

  constructor(route: string, signatureClassCount: number) {
    this.route = route;
    this.requests = new Float64Array(signatureClassCount * METHOD_LABELS.length * STATUS_LABELS.length);
  }

  countRequest(signatureClassIndex: number, method: string, status: number): void {
    const methodIndex = METHOD_INDEX.get(method) ?? METHOD_LABELS.length - 1;
    const statusIndex = Math.min(Math.max(Math.trunc(status / 100), 1), 5) - 1;
    increment(this.requests, requestsIndex(signatureClassIndex, methodIndex, statusIndex));
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

/** The place in {@link RouteStats.requests}. */
export function requestsIndex(signatureClassIndex: number, methodIndex: number, statusIndex: number): number {
  return (signatureClassIndex * METHOD_LABELS.length + methodIndex) * STATUS_LABELS.length + statusIndex;
}

/** Counters of one bucket's upstream. */
export class UpstreamStats {
  dnsChanges = 0;
  dnsLookUpsOk = 0;
  dnsLookUpsFailed = 0;
  setAside = 0;
  /** What was sent to OSS and came from it: tries, and bytes of bodies while they pass. */
  requests = 0;
  egressBytes = 0;
  ingressBytes = 0;
  /** What OSS refused or held up for its load. */
  readonly throttled = new ThrottledAnswers();
}

/** Counters of one set of credentials. */
export class CredentialsStats {
  refreshesOk = 0;
  refreshesFailed = 0;
}

/** How many entries of a top list are shown. */
const SHOWN_TOPS = 50;

export interface TopReferer {
  readonly host: string;
  /** How often it was refused: at most, and for sure. */
  readonly count: number;
  readonly atLeast: number;
}

/** Everything that the gateway counts; outlives configurations. */
export class Stats {
  readonly #signatureClassCount: number;
  readonly routes = new Map<string, RouteStats>();
  /** Of requests that no route took. */
  readonly unrouted: RouteStats;
  readonly upstreams = new Map<string, UpstreamStats>();
  /** By name. */
  readonly credentials = new Map<string, CredentialsStats>();
  /** By scope and name: what OSS holds to thresholds. */
  readonly quotas = new Map<string, QuotaStats>();
  readonly #refusedReferers = new Map<string, TopList>();
  /** Client connections that are open now. */
  openConnections = 0;
  connectionsTotal = 0;
  /** Connections that were closed at once because `limits.connections` was reached. */
  connectionsRefused = 0;
  /** Log lines that were thrown away because their reader was too slow. */
  droppedLogLines = 0;

  constructor(signatureClassCount: number) {
    this.#signatureClassCount = signatureClassCount;
    this.unrouted = this.route("-");
  }

  /** The route's counters; created on first use. */
  route(name: string): RouteStats {
    let stats = this.routes.get(name);
    if (stats === undefined) {
      stats = new RouteStats(name, this.#signatureClassCount);
      this.routes.set(name, stats);
    }
    return stats;
  }

  /** Of those, the hosts that are refused most can be asked for: see {@link tops}. */
  noteRefusedReferer(routeName: string, referer: string | undefined): void {
    let list = this.#refusedReferers.get(routeName);
    if (list === undefined) {
      list = new TopList();
      this.#refusedReferers.set(routeName, list);
    }
    list.note(refererHost(referer));
  }

  /** What is no label, since clients choose it: by route the hosts of referers that were refused most, or reported. */
  tops(): { readonly refusedReferers: Readonly<Record<string, readonly TopReferer[]>> } {
    const byRoute = [...this.#refusedReferers].map(([route, list]) => [
      route,
      list.top(SHOWN_TOPS).map(({ key, count, atLeast }) => ({ host: key, count, atLeast })),
    ]);
    return { refusedReferers: Object.fromEntries(byRoute) };
  }

  credentialsOf(name: string): CredentialsStats {
    let stats = this.credentials.get(name);
    if (stats === undefined) {
      stats = new CredentialsStats();
      this.credentials.set(name, stats);
    }
    return stats;
  }

  quota(scope: QuotaScope, name: string): QuotaStats {
    const key = `${scope}/${name}`;
    let stats = this.quotas.get(key);
    if (stats === undefined) {
      stats = new QuotaStats(scope, name);
      this.quotas.set(key, stats);
    }
    return stats;
  }

  upstream(id: string): UpstreamStats {
    let stats = this.upstreams.get(id);
    if (stats === undefined) {
      stats = new UpstreamStats();
      this.upstreams.set(id, stats);
    }
    return stats;
  }
}
