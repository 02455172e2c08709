import t from "tap";
import { ERROR_CODES, ERRORS } from "../../../src/core/errors.js";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { Families, gauge } from "../../../src/telemetry/metrics-kit.js";
import { POLICY_LABELS, POLICY_OF, refusalsByPolicy } from "../../../src/telemetry/metrics-policies.js";
import type { ProcessReport } from "../../../src/telemetry/process-report.js";
import { RecentRates } from "../../../src/telemetry/recent-rates.js";
import { Stats, UPSTREAM_CAUSES } from "../../../src/telemetry/stats.js";
import { TextPage } from "../../../src/telemetry/text-page.js";

const REPORT: ProcessReport = {
  worker: 1,
  pid: 10,
  version: "1.2.3",
  node: "v20.0.0",
  generation: 1,
  upstreams: [],
  credentials: [],
  certificates: [],
  sharedUp: null,
  problems: [],
  eventLoopLagMs: { p99: 20, max: 50 },
  rssBytes: 1_000,
  heapUsedBytes: 500,
  cpuSeconds: 2.5,
};

async function page(stats: Stats, more: Partial<Parameters<typeof createMetrics>[0]> = {}) {
  const metrics = createMetrics({ stats, version: "0", upstreams: () => [], credentials: () => [], ...more });
  return (await metrics.metrics()).split("\n");
}

