import fc from "fast-check";
import t from "tap";
import type { Budget } from "../../../src/limits/budget.js";
import type { Flow } from "../../../src/limits/pacer.js";
import { KIB, MIB, pacerWorld, ratesOf, TestBudget, Transfer, type TransferOptions } from "./pacer-world.js";

const RATE = 20 * MIB;
const TICK_MS = 10;

const near = (actual: number | undefined, expected: number, tolerance: number): boolean =>
  actual !== undefined && Math.abs(actual - expected) <= tolerance;

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

for (const [title, options] of [
  ["chunks of 256 KiB", {}],
  ["chunks of 16 KiB, as TLS gives them", { chunkBytes: 16 * KIB }],
  ["chunks of an odd size", { chunkBytes: 40_001 }],
] as readonly (readonly [string, TransferOptions])[]) {
  t.test(`four clients share 20 MiB/s evenly though one has a hundred connections: ${title}`, async (t) => {
    const { clock, lane: makeLane } = pacerWorld();
    const lane = makeLane([new TestBudget(RATE)]);
    const transfers = ["a", "b", "c", ...Array.from({ length: 100 }, () => "greedy")].map((group) =>
      new Transfer(lane, group, clock, options).start(),
    );
    clock.advance(1_000);
    ratesOf(transfers, 1);
    clock.advance(10_000);
    const ofOne = transfers.filter(({ group }) => group === "greedy").map(({ passedBytes }) => passedBytes);
    const rates = ratesOf(transfers, 10);
    for (const [group, rate] of rates) t.ok(near(rate, 5, 0.25), `${group}: ${rate.toFixed(2)} MiB/s`);
    t.ok(near(sum(rates.values()), 20, 0.2), `total: ${sum(rates.values()).toFixed(2)} MiB/s`);
    t.ok(Math.max(...ofOne) <= 2 * Math.min(...ofOne), "the connections of one client share what it has evenly");
  });
}

t.test("few clients share evenly too, whatever is left when all have had their turns", async (t) => {
  for (const count of [1, 2, 3, 5, 7]) {
    for (const ratePerSecond of [MIB, 20 * MIB, 125 * MIB]) {
      const { clock, lane: makeLane } = pacerWorld();
      const lane = makeLane([new TestBudget(ratePerSecond)]);
      const transfers = Array.from({ length: count }, (_, i) => new Transfer(lane, `${i}`, clock).start());
      clock.advance(1_000);
      ratesOf(transfers, 1);
      clock.advance(10_000);
      const rates = [...ratesOf(transfers, 10).values()];
      const share = ratePerSecond / MIB / count;
      t.ok(
        rates.every((rate) => near(rate, share, share / 20)),
        `${count} at ${ratePerSecond / MIB}: ${rates.map((rate) => rate.toFixed(2))}`,
      );
    }
  }
});

t.test("never more than the rate and the burst has passed, in no span of time", async (t) => {
  fc.assert(
    fc.property(
      fc.record({
        ratePerSecond: fc.integer({ min: 20 * KIB, max: 500 * MIB }),
        chunks: fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 8 }),
        groups: fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
        againMs: fc.constantFrom(0, 1, 7),
        steps: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
      }),
      ({ ratePerSecond, chunks, groups, againMs, steps }) => {
        const { clock, lane: makeLane } = pacerWorld();
        const budget = new TestBudget(ratePerSecond, Math.max(ratePerSecond / 10, 16 * KIB));
        const turnBytes = Math.min(64 * KIB, Math.floor(budget.burst));
        const lane = makeLane([budget], { turnBytes });
        const transfers: Transfer[] = [];
        // A leaky bucket over what passed: what was granted ahead may pass a tick later.
        const bound = budget.burst + budget.ratePerMs * TICK_MS + 1;
        let level = 0;
        let lastMs = 0;
        const onPass = (byteCount: number): void => {
          level = Math.max(0, level - (clock.nowMs() - lastMs) * budget.ratePerMs) + byteCount;
          lastMs = clock.nowMs();
          if (level > bound) throw new Error(`${level} of ${bound}`);
        };
        let next = 0;
        const chunkBytes = (): number => {
          next += 1;
          return chunks[next % chunks.length] as number;
        };
        for (const [i, group] of groups.entries()) {
          transfers.push(new Transfer(lane, `${group}`, clock, { chunkBytes, againMs, onPass }).start());
          clock.advance(steps[i % steps.length] as number);
          if (i % 3 === 2) transfers[i - 1]?.close();
        }
        clock.advance(500);
        for (const transfer of transfers) transfer.close();
        t.equal(budget.takenBytes, sum(transfers.map(({ passedBytes }) => passedBytes)), "what was not used went back");
        clock.advance(TICK_MS);
        t.equal(clock.pendingCount, 0, "no timer is left");
      },
    ),
    { numRuns: 200 },
  );
});

