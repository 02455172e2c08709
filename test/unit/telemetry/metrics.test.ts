import t from "tap";
import { ERROR_CODES, ERRORS } from "../../../src/core/errors.js";
import { SIGNATURE_CLASSES } from "../../../src/signing/types.js";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { CODE_LABELS, METHOD_LABELS, Stats } from "../../../src/telemetry/stats.js";

function fixture() {
  const stats = new Stats();
  const upstreams = [{ id: "media", addresses: 3, setAside: 1, inFlight: 2, clockSkewMs: 1_500 }];
  const credentials = [
    { name: "reader", isValid: true, expiresAtMs: Date.now() + 3_600_000 },
    { name: "keys", isValid: true, expiresAtMs: null },
    { name: "lost", isValid: false, expiresAtMs: null },
  ];
  Object.assign(stats.credentialsOf("reader"), { refreshesOk: 21, refreshesFailed: 22 });
  const registry = createMetrics({
    stats,
    version: "1.2.3",
    upstreams: () => upstreams,
    credentials: () => credentials,
  });
  const ours = async (): Promise<string[]> =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith("ossgate_"));
  return { stats, registry, ours };
}

t.test("what is counted is printed at the next scrape, and again at the one after", async (t) => {
  const { stats, ours } = fixture();
  const route = stats.route("files");
  const request = { signature: "anonymous", method: "GET", bucket: "media", errorCode: null } as const;
  for (const status of [206, 206, 200]) route.countRequest({ ...request, status });
  route.countRequest({ ...request, status: 502, errorCode: "UPSTREAM_REFUSED" });
  route.countError("UPSTREAM_RESET");
  Object.assign(route.buckets.of("media"), { receivedBytes: 7, sentBytes: 8 });
  route.inFlight = 3;
  route.retries = 4;
  stats.openConnections = 5;
  stats.connectionsTotal = 6;
  stats.connectionsRefused = 1;
  stats.logLosses.count("full", 9);
  Object.assign(stats.upstream("media"), { dnsChanges: 2, dnsLookUpsOk: 11, dnsLookUpsFailed: 12, setAside: 13 });
  for (let scrape = 0; scrape < 2; scrape += 1) {
    const lines = new Set(await ours());
    for (const line of [
      `ossgate_build_info{version="1.2.3",node="${process.version}"} 1`,
      'ossgate_requests_total{route="files",bucket="media",method="GET",status="2xx",code="206",signature="anonymous"} 2',
      'ossgate_requests_total{route="files",bucket="media",method="GET",status="2xx",code="200",signature="anonymous"} 1',
      'ossgate_request_failures_total{route="files",bucket="media"} 1',
      'ossgate_errors_total{route="files",code="UPSTREAM_REFUSED",origin="upstream"} 1',
      'ossgate_errors_total{route="files",code="UPSTREAM_RESET",origin="upstream"} 1',
      'ossgate_received_bytes_total{route="files",bucket="media"} 7',
      'ossgate_sent_bytes_total{route="files",bucket="media"} 8',
      'ossgate_requests_in_flight{route="files"} 3',
      'ossgate_upstream_retries_total{route="files"} 4',
      "ossgate_client_connections 5",
      "ossgate_client_connections_total 6",
      "ossgate_client_connections_refused_total 1",
      'ossgate_log_lines_dropped_total{cause="full"} 9',
      'ossgate_log_lines_dropped_total{cause="behind"} 0',
      'ossgate_upstream_addresses{bucket="media"} 3',
      'ossgate_upstream_addresses_set_aside{bucket="media"} 1',
      'ossgate_upstream_requests_in_flight{bucket="media"} 2',
      'ossgate_dns_changes_total{bucket="media"} 2',
      'ossgate_dns_lookups_total{bucket="media",outcome="ok"} 11',
      'ossgate_dns_lookups_total{bucket="media",outcome="failed"} 12',
      'ossgate_upstream_set_aside_total{bucket="media"} 13',
      'ossgate_upstream_clock_skew_seconds{bucket="media"} 1.5',
      'ossgate_credentials_valid{credentials="reader"} 1',
      'ossgate_credentials_valid{credentials="lost"} 0',
      'ossgate_credentials_refreshes_total{credentials="reader",outcome="ok"} 21',
      'ossgate_credentials_refreshes_total{credentials="reader",outcome="failed"} 22',
    ]) {
      t.ok(lines.has(line), line);
    }
  }
});

