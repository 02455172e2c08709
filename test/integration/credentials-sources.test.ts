import { EventEmitter, once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, inspect } from "node:util";
import t from "tap";
import type { CredentialsConfig } from "../../src/config/gateway-config.js";
import type { OssCredentials } from "../../src/core/secret.js";
import { type Clock, SYSTEM_CLOCK } from "../../src/credentials/clock.js";
import { type CreateOptions, createCredentialsSources } from "../../src/credentials/create.js";
import { CredentialSet } from "../../src/credentials/credential-set.js";
import { fileProvider } from "../../src/credentials/file.js";
import { readSecret } from "../../src/credentials/secret-ref.js";
import type { CredentialsSource } from "../../src/credentials/source.js";
import { issuedSet, startCredentialsUri, startMetadataService, startSts } from "../support/credential-servers.js";
import type { Teardown } from "../support/gateway.js";
import { staticSource } from "../support/static-source.js";
import { FakeClock } from "../unit/credentials/fake-clock.js";

/** Node's timers, a hundred times as fast, and a wall clock that fits them. */
function fastClock(): Clock {
  const startMs = Date.now();
  return {
    ...SYSTEM_CLOCK,
    nowMs: () => startMs + (Date.now() - startMs) * 100,
    // Not unref'ed: the test waits for them.
    setTimer: (callback, delayMs) => setTimeout(callback, delayMs / 100),
  };
}

const ROLE_ARN = "acs:ram::1234567890123456:role/reader";

const assumeRole = (from: string, stsEndpoint: string): CredentialsConfig => ({
  type: "assumeRole",
  roleArn: ROLE_ARN,
  from,
  sessionName: "ossgate",
  durationSeconds: 3_600,
  externalId: null,
  policy: null,
  stsEndpoint,
});

interface Fixture {
  readonly sources: ReadonlyMap<string, CredentialsSource>;
  readonly log: string[];
  get(name: string): CredentialsSource;
  until(condition: () => boolean): Promise<void>;
}

function fixture(
  t: Teardown,
  configs: Readonly<Record<string, CredentialsConfig>>,
  options: CreateOptions = {},
): Fixture {
  const log: string[] = [];
  const events = new EventEmitter();
  const note = (line: string): void => {
    log.push(line);
    events.emit("event");
  };
  const sources = createCredentialsSources(
    new Map(Object.entries(configs)),
    {
      onRefreshed: (name) => note(`${name} ok`),
      onRefreshFailed: (name, message) => note(`${name} failed: ${message}`),
    },
    options,
  );
  t.teardown(() => {
    for (const source of sources.values()) source.close();
  });
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await once(events, "event");
  };
  return { sources, log, until, get: (name) => sources.get(name) as CredentialsSource };
}

t.test("every kind gives credentials from what the configuration says", async (t) => {
  const directory = t.testdir({
    "oss.json": JSON.stringify(issuedSet(1, Date.now() + 3_600_000, "file")),
    token: "the.token",
  });
  const metadata = await startMetadataService(t, { mode: "hardened" });
  const sts = await startSts(t, {
    accounts: new Map([["env-id", { secret: "env-secret" }]]),
    oidcTokens: new Set(["the.token"]),
  });
  const uri = await startCredentialsUri(t);
  const env = {
    OSS_ACCESS_KEY_ID: "env-id",
    OSS_ACCESS_KEY_SECRET: "env-secret",
    ALIBABA_CLOUD_ACCESS_KEY_ID: "chain-id",
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: "chain-secret",
  };
  const { sources, log } = fixture(
    t,
    {
      // The one that asks with another stands before it: the order of the file does not matter.
      role: assumeRole("keys", sts.url),
      keys: { type: "env" },
      file: { type: "file", path: join(directory, "oss.json") },
      instance: { type: "ecsRamRole", roleName: null, metadataUrl: metadata.url },
      pod: {
        type: "oidcRole",
        roleArn: ROLE_ARN,
        providerArn: "acs:ram::1:oidc-provider/ack",
        tokenFile: join(directory, "token"),
        sessionName: "ossgate",
        durationSeconds: 3_600,
        stsEndpoint: sts.url,
      },
      service: { type: "credentialsUri", url: `${uri.url}/credentials` },
      chain: { type: "default" },
    },
    { env },
  );
  t.strictSame([...sources.keys()], ["role", "keys", "file", "instance", "pod", "service", "chain"]);
  await Promise.all([...sources.values()].map((source) => source.start()));
  const ids = [...sources.values()].map((source) => source.current(Date.now())?.accessKeyId);
  t.match(ids, [
    /^STS\.issued-id-\d$/,
    "env-id",
    "STS.file-id-1",
    "STS.issued-id-1",
    /^STS\.issued-id-\d$/,
    "STS.issued-id-1",
    "chain-id",
  ]);
  t.strictSame([...log].sort(), [...sources.keys()].map((name) => `${name} ok`).sort(), "each was asked once");
  t.ok(log.indexOf("keys ok") < log.indexOf("role ok"));
});

