import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { get, isHello, startWorkers } from "./workers-rig.js";

t.test("a worker tells by itself what it counted: a killed one loses the last moment, and no second", async (t) => {
  const rig = await startWorkers(t);
  const pids = await rig.workerPids();
  const main = rig.program.child;
  // It asks nobody meanwhile; what it is told waits for it.
  main.kill("SIGSTOP");
  for (let i = 0; i < 20; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
  await sleep(3_000);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  main.kill("SIGCONT");
  await rig.until(async () => (await rig.metric("ossgate_worker_restarts_total")) === 2);
  t.equal(await rig.sum("ossgate_requests_total"), 20);
});
