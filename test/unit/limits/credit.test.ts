import fc from "fast-check";
import t from "tap";
import type { Budget, BudgetSpec } from "../../../src/limits/budget.js";
import { CreditHolder } from "../../../src/limits/credit-holder.js";
import { CreditRoot } from "../../../src/limits/credit-root.js";
import { CreditShare } from "../../../src/limits/credit-share.js";
import { excess, type Passed, passedBetween } from "./windows.js";

const TICK_MS = 10;

/** Workers and a main process on a fake clock that goes in steps of a millisecond; messages take a while. */
class World {
  nowMs = 0;
  readonly passed: Passed[] = [];
  readonly #root: CreditRoot;
  readonly #latencyMs: number;
  readonly #workers: { readonly holder: CreditHolder; isAsked: boolean }[] = [];
  readonly #mail = new Map<number, (() => void)[]>();

  constructor(workers: number, latencyMs: number) {
    this.#root = new CreditRoot(workers);
    this.#latencyMs = latencyMs;
    for (let i = 0; i < workers; i += 1) {
      const worker = {
        isAsked: false,
        holder: new CreditHolder(workers, (isUrgent) => {
          worker.isAsked ||= isUrgent;
        }),
      };
      this.#workers.push(worker);
    }
  }

  budgets(spec: BudgetSpec): readonly Budget[] {
    return this.#workers.map(({ holder }) => holder.rate(spec));
  }

  take(budget: Budget, count = 1): boolean {
    const isTaken = budget.take(count, this.nowMs) === 0;
    if (isTaken) this.passed.push({ atMs: this.nowMs, count });
    return isTaken;
  }

  step(): void {
    for (const worker of this.#workers) {
      if (!worker.isAsked && this.nowMs % TICK_MS !== 0) continue;
      worker.isAsked = false;
      this.#send(worker.holder);
    }
    this.nowMs += 1;
    const due = this.#mail.get(this.nowMs) ?? [];
    this.#mail.delete(this.nowMs);
    for (const deliver of due) deliver();
  }

  #send(holder: CreditHolder): void {
    for (const booking of holder.takeBookings(this.nowMs)) {
      const { line, count } = booking;
      const { key, ratePerSecond, burst, leastCredit } = line.share;
      const ask = { key, ratePerSecond, burst, leastCredit, client: line.client, reserve: line.reserve, count };
      this.#after(() => {
        const waitMs = this.#root.book(ask, this.nowMs);
        this.#after(() => holder.settle(booking, waitMs, this.nowMs));
      });
    }
  }

  #after(deliver: () => void): void {
    const atMs = this.nowMs + this.#latencyMs;
    this.#mail.set(atMs, [...(this.#mail.get(atMs) ?? []), deliver]);
  }
}

/** What a burst counts as. */
function leastBurst(burst: number, sharers: number): number {
  return sharers === 1 ? burst : Math.max(burst, sharers + 1);
}

const SECONDS = 12;

/** Asks for far more than the rate, each millisecond by the weights that hold then. */
function saturate(world: World, budgets: readonly Budget[], ratePerSecond: number, weights: (ms: number) => number[]) {
  const perMs = Math.max(1, Math.ceil((3 * ratePerSecond) / 1000));
  for (let ms = 0; ms < SECONDS * 1000; ms += 1) {
    const now = weights(ms);
    for (const [i, budget] of budgets.entries()) {
      for (let n = 0; n < Math.ceil(perMs * (now[i] ?? 0)); n += 1) if (!world.take(budget)) break;
    }
    world.step();
  }
}

t.test("the credits and the pot are the burst", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 64 }), (burst, sharers) => {
      const share = new CreditShare({ key: "a", ratePerSecond: 1, burst }, sharers);
      return share.credit >= 1 && share.pot + sharers * share.credit === leastBurst(burst, sharers);
    }),
  );
  t.end();
});

