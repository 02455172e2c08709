import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkNamedFiles, type NamedFilesReport } from "../../src/cli/named-files.js";
import type { GatewayConfig } from "../../src/config/gateway-config.js";
import { readConfig } from "../../src/config/read-config.js";
import { isServicesLog } from "../../src/doctor/named-files.js";
import { whyUnseen } from "../../src/doctor/unseen-certificates.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import { TestAuthority } from "../support/tls-world.js";
import { runProgram } from "./cli-program.js";

/** What may be named, each key absent unless it is given. */
interface Wishes {
  readonly top?: string;
  readonly tls?: string;
  readonly admin?: string;
  readonly credentials?: string;
  readonly bucket?: string;
  readonly route?: string;
}

function yamlOf({ top = "", tls = "", admin = "", credentials = "", bucket = "", route = "" }: Wishes): string {
  return `${top}
listeners:
  - name: web
    address: 127.0.0.1:0
${tls}
admin: { address: "127.0.0.1:0"${admin} }
credentials: { ${credentials} }
buckets:
  media: { bucket: examplebucket, endpoint: "https://127.0.0.1:9"${bucket} }
routes:
  - name: images
    match: { hosts: [img.example.com] }
    bucket: media
${route}
`;
}

const FILE = "g.yaml";

function configOf(text: string): GatewayConfig {
  const read = readConfig(text, FILE);
  if (!read.ok) throw new Error(read.problems.map((one) => `${one.path}: ${one.expected}`).join("\n"));
  return read.config;
}

const reportOf = (text: string, isService = true): Promise<NamedFilesReport> =>
  checkNamedFiles({ text, config: configOf(text) }, { file: FILE, isService });

/** Whether a gateway starts with it. */
async function starts(config: GatewayConfig): Promise<boolean> {
  try {
    const gateway = new GatewayProcess({ config, version: "0.0.0" });
    await gateway.start();
    await gateway.stop(0);
    return true;
  } catch {
    return false;
  }
}

/** Files that are good, and some that are not. */
function makeFiles(t: Test) {
  const authority = new TestAuthority(t);
  const directory = t.testdir({
    secret: "0123456789abcdef0123456789abcdef",
    other: "fedcba9876543210fedcba9876543210",
    short: "abc",
    "empty.pem": "nothing\n",
    htpasswd: `ann:$2y$05$${"a".repeat(53)}\n`,
    plain: "ann:password\nbob:password\n",
    "oss.json": '{"AccessKeyId":"id-of-a-key","AccessKeySecret":"secret-of-a-key"}',
    logs: {},
    acme: {},
  });
  return {
    at: (name: string) => join(directory, name),
    ca: authority.caFile,
    good: authority.issue({ san: "DNS:img.example.com" }),
    other: authority.issue({ san: "DNS:other.example.com" }),
    expired: authority.issue({ san: "DNS:img.example.com", days: -1 }),
  };
}

type Files = ReturnType<typeof makeFiles>;

const tlsOf = (certFile: string, keyFile: string, more = ""): string =>
  `    tls:\n      certificates: [{ certFile: "${certFile}", keyFile: "${keyFile}" }]\n${more}`;
const linksOf = (file: string): string => `    allow: { links: { secret: { file: "${file}" } } }`;

type Row = readonly [what: string, wishes: (files: Files) => Wishes, said: RegExp];

