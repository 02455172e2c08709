import t from "tap";
import { runProgram } from "./cli-program.js";
import { get, gone, isHello, Load, type Outcome, reload, startWorkers } from "./workers-rig.js";

t.test("an upgrade under load replaces every worker, fails no request and refuses no connection", async (t) => {
  const rig = await startWorkers(t);
  const before = await rig.workerPids();
  const load = new Load(rig.port, "/hello.txt", 6, isHello);
  await load.more(50);
  const args = ["upgrade", "--config", rig.program.configFile, "--admin", `127.0.0.1:${rig.adminPort}`];
  t.match(await runProgram(t, args), { code: 0, stdout: /all workers are new/ });
  await load.more(50);
  // The old ones end when their connections have: each was told to close with its next answer.
  await Promise.all(before.map(gone));
  const after = await rig.workerPids();
  t.equal(after.length, 2);
  t.notOk(after.some((pid) => before.includes(pid)));
  await load.stop();
  t.strictSame(load.failures, []);
  t.equal(await rig.sum("ossgate_requests_total"), load.answered, "what the old ones counted stays");
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 0);
});

t.test("upgrades of one worker fail no request of clients that connect for each", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  const load = new Load(rig.port, "/hello.txt", 4, isHello, { isNewEach: true });
  for (let i = 0; i < 3; i += 1) {
    await load.more(50);
    t.match(JSON.parse(await rig.admin("/upgrade", "POST")), { ok: true });
  }
  await load.more(50);
  await load.stop();
  t.strictSame(load.failures, []);
});

t.test("upgrades do not heap up workers that still end what they serve", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  rig.emulator.putGenerated("examplebucket", "big.bin", 1024 * 1024);
  rig.emulator.faults.failNext(3, { kind: "stallMidBody", afterBytes: 512 * 1024 });
  const downloads = [];
  const upgrade = async () => JSON.parse(await rig.admin("/upgrade", "POST")) as { readonly ok: boolean };
  for (let i = 1; i <= 3; i += 1) {
    downloads.push(get(rig.port, "/big.bin"));
    await rig.emulator.until(() => rig.emulator.faults.stalled === i);
    t.match(await upgrade(), { ok: true });
  }
  t.match(await upgrade(), { ok: false, problems: [/3 workers .* still end/] });
  t.equal((await rig.workerPids()).length, 4);
  t.ok(isHello(await get(rig.port, "/hello.txt")));
  rig.emulator.faults.releaseStalled();
  for (const { body } of await Promise.all(downloads)) t.equal(body.length, 1024 * 1024);
  await rig.until(async () => (await rig.workerPids()).length === 1);
  t.match(await upgrade(), { ok: true });
});

t.test("reloads to other numbers of workers do not heap them up either", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  rig.emulator.putGenerated("examplebucket", "big.bin", 1024 * 1024);
  rig.emulator.faults.failNext(16, { kind: "stallMidBody", afterBytes: 512 * 1024 });
  const downloads: Promise<unknown>[] = [];
  let outcome: Outcome = { ok: true, generation: 1, problems: [] };
  for (let i = 0; outcome.ok && i < 8; i += 1) {
    // On more connections than there are workers: some of them have one each.
    for (let n = 0; n < 2; n += 1) downloads.push(get(rig.port, "/big.bin").catch(() => null));
    await rig.emulator.until(() => rig.emulator.faults.stalled === downloads.length);
    outcome = await reload(rig, { workers: i % 2 === 0 ? 2 : 1 });
  }
  t.match(outcome, { ok: false, problems: [/workers .* still end/] });
  t.ok((await rig.workerPids()).length <= 8);
  t.match(await reload(rig, { workers: outcome.generation % 2 === 0 ? 2 : 1 }), { ok: true }, "others are taken");
  rig.emulator.faults.releaseStalled();
  await Promise.all(downloads);
});

t.test("a download that an old worker serves is finished by it", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  rig.emulator.putGenerated("examplebucket", "big.bin", 1024 * 1024);
  rig.emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 512 * 1024 });
  const [pid = 0] = await rig.workerPids();
  const download = get(rig.port, "/big.bin");
  await rig.emulator.until(() => rig.emulator.faults.stalled === 1);
  t.match(JSON.parse(await rig.admin("/upgrade", "POST")), { ok: true });
  t.ok(isHello(await get(rig.port, "/hello.txt")), "by the new one");
  rig.emulator.faults.releaseStalled();
  t.equal((await download).body.length, 1024 * 1024);
  await gone(pid);
});
