import { counter, type Families, gauge, histogramOf } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { ANSWER_LABELS, type UpstreamStats } from "./stats.js";

const LABELS = ["upstream", "backend"];

/** A bucket is an upstream of one backend. */
const labelsOf = (bucket: string) => ({ upstream: bucket, backend: bucket });

/** What the module tells of upstreams, by bucket. */
export function registerVtsUpstreams(families: Families, { stats, rates }: MetricsSource): void {
  counter(families, "nginx_vts_upstream_bytes_total", "Bytes of bodies.", [...LABELS, "direction"], (metric) => {
    for (const [bucket, { ingressBytes, egressBytes }] of stats.upstreams) {
      metric.set({ ...labelsOf(bucket), direction: "in" }, ingressBytes);
      metric.set({ ...labelsOf(bucket), direction: "out" }, egressBytes);
    }
  });
  counter(families, "nginx_vts_upstream_requests_total", "Answers of OSS.", [...LABELS, "code"], (metric) => {
    for (const [bucket, { answers }] of stats.upstreams) {
      metric.setEach(labelsOf(bucket), "code", ANSWER_LABELS, answers);
    }
  });
  for (const [kind, help, pick] of TIMES) {
    const name = `nginx_vts_upstream_${kind}_seconds`;
    counter(families, `${name}_total`, `${help}, added up.`, LABELS, (metric) => {
      for (const [bucket, upstream] of stats.upstreams) metric.set(labelsOf(bucket), pick(upstream).sumMs / 1_000);
    });
    gauge(families, name, `${help}: the average of the last 10 s.`, LABELS, (metric) => {
      for (const [bucket, request, response] of rates?.bucketMeans() ?? []) {
        metric.set(labelsOf(bucket), kind === "request" ? request : response);
      }
    });
    histogramOf(families, `nginx_vts_upstream_${kind}_duration_seconds`, `${help}.`, LABELS, function* () {
      for (const [bucket, upstream] of stats.upstreams) yield [labelsOf(bucket), pick(upstream)];
    });
  }
}

const TIMES = [
  ["request", "Time of requests that OSS answered", ({ requestDurations }: UpstreamStats) => requestDurations],
  ["response", "Of that, from sending them to OSS", ({ responseDurations }: UpstreamStats) => responseDurations],
] as const;
