import fc from "fast-check";
import t from "tap";
import type { Budget } from "../../../src/limits/budget.js";
import { CreditHolder } from "../../../src/limits/credit-holder.js";
import { CreditRoot } from "../../../src/limits/credit-root.js";
import { CreditShare } from "../../../src/limits/credit-share.js";
import { Pacer } from "../../../src/limits/pacer.js";
import { byteSpec, turnBytesOf } from "../../../src/route/compile-bandwidth.js";
import { KIB, MIB, TestClock, Transfer } from "./pacer-world.js";
import { excess, type Passed } from "./windows.js";

const SOON_MS = 10;

interface World {
  readonly clock: TestClock;
  /** Of each sharer: its pacer, and its side of the budgets. */
  readonly sharers: readonly { readonly pacer: Pacer; readonly holder: CreditHolder }[];
}

/** Sharers and who holds the pots, on a fake clock; each message takes a while. */
function sharedWorld(count: number, latencyMs: number): World {
  const clock = new TestClock();
  const root = new CreditRoot(count);
  const makeHolder = (): CreditHolder => {
    let isAsked = false;
    const send = (): void => {
      isAsked = false;
      for (const booking of holder.takeBookings(clock.nowMs())) {
        const { share, client, reserve } = booking.line;
        const { key, ratePerSecond, burst, leastCredit } = share;
        clock.schedule(() => {
          const ask = { key, ratePerSecond, burst, leastCredit, client, reserve, count: booking.count };
          const waitMs = root.book(ask, clock.nowMs());
          clock.schedule(() => holder.settle(booking, waitMs, clock.nowMs()), latencyMs);
        }, latencyMs);
      }
      if (holder.isDirty) ask(SOON_MS);
    };
    const ask = (delayMs: number): void => {
      if (isAsked && delayMs > 0) return;
      isAsked = true;
      clock.schedule(send, delayMs);
    };
    const holder = new CreditHolder(count, (isUrgent) => ask(isUrgent ? 0 : SOON_MS));
    return holder;
  };
  return { clock, sharers: Array.from({ length: count }, () => ({ pacer: new Pacer(clock), holder: makeHolder() })) };
}

interface Case {
  readonly ratePerSecond: number;
  readonly sharers: number;
  readonly loaded: number;
  readonly isPerClient: boolean;
  readonly transfersEach?: number;
  readonly chunkBytes?: number;
  readonly latencyMs?: number;
}

const SECONDS = 10;

/** Loads some of those that share for some seconds. @returns what passed when, after the first second and in all */
function run({
  ratePerSecond,
  sharers,
  loaded,
  isPerClient,
  transfersEach = 3,
  chunkBytes = 64 * KIB,
  latencyMs = 1,
}: Case) {
  const world = sharedWorld(sharers, latencyMs);
  const spec = byteSpec("route/a/egress", ratePerSecond);
  const passed: Passed[] = [];
  const onPass = (count: number): void => {
    if (count > 0) passed.push({ atMs: world.clock.nowMs(), count });
  };
  for (const { pacer, holder } of world.sharers.slice(0, loaded)) {
    const budgetOf = holder.ratePerClient(spec);
    const lane = pacer.lane({
      budgets: isPerClient ? [] : [holder.rate(spec)],
      budgetsOfGroup: isPerClient ? (group): readonly Budget[] => [budgetOf(group)] : null,
      turnBytes: turnBytesOf(ratePerSecond),
    });
    for (let i = 0; i < transfersEach; i += 1) {
      new Transfer(lane, isPerClient ? "192.0.2.1" : `192.0.2.${i}`, world.clock, { chunkBytes, onPass }).start();
    }
  }
  world.clock.advance(1_000);
  const first = passed.length;
  world.clock.advance(SECONDS * 1_000);
  const { credit, pot } = new CreditShare(spec, sharers);
  return {
    used: passed.slice(first).reduce((sum, { count }) => sum + count, 0) / (SECONDS * ratePerSecond),
    over: excess(passed, ratePerSecond, credit * sharers + pot),
  };
}

for (const ratePerSecond of [16 * KIB, 500 * KIB, 2 * MIB, 20 * MIB]) {
  for (const isPerClient of [false, true]) {
    const name = `${ratePerSecond / KIB} KiB/s${isPerClient ? " of a client" : ""}`;
    t.test(`${name}: the whole rate passes and no more, through one of those that share or all`, async (t) => {
      for (const sharers of [1, 2, 3, 8]) {
        for (const loaded of sharers === 1 ? [1] : [1, sharers]) {
          const { used, over } = run({ ratePerSecond, sharers, loaded, isPerClient });
          t.ok(used >= 0.95 && used <= 1.05, `${loaded} of ${sharers}: ${(100 * used).toFixed(1)} %`);
          t.ok(over <= 1e-3, `${loaded} of ${sharers}: ${over.toFixed(0)} too many in some window`);
        }
      }
    });
  }
}

t.test("whatever the rate, the chunks and the way to the one who counts", async () => {
  fc.assert(
    fc.property(
      fc.record({
        ratePerSecond: fc.integer({ min: 8 * KIB, max: 200 * MIB }),
        sharers: fc.integer({ min: 1, max: 8 }),
        loaded: fc.integer({ min: 1, max: 8 }),
        isPerClient: fc.boolean(),
        transfersEach: fc.integer({ min: 1, max: 6 }),
        chunkBytes: fc.constantFrom(1_460, 16 * KIB, 40_001, 64 * KIB, 256 * KIB),
        latencyMs: fc.constantFrom(0, 1, 3),
      }),
      (each) => {
        // One transfer of a small chunk after the other is not enough for every rate.
        const most = (each.chunkBytes * 1_000) / 4;
        const { used, over } = run({
          ...each,
          ratePerSecond: Math.min(each.ratePerSecond, most),
          loaded: Math.min(each.loaded, each.sharers),
        });
        if (used < 0.95 || used > 1.05) throw new Error(`${used} of the rate`);
        if (over > 1e-3) throw new Error(`${over} too many`);
      },
    ),
    { numRuns: 25 },
  );
});
