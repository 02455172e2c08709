import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request as tlsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import type { Emulator } from "../../src/emulator/index.js";
import { startSts } from "../support/credential-servers.js";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "../support/gateway.js";
import { answerTo, head, type RawAnswer, valuesOf, xmlText } from "../support/raw-client.js";
import { TestAuthority } from "../support/tls-world.js";

const readme = readFileSync("README.md", "utf8");
const KEY = { accessKeyId: "readme-ak", accessKeySecret: new Secret("readme-secret-0123") };
const MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhd/index.m3u8\n";
const MEDIA = "#EXTM3U\n#EXTINF:6,\nsegment-1.ts\n";

Object.assign(process.env, {
  OSS_ACCESS_KEY_ID: KEY.accessKeyId,
  OSS_ACCESS_KEY_SECRET: KEY.accessKeySecret.reveal(),
  LINK_SECRET: "0123456789abcdef0123456789abcdef",
  ADMIN_SECRET: "fedcba9876543210fedcba9876543210",
  CALLBACK_SECRET: "00112233445566778899aabbccddeeff",
});

/** A configuration as the README has it, with this test's addresses in place of the world's. */
function configOf(name: string, emulator: Emulator): string {
  const block = new RegExp(`\`\`\`yaml\\n(# ${name}\\n[^\`]*)\`\`\``).exec(readme)?.[1];
  if (block === undefined) throw new Error(`the README has no ${name}`);
  const local = block
    .replaceAll(/(?:0\.0\.0\.0:80|127\.0\.0\.1:8080)/g, '"127.0.0.1:0"')
    .replace("127.0.0.1:9180", '"127.0.0.1:0"')
    .replace("endpoint: internal", `endpoint: "${emulator.url}"`)
    .replace("region: cn-beijing }", `region: cn-beijing, endpoint: "${emulator.url}" }`);
  return local.includes("admin:") ? local : `${local}admin: { address: "127.0.0.1:0" }\n`;
}

async function world(t: Teardown): Promise<Emulator> {
  const emulator = await startEmulator(t);
  emulator.addCredentials(KEY);
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "private" });
  for (const [key, body] of [
    ["reports/q3.pdf", "the third quarter"],
    ["invoices/2026-11.pdf", "an invoice"],
    ["albums/7/cover.jpg", "a cover"],
    ["films/7/master.m3u8", MASTER],
    ["films/7/hd/index.m3u8", MEDIA],
    ["films/7/hd/segment-1.ts", "a segment"],
  ] as const) {
    emulator.putObject("examplebucket", key, body);
  }
  return emulator;
}

/** Asks the gateway for a URL of the README: the name leads here. */
function get(gateway: TestGateway, url: string, headers: readonly string[] = [], method = "GET"): Promise<RawAnswer> {
  const { host, pathname, search } = new URL(url);
  return answerTo(gateway.port, head(method, pathname + search, ["Host", host, ...headers]));
}

/** The lines of the README that call `ossgate sign` with this file, run as they stand. */
async function signed(t: Teardown, name: string, config: string): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "ossgate-readme-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, name);
  writeFileSync(file, config);
  const lines = [...readme.matchAll(new RegExp(`ossgate sign --config ${name} ([^\\n"#)]*)`, "g"))];
  const urls: string[] = [];
  for (const [, args = ""] of lines) urls.push(await signUrl(file, args.trim().split(/\s+/)));
  return urls;
}

async function signUrl(file: string, args: readonly string[]): Promise<string> {
  const { spawnSync } = await import("node:child_process");
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", import.meta.resolve("tsx"), "src/cli.ts", "sign", "--config", file, ...args],
    { encoding: "utf8", timeout: 60_000 },
  );
  if (stdout === "") throw new Error(stderr);
  return stdout.trim();
}

