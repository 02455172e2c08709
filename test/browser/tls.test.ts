import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { BUCKET, REGION } from "../support/sign-world.js";
import { pairsOf, TestAuthority } from "../support/tls-world.js";
import { NEEDS_TRUSTING_CHROMIUM, startChromium } from "./chromium.js";
import { PNG, PNG_WIDTH } from "./stage.js";
import { askFrom, showIn, visit } from "./visit.js";

const HOST = "site.test";
const PAGE = '<!doctype html><title>Site</title><link rel="icon" href="data:,"><body><script src="/probe.js"></script>';

interface Listeners {
  readonly known: string;
  readonly stranger: string;
  /** Where plain HTTP is sent. */
  readonly httpsPort: number;
}

function yamlOf({ url }: Emulator, { known, stranger, httpsPort }: Listeners): string {
  return `
listeners:
  - { name: plain, address: "127.0.0.1:0" }
  - { name: web, address: "127.0.0.1:0", tls: { certificates: ${known} } }
  - { name: one, address: "127.0.0.1:0", tls: { http2: false, certificates: ${known} } }
  - { name: stranger, address: "127.0.0.1:0", tls: { certificates: ${stranger} } }
admin: { address: "127.0.0.1:0" }
buckets: { media: { bucket: ${BUCKET}, region: ${REGION}, domains: [${HOST}, other.test], endpoint: "${url}" } }
routes:
  - name: site
    match: { hosts: [${HOST}, other.test] }
    bucket: media
    hostHeader: client
    methods: [GET, HEAD, PUT]
    trusted: true
    httpsRedirect: true
    httpsPort: ${httpsPort}
    hsts: { maxAge: 1h }
`;
}

interface World {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
  readonly caFile: string;
  at(listener: string, path: string, host?: string): string;
}

/** A site in a bucket, which Chromium gets at over every kind of listener. */
async function startSite(t: Test): Promise<World> {
  const ca = new TestAuthority(t);
  const known = pairsOf(ca.issue({ san: `DNS:${HOST}` }));
  const stranger = pairsOf(new TestAuthority(t).issue({ san: `DNS:${HOST}` }));
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read-write", domains: [HOST] });
  emulator.putObject(BUCKET, "index.html", PAGE, { "Content-Type": "text/html" });
  emulator.putObject(BUCKET, "a.png", PNG, { "Content-Type": "image/png" });
  const script = readFileSync(new URL("page/probe.js", import.meta.url));
  emulator.putObject(BUCKET, "probe.js", script, { "Content-Type": "text/javascript" });
  const gateway = await startGateway(t, yamlOf(emulator, { known, stranger, httpsPort: 443 }));
  const portOf = (name: string): number => gateway.gateway.addresses.get(name)?.port ?? 0;
  const web = portOf("web");
  // Only now is it known which port the redirect has to name.
  t.match(await gateway.reload(yamlOf(emulator, { known, stranger, httpsPort: web })), { ok: true });
  t.equal(portOf("web"), web, "the listener stays");
  const at = (name: string, path: string, host = HOST): string =>
    `${name === "plain" ? "http" : "https"}://${host}:${portOf(name)}${path}`;
  return { emulator, gateway, caFile: ca.caFile, at };
}

/** How the page and all that it asked for came, by the path. */
function protocolsOf(page: Page): Promise<Readonly<Record<string, string>>> {
  return page.evaluate(`Object.fromEntries(
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter(({ name }) => name.startsWith("https:"))
      .map(({ name, nextHopProtocol }) => [new URL(name).pathname, nextHopProtocol]))`);
}

