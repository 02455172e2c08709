/** The end of a gateway in one process: GatewayProcess.stop, whose rules hold for workers too. */
import { once } from "node:events";
import t, { type Test } from "tap";
import { RawClient } from "./support/client.js";
import { type Rig, startRig } from "./support/rig.js";
import { clientsGone } from "./support/sockets.js";

const HEAD = "GET /hello.txt HTTP/1.1";
const ANSWER = /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+hello$/;

/** Long enough that nothing here happens because of it. */
const LONG_MS = 3_600_000;

function start(t: Test, limits = {}): Promise<Rig> {
  return startRig(t, { limits: { clientIdleTimeout: "1h", headerTimeout: "60s", ...limits } });
}

const isLast = ({ text }: RawClient): boolean => /\r\nconnection: close\r\n/i.test(text);

async function answered(client: RawClient): Promise<void> {
  await client.until(({ text }) => text.endsWith("hello"));
}

t.test("clients that are connected are answered once more and told that it was the last time", async (t) => {
  const { gw, emulator } = await start(t);
  const idle = new RawClient(gw.port).sendHead(HEAD);
  await answered(idle);
  const silent = new RawClient(gw.port);
  const half = new RawClient(gw.port).send(`${HEAD}\r\nHo`);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const running = new RawClient(gw.port).sendHead(HEAD);
  await emulator.until(() => emulator.faults.stalled === 1);
  const stopped = gw.gateway.stop(LONG_MS);
  t.equal(await new RawClient(gw.port).closed, "ECONNREFUSED");
  t.notOk(isLast(idle));
  idle.sendHead(HEAD);
  silent.sendHead(HEAD);
  half.send("st: files.test\r\n\r\n");
  emulator.faults.releaseStalled();
  for (const client of [idle, silent, half, running]) {
    t.equal(await client.closed, null);
    t.ok(isLast(client));
  }
  for (const client of [silent, half, running]) t.match(client.text, ANSWER);
  await stopped;
  t.equal(gw.gateway.stats.openConnections, 0);
});

t.test("an answer whose head had gone out is followed by another, which is the last", async (t) => {
  const { gw, emulator } = await start(t);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 2 });
  const client = new RawClient(gw.port).sendHead(HEAD);
  await client.until(({ text }) => text.endsWith("he"));
  const stopped = gw.gateway.stop(LONG_MS);
  emulator.faults.releaseStalled();
  await answered(client);
  t.notOk(isLast(client));
  client.sendHead(HEAD);
  t.equal(await client.closed, null);
  t.ok(isLast(client));
  t.equal(client.text.split("HTTP/1.1 200 OK").length - 1, 2);
  await stopped;
});

t.test("an upload that runs is taken to its end", async (t) => {
  const { gw, emulator } = await start(t);
  const client = new RawClient(gw.port).sendHead("PUT /a.txt HTTP/1.1", "Content-Length: 8").send("half");
  await emulator.until(() => emulator.requestsInFlight() === 1);
  const stopped = gw.gateway.stop(LONG_MS);
  client.send("half");
  t.equal(await client.closed, null);
  t.ok(isLast(client));
  await stopped;
  t.equal(emulator.readObject("examplebucket", "a.txt").toString(), "halfhalf");
});

t.test("who asks nothing is let go after clientIdleTimeout, counted from when it last did", async (t) => {
  const { gw } = await start(t, { clientIdleTimeout: "1s" });
  const clients = [new RawClient(gw.port), new RawClient(gw.port).sendHead(HEAD)];
  await answered(clients[1] as RawClient);
  const stopped = gw.gateway.stop(LONG_MS);
  for (const client of clients) t.equal(await client.closed, null);
  await stopped;
  t.equal(gw.gateway.stats.openConnections, 0);
});

t.test("the end waits for nobody longer than it is told", async (t) => {
  const { gw, emulator } = await start(t);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 2 });
  const clients = [new RawClient(gw.port), new RawClient(gw.port).send("GET /"), new RawClient(gw.port).sendHead(HEAD)];
  for (const { socket } of clients.slice(0, 2)) await once(socket, "connect");
  await (clients[2] as RawClient).until(({ text }) => text.endsWith("he"));
  await gw.gateway.stop(50);
  for (const client of clients) await client.closed;
  await clientsGone(gw.port);
  t.equal(gw.gateway.stats.openConnections, 0);
  t.equal(gw.accessLog.at(-1)?.error, "CLIENT_GONE", "what was cut off is in the log");
});

t.test("it is over as soon as nobody is left", async (t) => {
  const { gw } = await start(t);
  const client = new RawClient(gw.port).sendHead(HEAD);
  await answered(client);
  const stopped = gw.gateway.stop(LONG_MS);
  client.socket.end();
  await client.closed;
  await stopped;
  t.pass();
});

t.test("stopping twice is stopping once", async (t) => {
  const { gw } = await start(t);
  const client = new RawClient(gw.port).sendHead(HEAD);
  await answered(client);
  const stopped = gw.gateway.stop(LONG_MS);
  await gw.gateway.stop(0);
  await client.closed;
  await stopped;
  t.equal(gw.gateway.stats.openConnections, 0);
});
