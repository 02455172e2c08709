import { refererHost } from "../policy/referer-host.js";
import { LogLosses } from "./log-losses.js";
import { RecentEvents } from "./recent-events.js";
import { ListenerStats } from "./stats-listener.js";
import { StatsMap } from "./stats-map.js";
import { RouteStats } from "./stats-route.js";
import { UpstreamStats } from "./stats-upstream.js";
import type { QuotaScope } from "./throttling-events.js";
import { QuotaStats } from "./throttling-stats.js";
import { TopList } from "./top-list.js";

export { DURATION_BOUNDS_S, DurationHistogram } from "./stats-histogram.js";
export { ListenerStats, TLS_FAILURES, type TlsFailure } from "./stats-listener.js";
export { StatsMap } from "./stats-map.js";
export * from "./stats-route.js";
export { ANSWER_LABELS, OSS_CODES, UPSTREAM_CAUSES, UpstreamStats } from "./stats-upstream.js";

/**
 * The own fields, of whatever object in {@link Stats}, that go up and down: of a process that died they are 0. All
 * other numbers only grow.
 */
export const GAUGE_FIELDS: ReadonlySet<string> = new Set([
  "inFlight",
  "pacedEgress",
  "pacedIngress",
  "openConnections",
  "usedConnections",
  "queued",
]);

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
  readonly routes = new StatsMap((name) => new RouteStats(name));
  /** Of requests that no route took. */
  readonly unrouted: RouteStats;
  /** By the bucket's alias. */
  readonly upstreams = new StatsMap(() => new UpstreamStats());
  /** By name. */
  readonly credentials = new StatsMap(() => new CredentialsStats());
  /** By name: what TLS comes to. */
  readonly listeners = new StatsMap(() => new ListenerStats());
  /** By scope and name: what OSS holds to thresholds. */
  readonly quotas = new Map<string, QuotaStats>();
  /** By route: see {@link tops}. */
  readonly refusedReferers = new StatsMap(() => new TopList());
  /** The last refusals and errors, for people. */
  readonly recent = new RecentEvents();
  /** Client connections that are open now. */
  openConnections = 0;
  connectionsTotal = 0;
  /** Connections that were closed at once because `limits.connections` was reached. */
  connectionsRefused = 0;
  /** Lines of both logs that nobody gets to see. */
  readonly logLosses = new LogLosses();

  constructor() {
    this.unrouted = this.route("-");
  }

  /** All of {@link logLosses}. */
  get droppedLogLines(): number {
    return this.logLosses.total;
  }

  /** The route's counters; created on first use. */
  route(name: string): RouteStats {
    return this.routes.of(name);
  }

  /** Of those, the hosts that are refused most can be asked for: see {@link tops}. */
  noteRefusedReferer(routeName: string, referer: string | undefined): void {
    this.refusedReferers.of(routeName).note(refererHost(referer));
  }

  /** What is no label, since clients choose it: by route the hosts of referers that were refused most, or reported. */
  tops(): { readonly refusedReferers: Readonly<Record<string, readonly TopReferer[]>> } {
    const byRoute = [...this.refusedReferers].map(([route, list]) => [
      route,
      list.top(SHOWN_TOPS).map(({ key, count, atLeast }) => ({ host: key, count, atLeast })),
    ]);
    return { refusedReferers: Object.fromEntries(byRoute) };
  }

  credentialsOf(name: string): CredentialsStats {
    return this.credentials.of(name);
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
    return this.upstreams.of(id);
  }
}
