import { execFileSync } from "node:child_process";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import bcrypt from "bcrypt";
import t from "tap";
import { readConfig } from "../../src/config/read-config.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import { createLog } from "../../src/telemetry/log.js";
import { valuesOf } from "../support/raw-client.js";
import { BUCKET, DOMAIN, OTHER, REGION, type RelayWorld, relay, startRelay } from "../support/relay-world.js";
import { ask, LINKS, linkOf, outcome, sentHeader, signingRoute, startSigning } from "../support/sign-world.js";

const PASSWORD = "Grüße, 鍵:1";
const hashOf = (password: string): string => bcrypt.hashSync(password, 4);

const basic = (name: string, password: string): string[] => [
  "Authorization",
  `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`,
];

type Teardown = Parameters<typeof startRelay>[0];

async function passwordFile(t: Teardown, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ossgate-logins-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "users");
  await writeFile(path, text);
  return path;
}

const usersOf = (users: Record<string, string>): string =>
  Object.entries(users)
    .map(([name, password]) => `${name}:${hashOf(password)}\n`)
    .join("");

/** A route that relays to the open bucket for those who log in. */
const relayRoute = (file: string, rest = ""): string =>
  `  - { name: files, match: { hosts: [files.test] }, bucket: one, allow: { basic: { file: ${file}, realm: the files } }${rest} }\n`;

async function startFiles(t: Teardown, users: string, rest = ""): Promise<RelayWorld & { readonly file: string }> {
  const file = await passwordFile(t, users);
  const world = await startRelay(t, relayRoute(file, rest));
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  return { ...world, file };
}

const get = (world: RelayWorld, headers: readonly string[] = [], target = "/a.txt") =>
  relay(world, { host: "files.test", target, headers });

t.test("a name and its password open the route, and go no further", async (t) => {
  const world = await startFiles(t, usersOf({ anna: PASSWORD, Jürgen: "x" }));
  const first = await get(world, basic("anna", PASSWORD));
  t.equal(first.answer.status, 200);
  t.equal(first.answer.body.toString(), "hello");
  t.same(valuesOf(first.capture?.rawHeaders ?? [], "authorization"), [], "nothing of it goes upstream");
  const again = await get(world, basic("anna", PASSWORD));
  t.equal(again.answer.status, 200, "remembered");
  t.equal((await get(world, basic("Jürgen", "x"))).answer.status, 200);
  t.notMatch(JSON.stringify(world.gateway.accessLog), Buffer.from(`anna:${PASSWORD}`).toString("base64"));
});

t.test("without a right pair there is a challenge, the same whichever of the two is wrong", async (t) => {
  const world = await startFiles(t, usersOf({ anna: PASSWORD }));
  const wrong = [
    [],
    basic("anna", "wrong"),
    basic("anna", ""),
    basic("nobody", PASSWORD),
    basic("", PASSWORD),
    basic("anna", `${PASSWORD}${"x".repeat(80)}`),
    ["Authorization", "Basic"],
    ["Authorization", "Basic !!!"],
    ["Authorization", `Basic ${Buffer.from("anna").toString("base64")}`],
    ["Authorization", "Bearer abc"],
  ];
  const told = new Set<string>();
  for (const headers of wrong) {
    const { answer, entry, capture } = await get(world, headers);
    t.equal(answer.status, 401, JSON.stringify(headers));
    t.equal(entry.error, "LOGIN_REQUIRED");
    t.equal(capture, undefined);
    t.same(valuesOf(answer.rawHeaders, "www-authenticate"), ['Basic realm="the files", charset="UTF-8"']);
    t.same(valuesOf(answer.rawHeaders, "cache-control"), ["no-store"]);
    told.add(answer.body.toString().replace(/<RequestId>.*<\/RequestId>/, ""));
  }
  t.equal(told.size, 1);
  t.equal(
    await world.gateway.metric('ossgate_errors_total{route="files",code="LOGIN_REQUIRED",origin="client"}'),
    wrong.length,
  );
});

t.test(
  "a changed file counts from the moment it is read, for remembered pairs too; a bad one changes nothing",
  async (t) => {
    const world = await startFiles(t, usersOf({ anna: "old", ben: "same" }));
    t.equal((await get(world, basic("anna", "old"))).answer.status, 200);
    t.equal((await get(world, basic("anna", "new"))).answer.status, 401);
    const told: string[] = [];
    const next = (message: string): Promise<void> =>
      new Promise((resolve) => {
        const hear = (fields: object, text: string): void => {
          told.push(JSON.stringify([fields, text]));
          if (text.includes(message)) resolve();
        };
        Object.assign(world.gateway.gateway.log, { info: hear, warn: hear });
      });
    const replace = async (text: string, message: string): Promise<void> => {
      const heard = next(message);
      await writeFile(`${world.file}.new`, text);
      await rename(`${world.file}.new`, world.file);
      await heard;
    };
    await replace(usersOf({ anna: "new", ben: "same" }), "passwords are in use");
    t.equal((await get(world, basic("anna", "old"))).answer.status, 401, "the old one, which was remembered as right");
    t.equal((await get(world, basic("anna", "new"))).answer.status, 200, "the new one, which was remembered as wrong");
    t.equal((await get(world, basic("ben", "same"))).answer.status, 200);
    const gone = next("last good version");
    await rm(world.file);
    await gone;
    t.equal((await get(world, basic("anna", "new"))).answer.status, 200);
    await replace("anna:plain-secret\n", "last good version");
    t.equal((await get(world, basic("anna", "new"))).answer.status, 200);
    t.match(told.at(-1), /users:1: /);
    t.notMatch(told.join(), "plain-secret");
    await replace(usersOf({ ben: "same" }), "passwords are in use");
    t.equal((await get(world, basic("anna", "new"))).answer.status, 401, "she was taken out");
  },
);

