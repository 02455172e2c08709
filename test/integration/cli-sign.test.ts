import { writeFile } from "node:fs/promises";
import t, { type Test as Tap } from "tap";
import { Secret } from "../../src/core/secret.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { type Ended, runProgram } from "./cli-program.js";

const BUCKET = "examplebucket";
const ACCESS_KEY_ID = "LTAIapplicationKeyId";
const ACCESS_KEY_SECRET = "secret-of-the-access-key";
const TOKEN = "CAIS+token/with=specials==";
const LINK_SECRET = "a secret of these links";

interface World {
  readonly gateway: TestGateway;
  /** `ossgate sign` with the gateway's own file. */
  sign(...args: readonly string[]): Promise<Ended>;
}

/** A private bucket behind a gateway, whose configuration file signs too. */
async function start(t: Tap, expiresInMs: number | null = null): Promise<World> {
  const emulator = await startEmulator(t);
  const temporary = expiresInMs === null ? {} : { securityToken: TOKEN, expiresAtMs: Date.now() + expiresInMs };
  emulator.addCredentials({ accessKeyId: ACCESS_KEY_ID, accessKeySecret: new Secret(ACCESS_KEY_SECRET), ...temporary });
  emulator.addBucket({ name: BUCKET, region: "cn-beijing", acl: "private" });
  emulator.putObject(BUCKET, "a b/照片.txt", "private", { "Content-Type": "text/plain" });
  const dir = t.testdir({ "keys.json": keysFile(expiresInMs), "links.secret": `${LINK_SECRET}\n` });
  const file = `${dir}/gateway.yaml`;
  const text = configOf(dir, emulator.url);
  await writeFile(file, text);
  const gateway = await startGateway(t, text);
  return { gateway, sign: (...args) => runProgram(t, ["sign", "--config", file, ...args]) };
}

function keysFile(expiresInMs: number | null): string {
  const temporary = { SecurityToken: TOKEN, Expiration: new Date(Date.now() + (expiresInMs ?? 0)).toISOString() };
  const keys = { AccessKeyId: ACCESS_KEY_ID, AccessKeySecret: ACCESS_KEY_SECRET };
  return JSON.stringify(expiresInMs === null ? keys : { ...keys, ...temporary });
}

const configOf = (dir: string, endpoint: string): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
credentials:
  app: { type: file, path: "${dir}/keys.json" }
  lost: { type: file, path: "${dir}/none.json" }
buckets:
  media: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "${endpoint}" }
routes:
  - { name: sdk, match: { hosts: [127.0.0.1] }, buckets: [media], methods: [GET, HEAD, PUT] }
  - name: vod
    match: { hosts: [localhost] }
    bucket: media
    auth: sign
    sign: { credentials: app, responseOverrides: [response-content-type] }
    allow: { links: { secret: { file: "${dir}/links.secret" }, maxAge: 12h } }
`;

/** The one line on standard output. */
function urlOf(t: Tap, { code, stdout, stderr }: Ended): string {
  t.equal(code, 0, stderr);
  t.match(stdout, /^http:\S+\n$/, "one URL and nothing else");
  return stdout.trim();
}

t.test("where the route has links a link is printed, and it opens the object", async (t) => {
  const { gateway, sign } = await start(t);
  const ended = await sign(`http://localhost:${gateway.port}/a b/照片.txt`, "--response-content-type", "text/csv");
  t.equal(ended.stderr, "");
  const got = await fetch(urlOf(t, ended));
  t.match([got.status, got.headers.get("content-type"), await got.text()], [200, "text/csv", "private"]);
});

t.test("a prefix link opens what is below it, for the client that it names", async (t) => {
  const { gateway, sign } = await start(t);
  const origin = `http://localhost:${gateway.port}`;
  for (const [client, status] of [
    ["127.0.0.1", 200],
    ["203.0.113.9", 403],
  ] as const) {
    const args = ["--link", "--prefix", "--expires", "30m", "--client", client];
    const link = new URL(urlOf(t, await sign(...args, `${origin}/a b/`)));
    t.equal((await fetch(`${origin}/a%20b/照片.txt${link.search}`)).status, status, client);
  }
});

