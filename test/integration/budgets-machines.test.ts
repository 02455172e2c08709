import { setTimeout } from "node:timers/promises";
import t, { type Test } from "tap";
import { createLocalBudgets } from "../../src/limits/local-budgets.js";
import { createSharedBudgets, type SharedBudgets } from "../../src/limits/shared-budgets.js";
import { excess, type Passed, passedBetween } from "../unit/limits/windows.js";
import { BURST, type Command, RATE } from "./budgets-machine.js";
import { startProcess, type TestProcess } from "./budgets-program.js";
import { NEEDS_REDIS, type RedisServer, startRedis } from "./budgets-redis.js";

async function startMachines(t: Test, redis: RedisServer, count: number): Promise<readonly TestProcess<Command>[]> {
  const start = async () => startProcess<Command>(t, "./budgets-machine.ts", { args: [redis.url.href, String(count)] });
  return Promise.all(Array.from({ length: count }, start));
}

const SPAN_MS = 2000;
/** Until the credits that were there at the start are spent. */
const SETTLED_MS = 700;

t.test("three processes and a real Redis: one budget, however load spreads", NEEDS_REDIS, async (t) => {
  const machines = await startMachines(t, await startRedis(t), 3);
  const perMs = [
    [2, 1],
    [0, 3],
    [0, 0.5],
  ];
  const plans = machines.map((machine, i) => machine.tell({ of: "all", spanMs: SPAN_MS, perMs: perMs[i] ?? [] }));
  const lists = (await Promise.all(plans)) as Passed[][];
  const passed = lists.flat().sort((a, b) => a.atMs - b.atMs);
  const firstMs = passed[0]?.atMs ?? 0;
  const over = excess(passed, RATE, BURST);
  t.ok(over <= 1e-3, `${over.toFixed(2)} more than rate × T + burst in some window`);
  for (const [load, fromMs] of [
    ["all on one", firstMs + SETTLED_MS],
    ["on all three", firstMs + SPAN_MS],
  ] as const) {
    const untilMs = load === "all on one" ? firstMs + SPAN_MS : firstMs + 2 * SPAN_MS - 100;
    const due = (RATE * (untilMs - fromMs)) / 1000;
    const found = passedBetween(passed, fromMs, untilMs);
    t.ok(found >= 0.95 * due, `${load}: ${found} of ${due}`);
  }
});

t.test("one client on three processes has one budget", NEEDS_REDIS, async (t) => {
  const machines = await startMachines(t, await startRedis(t), 3);
  const plan: Command = { of: "client", spanMs: SPAN_MS, perMs: [1] };
  const lists = (await Promise.all(machines.map((machine) => machine.tell(plan)))) as Passed[][];
  const passed = lists.flat().sort((a, b) => a.atMs - b.atMs);
  const firstMs = passed[0]?.atMs ?? 0;
  t.ok(excess(passed, 50, 25) <= 1e-3, `${excess(passed, 50, 25).toFixed(2)} more than rate × T + burst`);
  const found = passedBetween(passed, firstMs, firstMs + SPAN_MS - 100);
  t.ok(found >= 0.95 * 50 * 1.9, `${found} of ${50 * 1.9}`);
});

async function connect(t: Test, redis: RedisServer): Promise<SharedBudgets> {
  const budgets = createSharedBudgets({
    url: redis.url,
    password: null,
    prefix: "ossgate-test",
    slots: createLocalBudgets(),
    onState() {},
  });
  t.teardown(() => budgets.close());
  await budgets.started;
  t.equal(budgets.isSharedUp, true);
  return budgets;
}

/** Asks each turn of the event loop, so that what was spent is booked and paid meanwhile. @returns what was taken */
async function takeFor(turns: number, ask: () => number): Promise<number> {
  let taken = 0;
  for (let i = 0; i < turns; i += 1) {
    taken += ask();
    await setTimeout(1);
  }
  return taken;
}

t.test("a reserve is left in the server, and what is given back is there for others", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  const [one, two] = [await connect(t, redis), await connect(t, redis)];
  while (one.sharers < 2) await setTimeout(10);
  const spec = { key: "bucket/media/quota", ratePerSecond: 0.001, burst: 100, reserve: 0 };
  const low = one.rate({ ...spec, reserve: 40 });
  const now = () => performance.now();
  const ofLow = await takeFor(200, () => low.takeUpTo(5, now()));
  t.ok(ofLow >= 40 && ofLow <= 60, `${ofLow} of 60`);
  const high = two.rate(spec);
  const ofHigh = await takeFor(200, () => high.takeUpTo(5, now()));
  t.ok(ofHigh >= 30 && ofLow + ofHigh <= 100, `${ofHigh} of the reserve`);
  high.giveBack(ofHigh, now());
  await takeFor(50, () => 0);
  const again = await takeFor(200, () => one.rate(spec).takeUpTo(5, now()));
  t.ok(again >= ofHigh - 30 && again > 10, `${again} of ${ofHigh}`);
});

t.test("slots are each machine's own", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  const [one, two] = [await connect(t, redis), await connect(t, redis)];
  t.equal(one.slots("a", 1).take(0), true);
  t.equal(one.slots("a", 1).take(0), false);
  t.equal(two.slots("a", 1).take(0), true);
  t.equal(two.slotsPerClient("b", 1)("192.0.2.1").take(0), true);
});

t.test("machines that are configured otherwise share nothing, though the key is the same", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  const [one, two] = [await connect(t, redis), await connect(t, redis)];
  const spec = { key: "route/a/requests", ratePerSecond: 0.001, burst: 20, reserve: 0 };
  const [small, large] = [one.rate(spec), two.rate({ ...spec, burst: 400 })];
  const now = () => performance.now();
  const ofLarge = await takeFor(200, () => large.takeUpTo(5, now()));
  const ofSmall = await takeFor(200, () => small.takeUpTo(5, now()));
  t.ok(ofSmall >= 15 && ofSmall <= 20, `${ofSmall} of 20, after the other took its own`);
  t.ok(ofLarge > 200 && ofLarge <= 400, `${ofLarge} of 400`);
});