t.test("a role asks with what its source has at that time, and comes back after an outage of the source", async (t) => {
  const clock = fastClock();
  const directory = t.testdir({});
  const path = join(directory, "oss.json");
  const accounts = new Map([
    ["first", { secret: "first-secret" }],
    ["second", { secret: "second-secret" }],
  ]);
  const sts = await startSts(t, { accounts });
  const { get, log, until } = fixture(
    t,
    { role: assumeRole("keys", sts.url), keys: { type: "file", path } },
    { clock },
  );
  const write = (id: string): void =>
    writeFileSync(path, JSON.stringify({ AccessKeyId: id, AccessKeySecret: `${id}-secret` }));
  await get("role").start();
  t.match(log, [/^keys failed: .*ENOENT/, /^role failed: the credentials keys, which ask/]);
  t.equal(sts.requests.length, 0);
  write("first");
  await until(() => get("role").current(clock.nowMs()) !== null);
  accounts.delete("first");
  write("second");
  await until(() => get("keys").current(clock.nowMs())?.accessKeyId === "second");
  get("role").noteRefused(get("role").current(clock.nowMs())?.accessKeyId ?? "");
  await until(() => get("role").current(clock.nowMs())?.accessKeyId === "STS.issued-id-2");
  t.equal(new URLSearchParams(sts.requests.at(-1)?.body).get("AccessKeyId"), "second");
});

t.test("a configuration that cannot work is refused by its key", async (t) => {
  const metadata: CredentialsConfig = { type: "env" };
  const cases: readonly (readonly [Readonly<Record<string, CredentialsConfig>>, RegExp])[] = [
    [{ role: assumeRole("none", "https://sts") }, /^credentials\.role\.from: there are no credentials named none$/],
    [
      { role: assumeRole("role", "https://sts") },
      /^credentials\.role\.from: role is made from these credentials itself$/,
    ],
    [
      { a: assumeRole("b", "https://sts"), b: assumeRole("c", "https://sts"), c: assumeRole("a", "https://sts") },
      /^credentials\.c\.from: a is made from/,
    ],
    [
      { keys: metadata, role: assumeRole("keys", "http://sts.aliyuncs.com") },
      /^credentials\.role: the STS endpoint .* https/,
    ],
    [{ service: { type: "credentialsUri", url: "planted" } }, /^credentials\.service: the credentials URI is not/],
    [{ file: { type: "file", path: "$CREDENTIALS_DIRECTORY/a" } }, /^credentials\.file: CREDENTIALS_DIRECTORY/],
  ];
  for (const [configs, message] of cases) t.throws(() => fixture(t, configs, { env: {} }), { message });
});

