import { Agent } from "node:http";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { startGateway, type TestGateway } from "../support/gateway.js";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { DnsServer, type Zone } from "./support/dns.js";
import { checkGauges, checkLogged, configText, startAt } from "./support/rig.js";
import { clientsGone } from "./support/sockets.js";

const ADDRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
const CHANGES = `ossgate_dns_changes_total{bucket="media"}`;

interface NamedRig {
  readonly dns: DnsServer;
  /** One on each address. */
  readonly emulators: readonly [Emulator, Emulator, Emulator];
  readonly gw: TestGateway;
}

/** The bucket on three addresses, whose name a DNS server of the test tells; its answers hold 50 ms. */
async function startNamed(t: Test, zone: Zone): Promise<NamedRig> {
  const [first, second, third] = await startAt(t, ADDRESSES);
  if (first === undefined || second === undefined || third === undefined) throw new Error("no emulators");
  const dns = new DnsServer(t, zone);
  const servers = [await dns.listen()];
  const gw = await startGateway(
    t,
    configText({
      endpoint: `http://oss.test:${first.port}`,
      bucket: { dns: { minTtl: "50ms", maxTtl: "50ms", servers }, timeouts: { connect: "1s" } },
    }),
  );
  return { dns, emulators: [first, second, third], gw };
}

/** Has the name looked up once more, from before the question to after its answer was taken. */
async function lookedUp({ dns, gw }: NamedRig): Promise<void> {
  const stats = gw.gateway.stats.upstream("media");
  for (const before = stats.dnsLookUpsOk + stats.dnsLookUpsFailed; ; await dns.asked(1)) {
    if (stats.dnsLookUpsOk + stats.dnsLookUpsFailed > before + 1) return;
  }
}

async function checkAllQuiet(t: Test, { emulators, gw }: NamedRig): Promise<void> {
  await clientsGone(gw.port);
  checkGauges(t, gw);
  await gw.gateway.stop(0);
  for (const emulator of emulators) await emulator.until(() => emulator.openSockets() === 0);
}

t.test("addresses change under load and no request fails", async (t) => {
  const rig = await startNamed(t, ["127.0.0.2"]);
  const { dns, emulators, gw } = rig;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.teardown(() => agent.destroy());
  let isRunning = true;
  const failures: unknown[] = [];
  const client = async (index: number): Promise<void> => {
    for (let i = 0; isRunning; i += 1) {
      const isUpload = (i + index) % 4 === 0;
      const upload = { method: "PUT", body: "data" };
      const answer = await ask(gw.port, isUpload ? "/put.txt" : "/hello.txt", { agent, ...(isUpload ? upload : {}) });
      if (answer.status !== 200 || !answer.isComplete) failures.push(answer.status);
    }
  };
  const clients = Array.from({ length: 4 }, (_, index) => client(index));
  for (let i = 1; i <= 12; i += 1) {
    const address = ADDRESSES[i % 3] ?? "";
    const emulator = emulators[i % 3] as Emulator;
    dns.zone = i % 4 === 0 ? ADDRESSES : [address];
    emulator.clearCaptures();
    await emulator.until(() => emulator.captures.length > 0);
    await lookedUp(rig);
  }
  isRunning = false;
  await Promise.all(clients);
  t.same(failures, []);
  t.ok(gw.accessLog.every(({ error }) => error === undefined));
  t.ok((await gw.metric(CHANGES)) > 10);
  t.same(new Set(gw.accessLog.map(({ upstream }) => upstream)), new Set(ADDRESSES));
  agent.destroy();
  await checkAllQuiet(t, rig);
});

