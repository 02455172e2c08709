import t from "tap";
import { ERROR_CODES, type ErrorCode } from "../../../src/core/errors.js";
import {
  CODE_LABELS,
  DURATION_BOUNDS_S,
  DurationHistogram,
  GAUGE_FIELDS,
  METHOD_LABELS,
  OSS_CODES,
  RequestCounts,
  RouteStats,
  requestsIndex,
  Stats,
  UPSTREAM_CAUSES,
  UpstreamStats,
} from "../../../src/telemetry/stats.js";

type MethodLabel = (typeof METHOD_LABELS)[number];
type CodeLabel = (typeof CODE_LABELS)[number];

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

t.test("every method and status has a place of its own", async (t) => {
  const places = new Set<number>();
  for (let method = 0; method < METHOD_LABELS.length; method += 1) {
    for (let code = 0; code < CODE_LABELS.length; code += 1) places.add(requestsIndex(method, code));
  }
  t.equal(places.size, METHOD_LABELS.length * CODE_LABELS.length);
  t.equal(Math.max(...places), places.size - 1);
  t.equal(new RequestCounts().counts.length, places.size);
});

t.test("a request is counted under the labels that it has, or the ones for all others", async (t) => {
  const rows: readonly (readonly [method: string, status: number, methodLabel: MethodLabel, code: CodeLabel])[] = [
    ["GET", 200, "GET", "200"],
    ["HEAD", 304, "HEAD", "304"],
    ["PUT", 499, "PUT", "499"],
    ["DELETE", 504, "DELETE", "504"],
    ["OPTIONS", 101, "OPTIONS", "101"],
    ["PROPFIND", 405, "other", "405"],
    ["get", 226, "other", "2xx"],
    ["GET", 599, "GET", "5xx"],
    ["GET", 999, "GET", "5xx"],
    ["GET", 0, "GET", "1xx"],
    ["GET", -5, "GET", "1xx"],
  ];
  for (const [method, status, methodLabel, code] of rows) {
    const route = new RouteStats("files");
    route.countRequest({ signature: "v4-url", method, status, bucket: "media", errorCode: null });
    const counts = route.buckets.of("media").requests.of("v4-url").counts;
    const place = requestsIndex(METHOD_LABELS.indexOf(methodLabel), CODE_LABELS.indexOf(code));
    t.equal(counts.indexOf(1), place, `${method} ${status}`);
    t.equal(
      counts.reduce((sum, count) => sum + count),
      1,
    );
    t.same([...route.buckets.keys()], ["media"]);
    t.same([...route.buckets.of("media").requests.keys()], ["v4-url"]);
  }
});

t.test("a request has failed when it got a 5xx, or what went wrong was not the client's", async (t) => {
  const rows: readonly (readonly [status: number, errorCode: ErrorCode | null, failures: number])[] = [
    [200, null, 0],
    [404, null, 0],
    [403, "REFERER_DENIED", 0],
    [499, "CLIENT_GONE", 0],
    [503, null, 1],
    [500, "INTERNAL", 1],
    [502, "UPSTREAM_RESET", 1],
    [200, "UPSTREAM_TRUNCATED", 1],
  ];
  for (const [status, errorCode, failures] of rows) {
    const route = new RouteStats("files");
    route.countRequest({ signature: "anonymous", method: "GET", status, bucket: "a", errorCode });
    t.equal(route.failureCount, failures, `${status} ${errorCode}`);
    t.equal(route.requestCount, 1);
    t.equal(
      route.errors.reduce((sum, count) => sum + count),
      errorCode === null ? 0 : 1,
    );
  }
});

t.test("a route's numbers are those of all its buckets", async (t) => {
  const route = new RouteStats("sdk");
  for (const bucket of ["a", "b", "a"]) {
    route.countRequest({ signature: "anonymous", method: "GET", status: 500, bucket, errorCode: null });
    route.buckets.of(bucket).sentBytes += 5;
    route.buckets.of(bucket).receivedBytes += 7;
  }
  t.same([route.requestCount, route.failureCount, route.sentBytes, route.receivedBytes], [3, 3, 15, 21]);
  t.equal(route.buckets.of("a").requestCount, 2);
});

t.test("what OSS answers is counted by class, and its errors by their code", async (t) => {
  const upstream = new UpstreamStats();
  for (const status of [200, 204, 304, 100, 0]) t.equal(upstream.noteHead(status, []), null, String(status));
  const document = (code: string) => Buffer.from(`<Error><Code>${code}</Code></Error>`);
  upstream.noteHead(404, [])?.(document("NoSuchKey"));
  upstream.noteHead(203, [])?.(document("CallbackFailed"));
  upstream.noteHead(403, [])?.(document("Evil"));
  upstream.noteHead(403, [])?.(null);
  upstream.noteHead(503, [])?.(document("ServiceUnavailable"));
  const errors = OSS_CODES.flatMap((code, index) => (upstream.ossErrors[index] === 1 ? [code] : []));
  t.same(errors, ["NoSuchKey", "CallbackFailed", "ServiceUnavailable", "other", "unknown"]);
  upstream.noteHead(700, []);
  t.same([...upstream.answers], [2, 3, 1, 3, 2]);
  t.equal(
    upstream.throttled.counts.reduce((sum, count) => sum + count),
    1,
  );
});

t.test("tries that fail are counted by their cause, where it is the upstream's", async (t) => {
  const upstream = new UpstreamStats();
  for (const code of ERROR_CODES) upstream.countError(code);
  t.same(
    [...upstream.errors],
    UPSTREAM_CAUSES.map(() => 1),
  );
  t.notOk(UPSTREAM_CAUSES.includes("CLIENT_GONE"));
});

t.test("what goes up and down is named, and is 0 where nothing was counted", async (t) => {
  const stats = new Stats();
  const owners: object[] = [stats, stats.route("files"), stats.upstream("media")];
  const seen = new Set<string>();
  for (const owner of owners) {
    for (const [name, value] of Object.entries(owner)) {
      if (!GAUGE_FIELDS.has(name)) continue;
      seen.add(name);
      t.equal(value, 0, name);
    }
  }
  t.same(seen, GAUGE_FIELDS);
});

t.test("each error code has its own count", async (t) => {
  const route = new RouteStats("files");
  for (const [index, code] of ERROR_CODES.entries()) {
    for (let i = 0; i <= index; i += 1) route.countError(code);
  }
  t.same(
    [...route.errors],
    ERROR_CODES.map((_, index) => index + 1),
  );
});

t.test("a route and an upstream keep their counters, and requests without a route have theirs", async (t) => {
  const stats = new Stats();
  t.equal(stats.route("files"), stats.route("files"));
  t.not(stats.route("files"), stats.route("other"));
  t.equal(stats.upstream("media"), stats.upstream("media"));
  t.equal(stats.route("-"), stats.unrouted);
});
