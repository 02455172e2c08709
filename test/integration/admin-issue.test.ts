import { once } from "node:events";
import { connect } from "node:net";
import t, { type Test as Tap } from "tap";
import { Secret } from "../../src/core/secret.js";
import type { Emulator } from "../../src/emulator/index.js";
import type { UploadForm } from "../../src/issue/upload-form.js";
import { AdminListener } from "../../src/server/admin.js";
import type { AdminIssuer } from "../../src/server/admin-issue.js";
import { adminSource } from "../support/admin-source.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { makeIssuer } from "../unit/issue/issuer.js";

const BEARER = "a secret of applications";
const LINK_SECRET = "a secret of these links";
const ACCESS_KEY_SECRET = "secret-of-temporary-credentials";
process.env.OSSGATE_TEST_BEARER = BEARER;
process.env.OSSGATE_TEST_LINKS = LINK_SECRET;
process.env.OSSGATE_TEST_CALLBACKS = "a secret of callbacks";

const BUCKET = "examplebucket";

interface World {
  readonly emulator: Emulator;
  readonly gateway: TestGateway;
}

/** A private bucket, a gateway with temporary credentials before it, and routes of each kind. */
async function start(t: Tap): Promise<World> {
  const sts = {
    accessKeyId: "STS.applicationKeyId",
    accessKeySecret: new Secret(ACCESS_KEY_SECRET),
    securityToken: "CAIS+token/with=specials==",
    expiresAtMs: Date.now() + 3_600_000,
  };
  const emulator = await startEmulator(t);
  emulator.addCredentials(sts);
  emulator.addBucket({ name: BUCKET, region: "cn-beijing", acl: "private" });
  emulator.putObject(BUCKET, "照片 1.txt", "private");
  const dir = t.testdir({
    "sts.json": JSON.stringify({
      AccessKeyId: sts.accessKeyId,
      AccessKeySecret: ACCESS_KEY_SECRET,
      SecurityToken: sts.securityToken,
      Expiration: new Date(sts.expiresAtMs).toISOString(),
    }),
  });
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", bearerSecret: { env: OSSGATE_TEST_BEARER } }
credentials:
  app: { type: file, path: "${dir}/sts.json" }
buckets:
  media: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "${emulator.url}" }
routes:
  - { name: sdk, match: { hosts: [127.0.0.1] }, buckets: [media], methods: [GET, HEAD, PUT, POST] }
  - { name: uploads, match: { hosts: [localhost] }, bucket: media, methods: [POST] }
  - name: linked
    match: { hosts: [localhost], pathPrefix: /linked }
    bucket: media
    stripPrefix: true
    auth: sign
    sign: { credentials: app }
    allow: { links: { secret: { env: OSSGATE_TEST_LINKS } } }
  - name: verified
    match: { hosts: [localhost], pathPrefix: /verified }
    bucket: media
    stripPrefix: true
    auth: sign
    sign: { credentials: app, responseOverrides: [response-content-type] }
    clientSignatures: verify
    allow: { signatures: true }
  - name: verified-sdk
    match: { hosts: [127.0.0.1], pathPrefix: /verified }
    buckets: [media]
    stripPrefix: true
    auth: sign
    sign: { credentials: app, responseOverrides: [response-content-type] }
    clientSignatures: verify
    allow: { signatures: true }
  - name: calls
    match: { hosts: [localhost], pathPrefix: /called }
    callback: { forward: "http://127.0.0.1:9/", buckets: [media], secret: { env: OSSGATE_TEST_CALLBACKS } }
`,
  );
  return { emulator, gateway };
}

/** Asks the admin listener as an application does. */
async function ask<T>({ gateway }: World, path: string, body: object): Promise<T> {
  const response = await fetch(gateway.adminUrl + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${BEARER}`, "Content-Type": "application/json; charset=utf-8" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  if (text.includes(ACCESS_KEY_SECRET) || text.includes(LINK_SECRET)) throw new Error("the answer tells a secret");
  return JSON.parse(text) as T;
}

