import t from "tap";
import { get, isHello, Load, ONLY_GET, putStatuses, reload, startWorkers, workersText } from "./workers-rig.js";

t.test("reloads under load fail no request and drop no connection, and counters go on", async (t) => {
  const rig = await startWorkers(t);
  const load = new Load(rig.port, "/hello.txt", 6, isHello);
  await load.more(50);
  for (let generation = 2; generation <= 11; generation += 1) {
    const { ok, problems, generation: served } = await reload(rig, generation % 2 === 0 ? ONLY_GET : {});
    t.ok(ok, problems.join());
    t.equal(served, generation);
    await load.more(50);
  }
  const connections = await rig.metric("ossgate_client_connections_total");
  await load.stop();
  t.strictSame(load.failures, []);
  t.equal(connections, 6, "each client still has the connection that it began with");
  t.equal(await rig.sum("ossgate_requests_total"), load.answered);
  t.equal(await rig.metric("ossgate_config_generation"), 11);
  t.equal(await rig.metric('ossgate_config_reloads_total{outcome="ok"}'), 10);
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 0);
});

t.test("all workers serve by the new file, and a download that runs ends by the old one", async (t) => {
  const rig = await startWorkers(t);
  rig.emulator.putGenerated("examplebucket", "big.bin", 1024 * 1024);
  rig.emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 512 * 1024 });
  const download = get(rig.port, "/big.bin");
  await rig.emulator.until(() => rig.emulator.faults.stalled === 1);
  t.ok((await putStatuses(rig, 4)).every((status) => status === 200));
  t.match(await reload(rig, ONLY_GET), { ok: true });
  t.ok((await putStatuses(rig, 4)).every((status) => status === 405));
  rig.emulator.faults.releaseStalled();
  t.equal((await download).body.length, 1024 * 1024);
});

t.test("a bad file changes nothing, is told with file, line and column, and shows in a metric", async (t) => {
  const rig = await startWorkers(t);
  const good = workersText(rig.emulator.url);
  t.equal(await rig.metric("ossgate_config_last_reload_successful"), 1);
  const outcome = await reload(rig, good.replace('"workers":2', '"wokers":2'));
  t.equal(outcome.ok, false);
  t.equal(outcome.generation, 1);
  t.match(outcome.problems[0], /ossgate\.yaml:1:\d+: wokers: /);
  await rig.program.until(() => rig.program.stderr.includes("ossgate.yaml:1:"));
  t.equal(await rig.metric("ossgate_config_last_reload_successful"), 0);
  t.equal(await rig.metric('ossgate_config_reloads_total{outcome="failed"}'), 1);
  t.ok(isHello(await get(rig.port, "/hello.txt")));
  const missing = good.replace('"region"', '"caFile":"/nowhere/ca.pem","region"').replace("http://", "https://");
  t.match((await reload(rig, missing)).problems[0], "/nowhere/ca.pem");
  t.ok(isHello(await get(rig.port, "/hello.txt")));
  t.match(await reload(rig, good), { ok: true, generation: 2 });
  t.equal(await rig.metric("ossgate_config_last_reload_successful"), 1);
});

t.test("SIGHUP reloads, and one after the other", async (t) => {
  const rig = await startWorkers(t);
  await rig.writeConfig(workersText(rig.emulator.url, ONLY_GET));
  rig.program.child.kill("SIGHUP");
  await rig.program.until(() => rig.program.stderr.includes("the configuration was reloaded"));
  t.ok((await putStatuses(rig, 2)).every((status) => status === 405));
  const outcomes = await Promise.all([reload(rig), reload(rig), reload(rig)]);
  t.ok(outcomes.every(({ ok }) => ok));
  // Those that are asked for while one waits for its turn are that one.
  const last = Math.max(...outcomes.map(({ generation }) => generation));
  t.equal(await rig.metric("ossgate_config_generation"), last);
  t.equal(await rig.metric('ossgate_config_reloads_total{outcome="ok"}'), last - 1);
});
