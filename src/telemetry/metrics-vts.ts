import { hostname } from "node:os";
import { counter, Families, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { registerVtsServers } from "./metrics-vts-servers.js";
import { registerVtsUpstreams } from "./metrics-vts-upstreams.js";

/**
 * The names that charts of NGINX use: those of the exporter of its status page, and those of nginx-module-vts 0.2
 * (ngx_http_vhost_traffic_status_display_prometheus.h), with its labels. A route takes the place of a server (`host`), a
 * bucket that of an upstream and of its only backend. `*` is all together, as the module has it. Its filters and cache
 * zones have no counterpart here. The module averages the last 64 requests of a minute; here it is those of 10 s.
 */
export function createVtsMetrics(source: MetricsSource): Families {
  const families = new Families();
  registerMain(families, source);
  registerConnections(families, source);
  registerVtsServers(families, source);
  registerVtsUpstreams(families, source);
  return families;
}

const STARTED_SECONDS = Math.trunc(performance.timeOrigin) / 1_000;

function registerMain(families: Families, { version }: MetricsSource): void {
  gauge(
    families,
    "nginx_vts_info",
    "1, labelled with the version.",
    ["hostname", "module_version", "version"],
    (metric) => metric.set({ hostname: hostname(), module_version: "ossgate", version }, 1),
  );
  gauge(families, "nginx_vts_start_time_seconds", "When the program was started.", [], (metric) =>
    metric.set(STARTED_SECONDS),
  );
  const sharedHelp = "Nothing is counted in shared memory here: 0.";
  gauge(families, "nginx_vts_main_shm_usage_bytes", sharedHelp, ["shared"], (metric) => {
    for (const shared of ["max_size", "used_size", "used_node", "free_size"]) metric.set({ shared }, 0);
  });
}

function registerConnections(families: Families, { stats }: MetricsSource): void {
  const inFlight = (): number => [...stats.routes.values()].reduce((sum, route) => sum + route.inFlight, 0);
  const waiting = (): number => Math.max(0, stats.openConnections - inFlight());
  const requests = (): number => [...stats.routes.values()].reduce((sum, route) => sum + route.requestCount, 0);
  counter(families, "nginx_connections_accepted", "Accepted client connections.", [], (metric) =>
    metric.set(stats.connectionsTotal),
  );
  counter(families, "nginx_connections_handled", "Handled client connections.", [], (metric) =>
    metric.set(stats.connectionsTotal - stats.connectionsRefused),
  );
  const states: readonly (readonly [state: string, help: string, value: () => number])[] = [
    ["active", "Open client connections.", () => stats.openConnections],
    ["reading", "Not told apart from waiting here: 0.", () => 0],
    ["writing", "Requests that are being served.", inFlight],
    ["waiting", "Client connections without a request.", waiting],
  ];
  for (const [state, help, value] of states) {
    gauge(families, `nginx_connections_${state}`, help, [], (metric) => metric.set(value()));
  }
  counter(families, "nginx_http_requests_total", "Finished requests.", [], (metric) => metric.set(requests()));
  gauge(families, "nginx_vts_main_connections", "Client connections by state.", ["status"], (metric) => {
    for (const [status, , value] of states) metric.set({ status }, value());
    metric.set({ status: "accepted" }, stats.connectionsTotal);
    metric.set({ status: "handled" }, stats.connectionsTotal - stats.connectionsRefused);
    metric.set({ status: "requests" }, requests());
  });
}