t.test("an outage of the service: the last good set until it expires, then none, then new ones", async (t) => {
  const clock = new FakeClock(Date.now());
  const server = await startCredentialsUri(t);
  const { get, log, until } = fixture(
    t,
    { service: { type: "credentialsUri", url: `${server.url}/credentials` } },
    { clock },
  );
  const source = get("service");
  await source.start();
  for (const [behaviour, message] of [
    [{ kind: "status", status: 503, body: "planted" }, /answered 503$/],
    [{ kind: "body", body: "planted" }, /is not a JSON object$/],
    [{ kind: "redirect", location: "/credentials" }, /answered 302$/],
    [{ kind: "reset" }, /\(ECONNRESET\)$/],
  ] as const) {
    server.behaviour = behaviour;
    const before = log.length;
    source.noteRefused("STS.issued-id-1");
    await clock.advance(5_000);
    await until(() => log.length > before);
    t.match(log.at(-1), message);
    t.equal(source.current(clock.nowMs())?.accessKeyId, "STS.issued-id-1");
  }
  await server.goDown();
  clock.setBy(3_600_000);
  t.equal(source.current(clock.nowMs()), null, "expired");
  await server.listen();
  server.behaviour = { kind: "normal" };
  server.lifetimeMs = 8 * 3_600_000;
  await clock.advance(2_000);
  await until(() => source.current(clock.nowMs()) !== null);
  t.equal(source.current(clock.nowMs())?.accessKeyId, "STS.issued-id-2");
  t.notMatch(log.join(), /planted/);
});

