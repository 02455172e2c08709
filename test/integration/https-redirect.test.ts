import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { valuesOf } from "../support/raw-client.js";
import { BUCKET, DOMAIN, relay, startRelay } from "../support/relay-world.js";
import { pairsOf, TestAuthority } from "../support/tls-world.js";

const ROUTE = (keys: string) => `  - name: r
    match: { hosts: [${DOMAIN}, "*.wild.example", 47.0.2.74, "2001:db8::1"] }
    bucket: one
    methods: [GET, HEAD, PUT]
    ${keys}
`;
const PLAIN = 'listeners: [{ name: web, address: "127.0.0.1:0" }]';

t.test("plain HTTP is sent to https of the host that the route was found by", async (t) => {
  const world = await startRelay(t, ROUTE("httpsRedirect: true"), `${PLAIN}\ntrustedProxies: [10.0.0.0/8]`);
  const rows: readonly [method: string, host: string, target: string, status: number, location: string | undefined][] =
    [
      ["GET", DOMAIN, "/a%20b?x=1&y", 301, `https://${DOMAIN}/a%20b?x=1&y`],
      ["HEAD", DOMAIN, "/", 301, `https://${DOMAIN}/`],
      ["GET", `${DOMAIN.toUpperCase()}:8080`, "/a", 301, `https://${DOMAIN}/a`],
      ["GET", "a.wild.example", "/a?", 301, "https://a.wild.example/a?"],
      ["GET", "47.0.2.74", "/a", 301, "https://47.0.2.74/a"],
      ["GET", "[2001:DB8:0::1]:80", "/a", 301, "https://[2001:db8::1]/a"],
      ["PUT", DOMAIN, "/a", 308, `https://${DOMAIN}/a`],
      ["OPTIONS", DOMAIN, "/a", 308, `https://${DOMAIN}/a`],
      ["GET", "evil.example", "/a", 404, undefined],
      ["GET", DOMAIN, "//evil.example/a", 400, undefined],
      ["GET", DOMAIN, "/%2fevil.example", 400, undefined],
      ["GET", DOMAIN, "/\\evil.example", 400, undefined],
    ];
  for (const [method, host, target, status, location] of rows) {
    const body = method === "PUT" ? "hello" : undefined;
    const { answer, capture } = await relay(world, { method, host, target, ...(body === undefined ? {} : { body }) });
    t.equal(answer.status, status, `${method} ${host} ${target}`);
    t.equal(valuesOf(answer.rawHeaders, "location")[0], location, `${method} ${host} ${target}`);
    t.equal(capture, undefined, "nothing goes to OSS");
    t.strictSame(valuesOf(answer.rawHeaders, "strict-transport-security"), []);
  }
  const claimed = await relay(world, { host: DOMAIN, target: "/a", headers: ["X-Forwarded-Proto", "https"] });
  t.equal(claimed.answer.status, 301, "nobody's word is taken for https but a trusted proxy's");
});

t.test("addresses and rates come before the redirect, and nothing that a client has to show does", async (t) => {
  const world = await startRelay(
    t,
    ROUTE(`httpsRedirect: true
    referer: { allowEmptyReferer: false, refererList: ["https://www.example.com"] }
    deny: { clients: [203.0.113.0/24] }
    limits: { perClient: { requests: 0.1/s } }`),
    `${PLAIN}\ntrustedProxies: [127.0.0.1]`,
  );
  const ask = async (client: string, method = "GET") => {
    const headers = ["X-Forwarded-For", client];
    const { answer, entry } = await relay(world, { method, host: DOMAIN, target: "/a", headers });
    return [answer.status, entry.error, valuesOf(answer.rawHeaders, "location").length];
  };
  t.strictSame(await ask("203.0.113.7"), [403, "CLIENT_NOT_ALLOWED", 0], "who is denied learns of no host");
  t.strictSame(await ask("198.51.100.1"), [301, undefined, 1], "no referer is asked for");
  t.strictSame(await ask("198.51.100.1"), [429, "RATE_LIMITED", 0], "redirects count");
  t.strictSame(await ask("198.51.100.2", "DELETE"), [308, undefined, 1], "nor a method that is served");
});

t.test("a trusted proxy's word for https counts, for the redirect and for HSTS", async (t) => {
  const world = await startRelay(
    t,
    ROUTE("httpsRedirect: true\n    httpsPort: 8443\n    hsts: { includeSubDomains: true }"),
    `${PLAIN}\ntrustedProxies: [127.0.0.1]`,
  );
  world.emulator.putObject(BUCKET, "a", "hello");
  const plain = await relay(world, { host: DOMAIN, target: "/a" });
  t.strictSame(valuesOf(plain.answer.rawHeaders, "location"), [`https://${DOMAIN}:8443/a`]);
  const secure = await relay(world, { host: DOMAIN, target: "/a", headers: ["X-Forwarded-Proto", "https"] });
  t.equal(secure.answer.status, 200);
  t.strictSame(valuesOf(secure.answer.rawHeaders, "strict-transport-security"), [
    "max-age=31536000; includeSubDomains",
  ]);
});

