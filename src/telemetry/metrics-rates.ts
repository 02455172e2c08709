import { type Families, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";

/** What passes now, for people who look at the page itself; Prometheus has `rate()` of the counters. */
export function registerRates(families: Families, { rates }: MetricsSource): void {
  const ofRoutes = [
    ["ossgate_requests_per_second", "Finished requests per second", "requestsPerSecond"],
    ["ossgate_received_bytes_per_second", "Bytes per second from clients", "receivedBytesPerSecond"],
    ["ossgate_sent_bytes_per_second", "Bytes per second to clients", "sentBytesPerSecond"],
    ["ossgate_request_failures_per_second", "Requests per second that failed behind the client", "failuresPerSecond"],
  ] as const;
  for (const [name, help, field] of ofRoutes) {
    gauge(families, name, `${help}, over the last 10 s.`, ["route"], (metric) => {
      for (const [route, now] of rates?.routes() ?? []) metric.set({ route }, now[field]);
    });
  }
  const requestsHelp = "Requests per second to OSS, over the last 10 s.";
  gauge(families, "ossgate_upstream_requests_per_second", requestsHelp, ["bucket"], (metric) => {
    for (const [bucket, { requestsPerSecond }] of rates?.buckets() ?? []) metric.set({ bucket }, requestsPerSecond);
  });
  const bytesHelp = "Bytes per second to and from OSS, over the last 10 s, in OSS's directions.";
  gauge(families, "ossgate_upstream_bytes_per_second", bytesHelp, ["bucket", "direction"], (metric) => {
    for (const [bucket, { egressBytesPerSecond, ingressBytesPerSecond }] of rates?.buckets() ?? []) {
      metric.set({ bucket, direction: "egress" }, egressBytesPerSecond);
      metric.set({ bucket, direction: "ingress" }, ingressBytesPerSecond);
    }
  });
}
