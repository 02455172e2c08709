import fc from "fast-check";
import t from "tap";
import type { Slots } from "../../../src/limits/budget.js";
import { type BudgetReply, type BudgetReport, LeaseHolder, LeaseRoot } from "../../../src/limits/leased-budgets.js";
import { SlotRoot } from "../../../src/limits/slot-root.js";

/** Workers whose messages arrive when the test says so. */
class World {
  readonly root: LeaseRoot;
  readonly holders = new Map<number, LeaseHolder>();
  readonly #size: number;

  constructor(workers: number) {
    this.#size = workers;
    this.root = new LeaseRoot(workers);
    for (let i = 0; i < workers; i += 1) this.add(i);
  }

  add(worker: number): LeaseHolder {
    const holder = new LeaseHolder(this.#size, () => {});
    this.holders.set(worker, holder);
    this.#deliver(worker, this.root.welcome(worker));
    return holder;
  }

  slots(key: string, count: number): readonly Slots[] {
    return Array.from(this.holders.values(), (holder) => holder.budgets(() => {}).slots(key, count));
  }

  /** All messages go through, as JSON. */
  exchange(): void {
    for (const [worker, holder] of this.holders) {
      const report = holder.report(0);
      if (report !== null) this.#deliver(worker, this.root.answer(worker, copy<BudgetReport>(report), 0));
    }
    this.tell();
  }

  tell(): void {
    const newsFor = this.root.takeNews();
    if (newsFor !== null) for (const worker of this.holders.keys()) this.#deliver(worker, newsFor(worker));
  }

  #deliver(worker: number, reply: BudgetReply | null): void {
    if (reply !== null) this.holders.get(worker)?.take(copy(reply), 0);
  }
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function takeAll(slots: Slots, most = 1000): number {
  let taken = 0;
  while (taken < most && slots.take(0)) taken += 1;
  return taken;
}

t.test("all slots are there for one worker, a part at once and the rest as it is known", (t) => {
  const world = new World(4);
  const [one] = world.slots("a", 20) as [Slots];
  t.equal(takeAll(one), 2, "a part of the half that is free for sure");
  let taken = 2;
  for (let i = 0; i < 20; i += 1) {
    world.exchange();
    taken += takeAll(one);
  }
  t.equal(taken, 20);
  t.end();
});

t.test("a single slot is one over all workers as soon as they know", (t) => {
  const world = new World(3);
  const [one, two, three] = world.slots("a", 1) as [Slots, Slots, Slots];
  t.equal(one.take(0), true);
  t.equal(one.take(0), false);
  world.exchange();
  t.same([one.take(0), two.take(0), three.take(0)], [false, false, false]);
  one.release(0);
  t.equal(one.take(0), true, "its own worker knows at once");
  one.release(0);
  world.exchange();
  t.equal(two.take(0), true);
  t.end();
});

t.test("slots at their count on several workers are refused to none within it", (t) => {
  const world = new World(4);
  const all = world.slots("a", 2);
  for (const [first, second] of [
    [0, 0],
    [0, 1],
    [3, 2],
  ] as const) {
    t.equal(all[first]?.take(0), true);
    world.exchange();
    t.equal(all[second]?.take(0), true);
    world.exchange();
    for (const slots of all) t.equal(slots.take(0), false);
    all[first]?.release(0);
    all[second]?.release(0);
    world.exchange();
  }
  t.end();
});

t.test("a worker that dies gives its slots back, and its successor learns what the others use", (t) => {
  const world = new World(2);
  const [one, two] = world.slots("a", 4) as [Slots, Slots];
  let ofOne = 0;
  for (let i = 0; i < 6; i += 1) {
    if (ofOne < 3) ofOne += takeAll(one, 1);
    world.exchange();
  }
  t.equal(ofOne, 3);
  t.equal(takeAll(two), 1);
  world.exchange();
  t.equal(takeAll(two), 0);
  world.holders.delete(0);
  world.root.forget(0);
  world.tell();
  let ofTwo = 1;
  for (let i = 0; i < 6; i += 1) {
    ofTwo += takeAll(two);
    world.exchange();
  }
  t.equal(ofTwo, 4);
  const successor = world.add(2).budgets(() => {});
  t.equal(successor.slots("a", 4).take(0), false);
  t.end();
});

t.test("slots of clients are apart", (t) => {
  const world = new World(2);
  const [one, two] = Array.from(world.holders.values(), (holder) =>
    holder.budgets(() => {}).slotsPerClient("a", 1),
  ) as [(client: string) => Slots, (client: string) => Slots];
  t.equal(one("192.0.2.1").take(0), true);
  world.exchange();
  t.equal(two("192.0.2.1").take(0), false);
  t.equal(two("192.0.2.2").take(0), true);
  t.equal(one("2001:db8::1").take(0), true);
  world.exchange();
  t.equal(two("2001:db8::2").take(0), false);
  t.end();
});

t.test("another size counts at once, for those too that have the slots already, and who is in stays in", (t) => {
  const world = new World(2);
  const [one, two] = [0, 1].map((worker) => (world.holders.get(worker) as LeaseHolder).budgets(() => {}));
  if (one === undefined || two === undefined) throw new Error("no holders");
  const slots = [one.slots("a", 4), two.slots("a", 4)] as const;
  t.ok(slots[0].take(0));
  t.ok(slots[1].take(0));
  world.exchange();
  const sizes = { rates: new Map(), clientRates: new Map(), slots: new Map([["a", 2]]), clientSlots: new Map() };
  t.ok(one.slots("a", 2), "asked for and not in force yet");
  for (const budgets of [one, two]) budgets.resize(sizes, 0);
  world.exchange();
  t.notOk(slots[0].take(0));
  t.notOk(slots[1].take(0));
  slots[1].release(0);
  world.exchange();
  t.ok(slots[0].take(0));
  world.exchange();
  t.notOk(one.slots("a", 2).take(0));
  t.equal(one.isSharedUp, null);
  t.end();
});

const act = fc.record({
  worker: fc.nat(3),
  isTaking: fc.boolean(),
  after: fc.constantFrom("exchange", "exchange", "nothing"),
});

t.test("whatever comes and goes, hardly more than one a worker is too many, and nothing is taken for good", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.array(act, { maxLength: 120 }), (count, acts) => {
      const world = new World(4);
      const all = world.slots("a", count);
      const running = [0, 0, 0, 0];
      for (const { worker, isTaking, after } of acts) {
        const slots = all[worker] as Slots;
        if (isTaking && slots.take(0)) running[worker] = (running[worker] ?? 0) + 1;
        else if (!isTaking && (running[worker] ?? 0) > 0) {
          slots.release(0);
          running[worker] = (running[worker] ?? 0) - 1;
        }
        if (after === "exchange") world.exchange();
        if (running.reduce((sum, each) => sum + each, 0) > count + 3) return false;
      }
      for (const [worker, slots] of all.entries()) for (let n = running[worker] ?? 0; n > 0; n -= 1) slots.release(0);
      for (let i = 0; i < 3; i += 1) world.exchange();
      let taken = 0;
      for (let i = 0; i < 2 * count; i += 1) {
        taken += takeAll(all[i % 4] as Slots, 1);
        world.exchange();
      }
      return taken === count;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test("what nobody uses takes no memory", (t) => {
  const root = new SlotRoot();
  for (let i = 0; i < 1000; i += 1) root.note(1, { key: "a 9", client: `10.0.0.${i}`, count: 9, inUse: 1 + (i % 9) });
  t.equal(root.size, 1000);
  for (let i = 0; i < 500; i += 1) root.note(1, { key: "a 9", client: `10.0.0.${i}`, count: 9, inUse: 0 });
  t.equal(root.size, 500);
  root.forget(1);
  t.equal(root.size, 0);
  t.end();
});
