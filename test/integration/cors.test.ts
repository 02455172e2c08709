import t from "tap";
import { valuesOf } from "../support/raw-client.js";
import { type RelayWorld, relay, startRelay } from "../support/relay-world.js";

// The rules of oss-semantics §6.5.
const R1 =
  '{ allowedOrigins: ["https://a.com", "http://*.b.com"], allowedMethods: [GET, HEAD], allowedHeaders: ["x-oss-*", range], exposeHeaders: [ETag, x-oss-request-id], maxAge: 10m }';
const R2 = '{ allowedOrigins: ["*"], allowedMethods: [GET] }';
const HOST = "img.example.com";

const routeWith = (cors: string, more = "") => `
  - name: images
    match: { hosts: [${HOST}] }
    bucket: one
    ${cors}
    ${more}
`;

async function start(t: Parameters<typeof startRelay>[0], cors: string, more = ""): Promise<RelayWorld> {
  const world = await startRelay(t, routeWith(cors, more));
  world.emulator.putObject("examplebucket", "k", "text", { "Content-Type": "text/plain" });
  return world;
}

const asks = (origin: string, method: string): string[] => ["Origin", origin, "Access-Control-Request-Method", method];

t.test("a preflight that a rule matches is answered here, and OSS hears nothing", async (t) => {
  const world = await start(t, `cors: { rules: [${R1}] }`);
  const { answer, entry, capture } = await relay(world, {
    method: "OPTIONS",
    host: HOST,
    target: "/k",
    headers: [...asks("https://a.com", "GET"), "Access-Control-Request-Headers", "X-OSS-Meta-Foo, Range"],
  });
  t.equal(answer.status, 200);
  t.equal(capture, undefined);
  t.match(entry, { status: 200, route: "images" });
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-origin"), ["https://a.com"]);
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-methods"), ["GET"]);
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-headers"), ["X-OSS-Meta-Foo, Range"]);
  t.same(valuesOf(answer.rawHeaders, "access-control-max-age"), ["600"]);
  t.same(valuesOf(answer.rawHeaders, "vary"), ["Origin"]);
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-private-network"), []);
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-credentials"), []);
});

t.test("a preflight that no rule matches, or that lacks something, is refused here", async (t) => {
  const world = await start(t, `cors: { rules: [${R1}] }`);
  const table: readonly (readonly [headers: string[], status: number, code: string])[] = [
    [asks("https://a.com", "PUT"), 403, "AccessForbidden"],
    [asks("https://evil.com", "GET"), 403, "AccessForbidden"],
    [["Origin", "https://a.com"], 400, "BadRequest"],
    [["Access-Control-Request-Method", "GET"], 400, "BadRequest"],
  ];
  for (const [headers, status, code] of table) {
    const { answer, capture } = await relay(world, { method: "OPTIONS", host: HOST, target: "/k", headers });
    t.equal(answer.status, status);
    t.match(answer.body.toString(), `<Code>${code}</Code>`);
    t.equal(capture, undefined);
    t.same(valuesOf(answer.rawHeaders, "access-control-allow-origin"), []);
  }
});

t.test("an answer carries the headers once, whatever the bucket's own rules say", async (t) => {
  const world = await start(t, `cors: { rules: [${R1}] }`);
  const own = {
    allowedOrigins: ["*"],
    allowedMethods: ["GET"],
    allowedHeaders: [],
    exposeHeaders: ["x-own"],
    maxAgeSeconds: 1,
  };
  world.emulator.setCors("examplebucket", [own]);
  for (const method of ["GET", "HEAD"]) {
    const { answer, capture } = await relay(world, {
      method,
      host: HOST,
      target: "/k",
      headers: ["Origin", "https://a.com"],
    });
    t.equal(answer.status, 200);
    t.ok(capture);
    t.same(valuesOf(answer.rawHeaders, "access-control-allow-origin"), ["https://a.com"]);
    t.same(valuesOf(answer.rawHeaders, "access-control-expose-headers"), ["ETag, x-oss-request-id"]);
    t.same(valuesOf(answer.rawHeaders, "vary"), ["Origin"]);
  }
  const foreign = await relay(world, { host: HOST, target: "/k", headers: ["Origin", "https://evil.com"] });
  t.equal(foreign.answer.status, 200);
  t.same(valuesOf(foreign.answer.rawHeaders, "access-control-allow-origin"), []);
  t.same(valuesOf(foreign.answer.rawHeaders, "vary"), ["Origin"]);
  const plain = await relay(world, { host: HOST, target: "/k" });
  t.same(valuesOf(plain.answer.rawHeaders, "access-control-allow-origin"), []);
  t.same(
    valuesOf(plain.answer.rawHeaders, "vary"),
    ["Origin"],
    "a cache must not keep this for pages of other origins",
  );
});

