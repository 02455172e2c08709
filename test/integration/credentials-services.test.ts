import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { RAMRoleARNCredentialsProvider, StaticSTSCredentialsProvider } from "@alicloud/credentials";
import t from "tap";
import { type OssCredentials, Secret } from "../../src/core/secret.js";
import type { Timeouts } from "../../src/credentials/ask.js";
import { type AssumeRoleOptions, assumeRoleProvider } from "../../src/credentials/assume-role.js";
import { credentialsUriProvider } from "../../src/credentials/credentials-uri.js";
import { ecsRamRoleProvider } from "../../src/credentials/ecs-ram-role.js";
import { type OidcRoleOptions, oidcRoleProvider } from "../../src/credentials/oidc-role.js";
import type { CredentialsProvider } from "../../src/credentials/provider.js";
import {
  type Behaviour,
  type CredentialServer,
  issuedSet,
  startCredentialsUri,
  startMetadataService,
  startSts,
} from "../support/credential-servers.js";
import type { Teardown } from "../support/gateway.js";
import { staticSource } from "../support/static-source.js";
import { TEST_TLS } from "../unit/emulator/certificate.js";

const { signal } = new AbortController();
/** For services that say nothing; all else has the time that a busy machine may take. */
const SHORT: Timeouts = { connectMs: 2_000, answerMs: 60 };
const PATIENT: Timeouts = { connectMs: 30_000, answerMs: 30_000 };
const ROLE_ARN = "acs:ram::1234567890123456:role/reader";

async function failureOf(provider: CredentialsProvider): Promise<string> {
  try {
    await provider.fetch(signal);
  } catch (error) {
    if ((error as Error).name === "CredentialsError") return (error as Error).message;
    throw error;
  }
  throw new Error("it gave credentials");
}

/** The number of a set, when all its fields belong together. */
function serialOf({ accessKeyId, accessKeySecret, securityToken, expiresAtMs }: OssCredentials): number | null {
  const serial = Number(accessKeyId.slice(accessKeyId.lastIndexOf("-") + 1));
  const isWhole = accessKeySecret.reveal() === `issued-secret-${serial}` && securityToken === `issued-token-${serial}`;
  return isWhole && (expiresAtMs ?? 0) > Date.now() ? serial : null;
}

/** What every service may do wrong, and what an operator is told. */
const MISDEEDS: readonly (readonly [Behaviour, RegExp])[] = [
  [{ kind: "status", status: 500, body: "planted-secret" }, / answered 500/],
  [{ kind: "status", status: 403, body: '{"Code":"NoPermission"}' }, / answered 403/],
  [{ kind: "status", status: 204, body: "" }, / answered 204/],
  [{ kind: "redirect", location: "http://127.0.0.1:1/planted-secret" }, / answered 302/],
  [{ kind: "silent" }, /^no whole answer of .* within 60 ms$/],
  [{ kind: "drip" }, /^no whole answer of .* within 60 ms$/],
  [{ kind: "endless" }, / is longer than 64 KiB$/],
  [{ kind: "reset" }, / did not answer \(ECONNRESET\)$/],
];

/** The same, for what answers with JSON at its first question. */
const GARBAGE: readonly (readonly [Behaviour, RegExp])[] = [
  [{ kind: "body", body: "planted-secret" }, / is not a JSON object$/],
  [{ kind: "body", body: "" }, / is not a JSON object$/],
  [{ kind: "body", body: '{"AccessKeySecret":"planted-secret"}' }, /^AccessKeyId from .* is missing$/],
  [{ kind: "body", body: '{"Code":"Failed","AccessKeySecret":"planted-secret"}' }, /an error instead of credentials/],
];

