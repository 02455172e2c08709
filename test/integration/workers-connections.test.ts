import { Agent } from "node:http";
import t from "tap";
import { get, startWorkers, type WorkersRig } from "./workers-rig.js";

const OPEN = "ossgate_client_connections";

/** A client that keeps the connection that it asked on. */
async function visit({ port }: WorkersRig): Promise<{ readonly status: number; leave(): void }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { status } = await get(port, "/hello.txt", agent);
  return { status, leave: () => agent.destroy() };
}

for (const { workers, connections } of [
  { workers: 2, connections: 10 },
  { workers: 3, connections: 2 },
  { workers: 3, connections: 7 },
]) {
  t.test(`limits.connections: ${connections} is of all of ${workers} workers, whoever leaves`, async (t) => {
    const rig = await startWorkers(t, { workers, limits: { connections } });
    const visitors = [];
    for (let i = 0; i < connections; i += 1) visitors.push(await visit(rig));
    t.ok(visitors.every(({ status }) => status === 200));
    const oneMore = await visit(rig);
    t.equal(oneMore.status, 503);
    oneMore.leave();
    // Each second one: with two workers that take turns, all of them of one.
    const leaving = visitors.filter((_, index) => index % 2 === 0);
    for (const { leave } of leaving) leave();
    await rig.until(async () => (await rig.metric(OPEN)) === connections - leaving.length);
    const next = [];
    for (let i = 0; i < leaving.length; i += 1) next.push(await visit(rig));
    t.ok(next.every(({ status }) => status === 200));
    const another = await visit(rig);
    t.equal(another.status, 503);
    for (const { leave } of [...visitors, ...next, another]) leave();
  });
}
