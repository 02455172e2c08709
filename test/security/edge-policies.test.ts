import t from "tap";
import { readConfig } from "../../src/config/read-config.js";
import { startAuthService, status } from "../support/auth-service.js";
import { startGateway } from "../support/gateway.js";
import { answerTo, head, type RawAnswer, valuesOf } from "../support/raw-client.js";
import { BUCKET, relay, startRelay } from "../support/relay-world.js";
import { answerText, startStrictOrigin } from "../support/strict-origin.js";

const RULES = (origin: string): string =>
  `cors: { rules: [{ allowedOrigins: ["${origin}"], allowedMethods: [GET], allowedHeaders: ["*"] }] }`;

t.test("no rule for headers makes the answer for one origin pass for another's", async (t) => {
  const names = [
    "set: { vary: Accept }",
    "set: { Vary: Accept }, always: true",
    "remove: [vary]",
    "set: { vary: Accept }, remove: [vary]",
  ];
  const route = (name: string, rule: string): string =>
    `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one, responseHeaders: { ${rule} }, ${RULES("https://a.test")} }\n`;
  const world = await startRelay(t, names.map((rule, i) => route(`r${i}`, rule)).join(""));
  world.emulator.putObject(BUCKET, "k", "text");
  for (const [i, rule] of names.entries()) {
    for (const origin of ["https://a.test", "https://other.test", null]) {
      const headers = origin === null ? [] : ["Origin", origin];
      for (const target of ["/k", "/missing"]) {
        const { answer } = await relay(world, { host: `r${i}.test`, target, headers });
        const vary = valuesOf(answer.rawHeaders, "vary").join(", ").toLowerCase().split(", ");
        t.ok(vary.includes("origin"), `${rule}, ${target}, ${origin}: ${vary}`);
        const allowed = valuesOf(answer.rawHeaders, "access-control-allow-origin");
        t.same(allowed, origin === "https://a.test" ? [origin] : [], `${rule}, ${target}, ${origin}`);
      }
    }
  }
});

t.test("what CORS says can be neither set nor removed beside it", (t) => {
  const config = (rule: string): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
buckets: { one: { bucket: ${BUCKET}, region: cn-beijing } }
routes: [{ name: r, match: { hosts: [r.test] }, bucket: one, ${RULES("*")}, responseHeaders: { ${rule} } }]
`;
  const isTaken = (rule: string): boolean => readConfig(config(rule), "test.yaml").ok;
  t.ok(isTaken("remove: [server]"), "the rest of it is good");
  for (const rule of [
    "remove: [access-control-allow-origin]",
    "remove: [Access-Control-Allow-Origin]",
    'set: { access-control-allow-origin: "*" }',
    'set: { Access-Control-Allow-Credentials: "true" }',
  ])
    t.notOk(isTaken(rule), rule);
  t.end();
});

t.test("a preflight with thousands of header names is refused unread, whatever the rules allow", async (t) => {
  const world = await startRelay(t, `  - { name: r, match: { hosts: [r.test] }, bucket: one, ${RULES("*")} }\n`);
  const preflight = (names: string) =>
    relay(world, {
      method: "OPTIONS",
      host: "r.test",
      target: "/k",
      headers: [
        "Origin",
        "https://a.test",
        "Access-Control-Request-Method",
        "GET",
        "Access-Control-Request-Headers",
        names,
      ],
    });
  for (const [count, expected] of [
    [200, 200],
    [201, 403],
    [15_000, 403],
  ] as const) {
    const { answer, capture } = await preflight(Array.from({ length: count }, (_, i) => "abcxyz"[i % 6]).join());
    t.equal(answer.status, expected, `${count} names`);
    t.equal(capture, undefined);
  }
});

t.test("a Location of the upstream's is not made into one that names another host", async (t) => {
  const origin = await startStrictOrigin(t);
  const route = (name: string, rest: string): string =>
    `  - { name: ${name}, match: { hosts: [${name}.test]${rest}, bucket: one, keyPrefix: tenant/ }\n`;
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}" } }
routes:
${route("bound", " }")}${route("stripped", ", pathPrefix: /in }, stripPrefix: true")}`,
  );
  const locationOf = async (host: string, target: string, location: string): Promise<string | undefined> => {
    origin.reply(() => answerText(302, ["Location", location], ""));
    const answer = await answerTo(gateway.port, head("GET", target, ["Host", host]));
    t.equal(answer.status, 302);
    return valuesOf(answer.rawHeaders, "location")[0];
  };
  t.equal(await locationOf("bound.test", "/a", "/tenant/x"), "/x", "it is rewritten where that is safe");
  t.equal(await locationOf("stripped.test", "/in/a", "/tenant/x"), "/in/x");
  for (const rest of [
    "/evil.example/x",
    "\\evil.example/x",
    "%2fevil.example",
    "%5Cevil.example",
    "/\\evil.example",
    "//evil.example",
  ]) {
    const location = (await locationOf("bound.test", "/a", `/tenant/${rest}`)) ?? "";
    t.notMatch(location, /^\/(?:[/\\]|%2f|%5c)/i, rest);
    t.notMatch(new URL(location, "http://bound.test/a").hostname, "evil.example", rest);
    const own = (await locationOf("bound.test", "/a", `http://127.0.0.1:${origin.port}/tenant/${rest}`)) ?? "";
    t.notMatch(new URL(own, "http://bound.test/a").hostname, "evil.example", rest);
  }
});