t.test("policies.yaml keeps other sites out, and lets its own page read", async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-beijing", acl: "public-read", domains: ["img.example.com"] });
  emulator.putObject("examplebucket", "cat.png", "a cat", { "Content-Type": "image/png" });
  const gateway = await startGateway(t, configOf("policies.yaml", emulator));
  const url = "http://img.example.com/cat.png";
  const from = (page: string) => get(gateway, url, ["Referer", page, "Origin", new URL(page).origin]);
  const own = await from("https://www.example.com/page");
  t.equal(own.status, 200);
  t.same(valuesOf(own.rawHeaders, "access-control-allow-origin"), ["https://www.example.com"]);
  t.same(valuesOf(own.rawHeaders, "content-disposition"), [], "it is shown");
  t.same(valuesOf(own.rawHeaders, "server"), []);
  t.same(valuesOf(own.rawHeaders, "cache-control"), ["private, max-age=60"]);
  t.equal((await from("https://www.example.com.evil.net/")).status, 403);
  t.equal((await get(gateway, url)).status, 200, "an empty Referer is allowed");
  const asks = ["Origin", "https://www.example.com", "Access-Control-Request-Method", "GET"];
  t.equal((await get(gateway, url, asks, "OPTIONS")).status, 200);
});

t.test("private.yaml serves private objects to its clients, and nothing outside its prefix", async (t) => {
  const emulator = await world(t);
  const config = configOf("private.yaml", emulator);
  const closed = await startGateway(t, config);
  t.equal((await get(closed, "http://files.example.com/q3.pdf")).status, 403);
  const open = await startGateway(t, config.replace("203.0.113.0/24", "127.0.0.0/8"));
  const answer = await get(open, "http://47.0.2.74/q3.pdf");
  t.equal(answer.status, 200);
  t.equal(answer.body.toString(), "the third quarter");
  t.equal((await get(open, "http://files.example.com/invoices/2026-11.pdf")).status, 404);
});

