import { randomBytes } from "node:crypto";
import t, { type Test as Tap } from "tap";
import { headerValue } from "../../src/core/headers.js";
import { BUCKET, errorOf, type OssClient, ossClient, REGION, STS, type Values } from "./ali-oss.js";
import { BUCKET_HOST, DOMAIN, digestOf, SDK_NAME, startWorld, VERSIONS, type World } from "./world.js";

// ali-oss refuses to presign for an address, so its users presign for the bucket's own endpoint or domain and put the
// gateway's origin in the place of that.
const SIGNERS = [
  { signer: "the bucket's endpoint", options: { endpoint: `http://oss-${REGION}.aliyuncs.com` } },
  { signer: "the custom domain", options: { endpoint: `http://${DOMAIN}`, cname: true } },
];

/** Where the client then goes: an origin, what stands before the key, and the route's world. */
const ORIGINS = [
  { origin: "path style by address", world: "sdk", prefix: `/${BUCKET}` },
  { origin: "the address of a single bucket", world: "single", prefix: "" },
] as const;

const KEYS_TO_SIGN = ["plain.txt", "a b+c%25.txt", "中文/照片 1.txt", "😀?#&'.txt", "a//b"];

interface Presigned {
  readonly method: string;
  readonly key: string;
  readonly headers?: Values;
  readonly queries?: Values;
}

async function presign(client: OssClient, isV4: boolean, { method, key, headers = {}, queries = {} }: Presigned) {
  if (isV4) return client.signatureUrlV4(method, 600, { headers, queries }, key);
  return client.signatureUrl(key, { method, expires: 600, ...headers, subResource: { ...queries } });
}

/** The URL with another origin; not a byte of its path and query is touched. */
const withOrigin = (url: string, origin: string): string => origin + url.slice(url.indexOf("/", "http://".length));

for (const { origin, world: kind, prefix } of ORIGINS) {
  for (const { signer, options } of SIGNERS) {
    for (const { version, authorizationV4 } of VERSIONS) {
      t.test(`${version} URLs presigned for ${signer} work by ${origin}`, async (t) => {
        const world = await startWorld(t, kind);
        const client = ossClient(t, options);
        const urlOf = async (presigned: Presigned) =>
          withOrigin(await presign(client, authorizationV4, presigned), world.gateway.url + prefix);
        await testPutAndGet(t, world, urlOf);
        await testOverrides(t, world, urlOf);
        await testRefusals(t, world, urlOf);
        const { signature, target } = await world.gateway.logged((entry) => entry.status === 200);
        t.equal(signature, `${version.toLowerCase()}-url`);
        const { rawTarget } = world.emulator.captures[0] ?? { rawTarget: "" };
        const secret = new URL(rawTarget, "http://x").searchParams.get(
          authorizationV4 ? "x-oss-signature" : "Signature",
        );
        t.ok(secret);
        t.notOk(decodeURIComponent(target).includes(String(secret)), "and the log does not tell the signature");
      });
    }
  }
}

type UrlOf = (presigned: Presigned) => Promise<string>;

async function testPutAndGet(t: Tap, { emulator }: World, urlOf: UrlOf): Promise<void> {
  for (const key of KEYS_TO_SIGN) {
    const body = randomBytes(70_000);
    const headers = { "Content-Type": "text/plain" };
    const put = await fetch(await urlOf({ method: "PUT", key, headers }), { method: "PUT", body, headers });
    t.equal(put.status, 200, `PUT ${key}`);
    t.strictSame(digestOf(emulator.readObject(BUCKET, key)), digestOf(body));
    const got = await fetch(await urlOf({ method: "GET", key }));
    t.strictSame(digestOf(Buffer.from(await got.arrayBuffer())), digestOf(body));
    t.equal((await fetch(await urlOf({ method: "HEAD", key }), { method: "HEAD" })).status, 200);
    const part = await fetch(await urlOf({ method: "GET", key }), { headers: { Range: "bytes=10-19" } });
    t.equal(part.status, 206);
    t.ok(Buffer.from(await part.arrayBuffer()).equals(body.subarray(10, 20)));
  }
}

