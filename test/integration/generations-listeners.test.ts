/** Listeners that come, go, move and change places with a new configuration. */
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import t, { type Test } from "tap";
import { readConfig } from "../../src/config/read-config.js";
import type { Emulator } from "../../src/emulator/index.js";
import { DataPlane } from "../../src/process/data-plane.js";
import { createLog } from "../../src/telemetry/log.js";
import { Stats } from "../../src/telemetry/stats.js";
import { ask, RawClient } from "../fault/support/client.js";
import { fill, HOST } from "../fault/support/rig.js";
import { clientsGone, closedPort } from "../fault/support/sockets.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";

/** Addresses of this machine that nothing else takes ports of. */
let nextHost = 1;
function ownHost(): string {
  nextHost += 1;
  return `127.${1 + (process.pid % 250)}.${1 + ((process.pid >> 8) % 250)}.${nextHost}`;
}

interface Listening {
  readonly name: string;
  readonly address: string;
}

function textOf(
  endpoint: string,
  listeners: readonly Listening[],
  more: Readonly<Record<string, unknown>> = {},
): string {
  const route = { match: { hosts: [HOST] }, bucket: "media" };
  return JSON.stringify({
    listeners,
    admin: { address: "127.0.0.1:0" },
    buckets: { media: { bucket: "examplebucket", region: "cn-beijing", endpoint } },
    // Which route serves tells which listener it is.
    routes: listeners.map(({ name }) => ({
      ...route,
      name,
      match: { ...route.match, listeners: [name] },
      responseHeaders: { set: { "X-Listener": name } },
    })),
    ...more,
  });
}

interface World {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
  reload(listeners: readonly Listening[]): Promise<readonly string[]>;
}

async function start(t: Test, listeners: readonly Listening[], limits = {}): Promise<World> {
  const emulator = fill(await startEmulator(t));
  const gateway = await startGateway(t, textOf(emulator.url, listeners, { limits }));
  const reload = async (next: readonly Listening[]) =>
    (await gateway.reload(textOf(emulator.url, next, { limits }))).problems;
  return { emulator, gateway, reload };
}

/** Asks on a connection that stays; tells which listener answered. */
async function nameOf(client: RawClient): Promise<string> {
  const before = client.byteCount;
  client.sendHead("GET /hello.txt HTTP/1.1");
  await client.until(({ byteCount, text }) => byteCount > before && text.endsWith("hello"));
  return [...client.text.matchAll(/x-listener: (\w+)/gi)].at(-1)?.[1] ?? "";
}

const isLast = (client: RawClient): boolean => /\r\nconnection: close\r\n/i.test(client.text);

async function refuses(port: number): Promise<boolean> {
  const client = new RawClient(port);
  return (await client.closed) === "ECONNREFUSED";
}

t.test("a listener that goes accepts nothing more, and answers each of its clients once more", async (t) => {
  const web = { name: "web", address: "127.0.0.1:0" };
  const { gateway, reload, emulator } = await start(t, [web, { name: "more", address: "127.0.0.1:0" }]);
  const port = gateway.gateway.addresses.get("more")?.port ?? 0;
  const [idle, silent] = [new RawClient(port), new RawClient(port)];
  t.equal(await nameOf(idle), "more");
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const running = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1");
  await emulator.until(() => emulator.faults.stalled === 1);
  const kept = new RawClient(gateway.port);
  t.equal(await nameOf(kept), "web");
  const old = gateway.gateway.runtime;
  t.strictSame(await reload([web]), []);
  t.ok(await refuses(port));
  t.notOk(isLast(idle));
  t.equal(await nameOf(idle), "more", "by the configuration that it was in");
  t.equal(await nameOf(silent), "more");
  for (const client of [idle, silent]) {
    t.ok(isLast(client));
    t.equal(await client.closed, null);
  }
  t.ok(old.usage.running > 0);
  emulator.faults.releaseStalled();
  t.equal(await running.closed, null);
  t.ok(isLast(running));
  t.equal(await nameOf(kept), "web");
  t.notOk(isLast(kept));
  t.same([...gateway.gateway.addresses.keys()], ["web"]);
  kept.socket.destroy();
});

t.test("a client of a listener that has gone, and asks nothing, is let go after clientIdleTimeout", async (t) => {
  const web = { name: "web", address: "127.0.0.1:0" };
  const { gateway, reload } = await start(t, [web, { name: "more", address: "127.0.0.1:0" }], {
    clientIdleTimeout: "1s",
  });
  const port = gateway.gateway.addresses.get("more")?.port ?? 0;
  const idle = new RawClient(port);
  t.equal(await nameOf(idle), "more");
  const old = gateway.gateway.runtime;
  t.strictSame(await reload([web]), []);
  t.equal(old.usage.running, 1);
  t.equal(await idle.closed, null);
  await clientsGone(port);
  await turn();
  t.equal(old.usage.running, 0);
});

