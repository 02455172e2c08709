import type { GatewayConfig, QuotaConfig } from "../config/gateway-config.js";
import { NEXT_OF_EVENTS } from "./error-lines.js";
import type { Logger } from "./log.js";
import type { Stats, UpstreamStats } from "./stats.js";
import {
  type EventNames,
  eventNames,
  QOS_TYPES,
  type QosType,
  type QuotaScope,
  type TrafficSource,
  trafficSource,
} from "./throttling-events.js";
import type { QuotaStats } from "./throttling-stats.js";
import { ThrottlingWindow } from "./throttling-window.js";

/** An event that lasts is told again after one of OSS's own check periods (oss-semantics §12.2). */
const THROTTLE_PERIOD_MS = 60_000;
const ALERT_PERIOD_MS = 600_000;

/** Something that OSS holds to thresholds: a bucket, or an account with some of its buckets. */
interface Subject {
  readonly scope: QuotaScope;
  readonly name: string;
  readonly quota: QuotaConfig;
  /** Whose traffic counts. */
  readonly upstreams: readonly UpstreamStats[];
  readonly source: TrafficSource;
}

/** One threshold of a subject, and when its events were last told. */
interface Watched {
  readonly subject: Subject;
  readonly qos: QosType;
  readonly stats: QuotaStats;
  readonly names: EventNames;
  readonly window: ThrottlingWindow;
  throttleToldMs: number;
  alertToldMs: number;
}

export interface ThrottlingWatchOptions {
  readonly config: Pick<GatewayConfig, "buckets" | "quotas">;
  readonly stats: Stats;
  readonly log: Logger;
  /** Monotonic milliseconds of the first sample. */
  readonly nowMs: number;
}

/**
 * OSS's own throttling events (oss-semantics §12.2), from what this gateway counts, as log lines and as counters. OSS
 * looks at its windows when a period ends; here a window is looked at each second, so that operators hear of it when it
 * begins. What reaches OSS by other ways is not seen.
 */
export class ThrottlingWatch {
  readonly #watched: readonly Watched[];
  readonly #log: Logger;

  constructor({ config, stats, log, nowMs }: ThrottlingWatchOptions) {
    this.#log = log;
    this.#watched = subjectsOf(config, stats).flatMap((subject) => watch(subject, stats, nowMs));
  }

  /** Nothing of it is shown any more. */
  stop(): void {
    for (const { stats } of this.#watched) stats.windows.clear();
  }

  /**
   * Reads the counters; to be called each second.
   * @param nowMs monotonic milliseconds
   */
  tick(nowMs: number): void {
    for (const watched of this.#watched) {
      watched.window.sample(totalOf(watched.subject, watched.qos), nowMs);
      this.#tell(watched, nowMs);
    }
  }

  #tell(watched: Watched, nowMs: number): void {
    const { window, stats, names } = watched;
    if (window.isThrottled && nowMs - watched.throttleToldMs >= THROTTLE_PERIOD_MS) {
      watched.throttleToldMs = nowMs;
      stats.countEvent(names.throttle);
      const next = NEXT_OF_EVENTS.quotaReached;
      const fields = { ...fieldsOf(watched, names.throttle, window.throttleSeverity()), next };
      this.#log.warn(fields, "traffic is over the threshold at which OSS throttles");
    }
    if (window.isAlert && nowMs - watched.alertToldMs >= ALERT_PERIOD_MS) {
      watched.alertToldMs = nowMs;
      stats.countEvent(names.alert);
      const fields = { ...fieldsOf(watched, names.alert, window.alertSeverity()), next: NEXT_OF_EVENTS.quotaNear };
      this.#log.info(fields, "traffic is near the threshold at which OSS throttles");
    }
  }
}

function subjectsOf({ buckets, quotas }: ThrottlingWatchOptions["config"], stats: Stats): readonly Subject[] {
  const ofBuckets = [...buckets.values()].flatMap(({ alias, quota, endpoint }): Subject[] => {
    if (quota === null) return [];
    return [
      { scope: "bucket", name: alias, quota, upstreams: [stats.upstream(alias)], source: trafficSource([endpoint]) },
    ];
  });
  const ofAccounts = [...quotas].map(([name, quota]): Subject => {
    const members = [...buckets.values()].filter(({ alias }) => quota.buckets.includes(alias));
    const upstreams = members.map(({ alias }) => stats.upstream(alias));
    return { scope: "account", name, quota, upstreams, source: trafficSource(members.map(({ endpoint }) => endpoint)) };
  });
  return [...ofBuckets, ...ofAccounts];
}

function watch(subject: Subject, stats: Stats, nowMs: number): readonly Watched[] {
  const { scope, name, quota } = subject;
  return QOS_TYPES.flatMap((qos): Watched[] => {
    const threshold = thresholdOf(quota, qos);
    if (threshold === null) return [];
    const names = eventNames(scope, qos);
    const window = new ThrottlingWindow(threshold, totalOf(subject, qos), nowMs);
    const quotaStats = stats.quota(scope, name);
    quotaStats.watch(qos, window, names);
    const never = Number.NEGATIVE_INFINITY;
    return [{ subject, qos, stats: quotaStats, names, window, throttleToldMs: never, alertToldMs: never }];
  });
}

function thresholdOf(quota: QuotaConfig, qos: QosType): number | null {
  if (qos === "Qps") return quota.requestsPerSecond;
  return qos === "IngressBandwidth" ? quota.ingressBytesPerSecond : quota.egressBytesPerSecond;
}

/** OSS's directions: egress is what OSS sends. */
function totalOf({ upstreams }: Subject, qos: QosType): number {
  let total = 0;
  for (const { requests, ingressBytes, egressBytes } of upstreams) {
    if (qos === "Qps") total += requests;
    else total += qos === "IngressBandwidth" ? ingressBytes : egressBytes;
  }
  return total;
}

function fieldsOf({ subject, qos, window }: Watched, event: string, severity: number): object {
  return {
    event,
    [subject.scope]: subject.name,
    AvgSeverity: severity,
    QoSType: qos,
    TrafficSource: subject.source,
    thresholdPerSecond: window.threshold,
    usageRatio: Math.round(window.usageRatio * 1_000) / 1_000,
  };
}
