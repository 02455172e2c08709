import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { doctor } from "../../src/cli/doctor.js";
import type { GatewayConfig } from "../../src/config/gateway-config.js";
import { readConfig } from "../../src/config/read-config.js";
import { Secret } from "../../src/core/secret.js";
import { examineCredentials } from "../../src/doctor/credentials.js";
import { examine, onlyRoute } from "../../src/doctor/examine.js";
import { examineFiles } from "../../src/doctor/files.js";
import type { Finding, Level } from "../../src/doctor/finding.js";
import type { Emulator, EmulatorOptions } from "../../src/emulator/index.js";
import type { BucketOptions } from "../../src/emulator/store.js";
import { startEmulator, startGateway } from "../support/gateway.js";
import { pairsOf, TestAuthority } from "../support/tls-world.js";
import { runProgram } from "./cli-program.js";

const BUCKET = "examplebucket";
const REGION = "cn-beijing";
const KEY_ID = "LTAI5tDoctorExampleKey01";
const SECRET = "doctor-secret-0123456789";
const TIMEOUT_MS = 5_000;

interface Case {
  readonly bucket?: Partial<BucketOptions>;
  /** Further keys of the bucket in the configuration, YAML's flow style. */
  readonly bucketConfig?: string;
  /** Of the one route; it signs unless this says otherwise. */
  readonly route?: string;
  readonly listeners?: string;
  readonly rest?: string;
  readonly credentials?: { readonly id: string; readonly secret: string; readonly token?: string };
  readonly emulator?: EmulatorOptions;
  readonly endpoint?: (emulator: Emulator) => string;
  readonly prepare?: (emulator: Emulator) => void;
}

const SIGNING = "auth: sign, sign: { credentials: reader }, allow: { anyone: true }";
const RELAYING = "auth: relay";

interface Clinic {
  readonly yaml: string;
  readonly file: string;
  readonly emulator: Emulator;
}

async function prepare(t: Test, options: Case): Promise<Clinic> {
  const emulator = await startEmulator(t, options.emulator);
  emulator.addCredentials({ accessKeyId: KEY_ID, accessKeySecret: new Secret(SECRET) });
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "private", ...options.bucket });
  options.prepare?.(emulator);
  const directory = t.testdir();
  const keys = options.credentials ?? { id: KEY_ID, secret: SECRET };
  const credentialsFile = join(directory, "oss.json");
  const json = { AccessKeyId: keys.id, AccessKeySecret: keys.secret, SecurityToken: keys.token };
  writeFileSync(credentialsFile, JSON.stringify(json));
  const endpoint = options.endpoint?.(emulator) ?? emulator.url;
  const yaml = `
${options.listeners ?? 'listeners: [{ name: web, address: "127.0.0.1:0" }]'}
admin: { address: "127.0.0.1:0" }
limits: { connections: 100 }
credentials: { reader: { type: file, path: ${credentialsFile} } }
buckets:
  media: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${endpoint}"${options.bucketConfig ?? ""} }
routes:
  - { name: images, match: { hosts: [img.test] }, bucket: media, ${options.route ?? SIGNING} }
${options.rest ?? ""}
`;
  const file = join(directory, "gateway.yaml");
  writeFileSync(file, yaml);
  return { yaml, file, emulator };
}

function configOf(yaml: string) {
  const read = readConfig(yaml, "test.yaml");
  if (!read.ok) throw new Error(read.problems.map((problem) => JSON.stringify(problem)).join("\n"));
  return read.config;
}

async function findingsOf(t: Test, options: Case = {}): Promise<readonly Finding[]> {
  const { yaml } = await prepare(t, options);
  return examine(configOf(yaml), { timeoutMs: TIMEOUT_MS });
}

/** The first finding of a check. */
const found = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((finding) => finding.check === check);

const broken = (findings: readonly Finding[]): readonly string[] =>
  findings.filter(({ level }) => level === "broken").map(({ check }) => check);

