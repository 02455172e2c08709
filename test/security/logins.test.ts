import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import bcrypt from "bcrypt";
import t from "tap";
import { startAuthService, status } from "../support/auth-service.js";
import { head, RawConnection, valuesOf } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, relay, startRelay } from "../support/relay-world.js";
import { ask, everythingOf, outcome, signingRoute, startSigning } from "../support/sign-world.js";

type Teardown = Parameters<typeof startRelay>[0];

const PASSWORD = "planted-password-7531";
const TOKEN = "planted-token-8642";

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

async function users(t: Teardown, cost = 4): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ossgate-logins-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "users");
  await writeFile(file, `anna:${await bcrypt.hash(PASSWORD, cost)}\n`);
  return file;
}

async function startFiles(t: Teardown, allow: string, more = ""): Promise<RelayWorld> {
  const world = await startRelay(
    t,
    `  - { name: files, match: { hosts: [files.test] }, bucket: one, methods: [GET, HEAD, PUT, DELETE], allow: { ${allow} } }\n${more}`,
  );
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  return world;
}

const get = (world: RelayWorld, headers: readonly string[], target = "/a.txt") =>
  relay(world, { host: "files.test", target, headers });

/** Hears all that the gateway's own log gets. */
function logOf({ gateway }: RelayWorld): string[] {
  const lines: string[] = [];
  for (const level of ["debug", "info", "warn", "error"] as const) {
    Object.assign(gateway.gateway.log, {
      [level]: (...parts: readonly unknown[]) => lines.push(JSON.stringify(parts)),
    });
  }
  return lines;
}

t.test("no password and no token is in a log, a metric, an answer or a request to OSS", async (t) => {
  const service = await startAuthService(t);
  const file = await users(t);
  const world = await startFiles(
    t,
    `basic: { file: ${file} }, forwardAuth: { url: "${service.url}", cache: 1m, requestHeaders: [authorization, cookie, x-token] } }, satisfy: any, deny: { clients: [192.0.2.1]`,
  );
  const log = logOf(world);
  const secrets = [PASSWORD, TOKEN, Buffer.from(`anna:${PASSWORD}`).toString("base64")];
  const seen: string[] = [];
  const sent = [
    ["Authorization", basic("anna", PASSWORD)],
    ["Authorization", basic("anna", `${PASSWORD}x`)],
    ["Authorization", basic("nobody", PASSWORD)],
    ["Authorization", `Bearer ${TOKEN}`],
    ["X-Token", TOKEN],
  ];
  const replies = [
    status(200),
    status(403),
    status(401),
    status(500),
    status(302, { Location: "/login" }),
    (req: { readonly socket: { destroy(): void } }) => req.socket.destroy(),
  ];
  for (const reply of replies) {
    service.reply(reply as never);
    for (const headers of sent) {
      const { answer, capture } = await get(world, headers, `/a.txt?${seen.length}`);
      seen.push(answer.rawHeaders.join("\n"), answer.body.toString());
      if (capture !== undefined) {
        t.same(valuesOf(capture.rawHeaders, "authorization"), []);
        seen.push(valuesOf(capture.rawHeaders, "authorization").join());
      }
    }
  }
  seen.push(...log, JSON.stringify(world.gateway.accessLog), await world.gateway.metrics());
  for (const secret of secrets) t.notOk(seen.join("\n").includes(secret), secret.slice(0, 8));
  t.ok(
    log.some((line) => line.includes("no answer")),
    "the log was heard",
  );
  t.ok(
    service.questions.some(({ rawHeaders }) => rawHeaders.join().includes(TOKEN)),
    "the tokens were sent",
  );
});

const hostile: readonly (readonly [claim: string, headers: readonly string[]])[] = [
  ["a list in one line", ["Authorization", `${basic("anna", PASSWORD)}, Basic eDp5`]],
  ["proxy credentials", ["Proxy-Authorization", basic("anna", PASSWORD)]],
  ["another case of the name", ["Authorization", basic("Anna", PASSWORD)]],
  ["another composition of the name", ["Authorization", basic("anna\u0301", PASSWORD)]],
  ["a NUL behind the password", ["Authorization", basic("anna", `${PASSWORD}\0`)]],
  ["a property of every object", ["Authorization", basic("__proto__", PASSWORD)]],
  ["a name that is a hash", ["Authorization", basic("$2b$04$", PASSWORD)]],
  ["user info in a header of ours", ["X-Forwarded-User", "anna", "Remote-User", "anna"]],
];

