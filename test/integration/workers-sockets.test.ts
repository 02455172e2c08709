/** The main process holds the sockets by which its workers accept. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import t from "tap";
import { agentsOf, askAll, gone, isHello, Load, startWorkers } from "./workers-rig.js";

t.test(
  "what waits for the only worker is answered by who replaces it in an upgrade, or when it is killed",
  async (t) => {
    const rig = await startWorkers(t, { workers: 1 });
    const hang = async () => {
      const [pid = 0] = await rig.workerPids();
      process.kill(pid, "SIGSTOP");
      const replies = askAll(rig, agentsOf(t, 20));
      replies.catch(() => {});
      await rig.until(async () => waitingCount(rig.port) === 20);
      return { pid, replies };
    };
    const upgraded = await hang();
    t.match(JSON.parse(await rig.admin("/upgrade", "POST")), { ok: true });
    t.ok((await upgraded.replies).every(isHello));
    process.kill(upgraded.pid, "SIGKILL");
    await gone(upgraded.pid);
    const killed = await hang();
    process.kill(killed.pid, "SIGKILL");
    t.ok((await killed.replies).every(isHello));
  },
);

t.test(
  "workers that are killed fail only the requests that run in them, of clients that connect for each",
  async (t) => {
    const rig = await startWorkers(t);
    const load = new Load(rig.port, "/hello.txt", 6, isHello, { isNewEach: true });
    for (let i = 0; i < 3; i += 1) {
      await load.more(50);
      const before = load.failures.length;
      const [pid = 0] = await rig.workerPids();
      process.kill(pid, "SIGKILL");
      await gone(pid);
      await load.more(50);
      t.ok(load.failures.length - before <= 6, load.failures.slice(before).join());
      await rig.until(async () => (await rig.metric('ossgate_workers{state="serving"}')) === 2);
    }
    await load.stop();
    t.ok(
      load.failures.every((failure) => ["ECONNRESET", "EPIPE", "Error: aborted"].includes(failure)),
      load.failures.join(),
    );
  },
);

t.test("the socket is one, of which each process has one descriptor, whatever comes and goes", async (t) => {
  const rig = await startWorkers(t);
  const main = rig.program.child.pid ?? 0;
  const descriptors = async () => {
    const inodes = listeningInodes(rig.port);
    return { inodes: inodes.length, each: [main, ...(await rig.workerPids())].map((pid) => held(pid, inodes[0])) };
  };
  const expected = { inodes: 1, each: [1, 1, 1] };
  t.strictSame(await descriptors(), expected);
  const before = sockets(main);
  for (let i = 0; i < 2; i += 1) {
    // Enough of them that some are passed on.
    const agents = agentsOf(t, 40);
    await askAll(rig, agents);
    for (const agent of agents) agent.destroy();
    t.match(JSON.parse(await rig.admin("/reload", "POST")), { ok: true });
    const old = await rig.workerPids();
    t.match(JSON.parse(await rig.admin("/upgrade", "POST")), { ok: true });
    await Promise.all(old.map(gone));
  }
  t.strictSame(await descriptors(), expected);
  await rig.until(async () => sockets(main) <= before + 1);
});

interface TcpSocket {
  readonly state: string;
  readonly inode: string;
  /** Of one that listens: connections that wait for their accept. */
  readonly waiting: number;
}

/** Of this machine's network, on a port of 127.0.0.1; see proc_net_tcp(5). */
function tcpSockets(port: number): readonly TcpSocket[] {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1);
  return lines.flatMap((line) => {
    const [, local, , state = "", queues = "", , , , , inode = ""] = line.trim().split(/\s+/);
    return local === address ? [{ state, inode, waiting: Number.parseInt(queues.split(":")[1] ?? "", 16) }] : [];
  });
}

const LISTENS = "0A";

function listeningInodes(port: number): readonly string[] {
  return tcpSockets(port).flatMap(({ state, inode }) => (state === LISTENS ? [inode] : []));
}

function waitingCount(port: number): number {
  return tcpSockets(port).find(({ state }) => state === LISTENS)?.waiting ?? 0;
}

function links(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

function held(pid: number, inode: string | undefined): number {
  return links(pid).filter((link) => link === `socket:[${inode}]`).length;
}

function sockets(pid: number): number {
  return links(pid).filter((link) => link.startsWith("socket:")).length;
}
