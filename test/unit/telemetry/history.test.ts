import fc from "fast-check";
import t from "tap";
import { History, SERIES, SLOT_MS, SLOTS } from "../../../src/telemetry/history.js";
import { quantileMs } from "../../../src/telemetry/quantile.js";
import { DurationHistogram, Stats } from "../../../src/telemetry/stats.js";

const ENDED = { signature: "anonymous", method: "GET", status: 200, bucket: "media", errorCode: null } as const;

function serve(stats: Stats, route: string, amount: number, durationMs = 20): void {
  const counters = stats.route(route);
  for (let i = 0; i < amount; i += 1) {
    counters.countRequest(ENDED);
    counters.durations.observe(durationMs);
  }
}

/** Ticks each second. @returns the time then */
function tick(history: History, fromMs: number, seconds: number, each: () => void = () => {}): number {
  for (let i = 1; i <= seconds; i += 1) {
    each();
    history.tick(fromMs + i * 1_000);
  }
  return fromMs + seconds * 1_000;
}

t.test("a point is what passed in five seconds, by route and in all", async (t) => {
  const stats = new Stats();
  serve(stats, "images", 1_000);
  const history = new History(stats, 0, 0);
  let nowMs = tick(history, 0, 5, () => serve(stats, "images", 10));
  nowMs = tick(history, nowMs, 10, () => {
    serve(stats, "images", 2);
    serve(stats, "videos", 1, 700);
  });
  t.equal(history.nextSlot, 3);
  t.same(history.points("requests", 0, "images"), [10, 2, 2], "what was before the start does not count");
  t.same(history.points("requests", 0), [10, 3, 3]);
  t.same(history.points("requests", 2), [3], "only what is asked for");
  t.same(history.points("requests", 3), []);
  t.same(history.points("requests", 99), []);
  t.same(history.points("p50", 0, "images"), [17.5, 17.5, 17.5], "within the bucket from 10 to 25 ms");
  t.equal(history.points("p99", 0).at(-1), 985);
  t.equal(history.endOfSlotMs(2), nowMs);
  t.equal(history.firstSlot(1), 1);
  t.same(history.now("images")?.requests, 2, "the last 10 s");
  t.equal(history.now("nothing"), null);
});

t.test("without requests there are points of 0 and no latency", async (t) => {
  const stats = new Stats();
  const history = new History(stats, 0, 0);
  tick(history, 0, 5);
  t.same(history.points("requests", 0), [0]);
  t.same(history.points("p95", 0), [null]);
  t.match(history.now(), { requests: 0, failedRatio: null, p50: null });
});

t.test("what the gateway refused and what failed are told apart", async (t) => {
  const stats = new Stats();
  const history = new History(stats, 0, 0);
  const counters = stats.route("images");
  counters.countRequest({ ...ENDED, status: 403, errorCode: "REFERER_DENIED" });
  counters.countRequest({ ...ENDED, status: 499, errorCode: "CLIENT_GONE" });
  counters.countRequest({ ...ENDED, status: 502, errorCode: "UPSTREAM_RESET" });
  serve(stats, "images", 7);
  tick(history, 0, 5);
  t.same(history.points("refused", 0, "images"), [0.2]);
  t.same(history.points("failed", 0, "images"), [0.2]);
  t.match(history.now("images"), { refusedRatio: 0.1, failedRatio: 0.1 });
});

t.test("a pause leaves a gap, and the point behind it is a mean and no peak", async (t) => {
  const stats = new Stats();
  const history = new History(stats, 0, 0);
  const nowMs = tick(history, 0, 5, () => serve(stats, "images", 1));
  serve(stats, "images", 100);
  history.tick(nowMs + 4 * SLOT_MS);
  t.same(history.points("requests", 0), [1, null, null, null, 5]);
});

t.test("it remembers 15 minutes, and 200 routes by themselves", async (t) => {
  const stats = new Stats();
  for (let i = 0; i < 300; i += 1) stats.route(`route-${i}`);
  const history = new History(stats, 0, 0);
  for (let slot = 1; slot <= SLOTS + 20; slot += 1) {
    serve(stats, "route-299", slot);
    history.tick(slot * SLOT_MS);
  }
  t.equal(history.routes.length, 200);
  const points = history.points("requests", 0);
  t.equal(points.length, SLOTS);
  t.equal(points[0], 21 / 5);
  t.equal(history.firstSlot(0), 20);
  t.equal(history.now("route-299"), null);
  for (const name of SERIES) t.equal(history.points(name, 0, "route-1").length, SLOTS);
});

t.test("a route that comes later counts from its first second on", async (t) => {
  const stats = new Stats();
  const history = new History(stats, 0, 0);
  const nowMs = tick(history, 0, 10);
  serve(stats, "later", 45);
  tick(history, nowMs, 10, () => serve(stats, "later", 1));
  t.same(history.points("requests", 0, "later"), [null, null, 10, 1], "as long as the others");
  t.same(history.points("requests", 0), [0, 0, 10, 1]);
});

t.test("a quantile lies in the bucket where a share of the observations is", async (t) => {
  const durations = fc.array(fc.double({ min: 0, max: 299_000, noNaN: true }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(durations, fc.double({ min: 0.01, max: 1, noNaN: true }), (observed, quantile) => {
      const histogram = new DurationHistogram();
      for (const durationMs of observed) histogram.observe(durationMs);
      const sorted = [...observed].sort((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(quantile * observed.length - 1e-9) - 1)] as number;
      const alike = new DurationHistogram();
      alike.observe(exact);
      const found = quantileMs(histogram.counts, quantile);
      const bucket = alike.counts.indexOf(1);
      const ofFound = new DurationHistogram();
      ofFound.observe(found);
      return Math.abs(ofFound.counts.indexOf(1) - bucket) <= 1;
    }),
  );
  t.ok(Number.isNaN(quantileMs(new Float64Array(15), 0.5)));
});