t.test("nothing but one plain pair logs in", async (t) => {
  const world = await startFiles(t, `basic: { file: ${await users(t)} }`);
  for (const [claim, headers] of hostile) {
    const { answer, capture } = await get(world, headers);
    t.equal(answer.status, 401, claim);
    t.equal(capture, undefined, claim);
  }
  t.equal((await get(world, ["Authorization", basic("anna", PASSWORD)])).answer.status, 200);
});

t.test("of two Authorization lines one may be for somebody else: neither logs in, neither goes on", async (t) => {
  const file = await users(t);
  const either = `basic: { file: ${file} }, clients: [127.0.0.1] }, satisfy: any, requestHeaders: { remove: []`;
  const open = await startFiles(t, either);
  const closed = await startFiles(t, `basic: { file: ${file} }`);
  const good = basic("anna", PASSWORD);
  for (const [first, second] of [
    [good, "Basic eDp5"],
    ["Basic eDp5", good],
    [good, "OSS ak:c2ln"],
    ["OSS ak:c2ln", good],
  ] as const) {
    for (const world of [open, closed]) {
      const { answer, capture } = await get(world, ["Authorization", first, "Authorization", second]);
      t.equal(answer.status, 400, `${first}, ${second}`);
      t.equal(capture, undefined);
    }
  }
});

t.test("an empty password logs nobody in, not where its hash is in the file either", async (t) => {
  const file = await users(t);
  await appendFile(file, `guest:${await bcrypt.hash("", 4)}\n`);
  const world = await startFiles(t, `basic: { file: ${file} }`);
  for (const name of ["guest", "anna", "nobody", ""]) {
    for (let i = 0; i < 2; i += 1) {
      const { answer, capture } = await get(world, ["Authorization", basic(name, "")]);
      t.equal(answer.status, 401, name);
      t.equal(capture, undefined, name);
    }
  }
  t.equal((await get(world, ["Authorization", basic("anna", PASSWORD)])).answer.status, 200, "the file is read");
});

t.test("a client cannot answer for the service, or ask it in another's name", async (t) => {
  const service = await startAuthService(t, (req, res) => {
    const isTrusted = req.headers["x-forwarded-for"] === "127.0.0.1" && req.headers["x-forwarded-uri"] === "/a.txt";
    res.writeHead(isTrusted && req.headers["x-forwarded-method"] === "GET" ? 403 : 200).end();
  });
  const names = "requestHeaders: [x-other, cookie]";
  const world = await startFiles(t, `forwardAuth: { url: "${service.url}", ${names}, cache: 1m }`);
  const forged = ["X-Forwarded-For", "192.0.2.7", "X-Forwarded-Uri", "/b.txt", "X-Forwarded-Method", "HEAD"];
  for (const headers of [[], forged, [...forged, ...forged], ["X-Other", "a, b"], ["x-FORWARDED-uri", "/b.txt"]]) {
    const { answer, capture } = await get(world, headers);
    t.equal(answer.status, 403, headers.join());
    t.equal(capture, undefined);
  }
  for (const { rawHeaders } of service.questions) {
    t.equal(valuesOf(rawHeaders, "x-forwarded-uri").length, 1);
    t.equal(valuesOf(rawHeaders, "x-forwarded-for").length, 1);
    t.equal(valuesOf(rawHeaders, "x-forwarded-host").length, 1);
  }
});

t.test("a yes for one method, path or query is none for another", async (t) => {
  const service = await startAuthService(t, (req, res) =>
    res
      .writeHead(req.headers["x-forwarded-uri"] === "/a.txt" && req.headers["x-forwarded-method"] === "GET" ? 200 : 403)
      .end(),
  );
  const world = await startFiles(t, `forwardAuth: { url: "${service.url}", cache: 1m }`);
  t.equal((await get(world, [])).answer.status, 200);
  for (const target of ["/b.txt", "/a.txt?", "/a.txt?acl", "/%61.txt", "//a.txt", "/a.txt/"]) {
    t.equal((await get(world, [], target)).answer.status, 403, target);
  }
  for (const method of ["HEAD", "PUT", "DELETE"]) {
    const { answer } = await relay(world, { method, host: "files.test", target: "/a.txt", body: "x" });
    t.equal(answer.status, 403, method);
  }
});