t.test("Chromium over TLS", NEEDS_TRUSTING_CHROMIUM, async (t) => {
  const world = await startSite(t);
  const { emulator, gateway, at } = world;
  const browser = await startChromium(t, world.caFile);

  for (const [listener, protocol, logged] of [
    ["web", "h2", "HTTP/2.0"],
    ["one", "http/1.1", "HTTP/1.1"],
  ] as const) {
    t.test(`a page, its script, an image, reads and uploads over ${protocol}`, async (t) => {
      const before = gateway.accessLog.length;
      await visit(t, browser, async (page) => {
        const answer = await page.goto(at(listener, "/index.html"));
        t.equal(answer?.status(), 200);
        t.equal((await answer?.securityDetails())?.protocol, "TLS 1.3");
        t.equal(await answer?.headerValue("strict-transport-security"), "max-age=3600");
        t.equal(await showIn(page, "/a.png"), PNG_WIDTH);
        const body = "é".repeat(200_000);
        const headers = { "Content-Type": "text/plain;charset=utf-8" };
        const put = { url: `/up-${listener}.txt`, init: { method: "PUT", body, headers }, headers: ["etag"] };
        const { etag } = ((await askFrom(page, put)) as { headers?: { etag: string } }).headers ?? {};
        t.equal(emulator.readObject(BUCKET, `up-${listener}.txt`).toString(), body);
        t.equal(etag, emulator.getObject(BUCKET, `up-${listener}.txt`)?.etag, "it can read what came of it");
        const init = { cache: "no-store", headers: { Range: "bytes=2-5" } } as const;
        t.match(await askFrom(page, { url: `/up-${listener}.txt`, init }), { status: 206, text: "éé" });
        t.match(await askFrom(page, { url: "/none" }), { status: 404, text: /NoSuchKey/ });
        t.strictSame(await protocolsOf(page), {
          "/index.html": protocol,
          "/probe.js": protocol,
          "/a.png": protocol,
          [`/up-${listener}.txt`]: protocol,
          "/none": protocol,
        });
      });
      const versions = new Set(gateway.accessLog.slice(before).map((entry) => entry.protocol));
      t.strictSame([...versions], [logged], "and so the log has it");
    });
  }

  t.test("forty images of one page come on one connection", async (t) => {
    const handshakes = async (): Promise<number> => {
      const of = (resumed: boolean) =>
        gateway.metric(`ossgate_tls_handshakes_total{listener="web",resumed="${resumed}"}`);
      return (await of(false)) + (await of(true));
    };
    for (let i = 0; i < 40; i += 1) emulator.putObject(BUCKET, `many/${i}.png`, PNG, { "Content-Type": "image/png" });
    await visit(t, browser, async (page) => {
      await page.goto(at("web", "/index.html"));
      const before = await handshakes();
      const urls = Array.from({ length: 40 }, (_, i) => `/many/${i}.png`);
      const widths = await page.evaluate(`Promise.all(${JSON.stringify(urls)}.map((url) => show({ url })))`);
      t.strictSame(widths, Array(40).fill(PNG_WIDTH));
      t.equal(await handshakes(), before, "no other was opened for them");
    });
  });

  t.test("an authority that it does not know, and a name that the certificate has not, are refused", async (t) => {
    const before = gateway.accessLog.length;
    for (const [url, error] of [
      [at("stranger", "/index.html"), /ERR_CERT_AUTHORITY_INVALID/],
      [at("web", "/index.html", "other.test"), /ERR_CERT_COMMON_NAME_INVALID/],
    ] as const) {
      await visit(t, browser, async (page) => {
        await t.rejects(page.goto(url), error);
      });
    }
    t.equal(gateway.accessLog.length, before, "nothing is asked there");
  });

  t.test("plain HTTP is left for https, query and all, and not gone back to", async (t) => {
    await visit(t, browser, async (page) => {
      const answer = await page.goto(at("plain", "/index.html?a=%2F&b#part"));
      t.equal(page.url(), at("web", "/index.html?a=%2F&b#part"));
      t.equal(answer?.status(), 200);
      t.equal((await answer?.request().redirectedFrom()?.response())?.status(), 301);
      t.strictSame(await protocolsOf(page), { "/index.html": "h2", "/probe.js": "h2" });
      const before = gateway.accessLog.length;
      // What it has heard of HSTS it keeps to: it speaks TLS to the port of plain HTTP rather than ask there.
      await t.rejects(page.goto(at("plain", "/index.html")), /ERR_SSL_PROTOCOL_ERROR/);
      const asked = gateway.accessLog.slice(before).map(({ target }) => target);
      t.notOk(asked.includes("/index.html"), "nothing was asked in the clear");
    });
  });
});
