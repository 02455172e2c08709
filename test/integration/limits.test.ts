import t from "tap";
import { valuesOf } from "../support/raw-client.js";
import { type Relayed, type RelayWorld, relay, startRelay } from "../support/relay-world.js";

const HOST = "img.example.com";
const route = (limits: string, more = ""): string => `
  - name: images
    match: { hosts: [${HOST}] }
    bucket: one
    limits: ${limits}
    ${more}
`;

async function start(t: Parameters<typeof startRelay>[0], limits: string, more = ""): Promise<RelayWorld> {
  const world = await startRelay(t, route(limits, more));
  world.emulator.putObject("examplebucket", "k", "text", { "Content-Type": "text/plain" });
  return world;
}

const get = (world: RelayWorld, headers: readonly string[] = []): Promise<Relayed> =>
  relay(world, { host: HOST, target: "/k", headers });

const limited = (labels: string): string => `ossgate_limited_total{${labels}}`;

t.test("what is over a route's rate is answered 429 with Retry-After, as OSS words it", async (t) => {
  const world = await start(t, "{ requests: 0.1/s, burst: 2 }");
  t.equal((await get(world)).answer.status, 200);
  t.equal((await get(world)).answer.status, 200);
  const { answer, entry, capture } = await get(world);
  t.equal(answer.status, 429);
  t.equal(capture, undefined, "OSS hears nothing of it");
  t.match(answer.body.toString(), "<Code>QpsLimitExceeded</Code>");
  t.match(valuesOf(answer.rawHeaders, "retry-after")[0], /^([1-9]|10)$/);
  t.same(valuesOf(answer.rawHeaders, "cache-control"), ["no-store"]);
  t.match(entry, { status: 429, error: "RATE_LIMITED", route: "images" });
  const labels = 'route="images",party="all",limit="requests",enforced="true"';
  t.equal(await world.gateway.metric(limited(labels)), 1);
});

t.test("a route may answer 503 as NGINX does", async (t) => {
  const world = await start(t, "{ requests: 0.1/s, burst: 1, status: 503 }");
  await get(world);
  const { answer } = await get(world);
  t.equal(answer.status, 503);
  t.equal(valuesOf(answer.rawHeaders, "retry-after").length, 1);
});

t.test("each client has a rate of its own, and what one is refused takes nothing from the others", async (t) => {
  const world = await startRelay(
    t,
    route("{ requests: 0.1/s, burst: 3, perClient: { requests: 0.1/s, burst: 1 } }"),
    'listeners: [{ name: web, address: "127.0.0.1:0" }]\ntrustedProxies: [127.0.0.1]',
  );
  world.emulator.putObject("examplebucket", "k", "text");
  const from = async (client: string): Promise<number> => (await get(world, ["X-Forwarded-For", client])).answer.status;
  t.equal(await from("192.0.2.1"), 200);
  for (let i = 0; i < 5; i += 1) t.equal(await from("192.0.2.1"), 429);
  t.equal(await from("192.0.2.2"), 200);
  t.equal(await from("2001:db8::1"), 200, "the third of the route's burst");
  t.equal(await from("2001:db8::2"), 429, "the same network of 64 bits is the same client");
  t.equal(await from("192.0.2.9"), 429, "the whole route has no more");
});

t.test("so many requests run at once, and one that ends makes room", async (t) => {
  const world = await start(t, "{ connections: 1 }");
  world.emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const first = get(world);
  await world.emulator.until(() => world.emulator.faults.stalled === 1);
  const second = await get(world);
  t.equal(second.answer.status, 429);
  t.match(second.answer.body.toString(), "<Code>ActiveRequestLimitExceeded</Code>");
  t.match(second.entry, { error: "TOO_MANY_CONNECTIONS" });
  world.emulator.faults.releaseStalled();
  t.equal((await first).answer.status, 200);
  t.equal((await get(world)).answer.status, 200);
});

t.test("a request that fails or is refused makes room too", async (t) => {
  const world = await start(t, "{ connections: 1 }", "methods: [GET]");
  world.emulator.faults.failEvery(() => true, { kind: "resetBeforeHead" });
  for (let i = 0; i < 3; i += 1) t.equal((await get(world)).answer.status, 502);
  for (let i = 0; i < 3; i += 1) {
    t.equal((await relay(world, { method: "DELETE", host: HOST, target: "/k" })).answer.status, 405);
  }
});

t.test("a dry run refuses nothing, and says what it would have refused", async (t) => {
  const world = await start(t, "{ requests: 0.1/s, burst: 1, dryRun: true }");
  await get(world);
  const { answer, entry } = await get(world);
  t.equal(answer.status, 200);
  t.match(entry, { status: 200, reported: "RATE_LIMITED" });
  t.equal(entry.error, undefined);
  t.equal(await world.gateway.metric(limited('route="images",party="all",limit="requests",enforced="false"')), 1);
});

t.test("a bucket's rate holds over all its routes, and counts only what OSS would hear of", async (t) => {
  const world = await startRelay(
    t,
    `
  - name: images
    match: { hosts: [${HOST}] }
    bucket: three
  - name: closed
    match: { hosts: [${HOST}], pathPrefix: /closed }
    bucket: three
    deny: { clients: ["127.0.0.0/8"] }
  - name: others
    match: { hosts: [other.example.com] }
    bucket: three
`,
    'listeners: [{ name: web, address: "127.0.0.1:0" }]',
    (url) =>
      `three: { bucket: examplebucket, region: cn-beijing, endpoint: "${url}", limits: { requests: 0.1/s, burst: 2 } }`,
  );
  world.emulator.putObject("examplebucket", "k", "text");
  for (let i = 0; i < 3; i += 1) {
    t.equal((await relay(world, { host: HOST, target: "/closed/k" })).answer.status, 403);
  }
  t.equal((await get(world)).answer.status, 200);
  t.equal((await relay(world, { host: "other.example.com", target: "/k" })).answer.status, 200);
  t.equal((await get(world)).answer.status, 429);
  t.equal(await world.gateway.metric(limited('route="images",party="bucket",limit="requests",enforced="true"')), 1);
});

t.test("what is over OSS's quota is shed here, routes of low priority first", async (t) => {
  const world = await startRelay(
    t,
    `
  - name: low
    match: { hosts: [low.example.com] }
    bucket: three
  - name: high
    match: { hosts: [high.example.com] }
    bucket: three
    priority: 1
`,
    'listeners: [{ name: web, address: "127.0.0.1:0" }]',
    (url) =>
      `three: { bucket: examplebucket, region: cn-beijing, endpoint: "${url}", quota: { requests: 10/s, shed: true } }`,
  );
  world.emulator.putObject("examplebucket", "k", "text");
  const ask = async (host: string): Promise<Relayed> => relay(world, { host, target: "/k" });
  let refused = await ask("low.example.com");
  for (let i = 0; i < 100 && refused.answer.status === 200; i += 1) refused = await ask("low.example.com");
  t.equal(refused.answer.status, 503);
  t.match(refused.entry, { error: "SHED", route: "low" });
  t.same(valuesOf(refused.answer.rawHeaders, "retry-after"), ["1"]);
  t.equal((await ask("high.example.com")).answer.status, 200, "what was kept for it");
});