t.test("however load spreads over workers, the whole budget is used and never more", (t) => {
  const weight = fc.constantFrom(0, 0, 0.4, 0.7, 1);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 1500 }),
      fc.double({ min: 0.25, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.array(weight, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 20, max: 3000 }),
      (workers, rate, burstSeconds, latencyMs, spreads, spreadMs) => {
        const burst = Math.max(1, Math.ceil(rate * burstSeconds));
        const world = new World(workers, latencyMs);
        const budgets = world.budgets({ key: "a", ratePerSecond: rate, burst, reserve: 0 });
        const weightsOf = (ms: number) => {
          const weights = (spreads[Math.floor(ms / spreadMs) % spreads.length] ?? []).slice(0, workers);
          return weights.some((each) => each > 0) ? weights : [1];
        };
        saturate(world, budgets, rate, weightsOf);
        const over = excess(world.passed, rate, leastBurst(burst, workers));
        if (over > 1e-3) throw new Error(`${over} too many`);
        const due = 10 * rate;
        const found = passedBetween(world.passed, 1000, 11_000);
        // Where few pass, the credit of one that asks no more is still to be paid: one request for each sharer.
        if (found < Math.min(Math.floor(0.95 * due), due - workers))
          throw new Error(`${found} of ${due} in ten seconds`);
        return true;
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});

t.test("all load on one worker of many gets the whole rate", (t) => {
  for (const workers of [2, 4, 16, 32]) {
    for (const rate of [1, 7, 50, 2000]) {
      const burst = Math.max(1, Math.ceil(rate / 2));
      const world = new World(workers, 1);
      const budgets = world.budgets({ key: "a", ratePerSecond: rate, burst, reserve: 0 });
      saturate(world, budgets, rate, () => [1]);
      const found = passedBetween(world.passed, 1000, 11_000);
      t.ok(
        found >= 9.5 * rate && found <= 10 * rate + leastBurst(burst, workers),
        `${found} of ${10 * rate} with ${workers} workers`,
      );
    }
  }
  t.end();
});

t.test("demand that comes and goes stays within the budget", (t) => {
  const act = fc.record({
    worker: fc.nat(3),
    count: fc.integer({ min: 1, max: 40 }),
    afterMs: fc.integer({ min: 0, max: 400 }),
  });
  fc.assert(
    fc.property(
      fc.array(act, { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0.2, max: 300, noNaN: true }),
      fc.integer({ min: 1, max: 60 }),
      (acts, rate, burst) => {
        const world = new World(4, 2);
        const budgets = world.budgets({ key: "a", ratePerSecond: rate, burst, reserve: 0 });
        for (const { worker, count, afterMs } of acts) {
          for (let ms = 0; ms < afterMs; ms += 1) world.step();
          const budget = budgets[worker] as Budget;
          for (let n = 0; n < count; n += 1) world.take(budget);
          const upTo = budget.takeUpTo(count, world.nowMs);
          // What was taken and is given back at once has not passed.
          const kept = Math.floor(upTo / 2);
          budget.giveBack(upTo - kept, world.nowMs);
          if (kept > 0) world.passed.push({ atMs: world.nowMs, count: kept });
        }
        return excess(world.passed, rate, leastBurst(burst, 4)) < 1e-3;
      },
    ),
  );
  t.end();
});

t.test("a client at its rate is not refused, whichever worker its requests come to", (t) => {
  const world = new World(4, 1);
  const budgets = world.budgets({ key: "a", ratePerSecond: 10, burst: 5, reserve: 0 });
  const order = [0, 0, 1, 3, 2, 2, 2, 0, 1, 3];
  for (let i = 0; i < 300; i += 1) {
    t.ok(world.take(budgets[order[i % order.length] ?? 0] as Budget), `request ${i}`);
    for (let ms = 0; ms < 105; ms += 1) world.step();
  }
  t.end();
});

t.test("what was given back after it was paid is there for another worker", (t) => {
  const world = new World(2, 1);
  const [one, two] = world.budgets({ key: "a", ratePerSecond: 0.001, burst: 8, reserve: 0 }) as [Budget, Budget];
  const run = (ms: number) => {
    for (let i = 0; i < ms; i += 1) world.step();
  };
  let held = 0;
  for (let i = 0; i < 10; i += 1) {
    held += one.takeUpTo(8, world.nowMs);
    run(20);
  }
  t.equal(held, 6, "its credit and the pot");
  one.giveBack(held, world.nowMs);
  run(50);
  let taken = 0;
  for (let i = 0; i < 10; i += 1) {
    taken += two.takeUpTo(8, world.nowMs);
    run(20);
  }
  t.equal(taken, 6);
  t.end();
});

