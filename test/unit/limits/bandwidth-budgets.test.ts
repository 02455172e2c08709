import t from "tap";
import { egressBudgets, ingressBudgets } from "../../../src/limits/bandwidth-budgets.js";
import { createLocalBudgets } from "../../../src/limits/local-budgets.js";

const NONE = { egressBytesPerSecond: null, ingressBytesPerSecond: null };
const MIB = 1024 * 1024;

t.test("a direction without a limit has no budgets", (t) => {
  const budgets = createLocalBudgets();
  t.equal(egressBudgets("route/a", { ...NONE, perClient: null }, budgets), null);
  t.equal(egressBudgets("route/a", { ...NONE, ingressBytesPerSecond: MIB, perClient: NONE }, budgets), null);
  t.equal(ingressBudgets("route/a", { ...NONE, egressBytesPerSecond: MIB, perClient: null }, budgets), null);
  t.end();
});

t.test("a transfer spends of all clients' budget and of its client's, of a tenth of a second at once", (t) => {
  const options = {
    egressBytesPerSecond: 10 * MIB,
    ingressBytesPerSecond: 10 * MIB,
    perClient: { egressBytesPerSecond: 16 * 1024, ingressBytesPerSecond: null },
  };
  const budgets = createLocalBudgets();
  const of = egressBudgets("route/a", options, budgets);
  const [whole, own, ...rest] = of?.("192.0.2.1") ?? [];
  t.equal(rest.length, 0);
  t.equal(whole?.takeUpTo(100 * MIB, 0), MIB);
  t.equal(own?.takeUpTo(100 * MIB, 0), 16 * 1024, "but at least 16 KiB");
  const [sameWhole, another] = of?.("192.0.2.2") ?? [];
  t.equal(sameWhole?.takeUpTo(1, 0), 0);
  t.equal(another?.takeUpTo(1, 0), 1);
  const ingress = ingressBudgets("route/a", options, budgets)?.("192.0.2.1");
  t.equal(ingress?.length, 1);
  t.equal(ingress?.[0]?.takeUpTo(1, 0), 1, "directions are apart");
  t.end();
});
