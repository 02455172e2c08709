import * as fc from "fast-check";
import t from "tap";
import { RecentRates } from "../../../src/telemetry/recent-rates.js";
import { Stats } from "../../../src/telemetry/stats.js";

function count(stats: Stats, requests: number, status = 200): void {
  for (let i = 0; i < requests; i += 1) {
    stats
      .route("files")
      .countRequest({ signature: "anonymous", method: "GET", status, bucket: "media", errorCode: null });
  }
}

const routeRates = (rates: RecentRates) => new Map(rates.routes()).get("files");
const bucketRates = (rates: RecentRates) => new Map(rates.buckets()).get("media");

t.test("nothing passes before there are two samples", async (t) => {
  const stats = new Stats();
  const rates = new RecentRates(stats);
  t.same([...rates.routes()], []);
  count(stats, 5);
  rates.tick(0);
  t.equal(routeRates(rates)?.requestsPerSecond, 0);
});

t.test("what passed in the last ten seconds counts, and nothing from before", async (t) => {
  const stats = new Stats();
  const rates = new RecentRates(stats);
  for (let second = 0; second <= 60; second += 1) {
    if (second > 0 && second <= 40) {
      count(stats, 7);
      count(stats, 1, 503);
      const bucket = stats.route("files").buckets.of("media");
      bucket.sentBytes += 1_000;
      bucket.receivedBytes += 100;
      const upstream = stats.upstream("media");
      upstream.requests += 9;
      upstream.egressBytes += 2_000;
      upstream.ingressBytes += 200;
    }
    rates.tick(second * 1_000);
    if (second === 40) {
      t.same(routeRates(rates), {
        requestsPerSecond: 8,
        receivedBytesPerSecond: 100,
        sentBytesPerSecond: 1_000,
        failuresPerSecond: 1,
      });
      t.same(bucketRates(rates), { requestsPerSecond: 9, ingressBytesPerSecond: 200, egressBytesPerSecond: 2_000 });
    }
    if (second === 45) t.equal(routeRates(rates)?.requestsPerSecond, 4);
    if (second >= 50) t.equal(routeRates(rates)?.requestsPerSecond, 0, String(second));
  }
});

t.test("a route that is met later counts from 0", async (t) => {
  const stats = new Stats();
  const rates = new RecentRates(stats);
  for (let second = 0; second < 5; second += 1) rates.tick(second * 1_000);
  count(stats, 10);
  rates.tick(5_000);
  t.equal(routeRates(rates)?.requestsPerSecond, 2);
});

t.test("samples that come late or at no regular time never make a rate too high", async (t) => {
  const step = fc.record({ afterMs: fc.integer({ min: 1, max: 30_000 }), requests: fc.nat({ max: 20 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 40 }), (steps) => {
      const stats = new Stats();
      const rates = new RecentRates(stats);
      let nowMs = 0;
      rates.tick(nowMs);
      let highest = 0;
      for (const { afterMs, requests } of steps) {
        count(stats, requests);
        nowMs += afterMs;
        highest = Math.max(highest, requests / (afterMs / 1_000));
        rates.tick(nowMs);
        const rate = routeRates(rates)?.requestsPerSecond ?? 0;
        if (rate < 0 || rate > highest * (1 + 1e-9)) return false;
      }
      return true;
    }),
  );
  t.pass();
});

t.test("a time that stands still is no sample", async (t) => {
  const stats = new Stats();
  const rates = new RecentRates(stats);
  rates.tick(1_000);
  count(stats, 3);
  rates.tick(1_000);
  rates.tick(500);
  t.equal(routeRates(rates), undefined);
  rates.tick(2_000);
  t.equal(routeRates(rates)?.requestsPerSecond, 3);
});