t.test("connections to OSS are shown as used or idle, and never as less than none", async (t) => {
  const stats = new Stats();
  Object.assign(stats.upstream("media"), { openConnections: 5, usedConnections: 2, queued: 3 });
  Object.assign(stats.upstream("other"), { openConnections: 0, usedConnections: 1 });
  stats.upstream("media").connects.observe(30);
  const lines = await page(stats);
  for (const line of [
    'ossgate_upstream_connections{bucket="media",state="used"} 2',
    'ossgate_upstream_connections{bucket="media",state="idle"} 3',
    'ossgate_upstream_connections{bucket="other",state="idle"} 0',
    'ossgate_upstream_queued_requests{bucket="media"} 3',
    'ossgate_upstream_connect_seconds_bucket{bucket="media",le="0.025"} 0',
    'ossgate_upstream_connect_seconds_bucket{bucket="media",le="0.05"} 1',
    'ossgate_upstream_connect_seconds_count{bucket="media"} 1',
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notOk(lines.some((line) => line.startsWith('ossgate_upstream_connect_seconds_bucket{bucket="other"')));
});

t.test("every cause of an upstream's errors is there before the first", async (t) => {
  const stats = new Stats();
  stats.upstream("media").countError("UPSTREAM_TLS");
  const lines = await page(stats);
  for (const cause of UPSTREAM_CAUSES) {
    const count = cause === "UPSTREAM_TLS" ? 1 : 0;
    t.ok(lines.includes(`ossgate_upstream_errors_total{bucket="media",cause="${cause}"} ${count}`), cause);
  }
});

t.test("every refusal of the gateway's own belongs to a policy, and no fault does", async (t) => {
  const notRefused = new Set(["CLIENT_GONE", "REQUEST_TIMEOUT"]);
  for (const code of ERROR_CODES) {
    const isRefusal = (ERRORS[code].origin === "client" && !notRefused.has(code)) || code === "SHED";
    t.equal(POLICY_OF[code] !== undefined, isRefusal, code);
  }
  for (const policy of Object.values(POLICY_OF)) t.ok(POLICY_LABELS.includes(policy), policy);
});

t.test("refusals add up by policy", async (t) => {
  const stats = new Stats();
  const route = stats.route("files");
  for (const code of ["LINK_EXPIRED", "LINK_EXPIRED", "LINK_INVALID", "REFERER_DENIED", "UPSTREAM_RESET"] as const) {
    route.countError(code);
  }
  const lines = (await page(stats)).filter((line) => line.startsWith("ossgate_refusals_total{"));
  t.same(lines, [
    'ossgate_refusals_total{route="files",policy="referer"} 1',
    'ossgate_refusals_total{route="files",policy="link"} 3',
  ]);
  t.equal(
    refusalsByPolicy(route.errors).reduce((sum, count) => sum + count),
    4,
  );
});

t.test("each process that serves is shown by its number", async (t) => {
  const reports = [REPORT, { ...REPORT, worker: 2, rssBytes: 3_000, eventLoopLagMs: { p99: 1, max: 2 } }];
  const lines = await page(new Stats(), { processes: () => reports, workerCpu: () => new Map([[1, 2.5]]) });
  for (const line of [
    'ossgate_worker_build_info{worker="1",version="1.2.3",node="v20.0.0"} 1',
    'ossgate_worker_resident_memory_bytes{worker="1"} 1000',
    'ossgate_worker_resident_memory_bytes{worker="2"} 3000',
    'ossgate_worker_heap_used_bytes{worker="2"} 500',
    'ossgate_worker_cpu_seconds_total{worker="1"} 2.5',
    'ossgate_worker_event_loop_lag_p99_seconds{worker="1"} 0.02',
    'ossgate_worker_event_loop_lag_max_seconds{worker="2"} 0.002',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

t.test("a name's certificate is as good as the worst that is shown for it", async (t) => {
  const day = 86_400_000;
  const certificate = (days: number, names: readonly string[], problem: string | null = null) => ({
    listener: "web",
    names,
    file: "/img.pem",
    notAfterMs: Date.now() + days * day,
    problem,
  });
  const reports = [
    { ...REPORT, certificates: [certificate(90, ["a.test", "b.test"])] },
    { ...REPORT, worker: 2, certificates: [certificate(10, ["a.test"], "the key does not belong to it")] },
    { ...REPORT, worker: 3, certificates: [certificate(-1, ["c.test"])] },
  ];
  const lines = await page(new Stats(), { processes: () => reports });
  const seconds = (name: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`ossgate_certificate_expiry_seconds{listener="web",name="${name}"}`))
        ?.split(" ")
        .at(-1),
    );
  t.ok(Math.abs(seconds("a.test") - 10 * 86_400) < 600);
  t.ok(Math.abs(seconds("b.test") - 90 * 86_400) < 600);
  t.ok(seconds("c.test") < 0, "it has expired");
  t.ok(lines.includes('ossgate_certificate_current{listener="web",file="/img.pem"} 0'));
});

t.test("handshakes are shown by listener and cause", async (t) => {
  const stats = new Stats();
  const listener = stats.listeners.of("web");
  Object.assign(listener, { tlsHandshakes: 5, tlsResumed: 2 });
  listener.countTlsFailure("protocol");
  const lines = await page(stats);
  for (const line of [
    'ossgate_tls_handshakes_total{listener="web",resumed="false"} 3',
    'ossgate_tls_handshakes_total{listener="web",resumed="true"} 2',
    'ossgate_tls_handshake_failures_total{listener="web",cause="protocol"} 1',
    'ossgate_tls_handshake_failures_total{listener="web",cause="timeout"} 0',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

t.test("what passes now is shown by route and bucket", async (t) => {
  const stats = new Stats();
  const rates = new RecentRates(stats);
  stats.route("files").buckets.of("media").sentBytes = 0;
  rates.tick(0);
  stats.route("files").buckets.of("media").sentBytes = 500;
  stats.upstream("media").egressBytes = 700;
  rates.tick(1_000);
  const lines = await page(stats, { rates });
  t.ok(lines.includes('ossgate_sent_bytes_per_second{route="files"} 500'));
  t.ok(lines.includes('ossgate_requests_per_second{route="files"} 0'));
  t.ok(lines.includes('ossgate_upstream_bytes_per_second{bucket="media",direction="egress"} 700'));
});

t.test("label values are escaped as the text format wants it", async (t) => {
  const families = new Families();
  gauge(families, "a", "help", ["x", "y"], (metric) => metric.set({ x: 'back\\slash "quote"\nline', y: 7 }, 1.5));
  const page = new TextPage();
  families.print(page);
  t.equal(
    page.bytes().toString(),
    '# HELP a help\n# TYPE a gauge\na{x="back\\\\slash \\"quote\\"\\nline",y="7"} 1.5\n\n',
  );
});

t.test("a metric cannot be there twice", async (t) => {
  const families = new Families();
  gauge(families, "a", "help", [], () => {});
  t.throws(() => gauge(families, "a", "help", [], () => {}));
});
