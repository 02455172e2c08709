import { counter, type Families, gauge, histogram } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import {
  ANSWER_LABELS,
  CODE_LABELS,
  DurationHistogram,
  METHOD_LABELS,
  type RouteStats,
  requestsIndex,
} from "./stats.js";

/** All routes together. */
const ALL = "*";

type Routes = () => readonly RouteStats[];

/** What the module tells of servers, by route. */
export function registerVtsServers(families: Families, { stats, rates }: MetricsSource): void {
  const routes = () => [...stats.routes.values()];
  registerCounts(families, routes);
  registerTimes(families, routes, rates);
  registerCache(families, routes);
}

function registerCounts(families: Families, routes: Routes): void {
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
      addTo(all, counts);
    }
    metric.setEach({ host: ALL }, "code", ANSWER_LABELS, all);
  });
}

function registerTimes(families: Families, routes: Routes, rates: MetricsSource["rates"]): void {
  const secondsHelp = "Time of finished requests, added up.";
  counter(families, "nginx_vts_server_request_seconds_total", secondsHelp, ["host"], (metric) => {
    let all = 0;
    for (const { route, durations } of routes()) {
      metric.set({ host: route }, durations.sumMs / 1_000);
      all += durations.sumMs;
    }
    metric.set({ host: ALL }, all / 1_000);
  });
  const averageHelp = "Average time of the requests that finished in the last 10 s.";
  gauge(families, "nginx_vts_server_request_seconds", averageHelp, ["host"], (metric) => {
    if (rates === undefined) return;
    for (const [host, seconds] of rates.routeMeans()) metric.set({ host }, seconds);
    metric.set({ host: ALL }, rates.wholeMean());
  });
  const durationHelp = "Time of finished requests.";
  histogram(families, "nginx_vts_server_request_duration_seconds", durationHelp, "host", function* () {
    const all = new DurationHistogram();
    for (const { route, durations } of routes()) {
      yield [route, durations];
      addTo(all.counts, durations.counts);
      all.sumMs += durations.sumMs;
    }
    yield [ALL, all];
  });
}

const CACHE_STATES = ["miss", "bypass", "expired", "stale", "updating", "revalidated", "hit", "scarce"] as const;
const NO_CACHE = new Float64Array(CACHE_STATES.length);

function registerCache(families: Families, routes: Routes): void {
  const help = "Nothing is cached here: 0.";
  counter(families, "nginx_vts_server_cache_total", help, ["host", "status"], (metric) => {
    for (const { route } of routes()) metric.setEach({ host: route }, "status", CACHE_STATES, NO_CACHE);
    metric.setEach({ host: ALL }, "status", CACHE_STATES, NO_CACHE);
  });
}

function addTo(sums: Float64Array, counts: Float64Array): void {
  for (let i = 0; i < sums.length; i += 1) sums[i] = (sums[i] as number) + (counts[i] as number);
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