/** A gateway does not start with these. */
const BROKEN: readonly Row[] = [
  [
    "a certificate that is not there",
    () => ({ tls: tlsOf("/nowhere/a.pem", "/nowhere/a.key") }),
    /^g\.yaml:6:34: listeners\[0\]\.tls\.certificates\[0\]\.certFile: expected a certificate and its key, found "\/nowhere\/a\.pem"\. .*no such file/,
  ],
  [
    "a key that is not there",
    ({ good }) => ({ tls: tlsOf(good.certFile, "/nowhere/a.key") }),
    /\.keyFile: expected .*found "\/nowhere\/a\.key"\. .*no such file/,
  ],
  [
    "a key of another certificate",
    ({ good, other }) => ({ tls: tlsOf(good.certFile, other.keyFile) }),
    /certificates\[0\]\.keyFile: .*do not belong together/,
  ],
  [
    "a file that is no certificate",
    ({ good, at }) => ({ tls: tlsOf(at("empty.pem"), good.keyFile) }),
    /\.certFile: .*no certificate in PEM/,
  ],
  [
    "authorities of clients that are not there",
    ({ good }) => ({ tls: tlsOf(good.certFile, good.keyFile, "      clientCaFile: /nowhere/ca.pem") }),
    /listeners\[0\]\.tls\.clientCaFile: .*no such file/,
  ],
  [
    "a bearer secret that is not there",
    () => ({ admin: ", bearerSecret: { file: /nowhere/secret }" }),
    /^g\.yaml:\d+:\d+: admin\.bearerSecret\.file: expected a file that holds a secret, found none that is good\. \/nowhere\/secret cannot be read: there is no such file\. Write/,
  ],
  [
    "a secret that can be guessed",
    ({ at }) => ({ route: linksOf(at("short")) }),
    /routes\[0\]\.allow\.links\.secret\.file: .*3 bytes/,
  ],
  [
    "a variable that is not set",
    () => ({ route: "    allow: { links: { secret: { env: OSSGATE_TEST_NOT_SET } } }" }),
    /routes\[0\]\.allow\.links\.secret\.env: .*OSSGATE_TEST_NOT_SET is not set.*EnvironmentFile=/,
  ],
  [
    "authorities of a bucket that are not there",
    () => ({ bucket: ", caFile: /nowhere/ca.pem" }),
    /buckets\.media\.caFile: expected .*, found "\/nowhere\/ca\.pem"\. \/nowhere\/ca\.pem: there is no such file/,
  ],
  [
    "passwords that are not there",
    () => ({ route: "    allow: { basic: { file: /nowhere/htpasswd } }" }),
    /routes\[0\]\.allow\.basic\.file: .*no such file/,
  ],
  [
    "passwords that are not hashed",
    ({ at }) => ({ route: `    allow: { basic: { file: "${at("plain")}" } }` }),
    /routes\[0\]\.allow\.basic\.file: .*and 1 more like it\. Make it with htpasswd/,
  ],
  [
    "a file of credentials that only systemd could give",
    () => ({ credentials: "reader: { type: file, path: $CREDENTIALS_DIRECTORY/oss.json }" }),
    /credentials\.reader\.path: .*CREDENTIALS_DIRECTORY/,
  ],
];

/** A gateway starts with these, and misses something. */
const WARNED: readonly Row[] = [
  [
    "a file of credentials that may come later",
    () => ({ credentials: "reader: { type: file, path: /nowhere/oss.json }" }),
    /credentials\.reader\.path: warning: .*no such file.*503/,
  ],
  [
    "variables of credentials",
    () => ({ credentials: "reader: { type: env }" }),
    /credentials\.reader\.type: warning: expected variables that hold a key, found "env"\. Neither OSS_ACCESS_KEY_ID/,
  ],
  [
    "a directory without certificates",
    ({ at }) => ({ tls: `    tls: { certificates: [{ directory: "${at("acme")}" }] }` }),
    /certificates\[0\]\.directory: warning: .*There is none/,
  ],
  [
    "a certificate that has expired",
    ({ expired }) => ({ tls: tlsOf(expired.certFile, expired.keyFile) }),
    /certificates\[0\]\.certFile: warning: .*expired .* ago/,
  ],
  [
    "challenges without a directory",
    () => ({ top: "acmeChallengeDirectory: /nowhere/acme" }),
    /acmeChallengeDirectory: warning: .*no such directory/,
  ],
];