/** Posts exactly the form's fields, and then the file. */
function post({ host, fields }: UploadForm, file: string | Blob, changed: Readonly<Record<string, string>> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, ...changed })) form.append(name, value);
  form.append("file", new File([file], "图 1.png", { type: "image/png" }));
  return fetch(host, { method: "POST", body: form });
}

const codeOf = async (response: Response) => /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1];

for (const version of ["v1", "v4"] as const) {
  for (const [where, place] of [
    ["the bucket's own address", "localhost"],
    ["path style", "127.0.0.1"],
  ] as const) {
    const addressOf = ({ gateway }: World) => `http://${place}:${gateway.port}/${place === "localhost" ? "" : BUCKET}`;

    t.test(`a ${version} form posted to ${where} with exactly its fields is stored`, async (t) => {
      const world = await start(t);
      const request = { url: addressOf(world), dir: "user/7/", maxSize: 5, contentType: "image/png", version };
      const form = await ask<UploadForm>(world, "/policy", request);
      t.ok(form.fields["x-oss-security-token"]);
      const stored = await post(form, "12345");
      t.equal(stored.status, 200, await stored.text());
      t.same(world.emulator.keys(BUCKET), ["照片 1.txt", "user/7/图 1.png"]);
      t.equal(world.emulator.readObject(BUCKET, "user/7/图 1.png").toString(), "12345");
    });

    t.test(`what the policy of a ${version} form does not allow is refused by OSS, through ${where}`, async (t) => {
      const world = await start(t);
      const request = { url: addressOf(world), dir: "user/7/", maxSize: 5, contentType: "image/png", version };
      const form = await ask<UploadForm>(world, "/policy", { ...request, successActionStatus: 201 });
      t.match(await codeOf(await post(form, "123456")), "EntityTooLarge");
      for (const [name, value] of [
        ["key", "user/8/a"],
        ["key", "user/70"],
        ["Content-Type", "text/html"],
        ["success_action_status", "204"],
        ["x-oss-security-token", "another"],
      ] as const) {
        const refused = await post(form, "1", { [name]: value });
        t.equal(refused.status, 403, `${name}: ${value}`);
      }
      world.emulator.setNowMs(form.expire * 1_000 + 1);
      t.match(await codeOf(await post(form, "1")), "AccessDenied");
      t.same(world.emulator.keys(BUCKET), ["照片 1.txt"]);
      world.emulator.setNowMs(form.expire * 1_000);
      t.equal((await post(form, "1")).status, 201);
    });
  }

  t.test(`a ${version} URL that was presigned by route and path reads a private object`, async (t) => {
    const world = await start(t);
    const url = `http://127.0.0.1:${world.gateway.port}/${BUCKET}/照片 1.txt`;
    const signed = await ask<{ url: string; isCappedByCredentials: boolean }>(world, "/sign", {
      url,
      version,
      expires: "2h",
    });
    t.ok(signed.isCappedByCredentials, "two hours are more than the token has");
    const got = await fetch(signed.url);
    t.match([got.status, await got.text()], [200, "private"]);
    t.equal((await fetch(url)).status, 403);
    const put = await ask<{ url: string; headers: Record<string, string> }>(world, "/sign", {
      url: `http://127.0.0.1:${world.gateway.port}/${BUCKET}/new`,
      method: "PUT",
      version,
      headers: { "Content-Type": "text/plain" },
    });
    t.equal((await fetch(put.url, { method: "PUT", body: "x", headers: put.headers })).status, 200);
    t.equal((await fetch(put.url, { method: "PUT", body: "x", headers: { "content-type": "a/b" } })).status, 403);
  });
}

