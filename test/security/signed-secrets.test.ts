import { inspect } from "node:util";
import t, { type Test } from "tap";
import { readConfig } from "../../src/config/read-config.js";
import { Secret } from "../../src/core/secret.js";
import type { Emulator } from "../../src/emulator/index.js";
import { LinkSigner } from "../../src/policy/link-token.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { Program } from "../fault/support/program.js";
import { startProgram } from "../integration/cli-program.js";
import { startEmulator } from "../support/gateway.js";
import { answerTo, head, type RawAnswer } from "../support/raw-client.js";
import { BUCKET, inSeconds, OSS_HOST, REGION } from "../support/sign-world.js";

/** An AccessKey id is no secret: it is in every URL that OSS's own SDKs presign. */
const KEY_ID = "STS.PlantedKeyId0001";
const PLANTED = {
  OSS_ACCESS_KEY_SECRET: "PlantedKeySecret/0002+x",
  OSS_SESSION_TOKEN: "PlantedSessionToken/0003==",
  PLANTED_LINK_SECRET: "PlantedLinkSecret-0004-0123",
  PLANTED_OLD_LINK_SECRET: "PlantedOldLink-0005-0123456",
  PLANTED_NGINX_SECRET: "PlantedNginxLink-0006-01234",
  PLANTED_BEARER: "PlantedBearer-0007-0123456789",
} as const;

Object.assign(process.env, PLANTED, { OSS_ACCESS_KEY_ID: KEY_ID });

/** A secret as it stands, and as a URL, base64 or JSON would have it. */
const SPELLINGS = Object.entries(PLANTED).flatMap(([name, secret]) =>
  [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64").replace(/=+$/, "")].map(
    (text) => [name, text] as const,
  ),
);

function mustHoldNone(t: Test, text: string, where: string): void {
  const found = SPELLINGS.filter(([, spelling]) => text.includes(spelling)).map(([name]) => name);
  t.strictSame(found, [], where);
}

const config = (endpoint: string): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", bearerSecret: { env: PLANTED_BEARER } }
log: { level: debug }
credentials: { reader: { type: env } }
buckets:
  one: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${endpoint}", timeouts: { headers: 1s } }
routes:
  - name: open
    match: { hosts: [open.test] }
    bucket: one
    auth: sign
    methods: [GET, HEAD, PUT, POST, DELETE]
    sign: { credentials: reader }
    allow: { anyone: true }
  - name: oldest
    match: { hosts: [oldest.test] }
    bucket: one
    auth: sign
    sign: { credentials: reader, version: v1 }
    clientSignatures: verify
    allow: { signatures: true }
  - name: vod
    match: { hosts: [vod.test] }
    bucket: one
    auth: sign
    sign: { credentials: reader }
    allow:
      links:
        secret: { env: PLANTED_LINK_SECRET }
        previousSecrets: [{ env: PLANTED_OLD_LINK_SECRET }]
        secureLink: { expression: "$secure_link_expires$uri $secret", secret: { env: PLANTED_NGINX_SECRET } }
    hls: { mode: rewrite }
  - name: signed
    match: { hosts: [signed.test] }
    bucket: one
    auth: sign
    sign: { credentials: reader }
    allow: { links: { secret: { env: PLANTED_LINK_SECRET } } }
    hls: { mode: ossSign }