async function testOverrides(t: Tap, { emulator }: World, urlOf: UrlOf): Promise<void> {
  const disposition = 'attachment; filename="a b.txt"';
  const queries = { "response-content-disposition": disposition };
  const response = await fetch(await urlOf({ method: "GET", key: "plain.txt", queries }));
  t.equal(response.headers.get("content-disposition"), disposition, "a signed override holds");
  const meta = { "x-oss-meta-from": "url" };
  const url = await urlOf({ method: "PUT", key: "meta.txt", headers: meta });
  t.equal((await fetch(url, { method: "PUT", body: Buffer.from("x"), headers: meta })).status, 200);
  t.equal(headerValue(emulator.getObject(BUCKET, "meta.txt")?.metadata ?? [], "x-oss-meta-from"), "url");
}

async function testRefusals(t: Tap, { emulator }: World, urlOf: UrlOf): Promise<void> {
  const url = await urlOf({ method: "GET", key: "plain.txt" });
  const held = digestOf(emulator.readObject(BUCKET, "plain.txt"));
  t.equal((await fetch(url, { method: "PUT", body: Buffer.from("no") })).status, 403, "a URL for GET does not write");
  t.equal((await fetch(url.replace("plain.txt", "meta.txt"))).status, 403, "nor read another key");
  t.strictSame(digestOf(emulator.readObject(BUCKET, "plain.txt")), held);
}

t.test("ali-oss refuses to presign for an address", async (t) => {
  const client = ossClient(t, { endpoint: "http://127.0.0.1:1" });
  t.match(await errorOf((async () => client.signatureUrl("x"))()), { message: /endpoint is IP/ });
});

t.test("a URL presigned for the gateway's own domain is used as it is", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  emulator.putObject(BUCKET, "照片 1.txt", "by domain");
  for (const { version, authorizationV4 } of VERSIONS) {
    const client = ossClient(t, { endpoint: `http://${DOMAIN}:${gateway.port}`, cname: true });
    const url = await presign(client, authorizationV4, { method: "GET", key: "照片 1.txt" });
    // Node's fetch has no way to say where a name is; the address with the name in Host is the same request.
    const { status, body } = await getWithHost(withOrigin(url, gateway.url), `${DOMAIN}:${gateway.port}`);
    t.strictSame([status, body], [200, "by domain"], version);
    t.equal(headerValue(emulator.captures.at(-1)?.rawHeaders ?? [], "host"), `${DOMAIN}:${gateway.port}`);
  }
});

async function getWithHost(url: string, host: string): Promise<{ status: number; body: string }> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const req = request(url, { headers: { Host: host } }, (res) => {
      let body = "";
      res.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, body }));
    });
    req.on("error", reject).end();
  });
}

t.test("a V4 URL that signs the host", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  emulator.putObject(BUCKET, "x.txt", "signed host");
  const client = ossClient(t, { endpoint: `http://oss-${REGION}.aliyuncs.com` });
  const urlFor = async (host: string) =>
    withOrigin(await client.signatureUrlV4("GET", 600, { headers: { host } }, "x.txt", ["host"]), "");
  const domain = await getWithHost(gateway.url + (await urlFor(DOMAIN)), DOMAIN);
  t.strictSame([domain.status, domain.body], [200, "signed host"], "works by the bucket's domain");
  const own = await getWithHost(gateway.url + (await urlFor(BUCKET_HOST)), BUCKET_HOST);
  t.strictSame([own.status, own.body], [200, "signed host"], "works by the bucket's own host name");
  emulator.clearCaptures();
  const byName = await getWithHost(`${gateway.url}/${BUCKET}${await urlFor(SDK_NAME)}`, SDK_NAME);
  t.equal(byName.status, 400, "is refused with the reason by a host that OSS does not know");
  t.match(byName.body, /SIGNATURE_WOULD_BREAK/);
  t.strictSame(emulator.captures, [], "and OSS is not asked");
});

t.test("a presigned URL of a temporary key carries its token", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  emulator.putObject(BUCKET, "sts.txt", "by token");
  const { securityToken: stsToken, ...keys } = STS;
  const options = { ...keys, stsToken, refreshSTSTokenInterval: 1, endpoint: `http://oss-${REGION}.aliyuncs.com` };
  for (const { version, authorizationV4 } of VERSIONS) {
    const url = await presign(ossClient(t, options), authorizationV4, { method: "GET", key: "sts.txt" });
    const response = await fetch(withOrigin(url, `${gateway.url}/${BUCKET}`));
    t.strictSame([response.status, await response.text()], [200, "by token"], version);
  }
});