t.test("a client with a limit below its share leaves the rest to the others", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const limits = new Map([["slow", new TestBudget(MIB)]]);
  const lane = makeLane([new TestBudget(RATE)], {
    budgetsOfGroup: (group) => [limits.get(group)].filter((budget) => budget !== undefined),
  });
  const groups = ["a", "b", ...Array.from({ length: 50 }, () => "slow")];
  const transfers = groups.map((group) => new Transfer(lane, group, clock).start());
  clock.advance(1_000);
  ratesOf(transfers, 1);
  clock.advance(10_000);
  const rates = ratesOf(transfers, 10);
  t.ok(near(rates.get("slow"), 1, 0.05), `slow: ${rates.get("slow")}`);
  for (const group of ["a", "b"]) t.ok(near(rates.get(group), 9.5, 0.3), `${group}: ${rates.get(group)}`);
});

t.test("a client whose own budget is empty holds up nobody, not even for a moment", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const empty = new TestBudget(10 * KIB, 16 * KIB);
  const lane = makeLane([new TestBudget(RATE)], { budgetsOfGroup: (group) => (group === "empty" ? [empty] : []) });
  const waiting = Array.from({ length: 10 }, () => new Transfer(lane, "empty", clock).start());
  t.equal(sum(waiting.map(({ passedBytes }) => passedBytes)), 0, "less than a turn is there");
  const other = lane.open({ group: "other", onGrant: () => t.fail("it need not wait") });
  t.equal(other.ask(64 * KIB, 64 * KIB), 64 * KIB);
  clock.advance(5_000);
  const passed = sum(waiting.map(({ passedBytes }) => passedBytes));
  t.ok(near(passed, 50 * KIB + 16 * KIB, 16 * KIB), `${passed} bytes of a limit that is smaller than a turn`);
  t.equal(other.ask(64 * KIB, 64 * KIB), 64 * KIB);
});

t.test("clients on two routes share what both routes' bucket has", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const bucket = new TestBudget(RATE);
  const wide = makeLane([bucket]);
  // Its turns are small, so that it could take what the other lane waits for.
  const small = makeLane([bucket, new TestBudget(100 * MIB)], { turnBytes: 4 * KIB });
  const transfers = [
    ...["a", "b", "c", "d"].map((group) => new Transfer(wide, group, clock).start()),
    ...["e", "f", "g", "h"].map((group) => new Transfer(small, group, clock).start()),
  ];
  clock.advance(1_000);
  ratesOf(transfers, 1);
  clock.advance(10_000);
  const rates = ratesOf(transfers, 10);
  t.ok(near(sum(rates.values()), 20, 0.2), `total: ${sum(rates.values())}`);
  const shares = [..."abcd"].map((group) => rates.get(group) ?? 0);
  t.ok(Math.max(...shares) - Math.min(...shares) < 0.1, `${shares}`);
  for (const group of "efgh") t.ok((rates.get(group) ?? 0) > 0.25, `${group}: ${rates.get(group)} of 4 KiB in a turn`);
});