`;

const CREDENTIALS = {
  accessKeyId: KEY_ID,
  accessKeySecret: new Secret(PLANTED.OSS_ACCESS_KEY_SECRET),
  securityToken: PLANTED.OSS_SESSION_TOKEN,
};

async function ossEmulator(t: Test): Promise<Emulator> {
  const emulator = await startEmulator(t);
  emulator.addCredentials(CREDENTIALS);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "private" });
  emulator.putObject(BUCKET, "k", "hello");
  emulator.putObject(BUCKET, "p.m3u8", "#EXTM3U\na.ts\n");
  emulator.putObject(BUCKET, "bad.m3u8", "<html>");
  return emulator;
}

/** An error in which OSS tells all that it was sent. */
function telltale(code: string): {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
} {
  const told = Object.values(PLANTED).join(" ");
  const body = `<Error><Code>${code}</Code><Message>It is so: ${told}</Message><HostId>${OSS_HOST}</HostId><OSSAccessKeyId>${KEY_ID}</OSSAccessKeyId><SecurityToken>${PLANTED.OSS_SESSION_TOKEN}</SecurityToken><StringToSign>GET ${told}</StringToSign></Error>`;
  return { kind: "answer", status: 403, headers: ["x-oss-err", Buffer.from(body).toString("base64")], body };
}

const link = (route: string, path: string, expiresSeconds: number): string =>
  new LinkSigner(new Secret(PLANTED.PLANTED_LINK_SECRET), route).sign({
    path,
    isPrefix: false,
    expiresSeconds,
    scope: null,
    client: null,
    method: "GET",
    parameters: [],
  });

const presigned = (secret: string): string => {
  const input = { method: "GET", bucket: BUCKET, key: "k", query: [], headers: [] };
  return presignV1Url(input, { accessKeyId: KEY_ID, accessKeySecret: new Secret(secret) }, inSeconds(60));
};

/** Requests that end in errors of every kind, and some that do not. */
function requests(): readonly (readonly [method: string, host: string, target: string])[] {
  const later = inSeconds(600);
  return [
    ["GET", "open.test", "/k"],
    ["GET", "open.test", "/none"],
    ["HEAD", "open.test", "/none"],
    ["GET", "open.test", "/k?acl"],
    ["DELETE", "open.test", "/k?x"],
    ["GET", "open.test", "/%ff"],
    ["GET", "nowhere.test", "/k"],
    ["PATCH", "open.test", "/k"],
    ["GET", "open.test", "/"],
    ["GET", "oldest.test", "/k"],
    ["GET", "oldest.test", `/k?${presigned("wrong")}`],
    ["GET", "oldest.test", `/k?${presigned(PLANTED.OSS_ACCESS_KEY_SECRET)}`],
    ["GET", "vod.test", "/k"],
    ["GET", "vod.test", `/k?${link("vod", "/k", later)}`],
    ["GET", "vod.test", `/k?${link("vod", "/k", inSeconds(-1))}`],
    ["GET", "vod.test", `/other?${link("vod", "/k", later)}`],
    ["GET", "vod.test", `/k?md5=${"x".repeat(22)}&expires=${later}`],
    ["GET", "vod.test", `/p.m3u8?${link("vod", "/p.m3u8", later)}`],
    ["GET", "vod.test", `/bad.m3u8?${link("vod", "/bad.m3u8", later)}`],
    ["GET", "signed.test", `/bad.m3u8?${link("signed", "/bad.m3u8", later)}`],
  ];
}

const textOf = ({ rawHeaders, body }: RawAnswer): string => {
  const document = rawHeaders[rawHeaders.findIndex((name) => name.toLowerCase() === "x-oss-err") + 1] ?? "";
  return [...rawHeaders, Buffer.from(document, "base64").toString(), body.toString()].join("\n");
};

async function askAll(port: number): Promise<string[]> {
  const texts: string[] = [];
  for (const [method, host, target] of requests()) {
    texts.push(textOf(await answerTo(port, head(method, target, ["Host", host]))));
  }
  return texts;
}

async function adminAnswers(port: number): Promise<string[]> {
  const texts: string[] = [];
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
    texts.push([...answer.headers.entries()].join("\n") + (await answer.text()));
  };
  for (const path of ["/metrics", "/readyz", "/healthz", "/status", "/none"]) await ask(path);
  const json = { "content-type": "application/json" };
  const bearer = { ...json, authorization: `Bearer ${PLANTED.PLANTED_BEARER}` };
  const body = JSON.stringify({ route: "vod", path: "/k", expires: "10m", explain: true });
  for (const headers of [json, { ...json, authorization: "Bearer wrong" }, bearer]) {
    for (const path of ["/sign", "/policy"]) await ask(path, { method: "POST", headers, body });
    await ask("/sign", { method: "POST", headers, body: "{" });
    await ask("/sign", { method: "POST", headers, body: JSON.stringify({ route: "none" }) });
  }
  return texts;
}

t.test("the program, made to fail in every way: no planted secret is in anything that leaves it", async (t) => {
  const emulator = await ossEmulator(t);
  const program = new Program(t, config(emulator.url));
  const port = await program.serves();
  const adminPort = Number(/"admin":\{[^}]*"port":(\d+)/.exec(program.stderr)?.[1]);
  const answers = [...(await askAll(port)), ...(await adminAnswers(adminPort))];
  t.ok(
    answers.some((text) => text.includes("hello")),
    "it does sign",
  );
  t.ok(
    answers.some((text) => text.includes("ossgate-signature")),
    "and makes links",
  );
  for (const code of ["SignatureDoesNotMatch", "SecurityTokenExpired", "InvalidAccessKeyId"]) {
    emulator.faults.clear();
    emulator.faults.failEvery(() => true, telltale(code));
    answers.push(...(await askAll(port)));
  }
  emulator.faults.clear();
  emulator.faults.failEvery(() => true, { kind: "resetBeforeHead" });
  answers.push(...(await askAll(port)));
  emulator.addCredentials({ ...CREDENTIALS, accessKeySecret: new Secret("another") });
  emulator.faults.clear();
  answers.push(...(await askAll(port)));
  answers.push(...(await adminAnswers(adminPort)));
  program.child.kill("SIGTERM");
  await program.exited;
  for (const [index, text] of answers.entries()) mustHoldNone(t, text, `answer ${index}`);
  t.match(program.stderr, /UPSTREAM_AUTH_FAILED/, "the log has been written");
  t.match(program.stdout, /"error":"LINK_EXPIRED"/, "and the access log");
  mustHoldNone(t, program.stderr, "standard error");
  mustHoldNone(t, program.stdout, "standard output");
  const signature = /Signature=([^&]*)/.exec(presigned("wrong"))?.[1] ?? "";
  t.notOk(program.stdout.includes(signature), "nor is what clients signed");
  t.notMatch(program.stdout, /ossgate-signature=(?!\*)/);
});

t.test("ossgate check says nothing of what the file's references lead to", async (t) => {
  const dir = t.testdir({
    "good.yaml": config("http://127.0.0.1:1"),
    "bad.yaml": config("http://127.0.0.1:1")
      .replace("mode: ossSign", "mode: none")
      .replace("version: v1", "version: v9"),
    "written.yaml": config("http://127.0.0.1:1").replace("{ env: PLANTED_LINK_SECRET }", PLANTED.PLANTED_LINK_SECRET),
  });
  for (const [file, code] of [
    ["good.yaml", 0],
    ["bad.yaml", 3],
    ["written.yaml", 3],
  ] as const) {
    const { ended } = startProgram(t, ["check", `${dir}/${file}`], { env: { ...PLANTED, OSS_ACCESS_KEY_ID: KEY_ID } });
    const { code: exit, stdout, stderr } = await ended;
    t.equal(exit, code, file);
    mustHoldNone(t, stdout + stderr, file);
  }
});

t.test("nothing that is inspected, printed as JSON or thrown has a secret in it", async (t) => {
  const emulator = await ossEmulator(t);
  const result = readConfig(config(emulator.url), "test.yaml");
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const options = { config: result.config, version: "0", accessLog: { write: () => {}, close: async () => {} } };
  const { createLog } = await import("../../src/telemetry/log.js");
  const gateway = new GatewayProcess({ ...options, log: createLog("silent") });
  await gateway.start();
  t.teardown(() => gateway.stop(0));
  const [address] = gateway.addresses.values();
  await askAll(address?.port ?? 0);
  const source = gateway.runtime.credentials.get("reader");
  t.equal(source?.current(Date.now())?.accessKeySecret.reveal(), PLANTED.OSS_ACCESS_KEY_SECRET, "it is there");
  const deep = { depth: 30, showHidden: true, maxArrayLength: null, maxStringLength: null, getters: true } as const;
  const things = {
    config: result.config,
    runtime: gateway.runtime,
    credentials: source,
    set: source?.current(Date.now()),
    route: gateway.runtime.table("web").find("vod.test", "/k"),
    signing: gateway.runtime.table("web").find("oldest.test", "/k")?.signing,
  };
  for (const [name, thing] of Object.entries(things)) {
    t.not(thing ?? null, null, name);
    mustHoldNone(t, inspect(thing, deep), `inspect(${name})`);
    mustHoldNone(t, `${thing}`, `String(${name})`);
  }
  mustHoldNone(t, JSON.stringify(things.config), "JSON of the configuration");
  mustHoldNone(t, JSON.stringify(things.set), "JSON of the credentials");
});