t.test("errors carry them too, OSS's and the gateway's own, so that a page can read why", async (t) => {
  const world = await start(t, `cors: { rules: [${R1}] }`);
  const headers = ["Origin", "https://a.com"];
  const missing = await relay(world, { host: HOST, target: "/none", headers });
  t.equal(missing.answer.status, 404);
  t.same(valuesOf(missing.answer.rawHeaders, "access-control-allow-origin"), ["https://a.com"]);
  const dead = await startRelay(
    t,
    routeWith(`cors: { rules: [${R1}] }`, "methods: [GET]").replace("bucket: one", "bucket: two"),
  );
  await dead.emulator.close();
  const failed = await relay(dead, { host: HOST, target: "/k", headers });
  t.equal(failed.answer.status, 502);
  t.same(valuesOf(failed.answer.rawHeaders, "access-control-allow-origin"), ["https://a.com"]);
  t.same(valuesOf(failed.answer.rawHeaders, "cache-control"), ["no-store"]);
});

t.test("a method that the route does not have is refused, and the page can read it", async (t) => {
  const rule = R1.replace("[GET, HEAD]", "[GET, HEAD, DELETE]");
  const world = await start(t, `cors: { rules: [${rule}] }`);
  const { answer } = await relay(world, {
    method: "DELETE",
    host: HOST,
    target: "/k",
    headers: ["Origin", "https://a.com"],
  });
  t.equal(answer.status, 405);
  t.same(valuesOf(answer.rawHeaders, "access-control-allow-origin"), ["https://a.com"]);
});

t.test("a page without an origin of its own gets only what is for all", async (t) => {
  const world = await start(t, `cors: { rules: [${R2}] }`);
  const all = await relay(world, { host: HOST, target: "/k", headers: ["Origin", "null"] });
  t.same(valuesOf(all.answer.rawHeaders, "access-control-allow-origin"), ["*"]);
  t.same(valuesOf(all.answer.rawHeaders, "vary"), []);
  const some = await start(t, `cors: { rules: [${R1}] }`);
  const none = await relay(some, { host: HOST, target: "/k", headers: ["Origin", "null"] });
  t.same(valuesOf(none.answer.rawHeaders, "access-control-allow-origin"), []);
});

t.test("a route without cors relays the question and the origin, and the bucket's rules rule", async (t) => {
  const world = await start(t, "");
  const own = {
    allowedOrigins: ["https://b.com"],
    allowedMethods: ["GET"],
    allowedHeaders: [],
    exposeHeaders: [],
    maxAgeSeconds: 7,
  };
  world.emulator.setCors("examplebucket", [own]);
  const question = await relay(world, {
    method: "OPTIONS",
    host: HOST,
    target: "/k",
    headers: asks("https://b.com", "GET"),
  });
  t.equal(question.answer.status, 200);
  t.ok(question.capture);
  t.same(valuesOf(question.answer.rawHeaders, "access-control-max-age"), ["7"]);
  const actual = await relay(world, { host: HOST, target: "/k", headers: ["Origin", "https://b.com"] });
  t.same(valuesOf(actual.answer.rawHeaders, "access-control-allow-origin"), ["https://b.com"]);
});
