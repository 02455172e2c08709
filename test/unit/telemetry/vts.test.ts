import t from "tap";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { Stats } from "../../../src/telemetry/stats.js";

const REQUEST = { signature: "anonymous", method: "GET", bucket: "media", errorCode: null } as const;

function world() {
  const stats = new Stats();
  let compat: "vts" | null = "vts";
  const page = createMetrics({
    stats,
    version: "0",
    upstreams: () => [],
    credentials: () => [],
    compat: () => compat,
  });
  const lines = async () => (await page.metrics()).split("\n").filter((line) => line.startsWith("nginx_"));
  return {
    stats,
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
