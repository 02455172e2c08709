import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { createServer } from "node:tls";
import t, { type Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import { createLocalBudgets } from "../../src/limits/local-budgets.js";
import { createSharedBudgets, type SharedBudgets } from "../../src/limits/shared-budgets.js";
import { flood } from "../integration/budgets-flood.js";
import { NEEDS_REDIS, startRedis } from "../integration/budgets-redis.js";
import { TEST_TLS } from "../unit/emulator/certificate.js";
import { excess, passedBetween } from "../unit/limits/windows.js";

interface Machine {
  readonly budgets: SharedBudgets;
  /** Each change, as it was told. */
  readonly states: { readonly isUp: boolean; readonly reason: string }[];
}

function startMachine(t: Test, url: URL, password: Secret | null = null): Machine {
  const states: Machine["states"] = [];
  const budgets = createSharedBudgets({
    url,
    password,
    prefix: "ossgate-test",
    slots: createLocalBudgets(),
    onState: (isUp, reason) => states.push({ isUp, reason }),
  });
  t.teardown(() => budgets.close());
  return { budgets, states };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(5);
}

const RATE = 400;
const BURST = 200;
const SPEC = { key: "route/a/requests", ratePerSecond: RATE, burst: BURST, reserve: 0 };
const SPAN_MS = 1500;

t.test(
  "Redis is killed and comes back: each machine goes on with its part, and then with all",
  NEEDS_REDIS,
  async (t) => {
    const redis = await startRedis(t);
    const machines = [startMachine(t, redis.url), startMachine(t, redis.url)];
    await until(() => machines.every(({ budgets }) => budgets.sharers === 2));
    const [one] = machines as [Machine, Machine];

    // All load is on one machine: with Redis it has the whole rate, without it half.
    const load = flood(one.budgets.rate(SPEC), { spanMs: SPAN_MS, perMs: [2, 2, 2] });
    await setTimeout(SPAN_MS);
    await redis.kill();
    await until(() => machines.every(({ budgets }) => !budgets.isSharedUp));
    const downMs = machineMsNow();
    await setTimeout(SPAN_MS);
    const upMs = machineMsNow();
    await redis.start();
    await until(() => machines.every(({ budgets }) => budgets.isSharedUp));
    const passed = await load;

    const downFor = upMs - downMs;
    const alone = passedBetween(passed, downMs, upMs);
    const part = ((RATE / 2) * downFor) / 1000;
    t.ok(alone >= 0.9 * part && alone <= part + BURST / 2, `${alone} of its part, ${part.toFixed(0)}`);
    const before = passedBetween(passed, downMs - 700, downMs - 100);
    t.ok(before >= 0.95 * RATE * 0.6 && before <= RATE * 0.6 + BURST, `${before} of the whole rate before`);
    // Two bursts: that of its part, and that of a server which has forgotten everything.
    t.ok(excess(passed, RATE, 2 * BURST) <= 0, "and never more than that");
    for (const { states } of machines) {
      t.same(
        states.map(({ isUp }) => isUp),
        [true, false, true],
        "each change is told once",
      );
      t.match(states[1]?.reason, /./);
    }
  },
);

function machineMsNow(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

t.test("Redis hangs: no call waits, and what was lost is not missed", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  const { budgets, states } = startMachine(t, redis.url);
  await budgets.started;
  const budget = budgets.rate(SPEC);
  t.teardown(() => redis.signal("SIGCONT"));
  redis.signal("SIGSTOP");
  const hungMs = machineMsNow();
  let slowestMs = 0;
  let refused = 0;
  while (budgets.isSharedUp) {
    const beganMs = performance.now();
    if (budget.take(1, beganMs) > 0) refused += 1;
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    await setTimeout(4);
  }
  t.ok(machineMsNow() - hungMs < 2_500, "it is noticed with the next announcement at the latest");
  t.ok(slowestMs < 50, `${slowestMs} ms for one call`);
  t.equal(refused, 0, "the credit lasts until then, at over half of the rate");
  t.equal(budget.take(1, performance.now()), 0);
  redis.signal("SIGCONT");
  await until(() => budgets.isSharedUp);
  t.same(
    states.map(({ isUp }) => isUp),
    [true, false, true],
  );
  await until(() => budget.takeUpTo(40, performance.now()) === 40);
});

t.test("without a server from the start each process has the whole rate, until it comes", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  await redis.kill();
  const { budgets, states } = startMachine(t, redis.url);
  await budgets.started;
  t.equal(budgets.isSharedUp, false);
  t.match(states, [{ isUp: false, reason: /ECONNREFUSED/ }]);
  const now = performance.now();
  const rateOf = budgets.ratePerClient({ ...SPEC, ratePerSecond: 0.001, burst: 3 });
  t.same(
    [1, 2, 3, 4].map(() => rateOf("192.0.2.1").take(1, now) === 0),
    [true, true, true, false],
  );
  rateOf("192.0.2.1").giveBack(1, now);
  t.equal(rateOf("192.0.2.1").takeUpTo(5, now), 1);
  rateOf("192.0.2.2").charge(4, now);
  t.not(rateOf("192.0.2.2").take(1, now), 0);
  await redis.start();
  await until(() => budgets.isSharedUp);
  t.equal(rateOf("192.0.2.3").take(1, performance.now()), 0);
});

t.test("a machine that leaves gives its part to the others", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t);
  const [one, two] = [startMachine(t, redis.url), startMachine(t, redis.url)];
  await until(() => one.budgets.sharers === 2 && two.budgets.sharers === 2);
  two.budgets.close();
  await until(() => one.budgets.sharers === 1);
  t.equal(two.budgets.rate(SPEC).take(1, 0), 0, "and what still runs there is not stopped");
});

t.test("the password is needed, sent and never told", NEEDS_REDIS, async (t) => {
  const redis = await startRedis(t, { password: "planted-secret" });
  for (const password of [null, new Secret("planted-other")]) {
    const { budgets, states } = startMachine(t, redis.url, password);
    await budgets.started;
    t.equal(budgets.isSharedUp, false);
    t.notMatch(JSON.stringify(states), /planted/);
    t.match(states[0]?.reason, /NOAUTH|WRONGPASS/);
  }
  const { budgets } = startMachine(t, redis.url, new Secret("planted-secret"));
  await budgets.started;
  t.equal(budgets.isSharedUp, true);
});

t.test("with rediss the server's certificate is verified", async (t) => {
  const server = createServer({ key: TEST_TLS.key, cert: TEST_TLS.cert }, (socket) => socket.end()).listen(0);
  server.on("tlsClientError", () => {});
  t.teardown(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { budgets, states } = startMachine(t, new URL(`rediss://localhost:${port}`));
  await budgets.started;
  t.equal(budgets.isSharedUp, false);
  t.match(states[0]?.reason, /self-signed/);
});