t.test("credentials.yaml signs with what STS hands out for the keys of the environment", async (t) => {
  const emulator = await world(t);
  const sts = await startSts(t, {
    accounts: new Map([[KEY.accessKeyId, { secret: KEY.accessKeySecret.reveal() }]]),
  });
  const directory = mkdtempSync(join(tmpdir(), "ossgate-readme-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "oss.json"), JSON.stringify({ AccessKeyId: "a", AccessKeySecret: "b" }));
  process.env.CREDENTIALS_DIRECTORY = directory;
  const config = configOf("credentials.yaml", emulator).replace("from: keys", `from: keys, stsEndpoint: "${sts.url}"`);
  const gateway = await startGateway(t, config);
  const issued = gateway.gateway.runtime.credentials.get("reader")?.current(Date.now());
  if (issued == null) throw new Error("STS handed out nothing");
  emulator.addCredentials(issued);
  t.equal((await get(gateway, "http://127.0.0.1/invoices/2026-11.pdf")).body.toString(), "an invoice");
  t.match(emulator.captures.at(-1)?.rawHeaders.join("\n") ?? "", /x-oss-security-token/i);
});

t.test("links.yaml opens what the README's links are for", async (t) => {
  const emulator = await world(t);
  const config = configOf("links.yaml", emulator);
  const gateway = await startGateway(t, config);
  const [object = "", prefix = "", bound = ""] = await signed(t, "links.yaml", config);
  t.equal((await get(gateway, object)).body.toString(), "an invoice");
  t.equal((await get(gateway, prefix.replace("/7/?", "/7/cover.jpg?"))).body.toString(), "a cover");
  t.equal(xmlText((await get(gateway, bound)).body, "Gateway"), "ossgate: LINK_INVALID");
  t.equal(xmlText((await get(gateway, object.split("?")[0] ?? "")).body, "Gateway"), "ossgate: LINK_REQUIRED");
});

t.test("hls.yaml plays from the link that the README makes", async (t) => {
  const emulator = await world(t);
  const config = configOf("hls.yaml", emulator);
  const gateway = await startGateway(t, config);
  const [master = ""] = await signed(t, "hls.yaml", config);
  const follow = async (url: string): Promise<string> => {
    const answer = await get(gateway, url);
    t.equal(answer.status, 200);
    const line = answer.body
      .toString()
      .split("\n")
      .find((text) => text !== "" && !text.startsWith("#"));
    return new URL(line ?? "", url).href;
  };
  const segment = await follow(await follow(master));
  t.equal((await get(gateway, segment)).body.toString(), "a segment");
});

t.test("uploads.yaml gives the form for an upload that the emulator takes", async (t) => {
  const emulator = await world(t);
  const gateway = await startGateway(t, configOf("uploads.yaml", emulator));
  const json = /\/policy -H[\s\S]*?-d '([^']*)'/.exec(readme)?.[1] ?? "";
  const policy = await fetch(`${gateway.adminUrl}/policy`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.ADMIN_SECRET}`, "content-type": "application/json" },
    body: json,
  });
  t.equal(policy.status, 200);
  const { fields, dir, host } = (await policy.json()) as { fields: Record<string, string>; dir: string; host: string };
  t.equal(dir, "users/7/");
  t.equal(host, "http://upload.example.com");
  t.match(Buffer.from(fields.callback ?? "", "base64").toString(), /cb\.example\.com\/uploaded\?ossgate-bucket=/);
});

t.test("presign.yaml takes the upload that the README presigns", async (t) => {
  const emulator = await world(t);
  const config = configOf("presign.yaml", emulator);
  const gateway = await startGateway(t, config);
  const [url = ""] = await signed(t, "presign.yaml", config);
  const { host, pathname, search } = new URL(url);
  const bytes = head("PUT", pathname + search, ["Host", host, "Content-Length", "5"]);
  t.equal((await answerTo(gateway.port, `${bytes}hello`)).status, 200);
  t.equal(emulator.readObject("examplebucket", "in/a.bin").toString(), "hello");
});

t.test(
  "tls.yaml: plain HTTP leads to https, which has a certificate of certbot's layout; challenges are served",
  async (t) => {
    const emulator = await world(t);
    emulator.putObject("examplebucket", "albums/7/cover.jpg", "a cover", { "x-oss-object-acl": "public-read" });
    const authority = new TestAuthority(t);
    const live = join(authority.directory, "live");
    const folder = join(live, "img.example.com");
    mkdirSync(folder, { recursive: true });
    const named = authority.issue({ san: "DNS:img.example.com" });
    copyFileSync(named.certFile, join(folder, "fullchain.pem"));
    copyFileSync(named.keyFile, join(folder, "privkey.pem"));
    const bare = authority.issue({ san: "IP:47.0.2.74" });
    const challenges = join(authority.directory, "challenges");
    mkdirSync(challenges);
    writeFileSync(join(challenges, "token-1"), "token-1.thumbprint");
    const config = configOf("tls.yaml", emulator)
      .replace("/etc/letsencrypt/live", live)
      .replace("/etc/ossgate/tls/47.0.2.74.pem", bare.certFile)
      .replace("/etc/ossgate/tls/47.0.2.74.key", bare.keyFile)
      .replace("/var/www/acme/.well-known/acme-challenge", challenges)
      .replace("0.0.0.0:443", "127.0.0.1:0");
    const gateway = await startGateway(t, config);
    const redirect = await get(gateway, "http://img.example.com/albums/7/cover.jpg?x=1");
    t.equal(redirect.status, 301);
    t.same(valuesOf(redirect.rawHeaders, "location"), ["https://img.example.com/albums/7/cover.jpg?x=1"]);
    const challenge = await get(gateway, "http://img.example.com/.well-known/acme-challenge/token-1");
    t.equal(challenge.body.toString(), "token-1.thumbprint");
    const secure = await new Promise<IncomingMessage>((resolve, reject) => {
      const port = gateway.gateway.addresses.get("secure")?.port;
      const options = { host: "127.0.0.1", port, servername: "img.example.com", headers: { host: "img.example.com" } };
      const ca = readFileSync(authority.caFile);
      tlsRequest({ ...options, ca, path: "/albums/7/cover.jpg", agent: false }, resolve)
        .on("error", reject)
        .end();
    });
    secure.resume();
    t.equal(secure.statusCode, 200);
    t.equal(secure.headers["strict-transport-security"], "max-age=31536000");
  },
);
