import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import { ERROR_CODES, ERRORS } from "../core/errors.js";
import { SIGNATURE_CLASSES } from "../signing/types.js";
import {
  DURATION_BOUNDS_S,
  type DurationHistogram,
  METHOD_LABELS,
  type RouteStats,
  requestsIndex,
  STATUS_LABELS,
  type Stats,
} from "./stats.js";

/** What is read from the upstreams at a scrape. */
export interface UpstreamGauges {
  readonly id: string;
  readonly addresses: number;
  readonly setAside: number;
  readonly inFlight: number;
  /** OSS's clock less ours; `null` where nothing was signed. */
  readonly clockSkewMs: number | null;
}

/** What is read from a source of credentials at a scrape. */
export interface CredentialsGauges {
  readonly name: string;
  /** Whether there are valid ones. */
  readonly isValid: boolean;
  /** Unix milliseconds; `null` for credentials that do not expire, and where there are none. */
  readonly expiresAtMs: number | null;
}

export interface MetricsSource {
  readonly stats: Stats;
  readonly version: string;
  upstreams(): readonly UpstreamGauges[];
  credentials(): readonly CredentialsGauges[];
}

/** A registry whose numbers are read from {@link Stats} when it is scraped, and at no other time. */
export function createMetrics(source: MetricsSource): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerProcess(registry, source);
  registerRoutes(registry, source);
  registerUpstreams(registry, source);
  registerCredentials(registry, source);
  return registry;
}

function counter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (metric: Counter<string>) => void,
): void {
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}

function gauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (metric: Gauge<string>) => void,
): void {
  new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      collect(this);
    },
  });
}

function registerProcess(registry: Registry, { stats, version }: MetricsSource): void {
  gauge(registry, "ossgate_build_info", "1, labelled with the version.", ["version", "node"], (metric) =>
    metric.set({ version, node: process.version }, 1),
  );
  gauge(registry, "ossgate_client_connections", "Open client connections.", [], (metric) =>
    metric.set(stats.openConnections),
  );
  counter(registry, "ossgate_client_connections_total", "Client connections accepted.", [], (metric) =>
    metric.inc(stats.connectionsTotal),
  );
  counter(
    registry,
    "ossgate_client_connections_refused_total",
    "Client connections closed because limits.connections was reached.",
    [],
    (metric) => metric.inc(stats.connectionsRefused),
  );
  counter(
    registry,
    "ossgate_log_lines_dropped_total",
    "Lines of both logs thrown away because their reader was too slow.",
    [],
    (metric) => metric.inc(stats.droppedLogLines),
  );
}

function registerRoutes(registry: Registry, { stats }: MetricsSource): void {
  const routes = () => stats.routes.values();
  counter(
    registry,
    "ossgate_requests_total",
    "Finished requests by route, method, status class and signature class.",
    ["route", "method", "status", "signature"],
    (metric) => {
      for (const route of routes()) collectRequests(metric, route);
    },
  );
  counter(
    registry,
    "ossgate_errors_total",
    "Refusals and faults by route, code and origin.",
    ["route", "code", "origin"],
    (metric) => {
      for (const route of routes()) collectErrors(metric, route);
    },
  );
  counter(registry, "ossgate_received_bytes_total", "Request body bytes from clients.", ["route"], (metric) => {
    for (const route of routes()) metric.inc({ route: route.route }, route.receivedBytes);
  });
  counter(registry, "ossgate_sent_bytes_total", "Answer body bytes to clients.", ["route"], (metric) => {
    for (const route of routes()) metric.inc({ route: route.route }, route.sentBytes);
  });
  counter(registry, "ossgate_upstream_retries_total", "Upstream tries beyond the first.", ["route"], (metric) => {
    for (const route of routes()) metric.inc({ route: route.route }, route.retries);
  });
  gauge(registry, "ossgate_requests_in_flight", "Requests that are being served.", ["route"], (metric) => {
    for (const route of routes()) metric.set({ route: route.route }, route.inFlight);
  });
  histogram(
    registry,
    "ossgate_request_duration_seconds",
    "From the request's head to the end of the answer.",
    stats,
    (route) => route.durations,
  );
  histogram(
    registry,
    "ossgate_upstream_first_byte_seconds",
    "From sending the request upstream to the head of its answer.",
    stats,
    (route) => route.upstreamFirstByte,
  );
}

function collectRequests(metric: Counter<string>, route: RouteStats): void {
  SIGNATURE_CLASSES.forEach((signature, signatureIndex) => {
    METHOD_LABELS.forEach((method, methodIndex) => {
      STATUS_LABELS.forEach((status, statusIndex) => {
        const value = route.requests[requestsIndex(signatureIndex, methodIndex, statusIndex)] as number;
        if (value > 0) metric.inc({ route: route.route, method, status, signature }, value);
      });
    });
  });
}