/** Tries every misdeed, then that the service's next good answer is taken, and that no connection stays. */
async function survives(
  t: Tap,
  server: CredentialServer,
  make: (timeouts: Timeouts) => CredentialsProvider,
  misdeeds: readonly (readonly [Behaviour, RegExp])[],
): Promise<void> {
  for (const [behaviour, message] of misdeeds) {
    server.behaviour = behaviour;
    const isMute = behaviour.kind === "silent" || behaviour.kind === "drip";
    const told = await failureOf(isMute ? make(SHORT) : make(PATIENT));
    t.match(told, message, JSON.stringify(behaviour));
    t.notMatch(told, /planted/);
  }
  const provider = make(PATIENT);
  await server.goDown();
  t.match(await failureOf(provider), / did not answer \(ECONNREFUSED\)$/);
  await server.listen();
  server.behaviour = { kind: "normal" };
  t.not(serialOf(await provider.fetch(signal)), null);
  await server.until(() => server.openSockets === 0);
}

type Tap = Pick<typeof t, "match" | "notMatch" | "not" | "equal" | "ok">;

t.test("ECS: the hardened service is asked with a token, and the role is the one it names", async (t) => {
  const server = await startMetadataService(t, { mode: "hardened" });
  const provider = ecsRamRoleProvider({ roleName: null, metadataUrl: server.url, allowV1: true });
  t.equal(serialOf(await provider.fetch(signal)), 1);
  t.strictSame(
    server.requests.map(({ method, path }) => `${method} ${path}`),
    [
      "PUT /latest/api/token",
      "GET /latest/meta-data/ram/security-credentials/",
      "GET /latest/meta-data/ram/security-credentials/oss-reader",
    ],
  );
  t.equal(server.requests[0]?.headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
  t.equal(server.requests[2]?.headers["x-aliyun-ecs-metadata-token"], "metadata-token-1");
});

t.test("ECS: a role that the configuration names is not asked for", async (t) => {
  const server = await startMetadataService(t, { mode: "both" });
  const provider = ecsRamRoleProvider({ roleName: "oss-reader", metadataUrl: server.url, allowV1: true });
  t.equal(serialOf(await provider.fetch(signal)), 1);
  t.equal(server.requests.length, 2);
});

t.test("ECS: without a token only where the service knows none", async (t) => {
  for (const tokenStatus of [404, 405, 501]) {
    const server = await startMetadataService(t, { mode: "v1", tokenStatus });
    const metadataUrl = server.url;
    t.equal(serialOf(await ecsRamRoleProvider({ roleName: null, metadataUrl, allowV1: true }).fetch(signal)), 1);
    const refused = await failureOf(ecsRamRoleProvider({ roleName: null, metadataUrl, allowV1: false }));
    t.match(refused, new RegExp(`answered ${tokenStatus} when asked for a token`), "IMDSv1 is disabled");
  }
  for (const tokenStatus of [400, 403, 429, 500, 503]) {
    const server = await startMetadataService(t, { mode: "v1", tokenStatus });
    const provider = ecsRamRoleProvider({ roleName: null, metadataUrl: server.url, allowV1: true });
    t.match(await failureOf(provider), new RegExp(`answered ${tokenStatus} when asked for a token`));
    t.equal(server.requests.length, 1, "nothing was asked without a token");
  }
});

t.test("ECS: no role, another role, and a name that is none", async (t) => {
  const none = await startMetadataService(t, { mode: "hardened", roleName: null });
  const discovering = { roleName: null, allowV1: true };
  t.match(await failureOf(ecsRamRoleProvider({ ...discovering, metadataUrl: none.url })), /has no RAM role$/);
  const other = await startMetadataService(t, { mode: "hardened" });
  const wrong = ecsRamRoleProvider({ roleName: "writer", metadataUrl: other.url, allowV1: true });
  t.match(await failureOf(wrong), /knows no role writer of this instance$/);
  const foreign = ecsRamRoleProvider({ roleName: "../../user-data?a", metadataUrl: other.url, allowV1: true });
  t.match(await failureOf(foreign), /knows no role/);
  t.ok(other.requests.at(-1)?.path.endsWith("/security-credentials/..%2F..%2Fuser-data%3Fa"));
  const odd = await startMetadataService(t, { mode: "hardened", roleName: "../../../user-data" });
  t.match(await failureOf(ecsRamRoleProvider({ ...discovering, metadataUrl: odd.url })), /a role name that is none$/);
  t.equal(odd.requests.length, 2);
});

t.test("ECS: outages and garbage are failures, told without what came", async (t) => {
  const server = await startMetadataService(t, { mode: "hardened" });
  const options = { roleName: "oss-reader", metadataUrl: server.url, allowV1: true };
  await survives(t, server, (timeouts) => ecsRamRoleProvider({ ...options, timeouts }), [
    ...MISDEEDS,
    [{ kind: "body", body: "planted secret\r\nx: y" }, /gave a token that is none$/],
  ]);
});

t.test("credentials URI: a set, and outages and garbage as failures", async (t) => {
  const server = await startCredentialsUri(t);
  const make = (timeouts: Timeouts) =>
    credentialsUriProvider({ url: `${server.url}/credentials?key=planted`, timeouts });
  t.equal(serialOf(await make(PATIENT).fetch(signal)), 1);
  t.equal(server.requests[0]?.path, "/credentials?key=planted");
  await survives(t, server, make, [...MISDEEDS, ...GARBAGE]);
});

t.test("credentials URI: what is no URL of http is refused when it is made", async (t) => {
  for (const url of ["", "nothing", "file:///etc/passwd", "ftp://host/planted"]) {
    t.throws(() => credentialsUriProvider({ url }), /^the credentials URI is not an http URL$/);
  }
});

const asker = (securityToken?: string) =>
  staticSource("asker", {
    accessKeyId: "LTAIasker",
    accessKeySecret: new Secret("asker-secret!*'()"),
    ...(securityToken !== undefined && { securityToken }),
  });

const roleOptions = (overrides: Partial<AssumeRoleOptions>): AssumeRoleOptions => ({
  roleArn: ROLE_ARN,
  from: asker(),
  sessionName: "ossgate",
  durationSeconds: 900,
  externalId: null,
  policy: null,
  stsEndpoint: "",
  ...overrides,
});

t.test("AssumeRole: STS takes the signature, whatever stands in the parameters", async (t) => {
  const policy = JSON.stringify({ Statement: [{ Action: "oss:Get*", Resource: "acs:oss:*:*:b/a b+c/~(é)!'" }] });
  const tokens = [undefined, "CAIS+token/with=every&sign* ok".replaceAll(" ", "%20")];
  for (const securityToken of tokens) {
    const account = { secret: "asker-secret!*'()", ...(securityToken !== undefined && { securityToken }) };
    const server = await startSts(t, { accounts: new Map([["LTAIasker", account]]) });
    const from = asker(securityToken);
    const options = roleOptions({ from, stsEndpoint: server.url, policy, externalId: "x y&z=1" });
    t.equal(serialOf(await assumeRoleProvider(options).fetch(signal)), 1);
    const sent = server.requests[0];
    const form = new URLSearchParams(sent?.body);
    t.equal(sent?.path, "/", "nothing stands in the target, which logs may show");
    t.equal(form.get("Policy"), policy);
    t.equal(form.get("ExternalId"), "x y&z=1");
    t.equal(form.get("DurationSeconds"), "900");
  }
});

t.test(
  "AssumeRole: the test's STS, which decides that, takes the vendor's own client and no wrong signature",
  async (t) => {
    const account = { secret: "asker-secret", securityToken: "CAIS+token/with=signs" };
    const server = await startSts(t, { accounts: new Map([["LTAIasker", account]]) });
    const vendor = (secret: string) => {
      const provider = RAMRoleARNCredentialsProvider.builder()
        .withCredentialsProvider(
          StaticSTSCredentialsProvider.builder()
            .withAccessKeyId("LTAIasker")
            .withAccessKeySecret(secret)
            .withSecurityToken(account.securityToken)
            .build(),
        )
        .withRoleArn(ROLE_ARN)
        .withRoleSessionName("ossgate")
        .withPolicy('{"Statement":[{"Resource":"*(é)!~"}]}')
        .withDurationSeconds(900)
        .build();
      // It speaks https alone: its request is taken here, whole and signed, and sent by http.
      const taken = provider as unknown as { doRequest: (request: VendorRequest) => Promise<unknown> };
      taken.doRequest = (request) => sendByHttp(request, server.url);
      return provider.getCredentials();
    };
    t.equal((await vendor("asker-secret")).accessKeySecret, "issued-secret-1");
    await t.rejects(vendor("another-secret"), /SignatureDoesNotMatch/);
  },
);

interface VendorRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly bodyForm: Record<string, string>;
  toRequestURL(): string;
}