t.test("a route that verifies honours what was presigned for it, whatever it makes of the key", async (t) => {
  const world = await start(t);
  const { port } = world.gateway;
  for (const place of [`localhost:${port}/verified`, `127.0.0.1:${port}/verified/${BUCKET}`]) {
    for (const version of ["v1", "v4"]) {
      const url = `http://${place}/照片 1.txt`;
      const response = { "content-type": "text/csv" };
      const signed = await ask<{ url: string }>(world, "/sign", { url, version, response });
      const got = await fetch(signed.url);
      t.match([got.status, got.headers.get("content-type"), await got.text()], [200, "text/csv", "private"], place);
      t.equal((await fetch(url)).status, 403);
    }
  }
});

t.test("a link opens a route that is closed without it", async (t) => {
  const world = await start(t);
  const url = `http://localhost:${world.gateway.port}/linked/照片%201.txt`;
  const { url: link } = await ask<{ url: string }>(world, "/sign", { url });
  const got = await fetch(link);
  t.match([got.status, await got.text()], [200, "private"]);
  t.equal((await fetch(link, { method: "HEAD" })).status, 200);
  t.equal((await fetch(url)).status, 403);
  t.equal((await fetch(link.replace(/.$/, (last) => (last === "A" ? "B" : "A")))).status, 403);
});

t.test("the callback of a form is the gateway's own route", async (t) => {
  const world = await start(t);
  const callback = { url: `http://localhost:${world.gateway.port}/called/1` };
  const form = await ask<UploadForm>(world, "/policy", {
    url: `http://localhost:${world.gateway.port}`,
    dir: "a/",
    callback,
  });
  const { callbackUrl } = JSON.parse(Buffer.from(form.callback, "base64").toString());
  t.match(callbackUrl, new RegExp(`^${callback.url}\\?ossgate-bucket=${BUCKET}&ossgate-dir=a/&`));
});

/** An admin listener alone, with an issuer. */
async function startAdmin(t: Tap, issuer: Partial<AdminIssuer> | null = {}): Promise<string> {
  const admin = new AdminListener(
    { host: "127.0.0.1", port: 0 },
    adminSource({
      issuer:
        issuer === null
          ? null
          : { issuer: makeIssuer(), bearerSecret: new Secret("ein Schlüssel für alle"), ...issuer },
    }),
  );
  const { port } = await admin.listen();
  t.teardown(() => admin.close());
  return `http://127.0.0.1:${port}`;
}

const OWN_BEARER = `Bearer ${Buffer.from("ein Schlüssel für alle").toString("latin1")}`;
const GOOD = { Authorization: OWN_BEARER, "Content-Type": "application/json" };
const BODY = JSON.stringify({ url: "http://vod.example.com/a" });

