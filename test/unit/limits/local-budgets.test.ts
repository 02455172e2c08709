import t from "tap";
import { clientMap } from "../../../src/limits/client-map.js";
import { createLocalBudgets } from "../../../src/limits/local-budgets.js";

const spec = { key: "route/a/requests", ratePerSecond: 10, burst: 2, reserve: 0 };

t.test("the same key is the same budget", (t) => {
  const budgets = createLocalBudgets();
  t.equal(budgets.rate(spec).take(2, 0), 0);
  t.equal(budgets.rate(spec).take(1, 0), 100);
  t.equal(budgets.rate({ ...spec, key: "route/b/requests" }).take(1, 0), 0);
  t.equal(budgets.rate({ ...spec, burst: 3 }).take(3, 10_000), Number.POSITIVE_INFINITY, "its size is the first one's");
  t.equal(budgets.isSharedUp, null);
  budgets.close();
  t.end();
});

t.test("who has a reserve leaves it to the others of the same key", (t) => {
  const budgets = createLocalBudgets();
  const low = budgets.rate({ ...spec, reserve: 1 });
  const high = budgets.rate(spec);
  t.equal(low.take(1, 0), 0);
  t.not(low.take(1, 0), 0);
  t.equal(low.takeUpTo(5, 0), 0);
  t.equal(high.take(1, 0), 0);
  low.giveBack(1, 0);
  low.charge(2, 0);
  t.equal(high.take(1, 0), 200);
  t.end();
});

t.test("each client has a budget of its own, all addresses of a /64 one", (t) => {
  const rateOf = createLocalBudgets().ratePerClient(spec);
  t.equal(rateOf("192.0.2.1").take(2, 0), 0);
  t.not(rateOf("192.0.2.1").take(1, 0), 0);
  t.equal(rateOf("192.0.2.2").take(2, 0), 0);
  t.equal(rateOf("2001:db8::1").take(2, 0), 0);
  t.not(rateOf("2001:db8::2").take(1, 0), 0);
  t.equal(rateOf("2001:db8:0:1::2").take(1, 0), 0);
  t.end();
});

t.test("the map of clients is bounded, and forgets who was not seen for longest", (t) => {
  const made: string[] = [];
  const of = clientMap((client) => {
    made.push(client);
    return { client };
  }, 3);
  for (const client of ["a", "b", "c", "a", "d", "a", "b"]) t.equal(of(client).client, client);
  t.same(made, ["a", "b", "c", "d", "b"]);
  t.end();
});

t.test("slots are taken up to their count, and free when released", (t) => {
  const budgets = createLocalBudgets();
  const slots = budgets.slots("route/a/connections", 2);
  t.same([slots.take(0), slots.take(0), slots.take(0)], [true, true, false]);
  budgets.slots("route/a/connections", 2).release(0);
  t.same([slots.take(0), slots.take(0)], [true, false]);
  for (let i = 0; i < 5; i += 1) slots.release(0);
  t.same([slots.take(0), slots.take(0), slots.take(0)], [true, true, false], "one release too many gives nothing");
  t.end();
});

t.test("slots of a client are never forgotten while they are in use", (t) => {
  const slotsOf = createLocalBudgets().slotsPerClient("route/a/client/connections", 1);
  t.equal(slotsOf("192.0.2.1").take(0), true);
  for (let i = 0; i < 70_000; i += 1) slotsOf(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`).take(0);
  t.equal(slotsOf("192.0.2.1").take(0), false);
  const another = slotsOf("192.0.2.1");
  slotsOf("192.0.2.1").release(0);
  t.equal(another.take(0), true, "whichever of its slots is asked");
  t.end();
});