async function sendByHttp(request: VendorRequest, base: string): Promise<unknown> {
  const url = base + request.toRequestURL().replace(/^https:\/\/[^/]+/, "");
  const body = Object.entries(request.bodyForm).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const answer = await fetch(url, { method: request.method, headers: request.headers, body: body.join("&") });
  return { statusCode: answer.status, headers: {}, body: await answer.text() };
}

t.test("AssumeRole: a key that STS does not take is told by STS's own word, and its source hears of it", async (t) => {
  const server = await startSts(t, { accounts: new Map() });
  const refused: string[] = [];
  const from = { ...asker(), noteRefused: (id: string) => refused.push(id) };
  const provider = assumeRoleProvider(roleOptions({ from, stsEndpoint: server.url }));
  t.match(await failureOf(provider), /^STS at http:.* answered 404 \(InvalidAccessKeyId\.NotFound\)$/);
  t.strictSame(refused, ["LTAIasker"]);
  server.behaviour = { kind: "status", status: 403, body: '{"Code":"NoPermission","Message":"planted"}' };
  t.match(await failureOf(provider), / answered 403 \(NoPermission\)$/);
  t.strictSame(refused, ["LTAIasker"], "what it may not do is no fault of the key");
});

t.test("AssumeRole: without credentials to ask with nothing is asked", async (t) => {
  const server = await startSts(t, { accounts: new Map() });
  const from = { ...asker(), current: () => null };
  const provider = assumeRoleProvider(roleOptions({ from, stsEndpoint: server.url }));
  t.match(await failureOf(provider), /^the credentials asker, which ask for the role, are not available$/);
  t.equal(server.requests.length, 0);
});

