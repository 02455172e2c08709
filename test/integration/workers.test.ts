import t from "tap";
import { RawClient } from "../fault/support/client.js";
import { get, gone, isHello, Load, startWorkers, type WorkersRig } from "./workers-rig.js";

const REQUESTS = "ossgate_requests_total";

async function firstWorker(rig: WorkersRig): Promise<number> {
  const [pid = 0] = await rig.workerPids();
  return pid;
}

t.test("two workers serve, and the numbers are of the whole", async (t) => {
  const rig = await startWorkers(t);
  t.equal((await rig.workerPids()).length, 2);
  for (let i = 0; i < 40; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
  t.equal(await rig.sum(REQUESTS), 40);
  t.equal(await rig.metric("ossgate_client_connections_total"), 40);
  t.equal(await rig.metric('ossgate_workers{state="wanted"}'), 2);
  t.equal(await rig.metric('ossgate_workers{state="serving"}'), 2);
  t.equal(await rig.admin("/readyz"), "ready\n");
  rig.program.child.kill("SIGTERM");
  t.equal(await rig.program.exited, 0);
  t.equal(
    [...rig.servedBy().values()].reduce((sum, count) => sum + count, 0),
    40,
  );
});

t.test("a worker that dies is replaced; counters stay, and what ran in it is no more", async (t) => {
  const rig = await startWorkers(t);
  // Who sees the numbers may count on it that workers know of each other; and behind connections that have ended lately one
  // may keep both, so that these come before all others.
  t.equal(await rig.metric("ossgate_client_connections"), 0);
  rig.emulator.faults.failNext(2, { kind: "stallBeforeHead" });
  const clients = [0, 1].map(() => new RawClient(rig.port).sendHead("GET /hello.txt HTTP/1.1"));
  await rig.emulator.until(() => rig.emulator.faults.stalled === 2);
  for (let i = 0; i < 10; i += 1) await get(rig.port, "/hello.txt");
  t.equal(await rig.sum("ossgate_requests_in_flight"), 2);
  await rig.until(async () => (await rig.metric("ossgate_client_connections")) === 2);
  t.equal(await rig.sum(REQUESTS), 10);
  const pid = await firstWorker(rig);
  process.kill(pid, "SIGKILL");
  await Promise.race(clients.map(({ closed }) => closed));
  await rig.program.until(() => rig.program.stderr.includes("a worker ended and is replaced"));
  t.equal(await rig.sum("ossgate_requests_in_flight"), 1, "the other worker's request goes on");
  t.equal(await rig.metric("ossgate_client_connections"), 1);
  t.equal(await rig.sum(REQUESTS), 10);
  await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === 2);
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 1);
  rig.emulator.faults.releaseStalled();
  for (let i = 0; i < 10; i += 1) t.ok(isHello(await get(rig.port, "/hello.txt")));
  t.equal(await rig.sum(REQUESTS), 21);
});

t.test("while the only worker is dead, nobody is refused: connections wait for the next", async (t) => {
  const rig = await startWorkers(t, { workers: 1 });
  t.ok(isHello(await get(rig.port, "/hello.txt")));
  const pid = await firstWorker(rig);
  process.kill(pid, "SIGKILL");
  await gone(pid);
  const replies = await Promise.all([...Array(20).keys()].map(() => get(rig.port, "/hello.txt")));
  t.ok(replies.every(isHello));
  t.equal(await rig.metric("ossgate_worker_restarts_total"), 1);
});

t.test("workers that are killed under load fail nobody's requests but their own connections'", async (t) => {
  const rig = await startWorkers(t);
  const load = new Load(rig.port, "/hello.txt", 6, isHello);
  await load.more(100);
  for (let i = 0; i < 3; i += 1) {
    const before = load.failures.length;
    process.kill(await firstWorker(rig), "SIGKILL");
    await load.more(100);
    await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === 2);
    await load.more(100);
    // Six connections in all: a killed worker had no more than these.
    t.ok(load.failures.length - before <= 6, load.failures.slice(before).join());
  }
  await load.stop();
  t.ok(load.failures.every((failure) => ["ECONNRESET", "EPIPE", "Error: aborted"].includes(failure)));
  t.ok(await rig.sum(REQUESTS));
});