t.test("HSTS is on all answers over TLS, OSS's and the gateway's, once, and on none without TLS", async (t) => {
  const ca = new TestAuthority(t);
  const pair = pairsOf(ca.issue({ san: `DNS:${DOMAIN}` }));
  const world = await startRelay(
    t,
    ROUTE("hsts: { maxAge: 1h }"),
    `listeners: [{ name: web, address: "127.0.0.1:0" }, { name: secure, address: "127.0.0.1:0", tls: { certificates: ${pair} } }]`,
  );
  world.emulator.putObject(BUCKET, "a", "hello");
  const port = world.gateway.gateway.addresses.get("secure")?.port ?? 0;
  const ask = (method: string, path: string) =>
    new Promise<readonly [status: number, hsts: readonly string[]]>((resolve, reject) => {
      const req = request(
        {
          port,
          method,
          path,
          servername: DOMAIN,
          ca: readFileSync(ca.caFile),
          headers: { host: DOMAIN },
          agent: false,
        },
        (res) => {
          res
            .resume()
            .on("end", () => resolve([res.statusCode ?? 0, valuesOf(res.rawHeaders, "strict-transport-security")]));
        },
      );
      req.on("error", reject).end();
    });
  for (const [method, path, status] of [
    ["GET", "/a", 200],
    ["HEAD", "/a", 200],
    ["GET", "/none", 404],
    ["DELETE", "/a", 405],
  ] as const) {
    t.strictSame(await ask(method, path), [status, ["max-age=3600"]], `${method} ${path}`);
  }
  world.emulator.faults.failNext(1, {
    kind: "answer",
    status: 200,
    headers: ["Strict-Transport-Security", "max-age=1"],
    body: "x",
  });
  t.strictSame(await ask("GET", "/a"), [200, ["max-age=3600"]], "the route's goes before OSS's");
  const plain = await relay(world, { host: DOMAIN, target: "/a" });
  t.strictSame(valuesOf(plain.answer.rawHeaders, "strict-transport-security"), []);
});

t.test("ACME's challenges: small files of the folder itself, for every host, before the redirect", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ossgate-acme-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const challenges = join(folder, "challenges");
  mkdirSync(join(challenges, "folder"), { recursive: true });
  writeFileSync(join(challenges, "token_-1"), "token_-1.thumb");
  writeFileSync(join(challenges, "empty"), "");
  writeFileSync(join(challenges, "large"), "x".repeat(4_097));
  writeFileSync(join(challenges, "with.dot"), "secret");
  writeFileSync(join(folder, "outside"), "secret");
  symlinkSync(join(folder, "outside"), join(challenges, "link"));
  execFileSync("mkfifo", [join(challenges, "pipe")]);
  const world = await startRelay(
    t,
    ROUTE("httpsRedirect: true"),
    `${PLAIN}\ntrustedProxies: [10.0.0.0/8]\nacmeChallengeDirectory: ${challenges}`,
  );
  const at = "/.well-known/acme-challenge/";
  const rows: readonly [method: string, target: string, status: number, body?: string][] = [
    ["GET", `${at}token_-1`, 200, "token_-1.thumb"],
    ["GET", `${at}token_-1?x=1`, 200, "token_-1.thumb"],
    ["HEAD", `${at}token_-1`, 200, ""],
    ["GET", `${at}empty`, 200, ""],
    ["GET", `${at}none`, 404],
    ["GET", `${at}large`, 404],
    ["GET", `${at}with.dot`, 404],
    ["GET", `${at}link`, 404],
    ["GET", `${at}pipe`, 404],
    ["GET", `${at}folder`, 404],
    ["GET", at, 404],
    ["GET", `${at}../../outside`, 404],
    ["GET", `${at}..%2f..%2foutside`, 404],
    ["GET", `${at}%74oken_-1`, 404],
    ["GET", `${at}token_-1/`, 404],
    ["GET", `${at}token_-1%00`, 404],
    ["GET", `${at}${"a".repeat(257)}`, 404],
    ["PUT", `${at}token_-1`, 404],
  ];
  for (const [method, target, status, body] of rows) {
    for (const host of [DOMAIN, "unknown.example"]) {
      const sent = { method, host, target, ...(method === "PUT" ? { body: "x" } : {}) };
      const { answer, capture } = await relay(world, sent);
      t.equal(answer.status, status, `${method} ${target.slice(0, 60)} of ${host}`);
      t.equal(capture, undefined, "never OSS's");
      if (body === undefined) continue;
      t.equal(answer.body.toString(), body);
      t.strictSame(valuesOf(answer.rawHeaders, "content-type"), ["text/plain"]);
    }
  }
  const other = await relay(world, { host: DOMAIN, target: "/.well-known/acme-challengex" });
  t.equal(other.answer.status, 301);
});

t.test("without a folder they are requests like others", async (t) => {
  const world = await startRelay(t, ROUTE(""), PLAIN);
  world.emulator.putObject(BUCKET, ".well-known/acme-challenge/x", "of the bucket");
  const { answer } = await relay(world, { host: DOMAIN, target: "/.well-known/acme-challenge/x" });
  t.equal(answer.body.toString(), "of the bucket");
});
