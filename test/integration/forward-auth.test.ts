import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import bcrypt from "bcrypt";
import t from "tap";
import { startAuthService, status } from "../support/auth-service.js";
import { valuesOf, xmlText } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, relay, startRelay } from "../support/relay-world.js";
import { ask, LINKS, linkOf, outcome, sentHeader, signingRoute, startSigning } from "../support/sign-world.js";

type Teardown = Parameters<typeof startRelay>[0];

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

/** A route that relays to the open bucket whatever the service says yes to. */
async function startFiles(t: Teardown, url: string, options = "", rest = "", allow = ""): Promise<RelayWorld> {
  const members = `forwardAuth: { url: "${url}"${options === "" ? "" : `, ${options}`} }${allow}`;
  const route = `  - { name: files, match: { hosts: [files.test] }, bucket: one, methods: [GET, HEAD, PUT], allow: { ${members} }${rest} }\n`;
  const world = await startRelay(t, route);
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  return world;
}

const get = (world: RelayWorld, headers: readonly string[] = [], target = "/a.txt") =>
  relay(world, { host: "files.test", target, headers });

t.test("a yes lets the request in, and what the service is told is what the client wrote", async (t) => {
  const service = await startAuthService(t, status(204));
  const world = await startFiles(t, service.url);
  const target = "/%61.txt?x=%2F&OSSAccessKeyId=ak";
  const headers = [
    "X-Forwarded-For",
    "203.0.113.9",
    "X-Forwarded-User",
    "root",
    "Cookie",
    "session=\xe9",
    "Cookie",
    "b=2",
  ];
  await relay(world, { host: "files.test:8080", target, headers: [...headers, "Authorization", "Bearer token"] });
  const [asked] = service.questions;
  t.equal(service.questions.length, 1);
  t.equal(asked?.method, "GET");
  t.equal(asked?.header("x-forwarded-method"), "GET");
  t.equal(asked?.header("x-forwarded-proto"), "http");
  t.equal(asked?.header("x-forwarded-host"), "files.test:8080");
  t.equal(asked?.header("x-forwarded-uri"), target);
  t.same(valuesOf(asked?.rawHeaders ?? [], "x-forwarded-for"), ["127.0.0.1"], "the client's own is not passed on");
  t.same(valuesOf(asked?.rawHeaders ?? [], "cookie"), ["session=\xe9", "b=2"]);
  t.same(valuesOf(asked?.rawHeaders ?? [], "authorization"), ["Bearer token"]);
  t.equal(asked?.header("x-forwarded-user"), undefined);
  t.equal(asked?.header("user-agent"), undefined);
  const { answer } = await get(world);
  t.equal(answer.status, 200);
  t.equal(answer.body.toString(), "hello");
});

t.test("a body is not sent to the service, and arrives upstream after its yes", async (t) => {
  const service = await startAuthService(t, (req, res) => {
    t.equal(req.headers["content-length"], undefined);
    t.equal(req.headers["transfer-encoding"], undefined);
    res.writeHead(200).end();
  });
  const world = await startFiles(t, service.url, "requestHeaders: [x-token]");
  const sent = { method: "PUT", host: "files.test", target: "/new.txt", body: "a body" };
  const { answer, capture } = await relay(world, { ...sent, headers: ["X-Token", "1"] });
  t.equal(answer.status, 200);
  t.equal(capture?.method, "PUT");
  t.equal(service.questions[0]?.method, "GET");
  t.equal(service.questions[0]?.header("x-forwarded-method"), "PUT");
  t.equal(service.questions[0]?.header("x-token"), "1");
  t.equal(service.questions[0]?.header("host"), `127.0.0.1:${service.port}`);
});

t.test("what a client declares to end with its connection is not sent to the service", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  await get(world, ["Connection", "close, cookie", "Cookie", "session=1"]);
  t.equal(service.questions[0]?.header("cookie"), undefined);
});

