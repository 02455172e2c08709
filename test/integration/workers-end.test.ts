import t from "tap";
import { Program } from "../fault/support/program.js";
import { closedPort } from "../fault/support/sockets.js";
import { startEmulator } from "../support/gateway.js";
import { get, gone, isHello, Load, startWorkers, WorkersRig, workersText } from "./workers-rig.js";

const errorOf = (asked: Promise<unknown>) =>
  asked.then(
    () => "none",
    ({ code }: NodeJS.ErrnoException) => code,
  );

t.test("workers end with the main process, however it ends", async (t) => {
  const rig = await startWorkers(t);
  const pids = await rig.workerPids();
  rig.program.child.kill("SIGKILL");
  // Its output ends when the last process that has it does.
  t.equal(await rig.program.exited, "SIGKILL");
  await Promise.all(pids.map(gone));
  t.equal((await rig.workerPids()).length, 0);
});

t.test("no signal opens the debugger, and a worker ends by no signal that a terminal sends to all", async (t) => {
  const rig = await startWorkers(t);
  const pids = await rig.workerPids();
  for (const pid of [rig.program.child.pid ?? 0, ...pids]) process.kill(pid, "SIGUSR1");
  for (const pid of pids) for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(pid, signal);
  for (let i = 0; i < 4; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 0);
  t.strictSame(await rig.workerPids(), pids);
  t.notMatch(rig.program.stderr, /Debugger listening/);
});

t.test("SIGTERM lets downloads of all workers finish, and the exit status is 0", async (t) => {
  const rig = await startWorkers(t);
  rig.emulator.putGenerated("examplebucket", "big.bin", 1024 * 1024);
  rig.emulator.faults.failNext(2, { kind: "stallMidBody", afterBytes: 512 * 1024 });
  const downloads = [0, 1].map(() => get(rig.port, "/big.bin"));
  await rig.emulator.until(() => rig.emulator.faults.stalled === 2);
  rig.program.child.kill("SIGTERM");
  await rig.program.until(() => rig.program.stderr.includes("stopping"));
  // Until the workers have heard of it they accept still.
  await rig.until(async () => (await errorOf(get(rig.port, "/hello.txt"))) === "ECONNREFUSED");
  rig.emulator.faults.releaseStalled();
  for (const { body } of await Promise.all(downloads)) t.equal(body.length, 1024 * 1024);
  t.equal(await rig.program.exited, 0);
  t.equal(rig.servedBy().size, 2, "both are in the access log");
});

t.test("SIGTERM in the start ends it in order, and the exit status is 0", async (t) => {
  const emulator = await startEmulator(t);
  const rig = new WorkersRig(emulator, new Program(t, workersText(emulator.url)));
  await rig.until(async () => (await rig.workerPids()).length > 0);
  rig.program.child.kill("SIGTERM");
  t.equal(await rig.program.exited, 0);
  t.match(rig.program.stderr, /"stopped"/);
  t.equal((await rig.workerPids()).length, 0);
});

t.test("SIGTERM ends what reloads and upgrades, however it meets them, and the exit status is 0", async (t) => {
  const signals = ["SIGHUP", "SIGHUP", "SIGHUP", "SIGTERM", "SIGHUP"] as const;
  for (const when of ["at once", "when it upgrades", "while workers begin"]) {
    const rig = await startWorkers(t);
    const { child } = rig.program;
    const listeners = [0, await closedPort()].map((port) => ({ name: `on${port}`, address: `127.0.0.1:${port}` }));
    await rig.writeConfig(workersText(rig.emulator.url, { workers: 4, more: { listeners } }));
    const answer = when === "when it upgrades" ? rig.admin("/upgrade", "POST").catch(() => "cut") : null;
    if (answer !== null) await rig.program.until(() => rig.program.stderr.includes("upgrading"));
    if (when === "while workers begin") {
      child.kill("SIGHUP");
      await rig.until(async () => (await rig.workerPids()).length > 2);
    }
    for (const signal of signals) child.kill(signal);
    t.equal(await rig.program.exited, 0, when);
    t.match(rig.program.stderr, /"stopped"/);
    await answer;
  }
});

t.test("a rate is of all workers, and one worker alone gets all of it", async (t) => {
  // Few, so that a busy machine asks for more by far.
  const ratePerSecond = 20;
  const burst = 10;
  const rig = await startWorkers(t, { route: { limits: { requests: `${ratePerSecond}/s`, burst } } });
  for (const connections of [1, 8]) {
    const startMs = performance.now();
    let passed = 0;
    // A kept-alive connection stays with its worker.
    const load = new Load(rig.port, "/hello.txt", connections, ({ status }) => {
      if (status === 200) passed += 1;
      return status === 200 || status === 429;
    });
    while (performance.now() - startMs < 3_000) await load.more(10);
    await load.stop();
    const seconds = (performance.now() - startMs) / 1_000;
    t.strictSame(load.failures, []);
    const most = burst + ratePerSecond * seconds;
    t.ok(passed <= most * 1.05 + 2, `${passed} of at most ${most} with ${connections} connections`);
    // Half of it, which one of two workers would get by itself, were 10 × seconds + 5.
    t.ok(passed >= 0.75 * ratePerSecond * seconds, `${passed} with ${connections} connections in ${seconds} s`);
  }
});
