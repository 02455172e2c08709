import { ERROR_CODES, ERRORS } from "../core/errors.js";
import { counter, type Families, gauge, histogram, type Samples } from "./metrics-kit.js";
import { POLICY_LABELS, refusalsByPolicy } from "./metrics-policies.js";
import type { MetricsSource } from "./metrics-source.js";
import {
  CODE_LABELS,
  METHOD_LABELS,
  NO_BUCKET,
  type RouteBucketStats,
  type RouteStats,
  requestsIndex,
} from "./stats.js";

/** What each route served. */
export function registerRoutes(families: Families, { stats }: MetricsSource): void {
  const routes = () => stats.routes.values();
  registerRequests(families, routes);
  registerBytes(families, routes);
  registerOssBytes(families, routes);
  counter(families, "ossgate_upstream_retries_total", "Upstream tries beyond the first.", ["route"], (metric) => {
    for (const { route, retries } of routes()) metric.set({ route }, retries);
  });
  gauge(families, "ossgate_requests_in_flight", "Requests that are being served.", ["route"], (metric) => {
    for (const { route, inFlight } of routes()) metric.set({ route }, inFlight);
  });
  const durationHelp = "From the request's head to the end of the answer.";
  histogram(families, "ossgate_request_duration_seconds", durationHelp, "route", function* () {
    for (const { route, durations } of routes()) yield [route, durations];
  });
  const firstByteHelp = "From sending the request upstream to the head of its answer.";
  histogram(families, "ossgate_upstream_first_byte_seconds", firstByteHelp, "route", function* () {
    for (const { route, upstreamFirstByte } of routes()) yield [route, upstreamFirstByte];
  });
}

type Routes = () => Iterable<RouteStats>;

function registerRequests(families: Families, routes: Routes): void {
  const labels = ["route", "bucket", "method", "status", "code", "signature"];
  const help = "Finished requests; status is the class of code, signature how the client proved who it is.";
  counter(families, "ossgate_requests_total", help, labels, (metric) => {
    for (const route of routes()) {
      for (const [bucket, stats] of route.buckets) collectRequests(metric, route.route, bucket, stats);
    }
  });
  const failuresHelp = "Of those, the ones that failed behind the client: 5xx, and answers that were cut off.";
  counter(families, "ossgate_request_failures_total", failuresHelp, ["route", "bucket"], (metric) => {
    for (const { route, buckets } of routes()) {
      for (const [bucket, { failureCount }] of buckets) metric.set({ route, bucket }, failureCount);
    }
  });
  const errorsHelp = "Refusals and faults by route, code and origin.";
  counter(families, "ossgate_errors_total", errorsHelp, ["route", "code", "origin"], (metric) => {
    for (const route of routes()) collectErrors(metric, route);
  });
  const refusalsHelp = "Requests that the gateway refused, by the policy that did.";
  counter(families, "ossgate_refusals_total", refusalsHelp, ["route", "policy"], (metric) => {
    for (const { route, errors } of routes()) {
      metric.setSeen({ route }, "policy", POLICY_LABELS, refusalsByPolicy(errors));
    }
  });
}

function registerBytes(families: Families, routes: Routes): void {
  const labels = ["route", "bucket"];
  const receivedHelp = "Bytes of request bodies from clients, counted while they pass.";
  counter(families, "ossgate_received_bytes_total", receivedHelp, labels, (metric) => {
    for (const { route, buckets } of routes()) {
      for (const [bucket, { receivedBytes }] of buckets) metric.set({ route, bucket }, receivedBytes);
    }
  });
  const sentHelp = "Bytes of answers' bodies to clients, counted while they pass.";
  counter(families, "ossgate_sent_bytes_total", sentHelp, labels, (metric) => {
    for (const { route, buckets } of routes()) {
      for (const [bucket, { sentBytes }] of buckets) metric.set({ route, bucket }, sentBytes);
    }
  });
}

function registerOssBytes(families: Families, routes: Routes): void {
  const labels = ["route", "bucket", "direction"];
  const help = "Body bytes to and from OSS for a route, in OSS's directions: egress is what OSS sends.";
  counter(families, "ossgate_route_upstream_bytes_total", help, labels, (metric) => {
    for (const { route, buckets } of routes()) {
      for (const [bucket, { egressBytes, ingressBytes }] of buckets) {
        if (bucket === NO_BUCKET) continue;
        metric.set({ route, bucket, direction: "egress" }, egressBytes);
        metric.set({ route, bucket, direction: "ingress" }, ingressBytes);
      }
    }
  });
}

function collectRequests(metric: Samples, route: string, bucket: string, { requests }: RouteBucketStats): void {
  for (const [signature, { counts }] of requests) {
    METHOD_LABELS.forEach((method, methodIndex) => {
      CODE_LABELS.forEach((code, codeLabelIndex) => {
        const value = counts[requestsIndex(methodIndex, codeLabelIndex)] as number;
        if (value > 0) metric.set({ route, bucket, method, status: `${code[0]}xx`, code, signature }, value);
      });
    });
  }
}

function collectErrors(metric: Samples, { route, errors }: RouteStats): void {
  ERROR_CODES.forEach((code, index) => {
    const value = errors[index] as number;
    if (value > 0) metric.set({ route, code, origin: ERRORS[code].origin }, value);
  });
}