t.test("the seconds until credentials expire are printed, and none for those that do not", async (t) => {
  const lines = (await fixture().ours()).filter((line) => line.startsWith("ossgate_credentials_expiry_seconds{"));
  t.equal(lines.length, 1);
  const [, seconds = ""] =
    /^ossgate_credentials_expiry_seconds\{credentials="reader"\} (\S+)$/.exec(lines[0] ?? "") ?? [];
  t.ok(Number(seconds) > 3_500 && Number(seconds) <= 3_600, seconds);
});

t.test("a histogram is cumulative, in seconds, and ends with +Inf", async (t) => {
  const { stats, ours } = fixture();
  for (const durationMs of [1, 5, 6, 700_000]) stats.route("files").durations.observe(durationMs);
  const lines = (await ours()).filter((line) => /^ossgate_request_duration_seconds.*route="files"/.test(line));
  const value = (part: string): number =>
    Number(
      lines
        .find((line) => line.includes(part))
        ?.split(" ")
        .at(-1),
    );
  t.equal(value('le="0.005"'), 2);
  t.equal(value('le="0.01"'), 3);
  t.equal(value('le="300"'), 3);
  t.equal(value('le="+Inf"'), 4);
  t.equal(value("_count"), 4);
  t.equal(value("_sum"), 700.012);
});

t.test("the text is Prometheus's: each metric has its help and its type once, before its values", async (t) => {
  const { stats, registry } = fixture();
  stats.route("files").durations.observe(1);
  const text = await registry.metrics();
  const types = [...text.matchAll(/^# TYPE (ossgate_\S+) (\S+)$/gm)].map(([, name, type]) => [name, type] as const);
  t.equal(new Set(types.map(([name]) => name)).size, types.length);
  for (const [name = "", type] of types) {
    t.match(text, `# HELP ${name} `);
    if (type === "counter") t.match(name, /_total$/);
    if (type === "histogram") t.match(name, /_seconds$/);
  }
  const named = new Set(types.map(([name]) => name));
  for (const [, name = ""] of text.matchAll(/^(ossgate_[a-z_]+)/gm)) {
    t.ok(named.has(name) || named.has(name.replace(/_(bucket|sum|count)$/, "")), name);
  }
});

t.test("labels come from closed sets, whatever was asked for", async (t) => {
  const { stats, ours } = fixture();
  const route = stats.route("files");
  for (const method of [...METHOD_LABELS, "EVIL\n", "x".repeat(1000), "get"]) {
    for (let status = 0; status < 1_000; status += 1) {
      for (const signature of SIGNATURE_CLASSES) {
        route.countRequest({ signature, method, status, bucket: "media", errorCode: null });
      }
    }
  }
  for (const code of ERROR_CODES) route.countError(code);
  const lines = await ours();
  const requests = lines.filter((line) => line.startsWith("ossgate_requests_total"));
  t.equal(requests.length, SIGNATURE_CLASSES.length * METHOD_LABELS.length * CODE_LABELS.length);
  const errors = lines.filter((line) => line.startsWith("ossgate_errors_total"));
  t.equal(errors.length, ERROR_CODES.length);
  for (const code of ERROR_CODES) {
    t.ok(errors.some((line) => line.includes(`code="${code}",origin="${ERRORS[code].origin}"`)));
  }
});

t.test("the process's own metrics are there too", async (t) => {
  const text = await fixture().registry.metrics();
  t.match(text, /^process_resident_memory_bytes \d+$/m);
  t.match(text, /^nodejs_version_info\{/m);
});