interface Wrong {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const NO_BEARER = { "Content-Type": "application/json" };
const WRONG: readonly (readonly [claim: string, wrong: Wrong, status: number])[] = [
  ["without a bearer secret", { headers: NO_BEARER }, 401],
  ["with another secret", { headers: { ...GOOD, Authorization: "Bearer ein anderer" } }, 401],
  ["with an empty secret", { headers: { ...GOOD, Authorization: "Bearer " } }, 401],
  ["with the secret in Basic", { headers: { ...GOOD, Authorization: OWN_BEARER.replace("Bearer", "Basic") } }, 401],
  ["by PUT", { method: "PUT" }, 405],
  ["in another type", { headers: { ...GOOD, "Content-Type": "text/plain" } }, 415],
  ["in JSON of a dialect", { headers: { ...GOOD, "Content-Type": "application/jsonlines" } }, 415],
  ["that is no JSON", { body: "{" }, 400],
  ["that is not UTF-8", { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400],
  ["of more than 64 KiB", { body: " ".repeat(65_537) }, 413],
  ["with an unknown key", { body: '{"uri": "http://vod.example.com/a"}' }, 400],
  ["for an unknown host", { body: '{"url": "http://nowhere.example.com/a"}' }, 404],
  ["that the routes do not allow", { body: '{"url": "http://vod.example.com/a", "kind": "presigned"}' }, 422],
];

for (const [claim, { method = "POST", headers = GOOD, body = BODY }, status] of WRONG) {
  t.test(`a request ${claim} is answered ${status}, in JSON`, async (t) => {
    const response = await fetch(`${await startAdmin(t)}/sign`, { method, headers, body });
    t.equal(response.status, status);
    t.match(Object.fromEntries(response.headers), { "content-type": "application/json", "cache-control": "no-store" });
    t.match(await response.json(), { error: /\w/ });
    if (status === 401) t.equal(response.headers.get("www-authenticate"), 'Bearer realm="ossgate"');
    if (status === 405) t.equal(response.headers.get("allow"), "POST");
  });
}

t.test("a good request is answered by whatever name the listener is called", async (t) => {
  const address = await startAdmin(t);
  const response = await fetch(`${address}/sign`, { method: "POST", headers: GOOD, body: BODY });
  t.match([response.status, response.headers.get("cache-control")], [200, "no-store"]);
  const { port } = new URL(address);
  const lines = [
    "POST /sign HTTP/1.1",
    "Host: ossgate.internal",
    ...Object.entries(GOOD).map((pair) => pair.join(": ")),
  ];
  const text = await raw(
    Number(port),
    `${lines.join("\r\n")}\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`,
  );
  t.match(text, /^HTTP\/1\.1 200 /);
});

t.test("without a bearer secret in the configuration there is neither", async (t) => {
  const address = await startAdmin(t, null);
  for (const path of ["/sign", "/policy"]) {
    for (const init of [{ method: "POST", headers: GOOD, body: BODY }, {}]) {
      const response = await fetch(address + path, init);
      t.match([response.status, response.headers.get("content-type")], [404, "application/json"]);
      t.match(await response.json(), { error: /admin\.bearerSecret/ });
    }
  }
});

t.test("a path that there is not is answered with those that there are", async (t) => {
  for (const [issuer, isOn] of [
    [{}, true],
    [null, false],
  ] as const) {
    const response = await fetch(`${await startAdmin(t, issuer)}/nope`);
    const text = await response.text();
    t.equal(response.status, 404);
    for (const path of ["/metrics", "/healthz", "/readyz"]) t.ok(text.includes(path), path);
    for (const path of ["/sign", "/policy"]) t.equal(text.includes(path), isOn, path);
  }
});

t.test("who may not ask is told so before the body has come, and the connection ends", async (t) => {
  const { port } = new URL(await startAdmin(t));
  const text = await raw(Number(port), "POST /policy HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  t.match(text, /^HTTP\/1\.1 401 .*\r\nConnection: close\r\n/s);
});

t.test("a body without a declared length is cut off at 64 KiB", async (t) => {
  const { port } = new URL(await startAdmin(t));
  const head = `POST /policy HTTP/1.1\r\nHost: x\r\nAuthorization: ${OWN_BEARER}\r\nContent-Type: application/json\r\n`;
  const text = await raw(Number(port), `${head}Transfer-Encoding: chunked\r\n\r\n20000\r\n${" ".repeat(0x20000)}\r\n`);
  t.match(text, /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/s);
});

t.test("a body that does not arrive is answered 408", async (t) => {
  const { port } = new URL(await startAdmin(t, { bodyTimeoutMs: 1 }));
  const head = `POST /sign HTTP/1.1\r\nHost: x\r\nAuthorization: ${OWN_BEARER}\r\nContent-Type: application/json\r\n`;
  t.match(await raw(Number(port), `${head}Content-Length: 10\r\n\r\n{`), /^HTTP\/1\.1 408 /);
});

/** Sends bytes and reads until the other side ends. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  // The rest of a body that nobody reads may end in a reset, after the answer.
  socket.on("error", () => {});
  socket.write(bytes, "latin1");
  await once(socket, "close");
  return text;
}