t.test("a request that is routed by its decoded path is asked about as it is sent", async (t) => {
  const service = await startAuthService(t, status(403));
  const open = "  - { name: open, match: { hosts: [files.test], pathPrefix: /open }, bucket: one }\n";
  const world = await startFiles(t, `forwardAuth: { url: "${service.url}" }`, open);
  world.emulator.putObject(BUCKET, "open/a.txt", "open");
  t.equal((await get(world, [], "/open/a.txt")).answer.status, 200);
  for (const target of ["/open%2F..%2Fa.txt", "/openx/a.txt", "/OPEN/a.txt"]) {
    const { answer, entry } = await get(world, [], target);
    if (entry.route === "files") t.equal(answer.status, 403, target);
  }
  t.ok(service.questions.length >= 2);
});

t.test("a flood of wrong passwords is bounded, and neither a known pair nor another route waits for it", async (t) => {
  const more = "  - { name: open, match: { hosts: [open.test] }, bucket: one }\n";
  const world = await startFiles(t, `basic: { file: ${await users(t, 8)} }`, more);
  t.equal((await get(world, ["Authorization", basic("anna", PASSWORD)])).answer.status, 200);
  const flood = await Promise.all(Array.from({ length: 200 }, () => RawConnection.open(world.gateway.port)));
  t.teardown(() => flood.forEach((connection) => void connection.close()));
  for (const [i, connection] of flood.entries()) {
    connection.send(head("GET", "/a.txt", ["Host", "files.test", "Authorization", basic("anna", `guess ${i}`)]));
  }
  const answers = Promise.all(flood.map((connection) => connection.answer()));
  t.equal((await get(world, ["Authorization", basic("anna", PASSWORD)])).answer.status, 200, "remembered");
  t.equal((await relay(world, { host: "open.test", target: "/a.txt" })).answer.status, 200);
  const before = world.gateway.accessLog.filter((entry) => entry.status === 401).length;
  const all = await answers;
  const busy = all.filter((answer) => answer.status === 503);
  t.ok(busy.length >= 100, `${busy.length} of 200 were not even hashed`);
  t.ok(before < 200 - busy.length, `${before} of ${200 - busy.length} guesses were answered before`);
  for (const answer of busy) t.same(valuesOf(answer.rawHeaders, "retry-after"), ["1"]);
  t.ok(all.every((answer) => answer.status === 503 || answer.status === 401));
});

t.test("on a route that signs, nobody gets the gateway's signature without a login", async (t) => {
  const service = await startAuthService(t, status(500));
  const file = await users(t);
  const world = await startSigning(
    t,
    signingRoute("basic", `allow: { basic: { file: ${file} } }`) +
      signingRoute("service", `allow: { forwardAuth: { url: "${service.url}" } }`) +
      signingRoute("both", `allow: { basic: { file: ${file} }, forwardAuth: { url: "${service.url}" } }, satisfy: all`),
  );
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  const tries = [[], ["Authorization", basic("anna", "x")], ["Authorization", `Bearer ${TOKEN}`], ["Cookie", "a=b"]];
  for (const host of ["basic.test", "service.test", "both.test"])
    for (const headers of tries)
      for (const method of ["GET", "HEAD"]) {
        const answer = await ask(world, { method, host, target: "/a.txt", headers });
        t.ok(answer.status >= 400, `${method} ${host} ${headers.join(" ")}: ${outcome(answer)}`);
        t.equal(answer.captures.length, 0);
        t.notMatch(everythingOf(answer), /hello|gateway-ak|gateway-sk/);
      }
  const both = await ask(world, {
    host: "both.test",
    target: "/a.txt",
    headers: ["Authorization", basic("anna", PASSWORD)],
  });
  t.equal(outcome(both), "FORWARD_AUTH_UNAVAILABLE", "a right password does not make up for the service");
  const preflight = {
    method: "OPTIONS",
    host: "basic.test",
    target: "/a.txt",
    headers: ["Origin", "https://a.test", "Access-Control-Request-Method", "GET"],
  };
  const asked = await ask(world, preflight);
  t.notMatch(everythingOf(asked), /hello|gateway-ak/, "a question before a request tells nothing of the object");
});
