import { counter, type Families, gauge, histogram } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { ANSWER_LABELS, OSS_CODES, UPSTREAM_CAUSES } from "./stats.js";

/** Addresses, names and clocks of the buckets' endpoints, and what was sent there. */
export function registerUpstreams(families: Families, source: MetricsSource): void {
  const labels = ["bucket"];
  const gauges: readonly (readonly [string, string, "addresses" | "setAside" | "inFlight"])[] = [
    ["ossgate_upstream_addresses", "Addresses that the endpoint's name has now.", "addresses"],
    ["ossgate_upstream_addresses_set_aside", "Addresses that are passed over because they failed.", "setAside"],
    ["ossgate_upstream_requests_in_flight", "Requests that wait for or use an upstream connection.", "inFlight"],
  ];
  for (const [name, help, field] of gauges) {
    gauge(families, name, help, labels, (metric) => {
      for (const upstream of source.upstreams()) metric.set({ bucket: upstream.id }, upstream[field]);
    });
  }
  const skewHelp = "OSS's clock less the gateway's, by the Date of its last answer.";
  gauge(families, "ossgate_upstream_clock_skew_seconds", skewHelp, labels, (metric) => {
    for (const { id, clockSkewMs } of source.upstreams()) {
      if (clockSkewMs !== null) metric.set({ bucket: id }, clockSkewMs / 1_000);
    }
  });
  registerConnections(families, source);
  registerAnswers(families, source);
  counter(families, "ossgate_dns_changes_total", "Changes of an endpoint's addresses.", labels, (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) metric.set({ bucket }, upstream.dnsChanges);
  });
  counter(families, "ossgate_dns_lookups_total", "Look-ups by outcome.", ["bucket", "outcome"], (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) {
      metric.set({ bucket, outcome: "ok" }, upstream.dnsLookUpsOk);
      metric.set({ bucket, outcome: "failed" }, upstream.dnsLookUpsFailed);
    }
  });
  counter(families, "ossgate_upstream_set_aside_total", "Times an address was set aside.", labels, (metric) => {
    for (const [bucket, upstream] of source.stats.upstreams) metric.set({ bucket }, upstream.setAside);
  });
}

function registerConnections(families: Families, { stats }: MetricsSource): void {
  const connectHelp = "From the start of a connection to OSS until it can be used, TLS included.";
  histogram(families, "ossgate_upstream_connect_seconds", connectHelp, "bucket", function* () {
    for (const [bucket, { connects }] of stats.upstreams) yield [bucket, connects];
  });
  const socketsHelp = "Open connections to OSS, used by a request or idle.";
  gauge(families, "ossgate_upstream_connections", socketsHelp, ["bucket", "state"], (metric) => {
    for (const [bucket, { openConnections, usedConnections }] of stats.upstreams) {
      metric.set({ bucket, state: "used" }, usedConnections);
      metric.set({ bucket, state: "idle" }, Math.max(0, openConnections - usedConnections));
    }
  });
  const queueHelp = "Requests that wait for a connection to OSS because all are taken.";
  gauge(families, "ossgate_upstream_queued_requests", queueHelp, ["bucket"], (metric) => {
    for (const [bucket, { queued }] of stats.upstreams) metric.set({ bucket }, queued);
  });
}

function registerAnswers(families: Families, { stats }: MetricsSource): void {
  const answersHelp = "Answers of OSS by the class of their status, whatever became of them then.";
  counter(families, "ossgate_upstream_answers_total", answersHelp, ["bucket", "status"], (metric) => {
    for (const [bucket, { answers }] of stats.upstreams) {
      metric.setEach({ bucket }, "status", ANSWER_LABELS, answers);
    }
  });
  // Causes are shown from the start, with 0, so that the first of them is an increase.
  const errorsHelp = "Tries that brought no answer of OSS, or not all of it, by cause; retried ones too.";
  counter(families, "ossgate_upstream_errors_total", errorsHelp, ["bucket", "cause"], (metric) => {
    for (const [bucket, { errors }] of stats.upstreams) {
      metric.setEach({ bucket }, "cause", UPSTREAM_CAUSES, errors);
    }
  });
  const ossHelp = "Errors that OSS answered with, by OSS's own code.";
  counter(families, "ossgate_oss_errors_total", ossHelp, ["bucket", "code"], (metric) => {
    for (const [bucket, { ossErrors }] of stats.upstreams) metric.setSeen({ bucket }, "code", OSS_CODES, ossErrors);
  });
}