for (const [what, wishes, said] of BROKEN) {
  t.test(`${what}: check says where, and the gateway does not start`, async (t) => {
    const text = yamlOf(wishes(makeFiles(t)));
    const { problems } = await reportOf(text);
    t.equal(problems.length, 1, problems.join("\n"));
    t.match(problems[0], said);
    t.notMatch(problems[0], "\n");
    t.equal(await starts(configOf(text)), false);
  });
}

for (const [what, wishes, said] of WARNED) {
  t.test(`${what}: check warns, and the gateway starts`, async (t) => {
    const text = yamlOf(wishes(makeFiles(t)));
    const { problems, warnings } = await reportOf(text);
    t.same(problems, []);
    t.equal(warnings.length, 1, warnings.join("\n"));
    t.match(warnings[0], said);
    t.equal(await starts(configOf(text)), true);
  });
}

t.test("where all is there nothing is said, and the gateway starts", async (t) => {
  const { at, ca, good } = makeFiles(t);
  const text = yamlOf({
    top: `acmeChallengeDirectory: "${at("acme")}"\nlog: { output: "${at("logs/error.log")}", access: { output: "${at("logs/access.log")}" } }`,
    tls: tlsOf(good.certFile, good.keyFile, `      clientCaFile: "${ca}"`),
    admin: `, bearerSecret: { file: "${at("secret")}" }, readerSecret: { file: "${at("other")}" }`,
    credentials: `reader: { type: file, path: "${at("oss.json")}" }`,
    bucket: `, caFile: "${ca}"`,
    route: `    satisfy: any\n    allow: { links: { secret: { file: "${at("secret")}" } }, basic: { file: "${at("htpasswd")}" } }`,
  });
  t.same(await reportOf(text), { problems: [], warnings: [] });
  t.equal(await starts(configOf(text)), true);
});

t.test("a log that cannot be written is told; the file itself is not made", async (t) => {
  const { at } = makeFiles(t);
  mkdirSync(at("directory"));
  for (const [output, said] of [
    ["/nowhere/error.log", /log\.output: expected a file that can be written to, .*no directory \/nowhere/],
    [at("directory"), /it is a directory/i],
  ] as const) {
    const { problems } = await reportOf(yamlOf({ top: `log: { output: "${output}" }` }));
    t.equal(problems.length, 1);
    t.match(problems[0], said);
  }
  t.same((await reportOf(yamlOf({ top: `log: { output: "${at("new.log")}" }` }))).problems, []);
  t.throws(() => chmodSync(at("new.log"), 0o600), { code: "ENOENT" });
});

t.test("a directory whose certificates cannot be read says so, and not that there are none", async (t) => {
  const { at, good } = makeFiles(t);
  const live = at("live");
  mkdirSync(join(live, "img.example.com"), { recursive: true });
  symlinkSync(at("loop"), at("loop"));
  symlinkSync(good.certFile, join(live, "img.example.com/fullchain.pem"));
  symlinkSync(at("gone.pem"), join(live, "img.example.com/privkey.pem"));
  for (const [directory, said] of [
    [at("loop"), /loop cannot be read: its links lead in a circle\. Have a certificate made/],
    ["/nowhere/live", /\/nowhere\/live cannot be read: there is no such file\. Have a certificate made/],
    [
      live,
      /live\/img\.example\.com\/privkey\.pem cannot be read: there is no such file\. .*Until then TLS fails there/,
    ],
  ] as const) {
    const text = yamlOf({ tls: `    tls: { certificates: [{ directory: "${directory}" }] }` });
    const { problems, warnings } = await reportOf(text);
    t.same([problems.length, warnings.length], [0, 1]);
    t.match(warnings[0], said);
  }
});

