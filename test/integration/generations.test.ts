/** What one configuration hands over to the next, and what it takes with it, in one process. */
import { rm, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { hash } from "bcrypt";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { ask } from "../fault/support/client.js";
import { configText, fill } from "../fault/support/rig.js";
import { closedPort, startOrigin } from "../fault/support/sockets.js";
import { startCredentialsUri } from "../support/credential-servers.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";

const SIZE = 1024 * 1024;

type Options = Readonly<Record<string, unknown>>;

/** The text of a configuration with other keys at its top. */
function textWith(text: string, top: Options): string {
  return JSON.stringify({ ...(JSON.parse(text) as Options), ...top });
}

async function reloads(t: Test, gateway: TestGateway, text: string): Promise<void> {
  t.strictSame((await gateway.reload(text)).problems, []);
}

async function startEmulators(t: Test): Promise<readonly [Emulator, Emulator]> {
  return [fill(await startEmulator(t)), fill(await startEmulator(t))];
}

t.test("what is in flight ends by what it began with, and what begins is served by the new", async (t) => {
  const [before, after] = await startEmulators(t);
  before.putObject("examplebucket", "big.bin", Buffer.alloc(SIZE, "a"));
  after.putObject("examplebucket", "big.bin", Buffer.alloc(SIZE, "b"));
  before.faults.failNext(1, { kind: "stallMidBody", afterBytes: SIZE / 2 });
  const gateway = await startGateway(t, configText({ endpoint: before.url }));
  const old = gateway.gateway.runtime;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const download = ask(gateway.port, "/big.bin");
  await before.until(() => before.faults.stalled === 1);
  t.equal((await ask(gateway.port, "/hello.txt", { agent })).status, 200);
  await reloads(t, gateway, configText({ endpoint: after.url }));
  const upload = await ask(gateway.port, "/new.txt", { method: "PUT", body: "new", agent });
  t.equal(upload.status, 200);
  t.equal(after.readObject("examplebucket", "new.txt").toString(), "new", "on a connection that was there before");
  t.same((await ask(gateway.port, "/big.bin")).body, Buffer.alloc(SIZE, "b"));
  t.equal(old.usage.running, 1, "the download");
  before.faults.releaseStalled();
  const { body, isComplete } = await download;
  t.ok(isComplete);
  t.same(body, Buffer.alloc(SIZE, "a"));
  t.equal(gateway.gateway.stats.connectionsTotal, 3);
  await before.until(() => before.openSockets() === 0);
  t.equal(old.usage.running, 0);
});

t.test("connections to OSS are kept where nothing about them changes", async (t) => {
  const [emulator] = await startEmulators(t);
  const text = configText({ endpoint: emulator.url });
  const gateway = await startGateway(t, text);
  await ask(gateway.port, "/hello.txt");
  const upstream = gateway.gateway.runtime.upstreams.get("media");
  await reloads(t, gateway, configText({ endpoint: emulator.url, route: { methods: ["GET"] } }));
  t.equal((await ask(gateway.port, "/hello.txt", { method: "PUT", body: "no" })).status, 405, "it is the new one");
  await ask(gateway.port, "/hello.txt");
  t.equal(gateway.gateway.runtime.upstreams.get("media"), upstream);
  t.equal(emulator.openSockets(), 1);
  await reloads(t, gateway, configText({ endpoint: emulator.url, bucket: { connections: 3 } }));
  t.not(gateway.gateway.runtime.upstreams.get("media"), upstream);
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("credentials are not asked for again unless they are configured otherwise", async (t) => {
  const [emulator] = await startEmulators(t);
  const service = await startCredentialsUri(t);
  const signing = (url: string, more: Options = {}) =>
    textWith(
      configText({
        endpoint: emulator.url,
        route: { auth: "sign", sign: { credentials: "reader" }, allow: { anyone: true }, methods: ["GET"], ...more },
      }),
      { credentials: { reader: { type: "credentialsUri", url } } },
    );
  const gateway = await startGateway(t, signing(`${service.url}/credentials/a`));
  const source = gateway.gateway.runtime.credentials.get("reader");
  for (const methods of [["HEAD"], ["GET"], ["HEAD", "GET"]]) {
    await reloads(t, gateway, signing(`${service.url}/credentials/a`, { methods }));
  }
  t.equal(service.requests.length, 1);
  t.equal(gateway.gateway.runtime.credentials.get("reader"), source);
  await reloads(t, gateway, signing(`${service.url}/credentials/b`));
  t.equal(service.requests.length, 2, "asked before the first request needs them");
  t.not(gateway.gateway.runtime.credentials.get("reader"), source);
  t.ok(gateway.gateway.runtime.credentials.get("reader")?.current(Date.now()));
});

t.test("a reload refills no burst, and lets nobody in who would not be", async (t) => {
  const [emulator] = await startEmulators(t);
  const limited = (limits: Options) => configText({ endpoint: emulator.url, route: { limits } });
  const statusOf = async (gateway: TestGateway) => (await ask(gateway.port, "/hello.txt")).status;
  const slow = { requests: "0.1/s", burst: 2 };

  t.test("of requests per second", async (t) => {
    for (const limits of [slow, { perClient: slow }]) {
      const gateway = await startGateway(t, limited(limits));
      t.equal(await statusOf(gateway), 200);
      await reloads(t, gateway, limited(limits));
      t.equal(await statusOf(gateway), 200);
      await reloads(t, gateway, limited(limits));
      t.equal(await statusOf(gateway), 429);
      await reloads(t, gateway, limited({ requests: "100000/s", burst: 1_000 }));
      t.equal(await statusOf(gateway), 200, "a change counts at once");
    }
  });

  t.test("of requests at once", async (t) => {
    for (const limits of [{ connections: 1 }, { perClient: { connections: 1 } }]) {
      const gateway = await startGateway(t, limited(limits));
      emulator.faults.failNext(1, { kind: "stallBeforeHead" });
      const running = ask(gateway.port, "/hello.txt");
      await emulator.until(() => emulator.faults.stalled === 1);
      await reloads(t, gateway, limited(limits));
      t.equal(await statusOf(gateway), 429);
      emulator.faults.releaseStalled();
      t.equal((await running).status, 200);
      await gateway.logged(({ status }) => status === 200);
      t.equal(await statusOf(gateway), 200, "who was in before has left");
    }
  });
});

t.test("a configuration that cannot be served by changes nothing at all", async (t) => {
  const [emulator] = await startEmulators(t);
  const directory = t.testdir({ "no.pem": "no certificate", passwords: "nobody:plain" });
  const taken = await startOrigin(t, (socket) => socket.destroy());
  const text = (more: Parameters<typeof configText>[0]) => configText(more);
  const { url: endpoint } = emulator;
  const elsewhere = "http://127.0.0.1:1";
  const gateway = await startGateway(t, text({ endpoint }));
  const { runtime } = gateway.gateway;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.equal((await ask(gateway.port, "/hello.txt", { agent })).status, 200);

  const links = { links: { secret: { env: "OSSGATE_TEST_NO_SUCH_VARIABLE" } } };
  const basic = (file: string) => ({ basic: { file: `${directory}/${file}` } });
  const listeners = [
    { name: "web", address: "127.0.0.1:0" },
    { name: "first", address: "127.0.0.2:0" },
    { name: "second", address: `127.0.0.1:${taken.port}` },
  ];
  const bad: readonly (readonly [what: string, text: string, problem: RegExp])[] = [
    ["a file that is none", "routes: [", /^test\.yaml:\d+:\d+: /],
    [
      "an authority that is missing",
      text({ endpoint: elsewhere, bucket: { caFile: "/no/such.pem" } }),
      /buckets\.media\.caFile: .*ENOENT/,
    ],
    [
      "an authority that is none",
      text({ endpoint: elsewhere, bucket: { caFile: `${directory}/no.pem` } }),
      /has no PEM certificate/,
    ],
    [
      "a secret that is not set",
      text({ endpoint: elsewhere, route: { allow: links } }),
      /OSSGATE_TEST_NO_SUCH_VARIABLE is not set/,
    ],
    [
      "a password file that is missing",
      text({ endpoint: elsewhere, route: { allow: basic("none") } }),
      /allow\.basic\.file/,
    ],
    [
      "a password file that is none",
      text({ endpoint: elsewhere, route: { allow: basic("passwords") } }),
      /allow\.basic\.file/,
    ],
    [
      "an address that is taken",
      textWith(text({ endpoint: elsewhere }), { listeners }),
      /listener second: cannot listen on 127\.0\.0\.1:\d+: another program/,
    ],
    [
      "an admin address that is taken",
      textWith(text({ endpoint: elsewhere }), { admin: { address: `127.0.0.1:${taken.port}` } }),
      /^admin: cannot listen/,
    ],
  ];
  await reloads(t, gateway, text({ endpoint }));
  const served = gateway.gateway.runtime;
  t.not(served, runtime);
  await turn();
  const resources = countOf(process.getActiveResourcesInfo());
  for (const [what, next, problem] of bad) {
    const outcome = await gateway.reload(next);
    t.notOk(outcome.ok, what);
    t.equal(outcome.problems.length, 1, what);
    t.match(outcome.problems[0], problem, what);
    t.equal(outcome.generation, 2, what);
    t.equal(gateway.gateway.runtime, served, what);
    t.same([...gateway.gateway.addresses.keys()], ["web"], what);
    t.same(gateway.gateway.state.lastReload, outcome, what);
    t.equal((await ask(gateway.port, "/hello.txt", { agent })).status, 200, what);
  }
  t.same(gateway.gateway.state.reloads, { ok: 1, failed: bad.length });
  await turn();
  const left = countOf(process.getActiveResourcesInfo());
  for (const kind of ["TCPServerWrap", "FSEventWrap", "Timeout"]) {
    t.ok((left.get(kind) ?? 0) <= (resources.get(kind) ?? 0), `nothing of them is left: ${kind}`);
  }
});

function countOf(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

t.test("passwords are read anew, and what was known of the old ones lets nobody in", async (t) => {
  const [emulator] = await startEmulators(t);
  // Of "old" and of "new", at bcrypt's lowest cost.
  const hashOf = (password: string) => hashes.get(password) ?? "";
  const hashes = await bcryptHashes(["old", "new"]);
  const directory = t.testdir({});
  const file = `${directory}/passwords`;
  await writeFile(file, `alice:${hashOf("old")}\n`);
  const text = configText({ endpoint: emulator.url, route: { allow: { basic: { file } }, methods: ["GET"] } });
  const gateway = await startGateway(t, text);
  const statusOf = async (password: string) => {
    const Authorization = `Basic ${Buffer.from(`alice:${password}`).toString("base64")}`;
    return (await ask(gateway.port, "/hello.txt", { headers: { Authorization } })).status;
  };
  t.equal(await statusOf("old"), 200);
  t.equal(await statusOf("new"), 401);
  await writeFile(file, `alice:${hashOf("new")}\n`);
  await reloads(t, gateway, text);
  t.equal(await statusOf("old"), 401);
  t.equal(await statusOf("new"), 200);
  await rm(file);
  t.notOk((await gateway.reload(text)).ok);
  t.equal(await statusOf("new"), 200, "the last good version");
});

async function bcryptHashes(passwords: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const all = passwords.map(async (password) => [password, await hash(password, 4)] as const);
  return new Map(await Promise.all(all));
}

t.test("what holds for a connection changes for new ones, and the others go on as they are", async (t) => {
  const [emulator] = await startEmulators(t);
  const text = (headerSize: string) =>
    configText({ endpoint: emulator.url, limits: { headerSize, targetSize: "2KiB" } });
  const gateway = await startGateway(t, text("32KiB"));
  const long = { "X-Long": "a".repeat(12 * 1024) };
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.equal((await ask(gateway.port, "/hello.txt", { agent, headers: long })).status, 200);
  await reloads(t, gateway, text("8KiB"));
  t.equal((await ask(gateway.port, "/hello.txt", { agent, headers: long })).status, 200);
  t.equal((await ask(gateway.port, "/hello.txt", { headers: long })).status, 431);
  t.equal((await ask(gateway.port, "/hello.txt")).status, 200);
  t.equal(gateway.gateway.stats.connectionsTotal, 3);
});

t.test("reloads come one after the other, and none is taken while the program ends", async (t) => {
  const [emulator] = await startEmulators(t);
  const text = configText({ endpoint: emulator.url });
  const gateway = await startGateway(t, text);
  const outcomes = await Promise.all([gateway.reload(text), gateway.reload(text), gateway.reload(text)]);
  t.same(
    outcomes.map(({ ok, generation }) => [ok, generation]),
    [
      [true, 2],
      [true, 3],
      [true, 4],
    ],
  );
  t.equal((await gateway.gateway.collect())[0]?.generation, 4);
  t.notOk((await gateway.gateway.upgrade()).ok);
  await gateway.gateway.stop(0);
  t.match((await gateway.reload(text)).problems, ["the program is shutting down"]);
});

t.test("after 200 reloads nothing is left of those before", async (t) => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const [emulator, other] = await startEmulators(t);
  const unused = await closedPort();
  const limits = { requests: "1000/s", connections: 100, egress: "1GiB/s", perClient: { connections: 50 } };
  const texts = [
    configText({ endpoint: emulator.url, route: { limits } }),
    configText({ endpoint: other.url, route: { limits: { ...limits, requests: "2000/s" } } }),
    textWith(configText({ endpoint: emulator.url }), {
      listeners: [
        { name: "web", address: "127.0.0.1:0" },
        { name: "more", address: `127.0.0.2:${unused}` },
      ],
    }),
  ];
  const gateway = await startGateway(t, texts[0] as string);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const once = async (count: number) => {
    await reloads(t, gateway, texts[count % texts.length] as string);
    t.equal((await ask(gateway.port, "/hello.txt", { agent })).status, 200);
  };
  const measure = async () => {
    await turn();
    collectGarbage();
    return { heapBytes: process.memoryUsage().heapUsed, resources: countOf(process.getActiveResourcesInfo()) };
  };
  for (let i = 1; i <= 30; i += 1) await once(i);
  const old = new WeakRef(gateway.gateway.runtime);
  const early = await measure();
  for (let i = 1; i <= 201; i += 1) await once(i);
  const late = await measure();
  t.equal(gateway.gateway.stats.connectionsTotal, 1, "all on one connection");
  t.equal(old.deref(), undefined);
  t.ok(late.heapBytes - early.heapBytes < 5 * 1024 * 1024, `${late.heapBytes - early.heapBytes} bytes more`);
  for (const kind of ["TCPServerWrap", "FSEventWrap"]) {
    t.equal(late.resources.get(kind), early.resources.get(kind), kind);
  }
  t.ok((late.resources.get("Timeout") ?? 0) <= (early.resources.get("Timeout") ?? 0) + 3, "timers");
  await other.until(() => other.openSockets() === 0);
});

t.test(
  "a request that waits for a service when the configuration changes is answered by what it began with",
  async (t) => {
    const [emulator] = await startEmulators(t);
    let isAsked: (socket: Socket) => void = () => {};
    const asked = new Promise<Socket>((resolve) => {
      isAsked = resolve;
    });
    const { port } = await startOrigin(t, (socket) => socket.once("data", () => isAsked(socket)));
    const forwardAuth = { url: `http://127.0.0.1:${port}/`, cache: "0s", timeout: "30s" };
    const text = (route: Options) => configText({ endpoint: emulator.url, route: { methods: ["GET"], ...route } });
    const gateway = await startGateway(t, text({ allow: { forwardAuth } }));
    const old = gateway.gateway.runtime;
    const waiting = ask(gateway.port, "/hello.txt");
    const service = await asked;
    await reloads(t, gateway, text({ allow: { clients: ["192.0.2.1"] } }));
    t.equal((await ask(gateway.port, "/hello.txt")).status, 403, "the new one lets nobody in");
    service.write("HTTP/1.1 204 No Content\r\n\r\n");
    t.equal((await waiting).status, 200);
    if (!service.readableEnded) await new Promise((resolve) => service.on("end", resolve));
    t.equal(old.usage.running, 0);
  },
);
