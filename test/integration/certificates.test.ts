import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import t from "tap";
import { readConfig } from "../../src/config/read-config.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import { TicketKeys } from "../../src/server/ticket-keys.js";
import { openTls } from "../../src/server/tls.js";
import { CertificateWatch } from "../../src/telemetry/certificate-watch.js";
import { createLog, type Logger } from "../../src/telemetry/log.js";
import { ListenerStats } from "../../src/telemetry/stats.js";
import type { Teardown } from "../support/gateway.js";
import { BUCKET, DOMAIN, startRelay } from "../support/relay-world.js";
import { pairsOf, TestAuthority, type TestCertificate } from "../support/tls-world.js";

const ROUTES = `  - { name: r, match: { hosts: [${DOMAIN}] }, bucket: one }`;

interface Line {
  readonly level: "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps what is worth a warning. */
function keptLog(): { readonly log: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const log = createLog("silent");
  for (const level of ["warn", "error"] as const) {
    log[level] = ((fields: Record<string, unknown>) => lines.push({ level, fields })) as unknown as Logger["warn"];
  }
  return { log, lines };
}

async function open(t: Teardown, certificates: object, log: Logger = createLog("silent")) {
  const tls = await openTls({
    name: "web",
    tls: {
      certificates: [certificates as never],
      minVersion: "TLSv1.2",
      http2: true,
      clientCaFile: null,
      clientCertificate: "required",
    },
    headerTimeoutMs: 60_000,
    ticketKeys: new TicketKeys(),
    stats: new ListenerStats(),
    log,
  });
  t.teardown(() => tls.close());
  return tls;
}

const files = ({ certFile, keyFile }: TestCertificate) => ({ certFile, keyFile, directory: null });
const below = (directory: string) => ({ certFile: null, keyFile: null, directory });
const namesOf = (tls: Awaited<ReturnType<typeof open>>) => tls.gauges().map(({ names }) => names);

/** Renames over, as those do who know how. */
function put(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

t.test("what is wrong with a pair is said in one sentence that names the file", async (t) => {
  const ca = new TestAuthority(t);
  const one = ca.issue({ san: "DNS:a.example" });
  const two = ca.issue({ san: "DNS:b.example" });
  const text = ca.path("text.pem");
  writeFileSync(text, "no certificate");
  const rows: readonly [claim: string, files: TestCertificate, message: RegExp][] = [
    ["another's key", { certFile: one.certFile, keyFile: two.keyFile }, /pair-1\.key is not the key of .*pair-0\.pem/],
    [
      "no file",
      { certFile: ca.path("none.pem"), keyFile: one.keyFile },
      /listener web: .*none\.pem cannot be read \(ENOENT\)/,
    ],
    ["no certificate", { certFile: text, keyFile: one.keyFile }, /text\.pem has no certificate in PEM/],
    ["no key", { certFile: one.certFile, keyFile: text }, /text\.pem has no private key in PEM/],
    ["the files changed places", { certFile: one.keyFile, keyFile: one.certFile }, /pair-0\.pem has no private key/],
    ["a directory", { certFile: ca.directory, keyFile: one.keyFile }, /cannot be read|not a regular file/],
  ];
  for (const [claim, pair, message] of rows) {
    const error = await open(t, files(pair)).then(
      () => null,
      (cause: Error) => cause,
    );
    t.match(error?.message, message, claim);
    t.notMatch(error?.message, /\n/, "one line");
    t.notMatch(error?.message, /BEGIN/, "nothing of a key");
  }
});

t.test("an encrypted key is told so", async (t) => {
  const ca = new TestAuthority(t);
  const { certFile } = ca.issue({ san: "DNS:a.example" });
  const keyFile = ca.path("encrypted.key");
  const { createPrivateKey } = await import("node:crypto");
  const key = createPrivateKey(readFileSync(ca.path("pair-0.key")));
  writeFileSync(keyFile, key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" }));
  await t.rejects(open(t, files({ certFile, keyFile })), /encrypted\.key is encrypted; take the passphrase off/);
});

t.test("the certificate of the key goes first, then its authority, whatever the order of the file", async (t) => {
  const ca = new TestAuthority(t);
  const { certFile, keyFile } = ca.issue({ san: `DNS:${DOMAIN}` });
  const stranger = new TestAuthority(t);
  const chain = ca.path("chain.pem");
  writeFileSync(chain, [ca.caFile, stranger.caFile, certFile].map((file) => readFileSync(file, "utf8")).join("\n"));
  const { gateway } = await startRelay(
    t,
    ROUTES,
    `listeners: [{ name: web, address: "127.0.0.1:0", tls: { certificates: ${pairsOf({ certFile: chain, keyFile })} } }]`,
  );
  const socket = connect({ port: gateway.port, servername: DOMAIN, ca: readFileSync(ca.caFile) });
  await once(socket, "secureConnect");
  t.equal(socket.authorized, true);
  socket.destroy();
});

t.test("certbot's and acme.sh's folders are read, those that come later too", async (t) => {
  const ca = new TestAuthority(t);
  const live = ca.path("live");
  const install = (folder: string, cert: string, key: string, san: string, days = 20): void => {
    mkdirSync(join(live, folder), { recursive: true });
    const pair = ca.issue({ san, days });
    copyFileSync(pair.certFile, join(live, folder, cert));
    copyFileSync(pair.keyFile, join(live, folder, key));
  };
  mkdirSync(live);
  const tls = await open(t, below(live));
  t.equal(tls.isEmpty, true, "the folder is there before its first certificate");
  install("img.example.com", "fullchain.pem", "privkey.pem", "DNS:img.example.com");
  install("a.example", "fullchain.cer", "a.example.key", "DNS:a.example");
  install("b.example_ecc", "fullchain.cer", "b.example.key", "DNS:b.example");
  mkdirSync(join(live, "ca"));
  writeFileSync(join(live, "README"), "not a certificate");
  t.equal(await tls.refresh(), true);
  t.strictSame(namesOf(tls), [["a.example"], ["b.example"], ["img.example.com"]]);
  t.equal(await tls.refresh(), false, "nothing new");
  rmSync(join(live, "a.example"), { recursive: true });
  await tls.refresh();
  t.strictSame(namesOf(tls), [["b.example"], ["img.example.com"]], "what is gone is shown no more");
  rmSync(live, { recursive: true });
  await tls.refresh();
  t.strictSame(namesOf(tls), [["b.example"], ["img.example.com"]], "but not the last of all");
  const single = ca.path("img.example.com");
  mkdirSync(single);
  const pair = ca.issue({ san: "DNS:single.example" });
  symlinkSync(pair.certFile, join(single, "fullchain.pem"));
  symlinkSync(pair.keyFile, join(single, "privkey.pem"));
  t.strictSame(namesOf(await open(t, below(single))), [["single.example"]], "a name's own folder, of links");
});

t.test("a pair that is half written is not shown, and told of; the whole one is", async (t) => {
  const ca = new TestAuthority(t);
  const { log, lines } = keptLog();
  const watch = new CertificateWatch(log);
  const old = ca.issue({ san: "DNS:old.example", name: "live" });
  const next = ca.issue({ san: "DNS:new.example" });
  const tls = await open(t, files(old), log);
  put(next.certFile, old.certFile);
  t.equal(await tls.refresh(), false);
  t.strictSame(namesOf(tls), [["old.example"]]);
  t.match(tls.gauges()[0]?.problem, /live\.key is not the key of .*live\.pem/);
  for (let i = 0; i < 3; i += 1) watch.tick(tls.gauges(), 0);
  t.equal(lines.length, 1, "said once");
  await tls.refresh();
  t.match(tls.gauges()[0]?.problem, /not the key/, "as long as it stands");
  put(next.keyFile, old.keyFile);
  t.equal(await tls.refresh(), true);
  t.strictSame(namesOf(tls), [["new.example"]]);
  t.equal(tls.gauges()[0]?.problem, null);
});

t.test("the end of a certificate is told 30, 7 and 1 days before, and when it has come, once each", async (t) => {
  const { log, lines } = keptLog();
  const watch = new CertificateWatch(log);
  const day = 86_400_000;
  const ends = 100 * day;
  const gauge = { listener: "web", names: ["a.example"], file: "/a.pem", notAfterMs: ends, problem: null };
  const told = (daysLeft: number): string[] => {
    lines.length = 0;
    // As several workers tell it, and each second again.
    for (let i = 0; i < 3; i += 1) watch.tick([gauge, gauge], ends - daysLeft * day);
    return lines.map(({ level }) => level);
  };
  t.strictSame(told(40), []);
  t.strictSame(told(30), ["warn"]);
  t.strictSame(told(8), []);
  t.strictSame(told(6.5), ["warn"]);
  t.strictSame(told(0.5), ["warn"]);
  t.strictSame(told(0), ["error"]);
  t.strictSame(told(-1), []);
  watch.tick([{ ...gauge, notAfterMs: ends + 90 * day }], ends);
  t.equal(lines.length, 0, "renewed");
});

/** A handshake; the common name of what is shown. */
async function shownBy(port: number, ca: TestAuthority, session?: Buffer): Promise<[string | undefined, TLSSocket]> {
  const options = { port, servername: DOMAIN, ca: readFileSync(ca.caFile) };
  const socket = connect(session === undefined ? options : { ...options, session });
  await once(socket, "secureConnect");
  return [socket.getPeerCertificate().subject?.CN as string | undefined, socket];
}

t.test("a renewed certificate is shown to new connections by itself; those that are open go on", async (t) => {
  const ca = new TestAuthority(t);
  const old = ca.issue({ san: `DNS:${DOMAIN}`, subject: "/CN=old", name: "live" });
  const next = ca.issue({ san: `DNS:${DOMAIN}`, subject: "/CN=new", days: 25 });
  const { gateway, emulator } = await startRelay(
    t,
    ROUTES,
    `listeners: [{ name: web, address: "127.0.0.1:0", tls: { certificates: ${pairsOf(old)} } }]`,
  );
  emulator.putObject(BUCKET, "a.txt", "hello");
  const [first, open] = await shownBy(gateway.port, ca);
  t.equal(first, "old");
  put(next.certFile, old.certFile);
  put(next.keyFile, old.keyFile);
  // The files are looked at each three seconds; each handshake is an event of its own.
  let shown: string | undefined;
  do {
    const [name, socket] = await shownBy(gateway.port, ca);
    shown = name;
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (shown !== "new");
  open.write(`GET /a.txt HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`);
  const [chunk] = (await once(open, "data")) as [Buffer];
  t.match(chunk.toString(), /^HTTP\/1\.1 200 /);
  open.destroy();
  const expiry = (await gateway.metrics()).split("\n").filter((line) => line.startsWith("ossgate_certificate_expiry"));
  t.ok(expiry.length > 0, "it is on the metrics page");
  t.match(expiry[0], /listener="web"/);
});

t.test("a certificate that has ended is shown, for the clients that take it; the program begins", async (t) => {
  const ca = new TestAuthority(t);
  const ended = ca.issue({ san: `DNS:${DOMAIN}`, subject: "/CN=ended", days: -1 });
  const tls = await open(t, files(ended));
  t.ok((tls.gauges()[0]?.notAfterMs ?? 0) < Date.now());
});

t.test("a reload whose certificate cannot be read changes nothing; a good one keeps sessions", async (t) => {
  const ca = new TestAuthority(t);
  const pair = ca.issue({ san: `DNS:${DOMAIN}`, subject: "/CN=one" });
  const second = ca.issue({ san: `DNS:${DOMAIN}`, subject: "/CN=two" });
  const yaml = (certificates: string): string => `listeners:
  - { name: web, address: "127.0.0.1:0", tls: { certificates: ${certificates} } }
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, endpoint: "http://127.0.0.1:9", region: cn-beijing } }
routes:
${ROUTES}
`;
  let text = yaml(pairsOf(pair));
  const result = readConfig(text, "t.yaml");
  if (!result.ok) throw new Error("bad test");
  const gateway = new GatewayProcess({
    config: result.config,
    version: "test",
    log: createLog("silent"),
    reloadFrom: async () => readConfig(text, "t.yaml"),
  });
  await gateway.start();
  t.teardown(() => gateway.stop(0));
  const port = gateway.addresses.get("web")?.port ?? 0;
  const [, socket] = await shownBy(port, ca);
  const [session] = (await once(socket, "session")) as [Buffer];
  text = yaml(pairsOf({ certFile: ca.path("none.pem"), keyFile: pair.keyFile }));
  const failed = await gateway.reload();
  t.equal(failed.ok, false);
  t.match(JSON.stringify(failed), /listener web: .*none\.pem cannot be read/);
  const [still, one] = await shownBy(port, ca);
  one.destroy();
  t.equal(still, "one");
  text = yaml(pairsOf(second));
  t.equal((await gateway.reload()).ok, true);
  const [now, two] = await shownBy(port, ca);
  two.destroy();
  t.equal(now, "two");
  const [, resumed] = await shownBy(port, ca, session);
  t.equal(resumed.isSessionReused(), true, "a session of before is good");
  resumed.destroy();
  socket.destroy();
});
