import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import t from "tap";
import type { Teardown, TestGateway } from "../support/gateway.js";
import { TestAuthority } from "../support/tls-world.js";
import { BUCKET, errorOf, type OssClientOptions, ossClient } from "./ali-oss.js";
import { curl, needs } from "./programs.js";
import { DOMAIN, digestOf, SDK_NAME, startWorld, tlsFor, VERSIONS, type World } from "./world.js";

const NEEDS_CURL = needs("curl", "curl");
const MIB = 1024 * 1024;

/** The gateway of {@link startWorld} over TLS. */
async function startTls(t: Teardown, kind: "sdk" | "single" = "sdk"): Promise<World & { readonly ca: TestAuthority }> {
  const ca = new TestAuthority(t);
  return { ...(await startWorld(t, kind, tlsFor(ca))), ca };
}

/** Trusts the authority alone, and to it every name is this machine. */
function secureAgent(t: Teardown, caFile: string): Agent {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(caFile),
    lookup: (_name, { all }, found) =>
      all === true ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4),
  });
  t.teardown(() => agent.destroy());
  return agent;
}

const ADDRESSINGS: readonly [
  title: string,
  kind: "sdk" | "single",
  options: (gateway: TestGateway) => OssClientOptions,
][] = [
  ["by address", "sdk", ({ port }) => ({ endpoint: `https://127.0.0.1:${port}`, sldEnable: true })],
  ["in path style by a name", "sdk", ({ port }) => ({ endpoint: `https://${SDK_NAME}:${port}`, sldEnable: true })],
  ["by custom domain", "sdk", ({ port }) => ({ endpoint: `https://${DOMAIN}:${port}`, cname: true })],
  ["by the address of a single bucket", "single", ({ port }) => ({ endpoint: `https://127.0.0.1:${port}` })],
];

for (const [title, kind, options] of ADDRESSINGS) {
  for (const { version, authorizationV4 } of VERSIONS) {
    t.test(
      `ali-oss over TLS ${title}, signing ${version}, puts, gets, lists and deletes, parts included`,
      async (t) => {
        const { emulator, gateway, ca } = await startTls(t, kind);
        const httpsAgent = secureAgent(t, ca.caFile);
        const client = ossClient(t, { ...options(gateway), secure: true, httpsAgent, authorizationV4 });
        const small = randomBytes(300_000);
        await client.put("图 1.bin", small, { mime: "image/x-test" });
        t.strictSame(digestOf(emulator.readObject(BUCKET, "图 1.bin")), digestOf(small));
        t.strictSame(digestOf((await client.get("图 1.bin")).content), digestOf(small));
        const large = randomBytes(3 * MIB + 11);
        const { res } = await client.multipartUpload("large.bin", large, { partSize: MIB, parallel: 3 });
        t.equal(res.status, 200);
        const [put] = emulator.captures.filter(({ rawTarget }) => /partNumber=4/.test(rawTarget));
        t.equal(put?.bodyBytes, 11, "its last part");
        t.strictSame(digestOf((await client.get("large.bin")).content), digestOf(large));
        const { objects } = await client.list({ "max-keys": 10 });
        t.strictSame(objects.map(({ name }) => name).sort(), ["large.bin", "图 1.bin"]);
        await client.delete("large.bin");
        t.match(await errorOf(client.get("large.bin")), { status: 404, code: "NoSuchKey" });
        const seen = gateway.accessLog.map(({ protocol, signature }) => `${protocol} ${signature}`);
        t.strictSame([...new Set(seen)], [`HTTP/1.1 ${version.toLowerCase()}-header`]);
      },
    );
  }
}

t.test("a URL that ali-oss signs for https is good there", NEEDS_CURL, async (t) => {
  const { emulator, gateway, ca } = await startTls(t);
  const body = randomBytes(10_000);
  emulator.putObject(BUCKET, "a b.bin", body);
  const endpoint = `https://${DOMAIN}:${gateway.port}`;
  const url = ossClient(t, { endpoint, cname: true, secure: true }).signatureUrl("a b.bin", { expires: 600 });
  t.match(url, /^https:/);
  const common = ["--cacert", ca.caFile, "--resolve", `${DOMAIN}:${gateway.port}:127.0.0.1`, "-f"];
  for (const version of ["--http2", "--http1.1"]) {
    const { stdout, stderr } = await curl([...common, version, url]);
    t.strictSame(digestOf(stdout), digestOf(body), version + stderr);
    const unsigned = await curl([...common, version, url.split("?")[0] ?? ""]);
    t.match(unsigned.stderr, /403/, "it was the signature");
  }
});

t.test("a client that does not know the authority sends nothing", async (t) => {
  const { emulator, gateway } = await startTls(t);
  const strangers = new TestAuthority(t);
  const endpoint = `https://${DOMAIN}:${gateway.port}`;
  const client = ossClient(t, { endpoint, cname: true, httpsAgent: secureAgent(t, strangers.caFile), retryMax: 0 });
  t.match((await errorOf(client.put("a", Buffer.from("x")))).message, /certificate/);
  t.equal(gateway.accessLog.length, 0);
  t.strictSame(emulator.keys(BUCKET), []);
});