t.test("a gateway that is well: nothing is broken, and every advice is of a warning", async (t) => {
  const findings = await findingsOf(t, {
    prepare: (emulator) => void emulator.putObject(BUCKET, "a.jpg", "x", { "Content-Type": "image/jpeg" }),
    bucket: { createdAtMs: Date.parse("2018-01-01T00:00:00Z") },
  });
  t.same(broken(findings), []);
  for (const check of ["Node", "address", "fetch", "name", "connect", "anonymous request", "clock", "signed request"]) {
    t.equal(found(findings, check)?.level, "ok", check);
  }
  t.match(found(findings, "signed request")?.result, /v4: NoSuchKey.*signature is good/);
  t.match(found(findings, "anonymous request")?.result, /private/);
  t.match(found(findings, "forced download"), { level: "ok", result: "not of a.jpg" });
  for (const { level, next } of findings) t.equal(next === null, level === "ok" || level === "skipped");
});

const CASES: readonly (readonly [
  title: string,
  check: string,
  level: Level,
  pattern: { readonly result?: RegExp; readonly next?: RegExp },
  options: Case,
])[] = [
  [
    "a bucket of another region is named with its region",
    "signed request",
    "broken",
    { result: /bucket is in cn-shanghai/, next: /oss-cn-shanghai\.aliyuncs\.com/ },
    { bucket: { region: "cn-shanghai" } },
  ],
  [
    "a bucket that does not exist",
    "anonymous request",
    "broken",
    { result: /NoSuchBucket/ },
    {
      bucket: { name: "anotherbucket" },
      route: RELAYING,
    },
  ],
  [
    "an account that may not use public endpoints",
    "anonymous request",
    "broken",
    { result: /PublicEndpointForbidden/, next: /endpoint: internal/ },
    { bucket: { forbidsPublicEndpoint: true } },
  ],
  [
    "a wrong secret",
    "signed request",
    "broken",
    { result: /SignatureDoesNotMatch \(wrong-secret\)/, next: /another secret/ },
    { credentials: { id: KEY_ID, secret: "another-secret-01234" } },
  ],
  [
    "a key that OSS does not know",
    "signed request",
    "broken",
    { result: /InvalidAccessKeyId \(wrong-key-id\)/, next: /gateway's credentials/ },
    { credentials: { id: "LTAI5tNobodysKey", secret: SECRET } },
  ],
  [
    "a wrong secret with V1",
    "signed request",
    "broken",
    { result: /v1: SignatureDoesNotMatch/ },
    {
      credentials: { id: KEY_ID, secret: "another-secret-01234" },
      route: "auth: sign, sign: { credentials: reader, version: v1 }, allow: { anyone: true }",
    },
  ],
  [
    "a clock that is an hour behind is told, and signed with OSS's time as the gateway does",
    "clock",
    "warn",
    { result: /behind OSS/, next: /clock/ },
    { prepare: (emulator) => emulator.setNowMs(Date.now() + 3_600_000) },
  ],
  [
    "a clock that is two days ahead",
    "clock",
    "broken",
    { result: /ahead of OSS/ },
    { prepare: (emulator) => emulator.setNowMs(Date.now() - 2 * 86_400_000) },
  ],
  [
    "images that browsers are made to download",
    "forced download",
    "warn",
    { result: /download a\.jpg/, next: /preview: true/ },
    { prepare: (emulator) => void emulator.putObject(BUCKET, "a.jpg", "x", { "Content-Type": "image/jpeg" }) },
  ],
  [
    "images whose forced download preview takes back",
    "forced download",
    "ok",
    { result: /preview takes it back/ },
    {
      prepare: (emulator) => void emulator.putObject(BUCKET, "a.jpg", "x", { "Content-Type": "image/jpeg" }),
      route: `${SIGNING}, preview: true`,
    },
  ],
  [
    "a bound domain, under which nothing is forced",
    "forced download",
    "ok",
    { result: /bound domain \(img\.example\.com\)/ },
    {
      bucket: { domains: ["img.example.com"] },
      bucketConfig: ", domains: [img.example.com]",
      route: `${SIGNING}, hostHeader: img.example.com`,
    },
  ],
  [
    "a domain that is not bound at OSS",
    "anonymous request",
    "broken",
    { result: /host-unknown/, next: /bind the domain/ },
    { bucketConfig: ", domains: [img.example.com]", route: `${SIGNING}, hostHeader: img.example.com` },
  ],
  [
    "a bucket that anybody reads past a route that guards it",
    "anonymous request",
    "warn",
    { next: /private/ },
    {
      bucket: { acl: "public-read" },
      route: "auth: sign, sign: { credentials: reader }, allow: { clients: [10.0.0.0/8] }",
    },
  ],
  [
    "a bucket that anybody reads on a route that relays",
    "anonymous request",
    "ok",
    {},
    { bucket: { acl: "public-read" }, route: RELAYING },
  ],
  [
    "Referer rules that the gateway's signature switches off",
    "Referer",
    "warn",
    { result: /switch them off/, next: /import-referer/ },
    { bucket: { referer: { refererList: ["https://www.example.com"] } } },
  ],
  [
    "Referer rules here and at OSS, on a route that relays: found out by a foreign Referer",
    "Referer",
    "warn",
    { result: /both are asked/ },
    {
      bucket: { acl: "public-read", referer: { refererList: ["https://www.example.com"] } },
      route: `${RELAYING}, referer: { refererList: ["https://www.example.com"] }`,
    },
  ],
  ["no Referer rules anywhere", "Referer", "ok", { result: /none/ }, {}],
  [
    "CORS rules here and at OSS",
    "CORS",
    "warn",
    { result: /bucket has 1/, next: /import-cors/ },
    {
      bucket: {
        corsRules: [
          {
            allowedOrigins: ["*"],
            allowedMethods: ["GET"],
            allowedHeaders: [],
            exposeHeaders: [],
            maxAgeSeconds: null,
          },
        ],
      },
      route: `${SIGNING}, cors: { rules: [{ allowedOrigins: ["https://a.example.com"], allowedMethods: [GET] }] }`,
    },
  ],
  [
    "an endpoint where nobody listens",
    "connect",
    "broken",
    { result: /ECONNREFUSED/, next: /security groups/ },
    { endpoint: () => "http://127.0.0.1:1" },
  ],
  [
    "a name that is not resolved by the servers that the configuration names",
    "name",
    "broken",
    { next: /127\.0\.0\.1:1 for it/ },
    { endpoint: () => "http://oss.test:80", bucketConfig: ', dns: { servers: ["127.0.0.1:1"] }' },
  ],
  ["an endpoint that speaks no TLS", "TLS", "broken", {}, { endpoint: ({ port }) => `https://127.0.0.1:${port}` }],
];

for (const [title, check, level, pattern, options] of CASES) {
  t.test(`${title}: ${level}`, async (t) => {
    const findings = await findingsOf(t, options);
    t.match(found(findings, check), { level, ...pattern });
    for (const { result, next } of findings) {
      t.notMatch(
        `${result} ${next}`,
        new RegExp(`${SECRET}|${KEY_ID}|another-secret`),
        "no secret, and no whole key id",
      );
    }
  });
}

t.test("something that is no OSS is found out", async (t) => {
  const port = await startServer(t, (_, res) => void res.writeHead(200, { server: "nginx" }).end("Welcome"));
  const findings = await findingsOf(t, { endpoint: () => `http://127.0.0.1:${port}`, route: RELAYING });
  t.match(found(findings, "anonymous request"), { level: "broken", result: /not OSS \(Server: nginx\)/ });
  t.equal(found(findings, "Referer"), undefined, "and is asked nothing more");
});

t.test("an endpoint that never answers ends the questions in time", async (t) => {
  const port = await startServer(t, () => {});
  const { yaml } = await prepare(t, { endpoint: () => `http://127.0.0.1:${port}` });
  const findings = await examine(configOf(yaml), { timeoutMs: 300 });
  t.match(found(findings, "request"), { level: "broken", result: /no answer within 300 ms/ });
});

async function startServer(t: Test, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

t.test("the certificate of an endpoint must be good for it, and be trusted", async (t) => {
  const directory = t.testdir();
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const subject = ["-subj", "/CN=ossgate test", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...made, "-days", "90", ...subject], { stdio: "ignore" });
  const tls = { key: execFileSync("cat", [key]), cert: execFileSync("cat", [cert]) };
  const untrusted = await findingsOf(t, { emulator: { tls } });
  t.match(found(untrusted, "TLS"), { level: "broken", result: /nobody that is trusted/ });
  t.equal(found(untrusted, "signed request"), undefined);
  const { yaml } = await prepare(t, { emulator: { tls } });
  writeFileSync(join(t.testdirName, "ca.pem"), tls.cert);
  const trusted = configOf(yaml.replace("region:", `caFile: ${join(t.testdirName, "ca.pem")}, region:`));
  const findings = await examine(trusted, { timeoutMs: TIMEOUT_MS });
  t.match(found(findings, "TLS"), { level: "ok", result: /verified/ });
  t.equal(found(findings, "signed request")?.level, "ok");
  t.equal(found(findings, "authority")?.level, "ok");
});

t.test("credentials that cannot be had are told with their cause, and their routes are not asked signed", async (t) => {
  const { yaml } = await prepare(t, {});
  const config = configOf(yaml.replace("oss.json", "nothing.json"));
  const findings = await examine(config, { timeoutMs: TIMEOUT_MS });
  t.match(found(findings, "fetch"), { level: "broken", result: /nothing\.json cannot be read/ });
  t.match(found(findings, "signed request"), { level: "skipped" });
});

t.test("listeners: free, taken by ossgate itself, taken by another program, an address of nobody here", async (t) => {
  const other = await startServer(t, (_, res) => void res.end("other"));
  const { yaml } = await prepare(t, { route: RELAYING });
  const gateway = await startGateway(t, yaml);
  const listeners = `listeners:
  - { name: free, address: "127.0.0.1:0" }
  - { name: ours, address: "127.0.0.1:${gateway.port}" }
  - { name: theirs, address: "127.0.0.1:${other}" }
  - { name: nobodys, address: "192.0.2.1:18080" }`;
  const config = configOf(yaml.replace(/^listeners:.*$/m, listeners));
  const admin = { ...config.admin, address: { host: "127.0.0.1", port: Number(new URL(gateway.adminUrl).port) } };
  const findings = await examine({ ...config, admin }, { timeoutMs: TIMEOUT_MS });
  const levelOf = (subject: string) => findings.find((one) => one.subject === subject && one.check === "address");
  t.match(levelOf("listener free"), { level: "ok", result: /free/ });
  t.match(levelOf("listener ours"), { level: "ok", result: /served by ossgate/ });
  t.match(levelOf("listener theirs"), { level: "broken", result: /another program/ });
  t.match(levelOf("listener nobodys"), { level: "broken", result: /EADDRNOTAVAIL/ });
  t.match(levelOf("admin"), { level: "ok", result: /served by ossgate/ });
});

t.test("a certificate must be for the hosts that its listener's routes answer to", async (t) => {
  const authority = new TestAuthority(t);
  const hosts = ["img.example.com", "a.cdn.example.com", "192.0.2.7"];
  const listed = (san: string, routeHosts = hosts): GatewayConfig => {
    const tls = `{ certificates: ${pairsOf(authority.issue({ san }))} }`;
    return configOf(`
listeners: [{ name: secure, address: "127.0.0.1:0", tls: ${tls} }]
admin: { address: "127.0.0.1:0" }
buckets: { media: { bucket: examplebucket, endpoint: "http://127.0.0.1:9" } }
routes: [{ name: images, match: { hosts: ${JSON.stringify(routeHosts)} }, bucket: media }]
`);
  };
  for (const [config, level, said] of [
    [listed("DNS:img.example.com,DNS:*.cdn.example.com,IP:192.0.2.7"), "ok", /img\.example\.com, a\.cdn/],
    [listed("DNS:*.example.com,IP:192.0.2.7"), "warn", /no certificate is for a\.cdn\.example\.com$/],
    [
      listed("DNS:www.example.com"),
      "broken",
      /no certificate is for img\.example\.com, a\.cdn\.example\.com, 192\.0\.2\.7$/,
    ],
    [listed("DNS:*.example.com", ["*.example.com"]), "ok", /\*\.example\.com/],
    [listed("DNS:img.example.com", ["*.example.com"]), "broken", /\*\.example\.com/],
  ] as const) {
    const [, listener] = await examineFiles(config, Date.now());
    const finding = listener?.findings.find(({ check }) => check === "hosts");
    t.match(finding, { level, result: said });
    t.equal(finding?.next === null, level === "ok");
  }
});

t.test("what systemd shows to the service alone is not called broken", async (t) => {
  const directory = "$CREDENTIALS_DIRECTORY";
  const config = configOf(`
listeners: [{ name: secure, address: "127.0.0.1:0", tls: { certificates: [{ certFile: ${directory}/a.pem, keyFile: ${directory}/a.key }] } }]
admin: { address: "127.0.0.1:0", bearerSecret: { file: ${directory}/admin } }
buckets: { media: { bucket: examplebucket, endpoint: "http://127.0.0.1:9" } }
routes: [{ name: images, match: { hosts: [img.example.com] }, bucket: media }]
`);
  const findings = (await examineFiles(config, Date.now())).flatMap((report) => report.findings);
  t.match(findings, [
    { level: "skipped", check: "secret", next: /As root, while the service runs/ },
    { level: "skipped", check: "certificate", next: /As root, while the service runs/ },
  ]);
  t.equal(findings.length, 2);
});

t.test("credentials of systemd's directory are not looked at, nor what is asked for with them", async (t) => {
  const { yaml } = await prepare(t, {});
  const config = configOf(
    yaml.replace(
      /credentials: \{/,
      "credentials: { own: { type: file, path: $CREDENTIALS_DIRECTORY/oss.json }, role: { type: assumeRole, from: own, roleArn: 'acs:ram::1:role/r' },",
    ),
  );
  const { reports, close } = await examineCredentials(config, TIMEOUT_MS);
  close();
  const findings = reports.flatMap((report) => report.findings);
  t.match(findings, [
    { level: "skipped", subject: "credentials own", check: "fetch", next: /As root, while the service runs/ },
    { level: "skipped", subject: "credentials role", check: "fetch" },
    { level: "ok", subject: "credentials reader" },
  ]);
});

t.test("secrets and files that are not there", async (t) => {
  const { yaml } = await prepare(t, {
    route: "auth: relay, allow: { links: { secret: { file: /nowhere/link } } }",
    bucketConfig: ", caFile: /nowhere/ca.pem",
    endpoint: ({ port }) => `https://127.0.0.1:${port}`,
  });
  const findings = await examine(configOf(yaml), { timeoutMs: TIMEOUT_MS });
  t.match(found(findings, "secret"), { level: "broken", result: /\/nowhere\/link/ });
  t.match(found(findings, "authority"), { level: "broken", result: /\/nowhere\/ca\.pem/ });
});

t.test("a server of shared limits that does not answer", async (t) => {
  const { yaml } = await prepare(t, {});
  const config = configOf(yaml.replace("connections: 100", 'connections: 100, shared: "redis://127.0.0.1:1"'));
  const findings = await examine(config, { timeoutMs: TIMEOUT_MS });
  t.match(found(findings, "server"), { level: "broken", next: /Start the server/ });
});

t.test("one route alone: its bucket and its credentials, and nothing of the others", async (t) => {
  const rest = "  - { name: other, match: { hosts: [other.test] }, bucket: media, auth: relay }";
  const { yaml } = await prepare(t, { rest });
  const config = configOf(yaml);
  t.equal(onlyRoute(config, "nothing"), null);
  const one = onlyRoute(config, "other");
  t.same([one?.routes.length, one?.credentials.size, one?.buckets.size], [1, 0, 1]);
  t.same(onlyRoute(config, "images")?.credentials.size, 1);
});

t.test("the command: a table and what to do, JSON, and its exit codes", async (t) => {
  const { file, yaml } = await prepare(t, {});
  const elsewhere = `${file}.elsewhere`;
  writeFileSync(elsewhere, yaml.replace(REGION, "cn-shanghai"));
  const [table, json] = await Promise.all([
    runProgram(t, ["doctor", "--config", elsewhere]),
    runProgram(t, ["doctor", "-c", file, "--json", "--route", "images"]),
  ]);
  t.equal(table.code, 1, table.stderr);
  t.match(table.stdout, /^machine\n {2}ok +Node/);
  t.match(table.stdout, /the bucket is in cn-beijing/);
  t.match(table.stdout, /What to do\n {2}BROKEN/);
  t.match(table.stdout, /\d+ good, \d+ to look at, [1-9]\d* broken/);
  t.notOk(table.stdout.includes("\u001b"), "no colours for what is no terminal");
  t.equal(table.stderr, "", "and no progress");
  t.equal(json.code, 0, json.stderr);
  t.match(JSON.parse(json.stdout), {
    ok: true,
    findings: [{ level: "ok", subject: "machine", check: "Node", next: null }],
  });

  t.equal(await doctor(["--config", file, "--route", "none"]), 2);
  t.equal(await doctor(["--timeout", "soon"]), 2);
  t.equal(await doctor(["--config", `${file}.nowhere`]), 1);
  writeFileSync(file, "listeners: []");
  t.equal(await doctor(["--config", file]), 3);
});