t.test("a cookie that a service is asked about goes no further on a route that relays", async (t) => {
  const service = await startAuthService(t, status(204));
  const route = (name: string, options: string): string =>
    `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: one, methods: [GET, PUT], allow: { forwardAuth: { url: "${service.url}"${options} } } }\n`;
  const world = await startRelay(t, route("asked", "") + route("other", ", requestHeaders: [x-token]"));
  world.emulator.putObject(BUCKET, "k", "text");
  const headers = ["cOOkie", "session=1", "Cookie", "second=2", "X-Token", "1"];
  for (const [method, body] of [["GET"], ["PUT", "body"]] as const) {
    const sent = { method, target: "/k", headers, ...(body === undefined ? {} : { body }) };
    const asked = await relay(world, { host: "asked.test", ...sent });
    t.equal(asked.answer.status, 200);
    t.same(valuesOf(service.questions.at(-1)?.rawHeaders ?? [], "cookie"), ["session=1", "second=2"]);
    t.same(valuesOf(asked.capture?.rawHeaders ?? [], "cookie"), []);
    t.same(valuesOf(asked.capture?.rawHeaders ?? [], "x-token"), ["1"], "what is not the service's is relayed");
    const other = await relay(world, { host: "other.test", ...sent });
    t.equal(valuesOf(other.capture?.rawHeaders ?? [], "cookie").join("; "), "session=1; second=2");
  }
});

t.test("that a proxy in front ends TLS is believed of trusted ones alone", async (t) => {
  const service = await startAuthService(t, status(204));
  const routes = `
  - { name: asked, match: { hosts: [asked.test] }, bucket: one, allow: { forwardAuth: { url: "${service.url}" } } }
  - { name: site, match: { hosts: [site.test] }, bucket: one, indexDocument: index.html }
`;
  for (const [trusted, expected] of [
    ["[127.0.0.1]", "https"],
    ["[127.0.0.9]", "http"],
    ["[]", "http"],
  ] as const) {
    const listeners = 'listeners: [{ name: web, address: "127.0.0.1:0" }]';
    const world = await startRelay(t, routes, `${listeners}\ntrustedProxies: ${trusted}`);
    for (const key of ["k", "dir/index.html"]) world.emulator.putObject(BUCKET, key, "text");
    // The proxy's own address as the client's: whether the peer is believed does not hang on whom it names.
    for (const client of [[], ["X-Forwarded-For", "192.0.2.1"], ["X-Forwarded-For", "127.0.0.1"]]) {
      const headers = ["X-Forwarded-Proto", "https", ...client];
      const { answer } = await relay(world, { host: "asked.test", target: "/k", headers });
      t.equal(answer.status, 200);
      t.equal(service.questions.at(-1)?.header("x-forwarded-proto"), expected, `${trusted} ${client}`);
      const found: RawAnswer = (await relay(world, { host: "site.test", target: "/dir", headers })).answer;
      t.same(valuesOf(found.rawHeaders, "location"), [`${expected}://site.test/dir/`], `${trusted} ${client}`);
    }
  }
});

t.test("a raw plus opens no path that its referer guards", async (t) => {
  const world = await startRelay(
    t,
    `
  - { name: guarded, match: { hosts: [p.test], pathPrefix: "/a b" }, bucket: one, referer: { allowEmptyReferer: false, refererList: ["https://www.example.com"] } }
  - { name: open, match: { hosts: [p.test] }, bucket: one }
`,
  );
  for (const key of ["a b/x", "a+b/x", "c+d/x"]) world.emulator.putObject(BUCKET, key, key);
  const get = (target: string, headers: readonly string[] = []) => relay(world, { host: "p.test", target, headers });
  t.equal((await get("/a%20b/x")).answer.status, 403, "the guard stands");
  t.equal((await get("/a%20b/x", ["Referer", "https://www.example.com/"])).answer.status, 200);
  for (const target of ["/a+b/x", "/a+b/x?y", "/%61+b/x"]) {
    for (const headers of [[], ["Referer", "https://www.example.com/"]]) {
      const { answer, capture } = await get(target, headers);
      t.equal(valuesOf(answer.rawHeaders, "x-ossgate-error")[0], "MALFORMED_TARGET", target);
      t.equal(capture, undefined, target);
    }
  }
  t.equal((await get("/a%2Bb/x")).answer.body.toString(), "a+b/x", "a plus that is written so is none");
  t.equal((await get("/c+d/x")).answer.status, 200, "where no guard stands");
});
