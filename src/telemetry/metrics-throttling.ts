import { counter, type Families, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { THROTTLE_CODES } from "./throttled-answers.js";

/** OSS's thresholds: what passed, which events that makes, and what OSS itself refused or held up. */
export function registerThrottling(families: Families, { stats }: MetricsSource): void {
  counter(families, "ossgate_upstream_requests_total", "Requests sent to OSS, each try.", ["bucket"], (metric) => {
    for (const [bucket, { requests }] of stats.upstreams) metric.set({ bucket }, requests);
  });
  const bytesHelp = "Body bytes to and from OSS, in OSS's directions: egress is what OSS sends.";
  counter(families, "ossgate_upstream_bytes_total", bytesHelp, ["bucket", "direction"], (metric) => {
    for (const [bucket, { egressBytes, ingressBytes }] of stats.upstreams) {
      metric.set({ bucket, direction: "egress" }, egressBytes);
      metric.set({ bucket, direction: "ingress" }, ingressBytes);
    }
  });
  const refusedHelp = "Answers of OSS that refuse for load (503, 429), by their code.";
  counter(families, "ossgate_upstream_throttled_total", refusedHelp, ["bucket", "code"], (metric) => {
    // From the start, with 0, so that the first refusal is an increase.
    for (const [bucket, { throttled }] of stats.upstreams) {
      metric.setEach({ bucket }, "code", THROTTLE_CODES, throttled.counts);
    }
  });
  const delayHelp = "What OSS says that it held answers up for (x-oss-qos-delay-time).";
  counter(families, "ossgate_upstream_qos_delay_seconds_total", delayHelp, ["bucket"], (metric) => {
    for (const [bucket, { throttled }] of stats.upstreams) metric.set({ bucket }, throttled.qosDelayMs / 1_000);
  });
  const eventsHelp = "Throttling events as CloudMonitor names them, foreseen from what passed here.";
  counter(families, "ossgate_throttling_events_total", eventsHelp, ["scope", "name", "event"], (metric) => {
    for (const { scope, name, events } of stats.quotas.values()) {
      for (const [event, value] of events) metric.set({ scope, name, event }, value);
    }
  });
  const usageHelp = "The busiest second of the last minute, as a share of the quota.";
  gauge(families, "ossgate_quota_usage_ratio", usageHelp, ["scope", "name", "qos"], (metric) => {
    for (const { scope, name, windows } of stats.quotas.values()) {
      for (const [qos, { usageRatio }] of windows) metric.set({ scope, name, qos }, usageRatio);
    }
  });
}