t.test("AssumeRole: outages and garbage are failures, told without what came", async (t) => {
  const server = await startSts(t, { accounts: new Map([["LTAIasker", { secret: "asker-secret!*'()" }]]) });
  const make = (timeouts: Timeouts) => assumeRoleProvider(roleOptions({ stsEndpoint: server.url, timeouts }));
  await survives(t, server, make, [...MISDEEDS, ...GARBAGE]);
});

t.test("STS is asked by https, or by http on this machine", async (t) => {
  for (const stsEndpoint of [
    "sts.aliyuncs.com",
    "https://sts.cn-beijing.aliyuncs.com",
    "http://[::1]:8080",
    "http://localhost",
  ]) {
    t.doesNotThrow(() => assumeRoleProvider(roleOptions({ stsEndpoint })), stsEndpoint);
  }
  for (const stsEndpoint of [
    "http://sts.aliyuncs.com",
    "http://127.0.0.1.example.com",
    "http://10.0.0.1",
    "ftp://sts",
    "",
    "a b",
  ]) {
    t.throws(() => assumeRoleProvider(roleOptions({ stsEndpoint })), { name: "CredentialsError" }, stsEndpoint);
  }
});

const oidcOptions = (overrides: Partial<OidcRoleOptions>): OidcRoleOptions => ({
  roleArn: ROLE_ARN,
  providerArn: "acs:ram::1234567890123456:oidc-provider/ack",
  tokenFile: "",
  sessionName: "ossgate",
  durationSeconds: 3_600,
  stsEndpoint: "",
  env: {},
  ...overrides,
});

t.test("OIDC: the token's file is read at each question", async (t) => {
  const tokenFile = join(t.testdir({ token: "first.token" }), "token");
  const oidcTokens = new Set(["first.token"]);
  const server = await startSts(t, { accounts: new Map(), oidcTokens });
  const provider = oidcRoleProvider(oidcOptions({ tokenFile, stsEndpoint: server.url }));
  t.equal(serialOf(await provider.fetch(signal)), 1);
  oidcTokens.clear();
  oidcTokens.add("second.token");
  t.match(await failureOf(provider), /answered 400 \(AuthenticationFail\.OIDCToken\.Invalid\)$/);
  writeFileSync(tokenFile, "second.token\n");
  t.equal(serialOf(await provider.fetch(signal)), 2);
  const form = new URLSearchParams(server.requests.at(-1)?.body);
  t.equal(form.get("OIDCProviderArn"), "acs:ram::1234567890123456:oidc-provider/ack");
  t.equal(form.has("Signature"), false, "the token alone vouches");
});