t.test("an Authorization that the service is sent goes no further, unless it signs for OSS", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  const { capture } = await get(world, ["Authorization", "Bearer token"]);
  t.same(valuesOf(capture?.rawHeaders ?? [], "authorization"), []);
  const signed = await get(world, ["Authorization", "OSS test-ak:c2ln"]);
  t.equal(service.questions[1]?.header("authorization"), undefined, "the service never sees it");
  t.same(valuesOf(signed.capture?.rawHeaders ?? [], "authorization"), ["OSS test-ak:c2ln"]);
  const other = await startFiles(t, service.url, "requestHeaders: [cookie]");
  const kept = await get(other, ["Authorization", "Bearer token"]);
  t.same(valuesOf(kept.capture?.rawHeaders ?? [], "authorization"), ["Bearer token"]);
  t.equal(service.questions[2]?.header("authorization"), undefined);
});

t.test("401 is passed on with its challenge, and redirects with their Location and cookies", async (t) => {
  const service = await startAuthService(t, status(401, { "WWW-Authenticate": 'Bearer realm="sso"', "X-Inner": "1" }));
  const world = await startFiles(t, service.url);
  const login = await get(world);
  t.equal(login.answer.status, 401);
  t.same(valuesOf(login.answer.rawHeaders, "www-authenticate"), ['Bearer realm="sso"']);
  t.same(valuesOf(login.answer.rawHeaders, "x-inner"), []);
  t.equal(login.entry.error, "LOGIN_REQUIRED");
  for (const code of [302, 303, 307]) {
    service.reply(status(code, { Location: "https://sso.test/?rd=%2Fa.txt", "Set-Cookie": ["a=1; HttpOnly", "b=2"] }));
    const { answer, entry, capture } = await get(world);
    t.equal(answer.status, code);
    t.same(valuesOf(answer.rawHeaders, "location"), ["https://sso.test/?rd=%2Fa.txt"]);
    t.same(valuesOf(answer.rawHeaders, "set-cookie"), ["a=1; HttpOnly", "b=2"]);
    t.same(valuesOf(answer.rawHeaders, "cache-control"), ["no-store"]);
    t.equal(entry.error, "FORWARD_AUTH_DENIED");
    t.equal(entry.status, code);
    t.equal(capture, undefined);
  }
});

t.test("any other 4xx is 403, and nothing of the service's own page is shown", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  for (const code of [400, 403, 404, 429]) {
    service.reply(status(code, { "X-Inner": "1" }, "inner page"));
    const { answer, entry, capture } = await get(world);
    t.equal(answer.status, 403);
    t.equal(entry.error, "FORWARD_AUTH_DENIED");
    t.equal(xmlText(answer.body, "Code"), "AccessDenied");
    t.notMatch(answer.rawHeaders.join() + answer.body.toString(), /inner|X-Inner/);
    t.equal(capture, undefined);
  }
});

t.test("an answer is remembered for the same request of the same client alone", async (t) => {
  const service = await startAuthService(t, (req, res) =>
    res.writeHead(req.headers.cookie === "session=good" ? 200 : 403).end(),
  );
  const world = await startFiles(t, service.url, "cache: 1m");
  const good = ["Cookie", "session=good"];
  t.equal((await get(world, good)).answer.status, 200);
  t.equal((await get(world, good)).answer.status, 200);
  t.equal(service.questions.length, 1);
  t.equal((await get(world, ["Cookie", "session=bad"])).answer.status, 403);
  t.equal((await get(world)).answer.status, 403);
  t.equal((await get(world, good, "/a.txt?x=1")).answer.status, 200);
  t.equal((await get(world, [...good, "Authorization", "Bearer x"])).answer.status, 200);
  t.equal((await relay(world, { host: "FILES.test", target: "/a.txt", headers: good })).answer.status, 200);
  t.equal(
    (await relay(world, { method: "HEAD", host: "files.test", target: "/a.txt", headers: good })).answer.status,
    200,
  );
  t.equal(service.questions.length, 7);
  t.equal((await get(world, good)).answer.status, 200);
  t.equal(service.questions.length, 7);
});

