import type { Counter, Metric, Registry } from "prom-client";
import { ERROR_CODES, ERRORS } from "../core/errors.js";
import { SIGNATURE_CLASSES } from "../signing/types.js";
import { counter, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import {
  DURATION_BOUNDS_S,
  type DurationHistogram,
  METHOD_LABELS,
  type RouteStats,
  requestsIndex,
  STATUS_LABELS,
  type Stats,
} from "./stats.js";

/** What each route served. */
export function registerRoutes(registry: Registry, { stats }: MetricsSource): void {
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