t.test("what htpasswd writes is taken as it is", async (t) => {
  let line = "";
  try {
    line = execFileSync("htpasswd", ["-nbBC", "5", "anna", PASSWORD], { encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || process.env.OSSGATE_REQUIRE_PEERS === "1") throw error;
    t.comment("htpasswd is not installed");
    return;
  }
  const world = await startFiles(t, line);
  t.match(line, /^anna:\$2y\$05\$/);
  t.equal((await get(world, basic("anna", PASSWORD))).answer.status, 200);
  t.equal((await get(world, basic("anna", `${PASSWORD}!`))).answer.status, 401);
});

t.test("a client's own OSS signature is relayed as it is, and opens no route that asks for a password", async (t) => {
  const world = await startFiles(t, usersOf({ anna: "x" }), ", deny: { clients: [192.0.2.1] }");
  const { answer, capture } = await get(world, ["Authorization", "OSS test-ak:c2lnbmF0dXJl"]);
  t.equal(answer.status, 401);
  t.equal(capture, undefined);
});

t.test("with any of address or password, only what is for the gateway is taken off", async (t) => {
  const file = await passwordFile(t, usersOf({ anna: "x" }));
  const allow = `allow: { clients: [127.0.0.1], basic: { file: ${file} } }, satisfy: any`;
  const world = await startRelay(t, `  - { name: files, match: { hosts: [files.test] }, bucket: one, ${allow} }\n`);
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  const upstream = async (value: string) =>
    valuesOf((await get(world, ["Authorization", value])).capture?.rawHeaders ?? [], "authorization");
  t.same(await upstream("Basic YTpi"), [], "wrong, and still the gateway's");
  t.same(await upstream("bAsIc YTpi"), []);
  t.same(await upstream("Bearer abc"), ["Bearer abc"]);
  t.same(await upstream("OSS test-ak:c2ln"), ["OSS test-ak:c2ln"]);
});

t.test("on a route that signs, a password or a link opens it, and the signature is the gateway's", async (t) => {
  const file = await passwordFile(t, usersOf({ anna: "x" }));
  const rest = `allow: { basic: { file: ${file} }, ${LINKS} }`;
  const world = await startSigning(
    t,
    signingRoute("any", `${rest}, satisfy: any`) + signingRoute("all", `${rest}, satisfy: all`),
  );
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  const login = basic("anna", "x");
  const withPassword = await ask(world, { host: "any.test", target: "/a.txt", headers: login });
  t.equal(outcome(withPassword), "200");
  t.match(sentHeader(withPassword.captures[0] as never, "authorization"), /^OSS4-HMAC-SHA256 /);
  t.equal(outcome(await ask(world, { host: "any.test", target: `/a.txt?${linkOf("any", "/a.txt")}` })), "200");
  t.equal(outcome(await ask(world, { host: "any.test", target: "/a.txt" })), "LOGIN_REQUIRED");
  const linked = `/a.txt?${linkOf("all", "/a.txt")}`;
  t.equal(outcome(await ask(world, { host: "all.test", target: linked })), "LOGIN_REQUIRED");
  t.equal(outcome(await ask(world, { host: "all.test", target: "/a.txt", headers: login })), "LINK_REQUIRED");
  t.equal(outcome(await ask(world, { host: "all.test", target: linked, headers: login })), "200");
});

t.test("a password file that is missing or no good stops the start with what to do", async (t) => {
  const bad: readonly (readonly [text: string | null, message: RegExp])[] = [
    [null, /routes\[0\]\.allow\.basic\.file: .*users cannot be read \(ENOENT\)/],
    ["", /users: it names nobody/],
    ["anna:plain-secret\n", /users:1: .*htpasswd -B/],
    ["anna:$apr1$0dv.wWU7$7ZjjLG7ZFUyuKiGWlz1w9.\n", /users:1: .*MD5.*htpasswd -B/],
  ];
  for (const [text, message] of bad) {
    const file = await passwordFile(t, text ?? "");
    if (text === null) await rm(file);
    const result = readConfig(
      `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, region: ${REGION}, domains: [${DOMAIN}] }, two: { bucket: ${OTHER}, region: ${REGION} } }
routes:
${relayRoute(file)}`,
      "test.yaml",
    );
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const { config } = result;
    const start = () => new GatewayProcess({ config, version: "0", log: createLog("silent") });
    t.throws(start, { message });
    try {
      start();
    } catch (error) {
      t.notMatch((error as Error).message, "plain-secret");
    }
  }
});