t.test("nor does one hold the old configuration for longer than shutdownTimeout", async (t) => {
  const web = { name: "web", address: "127.0.0.1:0" };
  const { gateway, reload } = await start(t, [web, { name: "more", address: "127.0.0.1:0" }], {
    clientIdleTimeout: "1h",
    shutdownTimeout: "1s",
  });
  const idle = new RawClient(gateway.gateway.addresses.get("more")?.port ?? 0);
  t.equal(await nameOf(idle), "more");
  t.strictSame(await reload([web]), []);
  await idle.closed;
  t.notOk(isLast(idle));
});

t.test("a listener that moves serves at the new address before it leaves the old one", async (t) => {
  const host = ownHost();
  const ports = [await closedPort(host), await closedPort(host)];
  const at = (port: number | undefined) => [{ name: "web", address: `${host}:${port}` }];
  const { gateway, reload } = await start(t, at(ports[0]));
  const addressOf = () => gateway.gateway.addresses.get("web")?.port;
  t.equal(addressOf(), ports[0]);
  t.strictSame(await reload(at(ports[1])), []);
  t.equal(addressOf(), ports[1]);
  t.strictSame(await reload(at(ports[0])), []);
  t.equal(addressOf(), ports[0]);
});

t.test("listeners change places and names, and keep their sockets and connections", async (t) => {
  const emulator = fill(await startEmulator(t));
  const ports = [await closedPort(), await closedPort()];
  const [one, other] = ports.map((port) => `127.0.0.1:${port}`) as [string, string];
  const gateway = await startGateway(
    t,
    textOf(emulator.url, [
      { name: "a", address: one },
      { name: "b", address: other },
    ]),
  );
  const clients = ports.map((port) => new RawClient(port));
  const names = () => Promise.all(clients.map(nameOf));
  t.same(await names(), ["a", "b"]);
  const next = [
    { name: "b", address: one },
    { name: "a", address: other },
  ];
  t.ok((await gateway.reload(textOf(emulator.url, next))).ok);
  t.same(await names(), ["b", "a"]);
  t.same(gateway.gateway.addresses.get("a")?.port, ports[1]);
  t.ok(
    (
      await gateway.reload(
        textOf(emulator.url, [
          { name: "c", address: one },
          { name: "a", address: other },
        ]),
      )
    ).ok,
  );
  t.same(await names(), ["c", "a"]);
  t.equal(gateway.gateway.stats.connectionsTotal, 2);
  for (const { socket } of clients) socket.destroy();
});

t.test("an address that one of ours covers is refused with a sentence, and nothing changes", async (t) => {
  const port = await closedPort();
  const { gateway, reload } = await start(t, [{ name: "web", address: `0.0.0.0:${port}` }]);
  const problems = await reload([{ name: "narrow", address: `127.0.0.1:${port}` }]);
  t.equal(problems.length, 1);
  t.match(problems[0], /^listener narrow: cannot listen on 127\.0\.0\.1:\d+ while web listens on 0\.0\.0\.0:\d+;/);
  t.equal((await ask(port, "/hello.txt")).headers["x-listener"], "web");
  t.same([...gateway.gateway.addresses.keys()], ["web"]);
});

t.test(
  "what connects to a new address waits until the configuration is taken, and is let go when it is not",
  async (t) => {
    const emulator = fill(await startEmulator(t));
    const web = { name: "web", address: "127.0.0.1:0" };
    const port = await closedPort();
    const read = (listeners: readonly Listening[]) => {
      const result = readConfig(textOf(emulator.url, listeners), "test.yaml");
      if (!result.ok) throw new Error(JSON.stringify(result.problems));
      return result.config;
    };
    const stats = new Stats();
    const accessLog = { write() {}, close: async () => {} };
    const plane = new DataPlane({ config: read([web]), stats, log: createLog("silent"), accessLog });
    t.teardown(() => plane.stop(0));
    await plane.start();
    const next = read([web, { name: "more", address: `127.0.0.1:${port}` }]);

    const unwanted = await plane.prepare(next);
    await t.rejects(plane.prepare(next), /another configuration/);
    const lost = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1");
    await once(lost.socket, "connect");
    unwanted.abort();
    await lost.closed;
    t.equal(lost.byteCount, 0);
    t.ok(await refuses(port));

    const wanted = await plane.prepare(next);
    const early = new RawClient(port).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
    const broken = new RawClient(port).send("GET /");
    await once(broken.socket, "connect");
    broken.socket.resetAndDestroy();
    await broken.closed;
    t.equal(early.byteCount, 0);
    t.equal(plane.report().generation, 1);
    await wanted.commit();
    t.equal(await early.closed, null);
    t.match(early.text, /^HTTP\/1\.1 200 OK\r\n/);
    t.equal(plane.report().generation, 2);
    t.equal(plane.addresses.get("more")?.port, port);

    const later = await closedPort();
    const last = await plane.prepare(read([web, { name: "late", address: `127.0.0.1:${later}` }]));
    await plane.stop(0);
    await last.commit();
    t.ok(await refuses(later), "what has ended opens nothing any more");
    t.equal(plane.report().generation, 2);
    await t.rejects(plane.prepare(next), /shutting down/);
  },
);
