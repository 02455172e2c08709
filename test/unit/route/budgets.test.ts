import t from "tap";
import type { GatewayConfig } from "../../../src/config/gateway-config.js";
import type { BudgetSpec, LastingBudgets } from "../../../src/limits/budget.js";
import { LeaseHolder } from "../../../src/limits/leased-budgets.js";
import { createLocalBudgets } from "../../../src/limits/local-budgets.js";
import { BudgetHoldings } from "../../../src/route/budgets.js";
import { createLog } from "../../../src/telemetry/log.js";

/** All that is read of it. */
const CONFIG = { limits: { shared: null } } as GatewayConfig;

const SPEC: BudgetSpec = { key: "route/a/requests", ratePerSecond: 1, burst: 4, reserve: 0 };
const CLIENT = "192.0.2.1";

function noSecrets(): never {
  throw new Error("no secret is read here");
}

/** Of one process, and of a worker alone whose main process does not answer: all of a burst is its credit, and no more. */
const KINDS: readonly (readonly [kind: string, make: () => LastingBudgets])[] = [
  ["of this process", createLocalBudgets],
  ["leased", () => new LeaseHolder(1, () => {}).budgets(() => {})],
];

for (const [kind, make] of KINDS) {
  const atOnce = SPEC.burst;
  const holdings = () => new BudgetHoldings(make(), createLog("silent"));

  t.test(`${kind}: what is spent stays spent in the next configuration`, (t) => {
    const all = holdings();
    const first = all.use(CONFIG, noSecrets);
    first.takeSizes(0);
    t.equal(first.rate(SPEC).takeUpTo(10, 0), atOnce);
    t.equal(first.ratePerClient(SPEC)(CLIENT).takeUpTo(10, 0), atOnce);
    t.equal(first.slots("s", 1).take(0), true);
    t.equal(first.slotsPerClient("s", 1)(CLIENT).take(0), true);
    const second = all.use(CONFIG, noSecrets);
    const rate = second.rate(SPEC);
    const rateOf = second.ratePerClient(SPEC);
    const slots = second.slots("s", 1);
    const slotsOf = second.slotsPerClient("s", 1);
    second.takeSizes(0);
    first.close();
    t.equal(rate.takeUpTo(10, 0), 0);
    t.equal(rateOf(CLIENT).takeUpTo(10, 0), 0);
    t.equal(rateOf("192.0.2.2").takeUpTo(10, 0), atOnce);
    t.equal(slots.take(0), false);
    t.equal(slotsOf(CLIENT).take(0), false);
    t.end();
  });

  t.test(`${kind}: another size is in force when the configuration is, for the one before as well`, (t) => {
    const all = holdings();
    const first = all.use(CONFIG, noSecrets);
    const [rate, slots, slotsOf] = [first.rate(SPEC), first.slots("s", 2), first.slotsPerClient("s", 2)];
    first.takeSizes(0);
    const next = all.use(CONFIG, noSecrets);
    next.rate({ ...SPEC, burst: 40 });
    next.slots("s", 3);
    next.slotsPerClient("s", 1);
    t.ok(slotsOf(CLIENT).take(0), "it is not in force yet");
    t.ok(rate.take(30, 0) > 0);
    next.takeSizes(0);
    t.notOk(slotsOf(CLIENT).take(0));
    t.equal(rate.takeUpTo(100, 0), atOnce, "a larger burst fills at the rate");
    t.equal(rate.takeUpTo(100, 1_000), kind === "leased" ? 0 : 1);
    t.ok(slots.take(0));
    t.end();
  });

  t.test(`${kind}: what was never in force leaves no trace`, (t) => {
    const all = holdings();
    const first = all.use(CONFIG, noSecrets);
    const rate = first.rate(SPEC);
    first.takeSizes(0);
    const aborted = all.use(CONFIG, noSecrets);
    aborted.rate({ ...SPEC, burst: 1 });
    aborted.rate({ ...SPEC, key: "b" }).takeUpTo(10, 0);
    aborted.close();
    aborted.close();
    t.equal(rate.takeUpTo(10, 0), atOnce);
    t.equal(first.rate({ ...SPEC, key: "b" }).takeUpTo(10, 0), atOnce, "a new one");
    t.end();
  });

  t.test(`${kind}: a budget is forgotten when no configuration has it any more`, (t) => {
    const all = holdings();
    const first = all.use(CONFIG, noSecrets);
    first.rate(SPEC).takeUpTo(10, 0);
    const second = all.use(CONFIG, noSecrets);
    second.takeSizes(0);
    t.equal(first.rate(SPEC).takeUpTo(10, 0), 0, "requests of the first still run");
    first.close();
    const third = all.use(CONFIG, noSecrets);
    t.equal(third.rate(SPEC).takeUpTo(10, 0), atOnce);
    t.end();
  });
}

t.test("one configuration cannot give a budget two sizes", (t) => {
  const use = new BudgetHoldings(createLocalBudgets(), createLog("silent")).use(CONFIG, noSecrets);
  use.rate(SPEC);
  use.rate({ ...SPEC, reserve: 1 });
  t.throws(() => use.rate({ ...SPEC, burst: 3 }), /different size/);
  use.slots("s", 1);
  t.throws(() => use.slots("s", 2), /different size/);
  t.equal(use.isSharedUp, null);
  t.end();
});
