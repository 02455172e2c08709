import fc from "fast-check";
import t from "tap";
import { TokenBucket } from "../../../src/policy/rate-limit.js";

t.test("a bucket starts full, and what is beyond its burst waits for the rate", (t) => {
  const bucket = new TokenBucket(10, 3);
  t.same(
    [1, 2, 3].map(() => bucket.take(1, 0)),
    [0, 0, 0],
  );
  t.equal(bucket.take(1, 0), 100);
  t.equal(bucket.take(1, 99), 1);
  t.equal(bucket.take(1, 100), 0);
  t.equal(bucket.take(3, 300), 100, "two are there of three");
  t.equal(bucket.take(3, 400), 0, "a refusal takes nothing");
  t.end();
});

t.test("rates below one a second and with fractions", (t) => {
  const slow = new TokenBucket(0.1, 1);
  t.equal(slow.take(1, 0), 0);
  t.equal(slow.take(1, 0), 10_000);
  t.equal(slow.take(1, 9_999), 1);
  t.equal(slow.take(1, 10_000), 0);
  const third = new TokenBucket(1 / 3, 1);
  for (let i = 0; i < 1000; i += 1) t.equal(third.take(1, i * 3000), 0);
  t.end();
});

t.test("more than the burst is never there", (t) => {
  t.equal(new TokenBucket(10, 3).take(4, 1e9), Number.POSITIVE_INFINITY);
  t.end();
});

t.test("takeUpTo takes whole tokens that are there", (t) => {
  const bucket = new TokenBucket(1000, 10);
  t.equal(bucket.takeUpTo(4, 0), 4);
  t.equal(bucket.takeUpTo(100, 0), 6);
  t.equal(bucket.takeUpTo(100, 0.9), 0);
  t.equal(bucket.takeUpTo(100, 2.5), 2);
  t.equal(bucket.takeUpTo(100, 3), 1, "the half is not lost");
  t.end();
});

t.test("what is charged is owed, to a bound", (t) => {
  const bucket = new TokenBucket(10, 5);
  t.equal(bucket.charge(5, 0), 0);
  t.equal(bucket.charge(10, 0), 1000);
  t.equal(bucket.take(1, 0), 1100);
  t.equal(bucket.takeUpTo(1, 1000), 0);
  t.equal(bucket.take(1, 1100), 0);
  bucket.charge(1e12, 1100);
  t.ok(bucket.take(1, 1100) <= 61_000, "a minute of the rate, and the burst");
  t.end();
});

t.test("what is given back is there again, up to the burst", (t) => {
  const bucket = new TokenBucket(1, 5);
  bucket.take(5, 0);
  bucket.giveBack(2, 0);
  t.equal(bucket.takeUpTo(5, 0), 2);
  bucket.giveBack(100, 0);
  t.equal(bucket.takeUpTo(100, 0), 5);
  t.end();
});

t.test("a reserve is left to others, and a lone holder of one still gets the whole rate", (t) => {
  const bucket = new TokenBucket(10, 4);
  t.same(
    [1, 2, 3].map(() => bucket.take(1, 0, 2)),
    [0, 0, 100],
  );
  t.equal(bucket.takeUpTo(9, 0, 2), 0);
  t.same(
    [1, 2, 3].map(() => bucket.take(1, 0)),
    [0, 0, 100],
    "who has no reserve takes the rest",
  );
  let taken = 0;
  for (let nowMs = 1000; nowMs < 11_000; nowMs += 1) if (bucket.take(1, nowMs, 2) === 0) taken += 1;
  t.ok(taken >= 100 && taken <= 104, `${taken} in ten seconds`);
  t.end();
});

t.test("a reserve that the burst cannot hold does not shut its holder out", (t) => {
  const bucket = new TokenBucket(10, 2);
  t.equal(bucket.take(1, 0, 50), 0);
  t.equal(bucket.take(1, 0, 50), 100);
  t.equal(bucket.take(1, 100, 50), 0);
  t.end();
});

t.test("a clock that goes back gives nothing twice", (t) => {
  const bucket = new TokenBucket(10, 1);
  t.equal(bucket.take(1, 1000), 0);
  for (let i = 0; i < 100; i += 1) t.not(bucket.take(1, i % 2 === 0 ? 0 : 1000), 0);
  t.equal(bucket.take(1, 1100), 0);
  t.end();
});

t.test("a bucket that is retuned keeps what is there, within its new burst", (t) => {
  const bucket = new TokenBucket(10, 10);
  bucket.take(4, 0);
  bucket.retune(1, 3, 0);
  t.equal(bucket.takeUpTo(10, 0), 3);
  t.equal(bucket.take(1, 0), 1000);
  t.end();
});

interface Spent {
  readonly atMs: number;
  readonly count: number;
}

/** The most by which spending in any window is above rate × T + burst. */
function excess(spent: readonly Spent[], ratePerSecond: number, burst: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, { atMs: fromMs }] of spent.entries()) {
    let sum = 0;
    for (const { atMs, count } of spent.slice(i)) {
      sum += count;
      most = Math.max(most, sum - ((atMs - fromMs) / 1000) * ratePerSecond - burst);
    }
  }
  return most;
}

const step = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 300, noNaN: true }), fc.integer({ min: -50, max: 5000 })),
  act: fc.constantFrom("take", "takeUpTo", "giveBack"),
  count: fc.integer({ min: 1, max: 12 }),
  reserve: fc.integer({ min: 0, max: 3 }),
});

t.test("over any window at most rate × T + burst are spent, whatever is asked when", (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 2000, noNaN: true }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(step, { minLength: 1, maxLength: 80 }),
      (rate, burst, steps) => {
        const bucket = new TokenBucket(rate, burst);
        const spent: Spent[] = [];
        let nowMs = 0;
        let latestMs = 0;
        let held = 0;
        for (const { afterMs, act, count, reserve } of steps) {
          nowMs += afterMs;
          latestMs = Math.max(latestMs, nowMs);
          let change = 0;
          if (act === "take") change = bucket.take(count, nowMs, reserve) === 0 ? count : 0;
          else if (act === "takeUpTo") change = bucket.takeUpTo(count, nowMs, reserve);
          else {
            change = -Math.min(count, held);
            bucket.giveBack(-change, nowMs);
          }
          held += change;
          spent.push({ atMs: latestMs, count: change });
        }
        return excess(spent, rate, burst) < 1e-3;
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test("after the wait that a refusal names it is there", (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 5000, noNaN: true }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 1, max: 50 }),
      (rate, burst, owed, count) => {
        const bucket = new TokenBucket(rate, burst);
        bucket.charge(owed, 0);
        const waitMs = bucket.take(count, 0);
        if (waitMs === 0 || waitMs === Number.POSITIVE_INFINITY) return waitMs === 0 || count > burst;
        return Number.isInteger(waitMs) && waitMs >= 1 && bucket.take(count, waitMs) === 0;
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});