t.test("two routes with equal turns share a bucket by clients, not by routes", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const bucket = new TestBudget(RATE);
  const one = makeLane([bucket]);
  const other = makeLane([bucket, new TestBudget(100 * MIB)]);
  const transfers = [
    new Transfer(one, "alone", clock).start(),
    ...["a", "b", "c"].map((group) => new Transfer(other, group, clock).start()),
  ];
  clock.advance(1_000);
  ratesOf(transfers, 1);
  clock.advance(10_000);
  for (const [group, rate] of ratesOf(transfers, 10)) t.ok(near(rate, 5, 0.25), `${group}: ${rate}`);
});

t.test("a route that its own limit holds back does not hold back the bucket's other routes", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const bucket = new TestBudget(RATE);
  const limited = makeLane([bucket, new TestBudget(MIB)]);
  const open = makeLane([bucket]);
  const transfers = [
    ...Array.from({ length: 20 }, (_, i) => new Transfer(limited, `limited${i}`, clock).start()),
    new Transfer(open, "open", clock).start(),
  ];
  clock.advance(1_000);
  ratesOf(transfers, 1);
  clock.advance(10_000);
  const rates = ratesOf(transfers, 10);
  t.ok(near(rates.get("open"), 19, 0.3), `open: ${rates.get("open")}`);
  t.ok(near(sum(rates.values()), 20, 0.2));
});

t.test("when clients go, the others get what they had", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const lane = makeLane([new TestBudget(RATE)]);
  const transfers = ["a", "b", "c", "d"].map((group) => new Transfer(lane, group, clock).start());
  clock.advance(2_005);
  for (const transfer of transfers.slice(1)) transfer.close();
  ratesOf(transfers, 1);
  clock.advance(10_000);
  t.ok(near(ratesOf(transfers, 10).get("a"), 20, 0.3));
  t.equal(lane.groupCount, 1);
  transfers[0]?.close();
  clock.advance(TICK_MS);
  t.equal(clock.pendingCount, 0);
  t.equal(lane.groupCount, 0);
});

t.test("what was granted and not used goes back when the flow ends, and twice is once", async (t) => {
  const { lane: makeLane } = pacerWorld();
  const budget = new TestBudget(RATE);
  const own = new TestBudget(RATE);
  const lane = makeLane([budget], { budgetsOfGroup: () => [own] });
  const flow = lane.open({ group: "a", onGrant: () => t.fail("nothing waits") });
  t.equal(flow.ask(10_000, 10_000), 10_000);
  flow.close(4_000);
  flow.close(4_000);
  t.equal(budget.takenBytes, 6_000);
  t.equal(own.takenBytes, 6_000);
});

t.test("what passed without asking is owed, and the next wait for it", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const budget = new TestBudget(MIB);
  const lane = makeLane([budget]);
  const flow = lane.open({ group: "a", onGrant() {} });
  flow.charge(MIB + budget.burst);
  const transfer = new Transfer(lane, "b", clock).start();
  clock.advance(1_000);
  t.equal(transfer.passedBytes, 0);
  clock.advance(10_000);
  t.ok(near(transfer.passedBytes / MIB, 10, 0.2));
});

t.test("nothing runs while nobody waits", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const lane = makeLane([new TestBudget(RATE)]);
  const flow = lane.open({ group: "a", onGrant: () => t.fail("there is enough") });
  for (let i = 0; i < 20; i += 1) {
    t.equal(flow.ask(64 * KIB, 64 * KIB), 64 * KIB);
    t.equal(clock.pendingCount, 0);
    clock.advance(4);
  }
});

t.test("a chunk that is larger than all that may ever be there passes in parts", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const lane = makeLane([new TestBudget(100 * KIB, 10 * KIB)], { turnBytes: 10 * KIB });
  const transfer = new Transfer(lane, "a", clock, { chunkBytes: MIB }).start();
  clock.advance(10_000);
  t.ok(near(transfer.passedBytes / KIB, 1_000, 30), `${transfer.passedBytes / KIB} KiB`);
});

