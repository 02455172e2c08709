import { rename, writeFile } from "node:fs/promises";
import t from "tap";
import { NEEDS_REDIS, startRedis } from "./budgets-redis.js";
import { get, isHello, Load, reload, startWorkers, workersText } from "./workers-rig.js";

t.test("a storm of reloads fails no request, of kept-alive connections and of new ones", async (t) => {
  const rig = await startWorkers(t);
  const load = new Load(rig.port, "/hello.txt", 3, isHello);
  let fresh = 0;
  let isOver = false;
  const news = (async () => {
    const failures: unknown[] = [];
    for (; !isOver; fresh += 1) {
      await get(rig.port, "/hello.txt").then(
        (reply) => isHello(reply) || failures.push(reply),
        failures.push.bind(failures),
      );
    }
    return failures;
  })();
  const RELOADS = 25;
  for (let i = 1; i <= RELOADS; i += 1) {
    const options = { limits: { connections: 1_000 + i }, route: { limits: { requests: `${100_000 + i}/s` } } };
    // At once, as editors do: a reload that a signal asked for may read it at any moment.
    const { configFile } = rig.program;
    await writeFile(`${configFile}.new`, workersText(rig.emulator.url, options));
    await rename(`${configFile}.new`, configFile);
    // A signal that comes while one is under way asks for no more than one behind it.
    if (i % 5 === 0) for (let n = 0; n < 3; n += 1) rig.program.child.kill("SIGHUP");
    t.match(await reload(rig), { ok: true });
  }
  await load.more(100);
  isOver = true;
  t.strictSame(await news, []);
  await load.stop();
  t.strictSame(load.failures, []);
  t.ok(fresh > RELOADS, `${fresh} on new connections`);
  t.ok((await rig.metric("ossgate_config_generation")) > RELOADS);
  t.equal(await rig.metric('ossgate_config_reloads_total{outcome="failed"}'), 0);
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 0);
  t.equal(await rig.sum("ossgate_requests_total"), load.answered + fresh, "each is counted once");
});

t.test("two workers share a rate by Redis, and one alone gets all of it", NEEDS_REDIS, async (t) => {
  const ratePerSecond = 20;
  const burst = 10;
  const redis = await startRedis(t);
  const rig = await startWorkers(t, {
    limits: { shared: redis.url.href },
    route: { limits: { requests: `${ratePerSecond}/s`, burst } },
  });
  await rig.until(async () => (await rig.metric("ossgate_limits_shared_up")) === 1);
  for (const connections of [1, 6]) {
    let passed = 0;
    let isCounted = false;
    const load = new Load(rig.port, "/hello.txt", connections, ({ status }) => {
      if (status === 200 && isCounted) passed += 1;
      return status === 200 || status === 429;
    });
    // By then both workers know of each other, and what a pause has saved is spent.
    const untilMs = performance.now() + 2_000;
    while (performance.now() < untilMs) await load.more(10);
    isCounted = true;
    const startMs = performance.now();
    while (performance.now() - startMs < 3_000) await load.more(10);
    const seconds = (performance.now() - startMs) / 1_000;
    await load.stop();
    t.strictSame(load.failures, []);
    t.ok(passed <= burst + ratePerSecond * seconds + connections, `${passed} in ${seconds} s`);
    t.ok(passed >= 0.7 * ratePerSecond * seconds, `${passed} with ${connections} connections in ${seconds} s`);
  }
});