t.test("OIDC: the environment says what the configuration does not", async (t) => {
  const tokenFile = join(t.testdir({ token: "the.token" }), "token");
  const server = await startSts(t, { accounts: new Map(), oidcTokens: new Set(["the.token"]) });
  const env = {
    ALIBABA_CLOUD_ROLE_ARN: ROLE_ARN,
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: "acs:ram::1:oidc-provider/env",
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: tokenFile,
  };
  const unsaid = { roleArn: null, providerArn: null, tokenFile: null, stsEndpoint: server.url };
  t.equal(serialOf(await oidcRoleProvider(oidcOptions({ ...unsaid, env })).fetch(signal)), 1);
  for (const name of Object.keys(env)) {
    const provider = oidcRoleProvider(oidcOptions({ ...unsaid, env: { ...env, [name]: undefined } }));
    t.match(await failureOf(provider), new RegExp(`^${name} is not set`));
  }
});

t.test("OIDC: a token's file that is missing, empty or too long is told by its path", async (t) => {
  const directory = t.testdir({ empty: "\n", long: "a".repeat(70_000) });
  for (const [name, message] of [
    ["none", /none cannot be read \(ENOENT\)$/],
    ["empty", /empty is empty$/],
    ["long", /long is longer than 64 KiB$/],
  ] as const) {
    const options = oidcOptions({ tokenFile: join(directory, name), stsEndpoint: "http://127.0.0.1:1" });
    t.match(await failureOf(oidcRoleProvider(options)), message);
  }
});

t.test("OIDC: outages and garbage are failures, told without what came", async (t) => {
  const tokenFile = join(t.testdir({ token: "planted.token" }), "token");
  const server = await startSts(t, { accounts: new Map(), oidcTokens: new Set(["planted.token"]) });
  const make = (timeouts: Timeouts) => oidcRoleProvider(oidcOptions({ tokenFile, stsEndpoint: server.url, timeouts }));
  await survives(t, server, make, [...MISDEEDS, ...GARBAGE]);
});

t.test("a question that is ended early is ended on the wire", async (t) => {
  const server = await startCredentialsUri(t);
  server.behaviour = { kind: "silent" };
  const controller = new AbortController();
  const asked = credentialsUriProvider({ url: `${server.url}/credentials` }).fetch(controller.signal);
  await server.until(() => server.requests.length === 1);
  controller.abort();
  await t.rejects(asked, { name: "CredentialsError", message: /did not answer \(ABORT_ERR\)$/ });
  await server.until(() => server.openSockets === 0);
});

async function startTlsService(t: Teardown): Promise<{ readonly url: string; readonly requests: () => number }> {
  let requests = 0;
  const server = createTlsServer(TEST_TLS, (_request, response) => {
    requests += 1;
    response.end(JSON.stringify(issuedSet(requests, Date.now() + 3_600_000)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, requests: () => requests };
}

t.test("https: a certificate that nobody vouches for ends it before anything is asked", async (t) => {
  const { url, requests } = await startTlsService(t);
  const told = await failureOf(credentialsUriProvider({ url }));
  t.match(told, /^the credentials URI at https:.* did not answer \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/);
  t.equal(requests(), 0);
});

t.test("https: an authority that Node was told to trust is trusted", async (t) => {
  const { url } = await startTlsService(t);
  const ca = join(t.testdir({ "ca.pem": TEST_TLS.cert }), "ca.pem");
  const module = new URL("../../src/credentials/credentials-uri.ts", import.meta.url).href;
  const program = `
    import { credentialsUriProvider } from "${module}";
    const set = await credentialsUriProvider({ url: "${url}" }).fetch(new AbortController().signal);
    process.stdout.write(set.accessKeyId);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import=tsx", "--input-type=module", "--eval", program],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: ca } },
  );
  t.equal(stdout, "STS.issued-id-1");
});