/** Of a worker that gets a little now and then, and never as much as a turn takes. */
class LeasedBudget extends TestBudget {
  override take(count: number, nowMs: number): number {
    return count > 3_000 ? 20 : super.take(count, nowMs);
  }
}

t.test("where a budget never holds a whole turn, what there is passes", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  for (const isOwn of [false, true]) {
    const leased: Budget = new LeasedBudget(MIB, 16 * KIB);
    const lane = makeLane(isOwn ? [] : [leased], { budgetsOfGroup: () => (isOwn ? [leased] : []) });
    const transfers = ["a", "b"].map((group) => new Transfer(lane, group, clock).start());
    clock.advance(10_000);
    for (const { passedBytes } of transfers) t.ok(passedBytes > MIB, `${passedBytes}`);
    for (const transfer of transfers) transfer.close();
  }
});

/** Of a worker that may take so much at once, and says so. */
class SharedBudget extends TestBudget {
  readonly mostAtOnce = 3_000;

  override take(count: number, nowMs: number): number {
    return count > this.mostAtOnce ? Number.POSITIVE_INFINITY : super.take(count, nowMs);
  }
}

t.test("where a budget says how much it gives at once, turns are no longer, and the whole rate passes", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const lane = makeLane([new SharedBudget(MIB)]);
  const transfers = ["a", "b"].map((group) => new Transfer(lane, group, clock).start());
  clock.advance(10_000);
  for (const { passedBytes } of transfers) t.ok(near(passedBytes / MIB, 5, 0.2), `${passedBytes / MIB} MiB`);
});

t.test("a look at ten thousand that wait asks no budget more than twice", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const budget = new TestBudget(MIB);
  const lane = makeLane([budget]);
  const transfers = Array.from({ length: 10_000 }, (_, i) => new Transfer(lane, `${i % 5_000}`, clock).start());
  clock.advance(1_000);
  const before = budget.takes;
  clock.advance(1_000);
  t.ok(budget.takes - before <= 2 * (1_000 / TICK_MS), `${budget.takes - before} asks in a second`);
  const passing = transfers.filter(({ passedBytes }) => passedBytes > 0);
  t.ok(passing.length >= 2 * (MIB / (64 * KIB)), "each turn is another client's");
  for (const transfer of transfers) transfer.close();
  clock.advance(TICK_MS);
  t.equal(clock.pendingCount, 0);
});

t.test("who asks anew or ends in the middle of a round disturbs no other", async (t) => {
  const { clock, lane: makeLane } = pacerWorld();
  const lane = makeLane([new TestBudget(RATE)]);
  const granted = new Map<string, number>();
  const flows = new Map<string, Flow>();
  const open = (name: string, onGrant: (byteCount: number) => void): void => {
    flows.set(
      name,
      lane.open({
        group: name,
        onGrant(byteCount) {
          granted.set(name, (granted.get(name) ?? 0) + byteCount);
          onGrant(byteCount);
        },
      }),
    );
  };
  const askAll = (name: string): void => {
    const flow = flows.get(name) as Flow;
    for (let n = flow.ask(64 * KIB, 64 * KIB); n > 0; n = flow.ask(64 * KIB, 64 * KIB)) {
      granted.set(name, (granted.get(name) ?? 0) + n);
    }
  };
  open("again", () => askAll("again"));
  open("ender", () => flows.get("victim")?.close());
  open("victim", () => t.fail("it was closed"));
  open("last", () => {});
  for (const name of flows.keys()) askAll(name);
  clock.advance(100);
  t.ok((granted.get("last") ?? 0) > 0);
  t.ok((granted.get("again") ?? 0) > MIB, "it went on by itself");
  for (const flow of flows.values()) flow.close();
  clock.advance(TICK_MS);
  t.equal(clock.pendingCount, 0);
});