t.test("a thousand rotations by a real service: who looks never sees no set or a mixed one", async (t) => {
  const clock = new FakeClock(Date.now());
  const server = await startCredentialsUri(t);
  // The service dates by the real clock, and the test's runs ahead of it.
  server.lifetimeMs = 365 * 24 * 3_600_000;
  const { get, log, until } = fixture(
    t,
    { service: { type: "credentialsUri", url: `${server.url}/credentials` } },
    { clock },
  );
  const source = get("service");
  await source.start();
  let looks = 0;
  let newest = 0;
  let isDone = false;
  const look = async (): Promise<void> => {
    while (!isDone) {
      const set = source.current(clock.nowMs()) as OssCredentials;
      const serial = Number(set.accessKeyId.slice("STS.issued-id-".length));
      const isWhole =
        set.accessKeySecret.reveal() === `issued-secret-${serial}` && set.securityToken === `issued-token-${serial}`;
      if (!isWhole || serial < newest) throw new Error(`set ${serial} after ${newest}`);
      newest = serial;
      looks += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const looker = look();
  for (let round = 1; round <= 1_000; round += 1) {
    source.noteRefused(source.current(clock.nowMs())?.accessKeyId ?? "");
    await clock.advance(5_000);
    await until(() => log.length > round);
  }
  isDone = true;
  await looker;
  t.equal(server.serial, 1_001);
  t.ok(log.every((line) => line === "service ok"));
  t.ok(looks > 1_000, `${looks} looks`);
});

t.test("sources keep no process alive and leave nothing behind when they are closed", async (t) => {
  const clock = new FakeClock(Date.now());
  const server = await startCredentialsUri(t);
  const path = join(
    t.testdir({ "oss.json": JSON.stringify({ AccessKeyId: "id", AccessKeySecret: "secret" }) }),
    "oss.json",
  );
  const configs = {
    service: { type: "credentialsUri", url: `${server.url}/credentials` },
    file: { type: "file", path },
  } as const;
  const { sources } = fixture(t, configs, { clock });
  await Promise.all([...sources.values()].map((source) => source.start()));
  t.ok(clock.timerCount > 0);
  await server.until(() => server.openSockets === 0);
  for (const source of sources.values()) source.close();
  t.equal(clock.timerCount, 0);
});

/** Every usual way in which a value becomes text. */
const printings = (value: unknown): readonly string[] => [
  inspect(value, { depth: 20, showHidden: true }),
  inspect(value, { depth: 20, customInspect: false }),
  String(value),
  `${value}`,
  JSON.stringify(value) ?? "",
  format("%s %o %O %j %d", value, value, value, value, value),
  value instanceof Error ? `${value.stack} ${value.message} ${inspect(value.cause)}` : "",
];

t.test("secrets and tokens appear in nothing that can be printed", async (t) => {
  const directory = t.testdir({ token: "planted.oidc.token", link: "planted-link-secret" });
  writeFileSync(join(directory, "oss.json"), JSON.stringify(issuedSet(1, Date.now() + 3_600_000, "planted")));
  const env = {
    OSS_ACCESS_KEY_ID: "LTAI",
    OSS_ACCESS_KEY_SECRET: "planted-env-secret",
    OSS_SESSION_TOKEN: "planted-env-token",
    ALIBABA_CLOUD_ACCESS_KEY_ID: "LTAI",
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: "planted-chain-secret",
  };
  const account = { secret: "planted-env-secret", securityToken: "planted-env-token" };
  const sts = await startSts(t, {
    accounts: new Map([["LTAI", account]]),
    oidcTokens: new Set(["planted.oidc.token"]),
  });
  const metadata = await startMetadataService(t, { mode: "hardened" });
  const uri = await startCredentialsUri(t);
  const servers = [sts, metadata, uri];
  for (const server of servers) server.label = "planted";
  const pod = { roleArn: ROLE_ARN, providerArn: "acs:ram::1:oidc-provider/a", tokenFile: join(directory, "token") };
  const clock = new FakeClock(Date.now());
  const { sources, log, until } = fixture(
    t,
    {
      keys: { type: "env" },
      chain: { type: "default" },
      file: { type: "file", path: join(directory, "oss.json") },
      role: assumeRole("keys", sts.url),
      pod: { type: "oidcRole", ...pod, sessionName: "ossgate", durationSeconds: 900, stsEndpoint: sts.url },
      instance: { type: "ecsRamRole", roleName: null, metadataUrl: metadata.url },
      service: { type: "credentialsUri", url: `${uri.url}/credentials?planted-query` },
    },
    { env, clock },
  );
  await Promise.all([...sources.values()].map((source) => source.start()));
  const sets = [...sources.values()].map((source) => source.current(Date.now()));
  t.ok(sets.every((set) => set?.accessKeySecret.reveal().startsWith("planted-")));

  // Then everything fails, with the secrets in the answers.
  const answer = JSON.stringify({ Code: "planted-code", Message: "planted", ...issuedSet(2, 0, "planted") });
  for (const server of servers) server.behaviour = { kind: "status", status: 400, body: answer };
  writeFileSync(join(directory, "oss.json"), answer.slice(0, -5));
  const services = ["role", "pod", "instance", "service"];
  for (const name of services)
    sources.get(name)?.noteRefused(sources.get(name)?.current(Date.now())?.accessKeyId ?? "");
  await clock.advance(5_000);
  await until(() => services.every((name) => log.some((line) => line.startsWith(`${name} failed`))));

  const error = await fileProvider({ path: join(directory, "oss.json"), env })
    .fetch(new AbortController().signal)
    .catch((error: unknown) => error);
  t.match(error, { name: "CredentialsError" });
  const link = readSecret({ kind: "file", path: join(directory, "link") }, "routes[0]");
  const all: readonly unknown[] = [
    log,
    sources,
    ...sources.values(),
    ...sets,
    { ...sets[3] }.accessKeySecret,
    sets,
    error,
    link,
    staticSource("fixed", sets[3] as OssCredentials),
  ];
  for (const [index, value] of all.entries()) {
    for (const text of printings(value))
      t.notMatch(text, /planted[-.](?!id)|secret-\d|token-\d/, `value ${index}: ${text.slice(0, 60)}`);
  }
});

t.test("a set prints its id and expiry, and a copy of it still signs", async (t) => {
  const set = staticSource("fixed", {
    accessKeyId: "STS.id",
    accessKeySecret: readSecret({ kind: "env", name: "A" }, "a", { A: "planted-secret-of-it" }),
    securityToken: "planted-token",
    expiresAtMs: 12,
  }).current(0);
  t.ok(set instanceof CredentialSet);
  t.equal(
    JSON.stringify(set),
    '{"accessKeyId":"STS.id","accessKeySecret":"***","securityToken":"***","expiresAtMs":12}',
  );
  t.equal(inspect(set), `CredentialSet ${JSON.stringify(set)}`);
  const copy = { ...set } as OssCredentials;
  t.strictSame(
    [copy.accessKeyId, copy.accessKeySecret.reveal(), copy.securityToken],
    ["STS.id", "planted-secret-of-it", "planted-token"],
  );
});
