import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { borrowCredentialsDirectory } from "../../src/cli/credentials-directory.js";
import { readConfig } from "../../src/config/read-config.js";
import { GatewayProcess } from "../../src/process/gateway-process.js";
import { runProgram } from "./cli-program.js";

const SECRET = "0123456789abcdef0123456789abcdef";

/** Stands in for the admin listener of a gateway: it keeps what it was asked. */
async function startAdmin(t: Test, answer: { readonly status: number; readonly body: string }) {
  const asked: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    asked.push(req);
    res.writeHead(answer.status).end(answer.body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return { asked, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const RELOADED = JSON.stringify({ ok: true, problems: [], warnings: [], generation: 7 });

const adminYaml = (address: string, secret: string): string =>
  `admin: { address: "${address}", bearerSecret: { file: ${secret} } }\n`;

t.test("a shell that cannot read the secret is told what to do; --secret-file names it", async (t) => {
  const { asked, address } = await startAdmin(t, { status: 200, body: RELOADED });
  const cwd = t.testdir({ "gateway.yaml": adminYaml(address, "$CREDENTIALS_DIRECTORY/admin"), secret: `${SECRET}\n` });
  const [reload, upgrade] = await Promise.all([
    runProgram(t, ["reload"], { cwd }),
    runProgram(t, ["upgrade"], { cwd }),
  ]);
  t.match(reload, {
    code: 1,
    stdout: "",
    stderr: /^ossgate reload: admin\.bearerSecret: .*--secret-file.*be root.*systemctl reload ossgate.*\n$/,
  });
  t.match(upgrade, {
    code: 1,
    stdout: "",
    stderr: /^ossgate upgrade: admin\.bearerSecret: .*--secret-file.*be root.*\n$/,
  });
  t.notMatch(upgrade.stderr, /systemctl reload/);
  t.equal(asked.length, 0);
  const told = await runProgram(t, ["reload", "--secret-file", "secret"], { cwd });
  t.match(told, { code: 0, stdout: /configuration 7 /, stderr: "" });
  t.match(asked, [{ method: "POST", url: "/reload", headers: { authorization: `Bearer ${SECRET}` } }]);
  const missing = await runProgram(t, ["reload", "--secret-file", "nowhere"], { cwd });
  t.match(missing, { code: 1, stderr: /^ossgate reload: --secret-file: nowhere cannot be read/ });
});

t.test("what LoadCredential= gave to the service is found by who may look, and by nobody else", async (t) => {
  const directory = t.testdir({ admin: SECRET });
  const env: NodeJS.ProcessEnv = {};
  borrowCredentialsDirectory(env, join(directory, "nowhere"));
  t.same(env, {});
  borrowCredentialsDirectory(env, directory);
  t.same(env, { CREDENTIALS_DIRECTORY: directory });
  borrowCredentialsDirectory(env, "/");
  t.same(env, { CREDENTIALS_DIRECTORY: directory }, "what is set stays");
});

t.test("explain asks a running gateway and prints the route, the checks and what would be sent", async (t) => {
  const yaml = `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
log: { level: error, access: { format: off } }
buckets:
  media: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:9" }
routes:
  - name: images
    match: { hosts: [img.example.com] }
    bucket: media
    keyPrefix: site/
    referer: { refererList: ["https://www.example.com"], allowEmptyReferer: false }
`;
  const read = readConfig(yaml, "gateway.yaml");
  if (!read.ok) throw new Error("the configuration is no good");
  const gateway = new GatewayProcess({ config: read.config, version: "0.0.0" });
  await gateway.start();
  t.teardown(() => gateway.stop(0));
  const address = `127.0.0.1:${gateway.adminAddress?.port}`;
  const cwd = t.testdir({ "gateway.yaml": adminYaml(address, "$CREDENTIALS_DIRECTORY/admin") });
  const url = "http://img.example.com/a b.png?x=1&y=2";
  const [good, refused, json] = await Promise.all([
    runProgram(t, ["explain", url, "-H", "Referer: https://www.example.com/"], { cwd }),
    runProgram(t, ["explain", url, "--client", "203.0.113.9", "-X", "HEAD"], { cwd }),
    runProgram(t, ["explain", "--json", url], { cwd }),
  ]);
  t.match(good, { code: 0, stderr: "" });
  t.match(good.stdout, /images/);
  t.match(good.stdout, /\/site\/a%20b\.png\?x=1&y=2/);
  t.match(refused, { code: 0, stdout: /HEAD[\s\S]*403/ });
  t.match(JSON.parse(json.stdout), { request: { method: "GET" } });
  const wrong = await runProgram(t, ["explain", url, "--client", "abc"], { cwd });
  t.match(wrong, { code: 2, stdout: "", stderr: /^ossgate explain: client is an address[^\n]*\nSee [^\n]*\n$/ });
  t.match(await runProgram(t, ["explain"], { cwd }), { code: 2, stdout: "", stderr: /which URL/ });
});

t.test("a gateway that asks explain for its secret is answered with it, else the next step is told", async (t) => {
  const { asked, address } = await startAdmin(t, { status: 401, body: "a bearer secret is asked for\n" });
  const cwd = t.testdir({ "gateway.yaml": adminYaml(address, "$CREDENTIALS_DIRECTORY/admin"), secret: SECRET });
  const without = await runProgram(t, ["explain", "http://img.example.com/"], { cwd });
  t.match(without, { code: 1, stdout: "", stderr: /401.*--secret-file\.\n$/ });
  await runProgram(t, ["explain", "http://img.example.com/", "--secret-file", "secret"], { cwd });
  t.same(
    asked.map(({ headers }) => headers.authorization),
    [undefined, `Bearer ${SECRET}`],
  );
});