t.test("members that are known at once go first, then the password, then the service", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ossgate-logins-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "users");
  await writeFile(file, `anna:${bcrypt.hashSync("x", 4)}\n`);
  const service = await startAuthService(t, (req, res) =>
    res.writeHead(req.headers.cookie === "session=good" ? 200 : 403).end(),
  );
  const allow = `allow: { ${LINKS}, basic: { file: ${file} }, forwardAuth: { url: "${service.url}" } }`;
  const world = await startSigning(
    t,
    signingRoute("any", `${allow}, satisfy: any`) + signingRoute("all", `${allow}, satisfy: all`),
  );
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  const link = (route: string): string => `/a.txt?${linkOf(route, "/a.txt")}`;
  const password = ["Authorization", basic("anna", "x")];
  const wrong = ["Authorization", basic("anna", "y")];
  const cookie = ["Cookie", "session=good"];
  const rows: readonly (readonly [host: string, target: string, headers: string[], result: string, asked: number])[] = [
    ["any", "/a.txt", [], "LOGIN_REQUIRED", 1],
    ["any", link("any"), [], "200", 0],
    ["any", link("any"), wrong, "200", 0],
    ["any", "/a.txt", password, "200", 0],
    ["any", "/a.txt", cookie, "200", 1],
    ["any", "/a.txt", [...wrong, ...cookie], "200", 1],
    ["any", "/a.txt", wrong, "LOGIN_REQUIRED", 1],
    ["all", "/a.txt", [...password, ...cookie], "LINK_REQUIRED", 0],
    ["all", link("all"), cookie, "LOGIN_REQUIRED", 0],
    ["all", link("all"), [...wrong, ...cookie], "LOGIN_REQUIRED", 0],
    ["all", link("all"), password, "FORWARD_AUTH_DENIED", 1],
    ["all", link("all"), [...password, ...cookie], "200", 1],
  ];
  for (const [host, target, headers, result, asked] of rows) {
    const before = service.questions.length;
    const answer = await ask(world, { host: `${host}.test`, target, headers });
    const claim = `${host} ${target.length > 6 ? "link" : ""} ${headers.join(" ")}`;
    t.equal(outcome(answer), result, claim);
    t.equal(service.questions.length - before, asked, `asked: ${claim}`);
    if (result !== "200") continue;
    t.match(sentHeader(answer.captures[0] as never, "authorization"), /^OSS4-HMAC-SHA256 /);
  }
});

t.test("an address decides before anybody is asked, and deny before all", async (t) => {
  const service = await startAuthService(t);
  const inside = await startFiles(t, service.url, "", ", satisfy: any", ", clients: [127.0.0.1]");
  t.equal((await get(inside)).answer.status, 200);
  const outside = await startFiles(t, service.url, "", ", satisfy: all", ", clients: [192.0.2.1]");
  t.equal((await get(outside)).entry.error, "CLIENT_NOT_ALLOWED");
  const denied = await startFiles(t, service.url, "", ", deny: { clients: [127.0.0.1] }");
  t.equal((await get(denied)).entry.error, "CLIENT_NOT_ALLOWED");
  t.equal(service.questions.length, 0);
  const either = await startFiles(t, service.url, "", ", satisfy: any", ", clients: [192.0.2.1]");
  t.equal((await get(either)).answer.status, 200);
  t.equal(service.questions.length, 1);
});

t.test("a refused Referer and a refused method ask nobody", async (t) => {
  const service = await startAuthService(t);
  const rest = ", referer: { allowEmptyReferer: false, refererList: ['https://www.example.com'] }";
  const world = await startFiles(t, service.url, "", rest);
  t.equal((await get(world, ["Authorization", "Bearer x"])).entry.error, "REFERER_DENIED");
  t.equal(
    (await relay(world, { method: "DELETE", host: "files.test", target: "/a.txt" })).entry.error,
    "METHOD_NOT_ALLOWED",
  );
  t.equal(service.questions.length, 0);
  t.equal((await get(world, ["Referer", "https://www.example.com/"])).answer.status, 200);
  t.equal(service.questions.length, 1);
});
