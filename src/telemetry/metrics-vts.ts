import { counter, Families, gauge, histogram } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { ANSWER_LABELS, CODE_LABELS, METHOD_LABELS, type RouteStats, requestsIndex } from "./stats.js";

/**
 * The names that charts of NGINX use: those of the exporter of its status page, and those of nginx-module-vts. A route
 * takes the place of a server (`host`), a bucket that of an upstream and of its only backend. `*` is all together, as
 * the module has it.
 */
export function createVtsMetrics({ stats }: MetricsSource): Families {
  const families = new Families();
  const routes = () => [...stats.routes.values()];
  registerConnections(families, { stats });
  registerServers(families, routes);
  registerUpstreams(families, { stats });
  return families;
}

type Source = Pick<MetricsSource, "stats">;

function registerConnections(families: Families, { stats }: Source): void {
  const inFlight = (): number => [...stats.routes.values()].reduce((sum, route) => sum + route.inFlight, 0);
  const waiting = (): number => Math.max(0, stats.openConnections - inFlight());
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
  counter(families, "nginx_http_requests_total", "Finished requests.", [], (metric) => {
    metric.set([...stats.routes.values()].reduce((sum, route) => sum + route.requestCount, 0));
  });
  gauge(families, "nginx_vts_main_connections", "Client connections by state.", ["status"], (metric) => {
    for (const [status, , value] of states) metric.set({ status }, value());
    metric.set({ status: "accepted" }, stats.connectionsTotal);
    metric.set({ status: "handled" }, stats.connectionsTotal - stats.connectionsRefused);
  });
}

const ALL = "*";

function registerServers(families: Families, routes: () => readonly RouteStats[]): void {
  counter(families, "nginx_vts_server_bytes_total", "Bytes of bodies.", ["host", "direction"], (metric) => {
    const all = { in: 0, out: 0 };
    for (const { route, receivedBytes, sentBytes } of routes()) {
      metric.set({ host: route, direction: "in" }, receivedBytes);
      metric.set({ host: route, direction: "out" }, sentBytes);
      all.in += receivedBytes;
      all.out += sentBytes;
    }
    metric.set({ host: ALL, direction: "in" }, all.in);
    metric.set({ host: ALL, direction: "out" }, all.out);
  });
  counter(families, "nginx_vts_server_requests_total", "Finished requests.", ["host", "code"], (metric) => {
    const all = new Float64Array(ANSWER_LABELS.length);
    for (const route of routes()) {
      const counts = requestsByClass(route);
      metric.setEach({ host: route.route }, "code", ANSWER_LABELS, counts);
      counts.forEach((count, index) => {
        all[index] = (all[index] as number) + count;
      });
    }
    metric.setEach({ host: ALL }, "code", ANSWER_LABELS, all);
  });
  const secondsHelp = "Time of finished requests, added up.";
  counter(families, "nginx_vts_server_request_seconds_total", secondsHelp, ["host"], (metric) => {
    for (const { route, durations } of routes()) metric.set({ host: route }, durations.sumMs / 1_000);
  });
  const durationHelp = "Time of finished requests.";
  histogram(families, "nginx_vts_server_request_duration_seconds", durationHelp, "host", function* () {
    for (const { route, durations } of routes()) yield [route, durations];
  });
}

/** By the place in ANSWER_LABELS. */
function requestsByClass({ buckets }: RouteStats): Float64Array {
  const classes = new Float64Array(ANSWER_LABELS.length);
  for (const { requests } of buckets.values()) {
    for (const { counts } of requests.values()) {
      CODE_LABELS.forEach((code, codeIndex) => {
        const place = Number(code[0]) - 1;
        METHOD_LABELS.forEach((_, methodIndex) => {
          classes[place] = (classes[place] as number) + (counts[requestsIndex(methodIndex, codeIndex)] as number);
        });
      });
    }
  }
  return classes;
}

function registerUpstreams(families: Families, { stats }: Source): void {
  const labels = ["upstream", "backend"];
  counter(families, "nginx_vts_upstream_bytes_total", "Bytes of bodies.", [...labels, "direction"], (metric) => {
    for (const [upstream, { ingressBytes, egressBytes }] of stats.upstreams) {
      metric.set({ upstream, backend: upstream, direction: "in" }, ingressBytes);
      metric.set({ upstream, backend: upstream, direction: "out" }, egressBytes);
    }
  });
  counter(families, "nginx_vts_upstream_requests_total", "Answers of OSS.", [...labels, "code"], (metric) => {
    for (const [upstream, { answers }] of stats.upstreams) {
      metric.setEach({ upstream, backend: upstream }, "code", ANSWER_LABELS, answers);
    }
  });
}
