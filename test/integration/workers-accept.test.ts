/** Workers accept by themselves, and share what is kept. */
import type { Agent } from "node:http";
import t from "tap";
import { agentsOf, askAll, get, isHello, startWorkers, type WorkersRig } from "./workers-rig.js";

const CLIENTS = 16;

async function leastShare(rig: WorkersRig, agents: readonly Agent[]): Promise<number> {
  // Else the workers wait for what they might still ask.
  for (const agent of agents) agent.destroy();
  rig.program.child.kill("SIGTERM");
  await rig.program.exited;
  const counts = [...rig.servedBy().values()];
  return counts.length < 2 ? 0 : Math.min(...counts) / counts.reduce((sum, count) => sum + count, 0);
}

t.test("connections that are opened at once and kept are shared by two workers, 40 to 60 of 100", async (t) => {
  const rig = await startWorkers(t);
  const agents = agentsOf(t, CLIENTS);
  for (let i = 0; i < 8; i += 1) t.ok((await askAll(rig, agents)).every(isHello));
  const share = await leastShare(rig, agents);
  t.ok(share >= 0.4, `${share}`);
});

t.test("and so are connections that are opened one after the other", async (t) => {
  const rig = await startWorkers(t);
  const agents = agentsOf(t, CLIENTS);
  for (const agent of agents) t.ok(isHello(await get(rig.port, "/hello.txt", agent)));
  for (let i = 0; i < 8; i += 1) t.ok((await askAll(rig, agents)).every(isHello));
  const share = await leastShare(rig, agents);
  t.ok(share >= 0.4, `${share}`);
});

t.test("a worker that hangs takes nothing more: all that connect are answered by the other", async (t) => {
  const rig = await startWorkers(t);
  const [pid = 0] = await rig.workerPids();
  process.kill(pid, "SIGSTOP");
  t.teardown(() => process.kill(pid, "SIGCONT"));
  // Some of them are passed on to the one that hangs, and taken back.
  t.ok((await askAll(rig, agentsOf(t, CLIENTS))).every(isHello));
  for (let i = 0; i < 20; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
});
