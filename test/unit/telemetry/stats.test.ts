import t from "tap";
import { ERROR_CODES } from "../../../src/core/errors.js";
import {
  DURATION_BOUNDS_S,
  DurationHistogram,
  METHOD_LABELS,
  RouteStats,
  requestsIndex,
  STATUS_LABELS,
  Stats,
} from "../../../src/telemetry/stats.js";

type MethodLabel = (typeof METHOD_LABELS)[number];
type StatusLabel = (typeof STATUS_LABELS)[number];

t.test("a duration is counted in the first bucket whose bound it does not exceed", async (t) => {
  for (const [index, boundS] of DURATION_BOUNDS_S.entries()) {
    for (const [durationMs, bucket] of [
      [boundS * 1_000, index],
      [boundS * 1_000 + 0.001, index + 1],
    ] as const) {
      const histogram = new DurationHistogram();
      histogram.observe(durationMs);
      t.equal(histogram.counts.indexOf(1), bucket, `${durationMs} ms`);
      t.equal(histogram.sumMs, durationMs);
    }
  }
});

t.test("nothing is too short or too long for a bucket", async (t) => {
  const histogram = new DurationHistogram();
  for (const durationMs of [0, 1e9, 86_400_000]) histogram.observe(durationMs);
  t.equal(histogram.counts[0], 1);
  t.equal(histogram.counts[DURATION_BOUNDS_S.length], 2);
  t.equal(
    histogram.counts.reduce((sum, count) => sum + count),
    3,
  );
});

t.test("every signature class, method and status class has a place of its own", async (t) => {
  const places = new Set<number>();
  for (let signature = 0; signature < 8; signature += 1) {
    for (let method = 0; method < METHOD_LABELS.length; method += 1) {
      for (let status = 0; status < STATUS_LABELS.length; status += 1)
        places.add(requestsIndex(signature, method, status));
    }
  }
  const count = 8 * METHOD_LABELS.length * STATUS_LABELS.length;
  t.equal(places.size, count);
  t.equal(Math.max(...places), count - 1);
});

t.test("a request is counted under the labels that it has, or the ones for all others", async (t) => {
  const rows: readonly (readonly [
    method: string,
    status: number,
    methodLabel: MethodLabel,
    statusLabel: StatusLabel,
  ])[] = [
    ["GET", 200, "GET", "2xx"],
    ["HEAD", 304, "HEAD", "3xx"],
    ["PUT", 499, "PUT", "4xx"],
    ["DELETE", 504, "DELETE", "5xx"],
    ["OPTIONS", 101, "OPTIONS", "1xx"],
    ["PROPFIND", 405, "other", "4xx"],
    ["get", 200, "other", "2xx"],
    ["GET", 999, "GET", "5xx"],
    ["GET", 0, "GET", "1xx"],
  ];
  for (const [method, status, methodLabel, statusLabel] of rows) {
    const route = new RouteStats("files", 3);
    route.countRequest(2, method, status);
    const methodIndex = METHOD_LABELS.indexOf(methodLabel);
    const statusIndex = STATUS_LABELS.indexOf(statusLabel);
    t.equal(route.requests.indexOf(1), requestsIndex(2, methodIndex, statusIndex), `${method} ${status}`);
    t.equal(
      route.requests.reduce((sum, count) => sum + count),
      1,
    );
  }
});

t.test("each error code has its own count", async (t) => {
  const route = new RouteStats("files", 1);
  for (const [index, code] of ERROR_CODES.entries()) {
    for (let i = 0; i <= index; i += 1) route.countError(code);
  }
  t.same(
    [...route.errors],
    ERROR_CODES.map((_, index) => index + 1),
  );
});

t.test("a route and an upstream keep their counters, and requests without a route have theirs", async (t) => {
  const stats = new Stats(3);
  t.equal(stats.route("files"), stats.route("files"));
  t.not(stats.route("files"), stats.route("other"));
  t.equal(stats.upstream("media"), stats.upstream("media"));
  t.equal(stats.route("-"), stats.unrouted);
  t.equal(stats.route("files").requests.length, 3 * METHOD_LABELS.length * STATUS_LABELS.length);
});
