import { once } from "node:events";
import { Worker } from "node:worker_threads";
import t from "tap";
import { answerTo, head } from "../support/raw-client.js";
import { BUCKET, relay, startRelay } from "../support/relay-world.js";

const CONNECTIONS = 300;

/** Connects, sends a request, and resets, so often; then says so. Plain JavaScript: it runs in a thread of its own. */
const CLIENT = `
const { connect } = require("node:net");
const { workerData: { port, bytes, count, done } } = require("node:worker_threads");
let left = count;
for (let i = 0; i < count; i += 1) {
  const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(bytes, () => socket.resetAndDestroy()));
  socket.on("error", () => {});
  socket.on("close", () => {
    left -= 1;
    if (left > 0) return;
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  });
}
`;

t.test("a denied client gets no request in by resetting its connection before the gateway looks at it", async (t) => {
  const world = await startRelay(
    t,
    `
  - { name: denied, match: { hosts: [denied.test] }, bucket: one, methods: [GET, DELETE], deny: { clients: [127.0.0.1] } }
  - { name: open, match: { hosts: [open.test] }, bucket: one }
`,
  );
  const { emulator, gateway } = world;
  emulator.putObject(BUCKET, "victim.txt", "still here");
  t.equal((await relay(world, { host: "denied.test", target: "/victim.txt" })).answer.status, 403);
  // Connections to the upstream that stand: what is let in is sent at once.
  const bytes = head("GET", "/victim.txt", ["Host", "open.test"]);
  const warm = await Promise.all(Array.from({ length: 20 }, () => answerTo(gateway.port, bytes)));
  t.ok(warm.every(({ status }) => status === 200));
  emulator.clearCaptures();
  const { stats } = gateway.gateway;
  const before = stats.connectionsTotal;
  const done = new Int32Array(new SharedArrayBuffer(4));
  const request = head("DELETE", "/victim.txt", ["Host", "denied.test"]);
  const workerData = { port: gateway.port, bytes: request, count: CONNECTIONS, done };
  const client = new Worker(CLIENT, { eval: true, workerData });
  await once(client, "online");
  // Nothing is accepted until every connection has been reset: then nobody can tell whose they were.
  Atomics.wait(done, 0, 0);
  const exited = once(client, "exit");
  // Each scrape lets the gateway go on with what has arrived.
  while (stats.connectionsTotal < before + CONNECTIONS || stats.openConnections > 0) await gateway.metrics();
  await exited;
  await emulator.until(() => emulator.requestsInFlight() === 0);
  t.same(
    emulator.captures.filter(({ method }) => method === "DELETE"),
    [],
  );
  t.equal(emulator.getObject(BUCKET, "victim.txt")?.size, 10);
  for (const { method, client: from, status } of gateway.accessLog) {
    if (method === "DELETE") t.same([from, status], ["127.0.0.1", 403], "who was known was refused");
  }
});
