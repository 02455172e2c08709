import type { Registry } from "prom-client";
import { counter, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";

/** Addresses, names and clocks of the buckets' endpoints, and what was sent there. */
export function registerUpstreams(registry: Registry, source: MetricsSource): void {
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