t.test("who has a reserve gives way to who has none, on all workers", (t) => {
  const world = new World(4, 1);
  const spec = { key: "a", ratePerSecond: 400, burst: 200, reserve: 0 };
  const high = world.budgets(spec);
  const low = world.budgets({ ...spec, reserve: 100 });
  const counts = { high: 0, low: 0, refusedHigh: 0 };
  for (let ms = 0; ms < 12_000; ms += 1) {
    for (const budget of low) for (let n = 0; n < 4; n += 1) if (budget.take(1, world.nowMs) === 0) counts.low += 1;
    // 250 a second, on worker 2 alone.
    if (ms % 4 === 0) counts[(high[2] as Budget).take(1, world.nowMs) === 0 ? "high" : "refusedHigh"] += 1;
    world.step();
  }
  t.ok(counts.refusedHigh <= 0.02 * 3000, `${counts.refusedHigh} of 3000 were refused`);
  t.ok(counts.low >= 0.9 * 150 * 12, `${counts.low} of what was left`);
  t.ok(counts.low + counts.high <= 400 * 12 + 200);
  t.end();
});

t.test("a lone flood of low priority gets the whole rate", (t) => {
  const world = new World(4, 1);
  const low = world.budgets({ key: "a", ratePerSecond: 400, burst: 200, reserve: 100 });
  saturate(world, low, 400, () => [1, 0.5]);
  t.ok(passedBetween(world.passed, 1000, 11_000) >= 3800);
  t.ok(excess(world.passed, 400, 200) < 1e-3);
  t.end();
});

t.test("what is charged is paid before anything else is let through", (t) => {
  const world = new World(2, 1);
  const [one] = world.budgets({ key: "a", ratePerSecond: 100, burst: 40, reserve: 0 }) as [Budget, Budget];
  one.charge(500, world.nowMs);
  let firstMs = 0;
  while (!world.take(one)) {
    world.step();
    firstMs = world.nowMs;
  }
  t.ok(firstMs > 4500 && firstMs < 5100, `${firstMs} ms`);
  t.end();
});

t.test("a refusal names when the credit is paid", (t) => {
  const world = new World(2, 1);
  const [one] = world.budgets({ key: "a", ratePerSecond: 2, burst: 4, reserve: 0 }) as [Budget, Budget];
  for (let i = 0; i < 30; i += 1) {
    world.take(one);
    world.step();
  }
  const waitMs = one.take(1, world.nowMs);
  t.ok(waitMs > 300 && waitMs <= 500, `${waitMs} ms`);
  t.equal(one.take(2, world.nowMs), Number.POSITIVE_INFINITY, "more than the credit is never there at once");
  t.end();
});

t.test("a booking that does not arrive is made again", (t) => {
  const asked: boolean[] = [];
  const holder = new CreditHolder(2, (isUrgent) => asked.push(isUrgent));
  const root = new CreditRoot(2);
  const budget = holder.rate({ key: "a", ratePerSecond: 1, burst: 40, reserve: 0 });
  budget.take(1, 0);
  t.same(asked, [false]);
  budget.take(4, 0);
  t.same(asked, [false, true]);
  for (const booking of holder.takeBookings(0)) holder.settle(booking, -250, 0);
  t.equal(holder.isDirty, true);
  t.same(holder.takeBookings(249), []);
  const [booking, ...rest] = holder.takeBookings(250);
  t.equal(rest.length, 0);
  t.equal(booking?.count, 5);
  t.equal(budget.take(6, 0), 1000, "the credit stays used until it is paid");
  if (booking !== undefined) {
    const { share, client, reserve } = booking.line;
    const ask = { key: share.key, ratePerSecond: 1, burst: 40, leastCredit: 0, client, reserve, count: booking.count };
    holder.settle(booking, root.book(ask, 0), 0);
  }
  t.equal(budget.take(10, 0), 0);
  t.end();
});

t.test("each client has a budget of its own, and sharers may become more", (t) => {
  const holder = new CreditHolder(1, () => {});
  const rateOf = holder.ratePerClient({ key: "a", ratePerSecond: 1, burst: 8, reserve: 0 });
  t.equal(rateOf("192.0.2.1").takeUpTo(10, 0), 4);
  holder.share(4);
  t.equal(rateOf("2001:db8::1").takeUpTo(10, 0), 1);
  t.equal(rateOf("2001:db8::2").takeUpTo(10, 0), 0);
  t.equal(rateOf("192.0.2.1").takeUpTo(10, 0), 0);
  t.same(
    holder.takeBookings(0).map(({ line, count }) => [line.client, count]),
    [
      ["192.0.2.1", 4],
      ["2001:db8:0:0::/64", 1],
    ],
  );
  t.end();
});