function collectErrors(metric: Counter<string>, route: RouteStats): void {
  ERROR_CODES.forEach((code, index) => {
    const value = route.errors[index] as number;
    if (value > 0) metric.inc({ route: route.route, code, origin: ERRORS[code].origin }, value);
  });
}

/** prom-client's histogram only counts by `observe`; this one publishes counts that were made elsewhere. */
function histogram(
  registry: Registry,
  name: string,
  help: string,
  stats: Stats,
  select: (route: RouteStats) => DurationHistogram,
): void {
  const get = async () => ({
    name,
    help,
    type: "histogram",
    aggregator: "sum",
    values: [...stats.routes.values()].flatMap((route) => histogramValues(name, route.route, select(route))),
  });
  registry.registerMetric({ name, help, get, reset() {} } as unknown as Metric<string>);
}

interface HistogramValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function histogramValues(name: string, route: string, { counts, sumMs }: DurationHistogram): HistogramValue[] {
  let total = 0;
  const values: HistogramValue[] = [];
  for (let i = 0; i <= DURATION_BOUNDS_S.length; i += 1) {
    total += counts[i] as number;
    values.push({ metricName: `${name}_bucket`, labels: { route, le: DURATION_BOUNDS_S[i] ?? "+Inf" }, value: total });
  }
  values.push({ metricName: `${name}_sum`, labels: { route }, value: sumMs / 1_000 });
  values.push({ metricName: `${name}_count`, labels: { route }, value: total });
  return values;
}

function registerUpstreams(registry: Registry, source: MetricsSource): void {
  const labels = ["bucket"];
  const gauges: readonly (readonly [string, string, "addresses" | "setAside" | "inFlight"])[] = [
    ["ossgate_upstream_addresses", "Addresses that the endpoint's name has now.", "addresses"],
    ["ossgate_upstream_addresses_set_aside", "Addresses that are passed over because they failed.", "setAside"],
    ["ossgate_upstream_requests_in_flight", "Requests that wait for or use an upstream connection.", "inFlight"],
  ];
  for (const [name, help, field] of gauges) {
    gauge(registry, name, help, labels, (metric) => {
      for (const upstream of source.upstreams()) metric.set({ bucket: upstream.id }, upstream[field]);
    });
  }
  const skewHelp = "OSS's clock less the gateway's, by the last answer to a signed request.";
  gauge(registry, "ossgate_upstream_clock_skew_seconds", skewHelp, labels, (metric) => {
    for (const { id, clockSkewMs } of source.upstreams()) {
      if (clockSkewMs !== null) metric.set({ bucket: id }, clockSkewMs / 1_000);
    }
  });
  counter(registry, "ossgate_dns_changes_total", "Changes of an endpoint's addresses.", labels, (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) metric.inc({ bucket }, upstream.dnsChanges);
  });
  counter(registry, "ossgate_dns_lookups_total", "Look-ups by outcome.", ["bucket", "outcome"], (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) {
      metric.inc({ bucket, outcome: "ok" }, upstream.dnsLookUpsOk);
      metric.inc({ bucket, outcome: "failed" }, upstream.dnsLookUpsFailed);
    }
  });
  counter(registry, "ossgate_upstream_set_aside_total", "Times an address was set aside.", labels, (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) metric.inc({ bucket }, upstream.setAside);
  });
}

function registerCredentials(registry: Registry, source: MetricsSource): void {
  const labels = ["credentials"];
  gauge(registry, "ossgate_credentials_valid", "1 while there are credentials to sign with.", labels, (metric) => {
    for (const { name, isValid } of source.credentials()) metric.set({ credentials: name }, isValid ? 1 : 0);
  });
  const expiryHelp = "Seconds until the credentials in use expire; absent for those that do not.";
  gauge(registry, "ossgate_credentials_expiry_seconds", expiryHelp, labels, (metric) => {
    for (const { name, expiresAtMs } of source.credentials()) {
      if (expiresAtMs !== null) metric.set({ credentials: name }, Math.max(0, (expiresAtMs - Date.now()) / 1_000));
    }
  });
  const refreshesHelp = "Times that credentials were fetched, by outcome.";
  counter(registry, "ossgate_credentials_refreshes_total", refreshesHelp, [...labels, "outcome"], (metric) => {
    for (const [credentials, stats] of source.stats.credentials) {
      metric.inc({ credentials, outcome: "ok" }, stats.refreshesOk);
      metric.inc({ credentials, outcome: "failed" }, stats.refreshesFailed);
    }
  });
}