t.test("a user who may not look into a directory of certificates is told of the group", async (t) => {
  const { at } = makeFiles(t);
  chmodSync(at("acme"), 0);
  // Root sees everything.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  t.teardown(() => {
    if (isRoot) process.seteuid?.(0);
    chmodSync(at("acme"), 0o700);
  });
  t.match(await whyUnseen(at("acme")), { result: /cannot be read: permission denied$/, next: /by a group/ });
});

t.test("files that are none are named so, and hold nobody up", async (t) => {
  const { at } = makeFiles(t);
  execFileSync("mkfifo", [at("pipe")]);
  const text = yamlOf({
    admin: `, bearerSecret: { file: "${at("acme")}" }`,
    bucket: `, caFile: "${at("pipe")}"`,
  });
  const { problems } = await reportOf(text);
  t.match(problems, [
    /admin\.bearerSecret\.file: .*acme cannot be read: it is not a regular file\./,
    /buckets\.media\.caFile: .*pipe is not a regular file/,
  ]);
});

t.test("the service's own logs are not looked at by others, who may not", (t) => {
  const refused = Object.assign(new Error(), { code: "EACCES" });
  const missing = Object.assign(new Error(), { code: "ENOENT" });
  t.equal(isServicesLog("/var/log/ossgate/access.log", refused, false), true);
  t.equal(isServicesLog("/var/log/ossgate/access.log", refused, true), false, "the service itself has to write there");
  t.equal(isServicesLog("/var/log/ossgate/access.log", missing, false), false);
  t.equal(isServicesLog("/srv/logs/access.log", refused, false), false);
  t.end();
});

t.test("what systemd shows to the service alone is no problem elsewhere, and one in the service", async (t) => {
  const own = "$CREDENTIALS_DIRECTORY";
  const text = yamlOf({
    tls: tlsOf(`${own}/a.pem`, `${own}/a.key`),
    admin: `, bearerSecret: { file: ${own}/admin }`,
    credentials: `reader: { type: file, path: ${own}/oss.json }`,
    route: `    allow: { basic: { file: ${own}/htpasswd } }`,
  });
  const outside = await reportOf(text, false);
  t.same(outside.problems, []);
  t.equal(outside.warnings.length, 4);
  for (const warning of outside.warnings) t.match(warning, /: warning: not looked at\. Systemd shows it/);
  t.equal((await reportOf(text, true)).problems.length, 4);
});

t.test("nothing of a secret is told", async (t) => {
  const { at } = makeFiles(t);
  writeFileSync(at("short"), "hunter2");
  writeFileSync(at("oss.json"), '{"AccessKeyId":"LTAIhunter2","AccessKeySecret":""}');
  writeFileSync(at("plain"), "ann:hunter2\n");
  const text = yamlOf({
    admin: `, bearerSecret: { file: "${at("short")}" }`,
    credentials: `reader: { type: file, path: "${at("oss.json")}" }`,
    route: `    allow: { basic: { file: "${at("plain")}" } }`,
  });
  const { problems, warnings } = await reportOf(text);
  t.same([problems.length, warnings.length], [2, 1]);
  t.notMatch([...problems, ...warnings].join("\n"), /hunter2/);
});

t.test("the commands: check and run end with 3 alike; --syntax-only looks at the file alone", async (t) => {
  const cwd = t.testdir({ "gateway.yaml": yamlOf({ tls: tlsOf("/nowhere/a.pem", "/nowhere/a.key") }) });
  const [checked, ran, syntax] = await Promise.all([
    runProgram(t, ["check"], { cwd }),
    runProgram(t, ["run"], { cwd }),
    runProgram(t, ["check", "--syntax-only"], { cwd }),
  ]);
  for (const { code, stdout, stderr } of [checked, ran]) {
    t.same([code, stdout], [3, ""]);
    t.match(stderr, /^gateway\.yaml:6:34: listeners\[0\]\.tls\.certificates\[0\]\.certFile: [^\n]+\n$/);
  }
  t.match(syntax, { code: 0, stdout: /: ok / });
});
