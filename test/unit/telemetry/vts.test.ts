import t from "tap";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { RecentRates } from "../../../src/telemetry/recent-rates.js";
import { Stats } from "../../../src/telemetry/stats.js";

const REQUEST = { signature: "anonymous", method: "GET", bucket: "media", errorCode: null } as const;

function world() {
  const stats = new Stats();
  let compat: "vts" | null = "vts";
  const rates = new RecentRates(stats);
  const page = createMetrics({
    stats,
    rates,
    version: "0",
    upstreams: () => [],
    credentials: () => [],
    compat: () => compat,
  });
  const lines = async () => (await page.metrics()).split("\n").filter((line) => line.startsWith("nginx_"));
  return {
    stats,
    rates,
    lines,
    text: () => page.metrics(),
    switchOff: () => {
      compat = null;
    },
  };
}

t.test("routes are servers, buckets upstreams, and * is all together", async (t) => {
  const { stats, lines } = world();
  for (const route of ["img", "vod"]) {
    stats.route(route).countRequest({ ...REQUEST, status: 206 });
    stats.route(route).countRequest({ ...REQUEST, status: 404, signature: "v4-url", method: "HEAD" });
    Object.assign(stats.route(route).buckets.of("media"), { sentBytes: 100, receivedBytes: 10 });
    stats.route(route).durations.observe(20);
  }
  stats.upstream("media").noteHead(200, []);
  Object.assign(stats.upstream("media"), { egressBytes: 200, ingressBytes: 20 });
  const shown = await lines();
  for (const line of [
    'nginx_vts_server_requests_total{host="img",code="2xx"} 1',
    'nginx_vts_server_requests_total{host="img",code="4xx"} 1',
    'nginx_vts_server_requests_total{host="img",code="5xx"} 0',
    'nginx_vts_server_requests_total{host="*",code="2xx"} 2',
    'nginx_vts_server_bytes_total{host="vod",direction="in"} 10',
    'nginx_vts_server_bytes_total{host="vod",direction="out"} 100',
    'nginx_vts_server_bytes_total{host="*",direction="out"} 200',
    'nginx_vts_server_request_seconds_total{host="img"} 0.02',
    'nginx_vts_server_request_seconds_total{host="*"} 0.04',
    'nginx_vts_server_request_duration_seconds_count{host="*"} 2',
    'nginx_vts_server_cache_total{host="vod",status="hit"} 0',
    'nginx_vts_server_cache_total{host="*",status="scarce"} 0',
    'nginx_vts_server_request_duration_seconds_bucket{host="img",le="0.025"} 1',
    'nginx_vts_server_request_duration_seconds_count{host="img"} 1',
    'nginx_vts_upstream_requests_total{upstream="media",backend="media",code="2xx"} 1',
    'nginx_vts_upstream_bytes_total{upstream="media",backend="media",direction="out"} 200',
    'nginx_vts_upstream_bytes_total{upstream="media",backend="media",direction="in"} 20',
    "nginx_http_requests_total 4",
  ]) {
    t.ok(shown.includes(line), line);
  }
});

t.test("connections have the names of NGINX's status page, and its sums", async (t) => {
  const { stats, lines } = world();
  Object.assign(stats, { openConnections: 5, connectionsTotal: 9, connectionsRefused: 1 });
  stats.route("img").inFlight = 2;
  const shown = await lines();
  for (const [name, value] of [
    ["accepted", 9],
    ["handled", 8],
    ["active", 5],
    ["reading", 0],
    ["writing", 2],
    ["waiting", 3],
  ] as const) {
    t.ok(shown.includes(`nginx_connections_${name} ${value}`), name);
    t.ok(shown.includes(`nginx_vts_main_connections{status="${name}"} ${value}`), name);
  }
});

t.test("without compat nothing of it is shown, and a reload switches it", async (t) => {
  const { text, switchOff } = world();
  t.match(await text(), /^nginx_/m);
  switchOff();
  t.notMatch(await text(), "nginx_");
});

/**
 * The families of nginx-module-vts by name, type and labels, as its source has them (release 0.2:
 * ngx_http_vhost_traffic_status_display_prometheus.h), and the values that its labels may have. Its filters
 * (nginx_vts_filter_*) and cache zones (nginx_vts_cache_*) are what a configuration asks for, and are not here.
 */