t.test(
  "an address that is gone from DNS gets nothing new, finishes what it has, and then no socket is left",
  async (t) => {
    const rig = await startNamed(t, ["127.0.0.2"]);
    const { dns, emulators, gw } = rig;
    const [old, current] = emulators;
    const size = 1024 * 1024;
    old.putGenerated("examplebucket", "big.bin", size);
    old.faults.failNext(1, { kind: "stallMidBody", afterBytes: size / 2 });
    const download = new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1", "Connection: close");
    await old.until(() => old.faults.stalled === 1);
    dns.zone = ["127.0.0.3"];
    await lookedUp(rig);
    t.equal((await ask(gw.port, "/hello.txt")).status, 200);
    t.equal(current.captures.length, 1);
    t.equal(old.captures.length, 1, "the old address has nothing but the download");
    old.faults.releaseStalled();
    t.equal(await download.closed, null);
    t.equal(download.byteCount - download.text.indexOf("\r\n\r\n") - 4, size);
    await old.until(() => old.openSockets() === 0);
    t.ok(gw.accessLog.every(({ error }) => error === undefined));
    await checkAllQuiet(t, rig);
  },
);

t.test("a failed look-up keeps the last good addresses", async (t) => {
  const rig = await startNamed(t, ["127.0.0.2"]);
  const { dns, gw } = rig;
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  for (const zone of ["servfail", "nxdomain", []] as const) {
    dns.zone = zone;
    await lookedUp(rig);
    t.equal((await ask(gw.port, "/hello.txt")).status, 200, `after ${JSON.stringify(zone)}`);
  }
  t.ok((await gw.metric(`ossgate_dns_lookups_total{bucket="media",outcome="failed"}`)) >= 3);
  t.equal(await gw.metric(CHANGES), 1, "only the first answer was news");
  await checkAllQuiet(t, rig);
});

t.test("when only the question for one kind of address fails, its last good answer stands", async (t) => {
  const rig = await startNamed(t, ["127.0.0.2"]);
  const { dns, gw } = rig;
  const upstream = gw.gateway.runtime.upstreams.get("media");
  await lookedUp(rig);
  t.same(upstream?.addresses, ["127.0.0.2"]);
  const v6 = ["fd00:0000:0000:0000:0000:0000:0000:0001"];
  dns.zone = { a: "servfail", aaaa: v6 };
  await lookedUp(rig);
  t.same(upstream?.addresses, ["127.0.0.2", "fd00::1"]);
  dns.zone = { a: [], aaaa: v6 };
  await lookedUp(rig);
  t.same(upstream?.addresses, ["fd00::1"], "no such record is an answer, not a failure");
  dns.zone = { a: ["127.0.0.2"], aaaa: [] };
  await lookedUp(rig);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  await checkAllQuiet(t, rig);
});

t.test("a name that does not resolve stops no start, is 502, and is served once it resolves", async (t) => {
  const rig = await startNamed(t, "nxdomain");
  const { dns, gw } = rig;
  const answer = await ask(gw.port, "/hello.txt");
  t.equal(answer.status, 502);
  t.equal(gatewayCode(answer), "UPSTREAM_NAME_NOT_RESOLVED");
  await checkLogged(t, gw, { status: 502, error: "UPSTREAM_NAME_NOT_RESOLVED" });
  const put = await ask(gw.port, "/put.txt", { method: "PUT", body: "data" });
  t.equal(gatewayCode(put), "UPSTREAM_NAME_NOT_RESOLVED");
  const ready = await fetch(`${gw.adminUrl}/readyz`);
  t.equal(ready.status, 503);
  t.match(await ready.text(), "oss.test");
  dns.zone = ["127.0.0.2"];
  await lookedUp(rig);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  t.equal((await fetch(`${gw.adminUrl}/readyz`)).status, 200);
  await checkAllQuiet(t, rig);
});

t.test("many requests for a name that does not resolve ask for it no more often than one", async (t) => {
  const rig = await startNamed(t, "nxdomain");
  const { dns, gw } = rig;
  await ask(gw.port, "/hello.txt");
  const before = dns.queries;
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(gw.port, "/hello.txt")));
  t.ok(answers.every(({ status }) => status === 502));
  t.ok(dns.queries - before < 25, `${dns.queries - before} questions for 50 requests`);
  await checkAllQuiet(t, rig);
});
