import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { defaultChainProvider } from "../../src/credentials/default-chain.js";
import type { CredentialsProvider } from "../../src/credentials/provider.js";
import { startCredentialsUri, startMetadataService, startSts } from "../support/credential-servers.js";
import type { Teardown } from "../support/gateway.js";

const { signal } = new AbortController();
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:1";
const KEYS = { ALIBABA_CLOUD_ACCESS_KEY_ID: "env-id", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "env-secret" };

/** The vendor's library reads the process's environment: the home of this test is one of its own. */
function home(t: Teardown, directory: string, files: Readonly<Record<string, string>> = {}): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, ".."), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const before = process.env.HOME;
  process.env.HOME = directory;
  t.teardown(() => {
    process.env.HOME = before;
  });
  return directory;
}

async function failureOf(provider: CredentialsProvider): Promise<string> {
  try {
    await provider.fetch(signal);
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  throw new Error("it gave credentials");
}

const idOf = async (provider: CredentialsProvider): Promise<string> => (await provider.fetch(signal)).accessKeyId;

const cliConfig = (profile: object): Record<string, string> => ({
  ".aliyun/config.json": JSON.stringify({ current: "main", profiles: [{ name: "main", ...profile }] }),
});
const INI = "[default]\ntype = access_key\naccess_key_id = ini-id\naccess_key_secret = ini-secret\n";

t.test("the members in the vendor's order, each when those before it are not set up", async (t) => {
  const directory = home(t, t.testdir({}), {
    ...cliConfig({ mode: "AK", access_key_id: "cli-id", access_key_secret: "cli-secret" }),
    ".alibabacloud/credentials": INI,
    token: "the.token",
  });
  const sts = await startSts(t, { accounts: new Map(), oidcTokens: new Set(["the.token"]) });
  sts.label = "oidc";
  const metadata = await startMetadataService(t, { mode: "hardened" });
  metadata.label = "metadata";
  const uri = await startCredentialsUri(t);
  uri.label = "uri";
  const oidc = {
    ALIBABA_CLOUD_ROLE_ARN: "acs:ram::1:role/reader",
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "acs:ram::1:oidc-provider/ack",
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: join(directory, "token"),
  };
  const base = { ALIBABA_CLOUD_CREDENTIALS_URI: `${uri.url}/credentials` };
  const noCli = { ALIBABA_CLOUD_CLI_PROFILE_DISABLED: "true" };
  const options = { metadataUrl: metadata.url, stsEndpoint: sts.url };
  const first = (env: Readonly<Record<string, string>>) => idOf(defaultChainProvider({ ...options, env }));
  t.equal(await first({ ...base, ...oidc, ...KEYS }), "env-id");
  t.equal(await first({ ...base, ...oidc }), "STS.oidc-id-1");
  t.equal(await first(base), "cli-id");
  t.equal(await first({ ...base, ...noCli }), "ini-id");
  process.env.HOME = join(directory, "empty");
  t.equal(await first(base), "STS.metadata-id-1");
  t.equal(await first({ ...base, ALIBABA_CLOUD_ECS_METADATA: "oss-reader" }), "STS.metadata-id-2");
  t.equal(await first({ ...base, ALIBABA_CLOUD_ECS_METADATA_DISABLED: "true" }), "STS.uri-id-1");
  t.equal(await idOf(defaultChainProvider({ ...options, metadataUrl: NOWHERE, env: base })), "STS.uri-id-2");
});

t.test("a member that is set up and fails is not passed over for another identity", async (t) => {
  const directory = home(t, t.testdir({}), { token: "the.token" });
  const metadata = await startMetadataService(t, { mode: "hardened" });
  const options = { metadataUrl: metadata.url, stsEndpoint: NOWHERE };
  const tokenFile = join(directory, "token");
  const oidc = {
    ALIBABA_CLOUD_ROLE_ARN: "acs:ram::1:role/reader",
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "acs:ram::1:oidc-provider/ack",
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: tokenFile,
  };
  t.match(await failureOf(defaultChainProvider({ ...options, env: oidc })), /^CredentialsError: STS at .*ECONNREFUSED/);
  const halfPair = { ALIBABA_CLOUD_ACCESS_KEY_ID: "env-id" };
  t.match(
    await failureOf(defaultChainProvider({ ...options, env: halfPair })),
    /ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set/,
  );
  t.equal(metadata.requests.length, 0);
});

t.test("the member that gave credentials is kept, also while it fails", async (t) => {
  home(t, t.testdir({}));
  const metadata = await startMetadataService(t, { mode: "hardened" });
  metadata.label = "metadata";
  const uri = await startCredentialsUri(t);
  const env = { ALIBABA_CLOUD_CREDENTIALS_URI: `${uri.url}/credentials` };
  const provider = defaultChainProvider({ env, metadataUrl: metadata.url });
  t.equal(await idOf(provider), "STS.metadata-id-1");
  metadata.behaviour = { kind: "status", status: 503, body: "" };
  t.match(await failureOf(provider), /the metadata service at .* answered 503/);
  metadata.behaviour = { kind: "normal" };
  t.equal(await idOf(provider), "STS.metadata-id-2");
  t.equal(uri.requests.length, 0);
});

t.test("after a failure of all, all are tried again", async (t) => {
  home(t, t.testdir({}));
  const metadata = await startMetadataService(t, { mode: "hardened" });
  metadata.label = "metadata";
  await metadata.goDown();
  const provider = defaultChainProvider({ env: {}, metadataUrl: metadata.url });
  t.match(
    await failureOf(provider),
    /^CredentialsError: nothing of the default chain is set up, and the metadata service/,
  );
  await metadata.listen();
  t.equal(await idOf(provider), "STS.metadata-id-1");
});

t.test("nothing set up and no metadata allowed is said so", async (t) => {
  home(t, t.testdir({}));
  const provider = defaultChainProvider({ env: { ALIBABA_CLOUD_ECS_METADATA_DISABLED: "true" } });
  t.equal(await failureOf(provider), "CredentialsError: nothing of the default chain is set up");
});

t.test("a CLI profile by the vendor's library: kinds, expiry, and a change of the file", async (t) => {
  const directory = home(
    t,
    t.testdir({}),
    cliConfig({ mode: "AK", access_key_id: "cli-id", access_key_secret: "cli-secret" }),
  );
  const file = join(directory, ".aliyun/config.json");
  const write = (profile: object) => writeFileSync(file, cliConfig(profile)[".aliyun/config.json"] ?? "");
  const provider = defaultChainProvider({ env: {}, metadataUrl: NOWHERE });
  const permanent = await provider.fetch(signal);
  t.equal(permanent.accessKeySecret.reveal(), "cli-secret");
  t.equal(permanent.expiresAtMs, undefined);

  write({ mode: "StsToken", access_key_id: "sts-id", access_key_secret: "sts-secret", sts_token: "sts-token" });
  const token = await provider.fetch(signal);
  t.strictSame([token.accessKeyId, token.securityToken], ["sts-id", "sts-token"]);
  const leftMs = (token.expiresAtMs ?? 0) - Date.now();
  t.ok(leftMs > 14 * 60_000 && leftMs <= 15 * 60_000, "it says no expiry: asked again before 15 minutes have passed");

  const printed = {
    mode: "StsToken",
    access_key_id: "external-id",
    access_key_secret: "external-secret",
    sts_token: "external-token",
    expiration: "2099-01-01T00:00:00Z",
  };
  const script = join(directory, "print.cjs");
  writeFileSync(script, `process.stdout.write(${JSON.stringify(JSON.stringify(printed))})`);
  write({ mode: "External", process_command: `"${process.execPath}" "${script}"` });
  const external = await provider.fetch(signal);
  t.equal(external.accessKeySecret.reveal(), "external-secret");
  t.equal(external.securityToken, "external-token");
  t.equal(external.expiresAtMs, Date.UTC(2099, 0, 1), "the expiry that the library keeps to itself");
});

t.test("a broken profile is told by its file alone", async (t) => {
  const directory = home(t, t.testdir({}), { ".aliyun/config.json": '{"planted-secret' });
  const provider = defaultChainProvider({ env: {}, metadataUrl: NOWHERE });
  const file = join(directory, ".aliyun/config.json");
  const wanted = `CredentialsError: the profile in ${file} gave no credentials`;
  t.equal(await failureOf(provider), wanted);
  writeFileSync(file, JSON.stringify({ current: "main", profiles: [{ name: "main", mode: "planted-secret" }] }));
  t.equal(await failureOf(provider), wanted);
});