const MODULE: Readonly<Record<string, readonly [type: string, ...labels: string[]]>> = {
  nginx_vts_info: ["gauge", "hostname", "module_version", "version"],
  nginx_vts_start_time_seconds: ["gauge"],
  nginx_vts_main_connections: ["gauge", "status"],
  nginx_vts_main_shm_usage_bytes: ["gauge", "shared"],
  nginx_vts_server_bytes_total: ["counter", "host", "direction"],
  nginx_vts_server_requests_total: ["counter", "host", "code"],
  nginx_vts_server_request_seconds_total: ["counter", "host"],
  nginx_vts_server_request_seconds: ["gauge", "host"],
  nginx_vts_server_request_duration_seconds: ["histogram", "host"],
  nginx_vts_server_cache_total: ["counter", "host", "status"],
  nginx_vts_upstream_bytes_total: ["counter", "upstream", "backend", "direction"],
  nginx_vts_upstream_requests_total: ["counter", "upstream", "backend", "code"],
  nginx_vts_upstream_request_seconds_total: ["counter", "upstream", "backend"],
  nginx_vts_upstream_request_seconds: ["gauge", "upstream", "backend"],
  nginx_vts_upstream_response_seconds_total: ["counter", "upstream", "backend"],
  nginx_vts_upstream_response_seconds: ["gauge", "upstream", "backend"],
  nginx_vts_upstream_request_duration_seconds: ["histogram", "upstream", "backend"],
  nginx_vts_upstream_response_duration_seconds: ["histogram", "upstream", "backend"],
};

const VALUES: Readonly<Record<string, readonly string[]>> = {
  nginx_vts_main_connections: ["accepted", "active", "handled", "reading", "requests", "waiting", "writing"],
  nginx_vts_main_shm_usage_bytes: ["max_size", "used_size", "used_node", "free_size"],
  nginx_vts_server_cache_total: ["miss", "bypass", "expired", "stale", "updating", "revalidated", "hit", "scarce"],
  nginx_vts_server_requests_total: ["1xx", "2xx", "3xx", "4xx", "5xx"],
  nginx_vts_upstream_requests_total: ["1xx", "2xx", "3xx", "4xx", "5xx"],
  nginx_vts_server_bytes_total: ["in", "out"],
  nginx_vts_upstream_bytes_total: ["in", "out"],
};

t.test("every family of the module is there by its name, type, labels and their values", async (t) => {
  const { stats, rates, text } = world();
  stats.route("img").countRequest({ ...REQUEST, status: 200 });
  stats.route("img").durations.observe(20);
  stats.upstream("media").requestDurations.observe(20);
  stats.upstream("media").responseDurations.observe(10);
  rates.tick(0);
  const page = (await text()).split("\n");
  for (const [name, [type, ...labels]] of Object.entries(MODULE)) {
    t.ok(page.includes(`# TYPE ${name} ${type}`), `${name} is a ${type}`);
    const series = type === "histogram" ? `${name}_count` : name;
    const lines = page.filter((line) => line.startsWith(`${series}{`) || line.startsWith(`${series} `));
    t.ok(lines.length > 0, name);
    for (const line of lines) {
      t.same(
        [...line.matchAll(/(\w+)="/g)].map(([, label]) => label),
        labels,
        line,
      );
    }
    const last = lines.map((line) => /"([^"]*)"} /.exec(line)?.[1]);
    if (VALUES[name] !== undefined) t.same([...new Set(last)].sort(), [...VALUES[name]].sort(), name);
  }
  const others = page.flatMap((line) => /^# TYPE (nginx_vts_\w+)/.exec(line)?.[1] ?? []);
  t.same(others.sort(), Object.keys(MODULE).sort(), "and none that the module has not");
});

t.test("averages are of the last ten seconds, by route, bucket and in all", async (t) => {
  const { stats, rates, lines } = world();
  rates.tick(0);
  for (let second = 1; second <= 30; second += 1) {
    const ms = second <= 15 ? 1_000 : 20;
    stats.route("img").durations.observe(ms);
    stats.route("vod").durations.observe(3 * ms);
    stats.upstream("media").requestDurations.observe(2 * ms);
    stats.upstream("media").responseDurations.observe(ms);
    rates.tick(second * 1_000);
  }
  const shown = await lines();
  for (const line of [
    'nginx_vts_server_request_seconds{host="img"} 0.02',
    'nginx_vts_server_request_seconds{host="vod"} 0.06',
    'nginx_vts_server_request_seconds{host="*"} 0.04',
    'nginx_vts_upstream_request_seconds{upstream="media",backend="media"} 0.04',
    'nginx_vts_upstream_response_seconds{upstream="media",backend="media"} 0.02',
    'nginx_vts_upstream_response_seconds_total{upstream="media",backend="media"} 15.3',
    'nginx_vts_upstream_request_duration_seconds_count{upstream="media",backend="media"} 30',
  ]) {
    t.ok(shown.includes(line), line);
  }
  for (let second = 31; second <= 41; second += 1) rates.tick(second * 1_000);
  t.ok((await lines()).includes('nginx_vts_server_request_seconds{host="*"} 0'), "without requests it is 0");
});
