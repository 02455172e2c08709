import { endpointHost } from "../../config/endpoint.js";
import type { GatewayConfig, RouteConfig } from "../../config/gateway-config.js";
import { type History, type Points, SERIES, SLOT_MS, SLOTS, type TrackNow } from "../../telemetry/history.js";
import {
  mergeCredentials,
  mergeProblems,
  mergeSharedUp,
  mergeUpstreams,
  type ProcessReport,
} from "../../telemetry/process-report.js";
import type { Stats } from "../../telemetry/stats.js";
import type { AdminSource, AdminState } from "../admin-source.js";

const SHOWN_EVENTS = 50;
const SHOWN_ROUTES = 200;

/** What is shown of all routes together, whichever is chosen. */
const OF_TOTAL = ["requests", "sentBytes", "receivedBytes", "failed", "p95"] as const;

export interface StatusQuestion {
  /** The first point that is not known yet. */
  readonly since: number;
  /** Whose series are shown in full; absent: of all routes together. */
  readonly route: string | undefined;
}

/** What the status page shows, as JSON can hold it. Points are those of slots `first` to `next` − 1, oldest first. */
export function statusData(source: AdminSource, reports: readonly ProcessReport[], question: StatusQuestion): object {
  const { history, stats, state, version } = source;
  const config = source.config();
  const { since, route } = question;
  return {
    // A page that outlives the program begins anew.
    bootMs: Math.round(performance.timeOrigin),
    nowMs: Date.now(),
    version,
    state: stateOf(state),
    problems: state.isDraining ? ["shutting down"] : mergeProblems(reports),
    points: {
      first: history.firstSlot(since),
      next: history.nextSlot,
      kept: SLOTS,
      stepMs: SLOT_MS,
      endMs: Math.round(history.endOfSlotMs(history.nextSlot - 1)),
    },
    now: rounded(history.now()),
    series: Object.fromEntries(SERIES.map((name) => [name, rounded(history.points(name, since, route))])),
    selected: route ?? null,
    total: Object.fromEntries(OF_TOTAL.map((name) => [name, rounded(history.points(name, since))])),
    clients: {
      open: stats.openConnections,
      limit: config.limits.connections,
      refused: stats.connectionsRefused,
    },
    droppedLogLines: stats.droppedLogLines,
    routes: routesOf(config, stats, history, since),
    routesLeftOut: Math.max(0, config.routes.length - SHOWN_ROUTES),
    buckets: bucketsOf(config, stats, reports),
    credentials: mergeCredentials(reports),
    certificates: certificatesOf(reports),
    sharedUp: mergeSharedUp(reports),
    workers: reports.map(workerOf).toSorted((a, b) => a.worker - b.worker),
    quotas: quotasOf(stats),
    events: stats.recent.latest(SHOWN_EVENTS),
  };
}

function workerOf(report: ProcessReport) {
  const { worker, pid, generation, version = null, eventLoopLagMs, rssBytes, cpuSeconds, problems } = report;
  return { worker, pid, generation, version, lagMs: rounded(eventLoopLagMs.p99), rssBytes, cpuSeconds, problems };
}

/** The whole state may hold more than is shown. */
function stateOf(state: AdminState): AdminState {
  const { generation, workersWanted, workersServing, isDraining, lastReload, configLoadedAtMs } = state;
  return { generation, workersWanted, workersServing, isDraining, lastReload, configLoadedAtMs };
}

/** The routes of the configuration in its order, then what no route took. */
function routesOf(config: GatewayConfig, stats: Stats, history: History, since: number): readonly object[] {
  const configured = config.routes.slice(0, SHOWN_ROUTES).map((route) => ({
    name: route.name,
    place: placeOf(route),
    target: targetOf(route),
  }));
  const unrouted = { name: stats.unrouted.route, place: "what no route took", target: "" };
  return [...configured, unrouted].map((shown) => ({
    ...shown,
    inFlight: stats.routes.get(shown.name)?.inFlight ?? 0,
    limited: limitedOf(stats, shown.name),
    now: rounded(history.now(shown.name)),
    requests: rounded(history.points("requests", since, shown.name)),
  }));
}

const placeOf = ({ match }: RouteConfig): string =>
  `${match.hosts.slice(0, 3).join(", ")}${match.hosts.length > 3 ? ", …" : ""} ${match.pathPrefix}`;

function targetOf({ target }: RouteConfig): string {
  if (target.kind === "bucket") return target.bucket;
  return target.kind === "buckets" ? target.buckets.join(", ") : "callback";
}

/** What limits have refused or slowed down, dry runs included. */
function limitedOf(stats: Stats, route: string): number {
  return stats.routes.get(route)?.limited.reduce((sum, count) => sum + count, 0) ?? 0;
}

function bucketsOf(config: GatewayConfig, stats: Stats, reports: readonly ProcessReport[]): readonly object[] {
  const gauges = new Map(mergeUpstreams(reports).map((upstream) => [upstream.id, upstream]));
  return [...config.buckets.values()].map((bucket) => {
    const { alias } = bucket;
    const gauge = gauges.get(alias);
    return {
      alias,
      bucket: bucket.bucket,
      host: endpointHost(bucket),
      addresses: gauge?.addresses ?? 0,
      setAside: gauge?.setAside ?? 0,
      inFlight: gauge?.inFlight ?? 0,
      pools: gauge?.pools ?? [],
      clockSkewMs: gauge?.clockSkewMs ?? null,
      throttled: stats.upstreams.get(alias)?.throttled.counts.reduce((sum, count) => sum + count, 0) ?? 0,
    };
  });
}

interface ShownCertificate {
  readonly listeners: readonly string[];
  readonly names: readonly string[];
  readonly file: string;
  readonly notAfterMs: number;
  readonly problem: string | null;
}

/** By file: one certificate may stand for many names, on several listeners, in each process. */
function certificatesOf(reports: readonly ProcessReport[]): readonly ShownCertificate[] {
  const shown = new Map<string, ShownCertificate>();
  for (const { listener, names, file, notAfterMs, problem } of reports.flatMap(({ certificates }) => certificates)) {
    const known = shown.get(file);
    shown.set(file, {
      listeners: [...new Set([...(known?.listeners ?? []), listener])],
      names: known?.names ?? names,
      file,
      notAfterMs: Math.min(notAfterMs, known?.notAfterMs ?? notAfterMs),
      problem: problem ?? known?.problem ?? null,
    });
  }
  return [...shown.values()];
}

function quotasOf(stats: Stats): readonly object[] {
  return [...stats.quotas.values()].flatMap(({ scope, name, windows }) =>
    [...windows].map(([qos, window]) => ({
      scope,
      name,
      qos,
      threshold: window.threshold,
      usage: rounded(window.usageRatio),
      isAlert: window.isAlert,
      isThrottled: window.isThrottled,
    })),
  );
}

/** Four digits are more than anybody sees. */
function rounded(value: number): number;
function rounded(values: Points): Points;
function rounded(now: TrackNow | null): object | null;
function rounded(value: number | Points | TrackNow | null): unknown {
  if (value === null) return null;
  if (typeof value === "number") return round(value);
  if (Array.isArray(value)) return (value as Points).map((point) => (point === null ? null : round(point)));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, item === null ? null : round(item)]));
}

const round = (value: number): number => (value === 0 ? 0 : Number(value.toPrecision(4)));