for (const version of ["v4", "v1"] as const) {
  t.test(`a ${version} URL presigned for the static address reads and writes`, async (t) => {
    const { gateway, sign } = await start(t);
    const origin = `http://127.0.0.1:${gateway.port}/${BUCKET}`;
    const args = ["--presign", "--version", version, "--credentials", "app"];
    const got = await fetch(urlOf(t, await sign(...args, `${origin}/a%20b/照片.txt`)));
    t.match([got.status, await got.text()], [200, "private"]);
    const put = await sign(...args, "--method", "put", "--header", "Content-Type: a/b", `${origin}/new`);
    const headers = { "Content-Type": "a/b" };
    t.equal((await fetch(urlOf(t, put), { method: "PUT", body: "x", headers })).status, 200);
  });

  t.test(`--explain of a ${version} URL goes to standard error, secrets masked`, async (t) => {
    const { gateway, sign } = await start(t, 3_600_000);
    const url = `http://127.0.0.1:${gateway.port}/${BUCKET}/a`;
    const ended = await sign("--version", version, "--credentials", "app", "--explain", url);
    urlOf(t, ended);
    t.match(ended.stderr, /^ {2}\| GET$/m);
    t.match(ended.stderr, version === "v4" ? "| OSS4-HMAC-SHA256" : `| /${BUCKET}/a?security-token=***`);
    for (const secret of [ACCESS_KEY_ID, ACCESS_KEY_SECRET, "CAIS", LINK_SECRET]) t.notMatch(ended.stderr, secret);
  });
}

t.test("a URL that ends with its credentials says when, beside the URL", async (t) => {
  const { gateway, sign } = await start(t, 600_000);
  const ended = await sign("--credentials", "app", `http://127.0.0.1:${gateway.port}/${BUCKET}/a`);
  t.match(urlOf(t, ended), /x-oss-expires=5\d\d&/);
  t.match(ended.stderr, /ends with its credentials, at \d{4}-/);
});

const FAILED: readonly (readonly [claim: string, args: readonly string[], code: number, words: RegExp])[] = [
  ["beyond maxAge", ["--expires", "13h", "http://localhost/a"], 1, /maxAge of route vod allows 12h/],
  ["by a route that refuses it", ["--presign", "http://localhost/a"], 1, /clientSignatures/],
  ["with a choice of credentials", ["http://127.0.0.1/examplebucket/a"], 1, /Say which credentials/],
  [
    "with credentials that are not there",
    ["--credentials", "lost", "http://127.0.0.1/examplebucket/a"],
    1,
    /lost: .*none\.json/,
  ],
  ["without a URL", [], 2, /which URL/],
  ["of both kinds", ["--link", "--presign", "http://localhost/a"], 2, /either/],
  ["with a bare number", ["--expires", "60", "http://localhost/a"], 2, /--expires/],
  ["for a link with a version", ["--version", "v1", "http://localhost/a"], 2, /--version is for presigned URLs only/],
  [
    "for a presigned prefix",
    ["--presign", "--prefix", "http://127.0.0.1/examplebucket/a/"],
    2,
    /--prefix is for links/,
  ],
  ["for a presigned DELETE", ["--presign", "--method", "DELETE", "http://localhost/a"], 2, /one of GET, HEAD, PUT/],
];

t.test("what cannot be signed ends in one sentence, and nothing on standard output", async (t) => {
  const { sign } = await start(t);
  for (const [claim, args, code, words] of FAILED) {
    const ended = await sign(...args);
    t.match(ended, { code, stdout: "" }, claim);
    const [sentence = ""] = ended.stderr.split("\n");
    t.match(sentence, words, claim);
    t.match(sentence, /^ossgate sign: /);
    if (code === 1) t.equal(ended.stderr, `${sentence}\n`, `${claim}: no more than that`);
    t.notMatch(ended.stderr, /^\s+at |undefined/m);
  }
});

t.test("a configuration that is bad or not there has its own exit code", async (t) => {
  const dir = t.testdir({ "bad.yaml": "listeners: []\n" });
  const bad = await runProgram(t, ["sign", "--config", `${dir}/bad.yaml`, "http://localhost/a"]);
  t.match(bad, { code: 3, stdout: "" });
  t.match(bad.stderr, /bad\.yaml:1:/);
  const missing = await runProgram(t, ["sign", "--config", `${dir}/none.yaml`, "http://localhost/a"]);
  t.match(missing, { code: 1, stdout: "", stderr: /none\.yaml: there is no such file/ });
  t.match(await runProgram(t, ["sign", "http://localhost/a"], { cwd: dir }), { code: 2, stderr: /--config FILE/ });
});

t.test("a link's secret that is too short is named by its place, and not shown", async (t) => {
  const dir = t.testdir({ "keys.json": keysFile(null), "links.secret": "short", "gateway.yaml": "" });
  await writeFile(`${dir}/gateway.yaml`, configOf(dir, "http://127.0.0.1:9"));
  const ended = await runProgram(t, ["sign", "--config", `${dir}/gateway.yaml`, "http://localhost/a"]);
  t.match(ended, { code: 1, stdout: "" });
  t.match(ended.stderr, /routes\[1\]\.allow\.links\.secret.*16/);
});

t.test("--help says how it is used, on lines that fit", async (t) => {
  const ended = await runProgram(t, ["sign", "--help"]);
  t.match(ended, { code: 0, stderr: "" });
  t.match(ended.stdout, /^Usage: ossgate sign /);
  t.ok(ended.stdout.split("\n").every((line) => line.length <= 80));
});
