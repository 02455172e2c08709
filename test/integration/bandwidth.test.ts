import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import t from "tap";
import { startEmulator, startGateway, type Teardown, type TestGateway } from "../support/gateway.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Limits are read at load; what they promise over a span of time is an upper bound that a slow machine cannot break. */
const BURST_S = 0.1;
const TICK_S = 0.02;

interface World {
  readonly gw: TestGateway;
  readonly body: Buffer;
  /** The ETag of what was stored, which is its MD5. */
  etag(key: string): string | undefined;
}

interface Limits {
  readonly route?: string;
  readonly bucket?: string;
  readonly other?: string;
}

async function start(t: Teardown, { route = "{}", bucket = "{}", other = "{}" }: Limits): Promise<World> {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-hangzhou", acl: "public-read-write" });
  const body = Buffer.alloc(3 * MIB);
  for (let i = 0; i < body.length; i += 1) body[i] = (i * 31 + (i >> 8) + (i >> 16)) & 0xff;
  emulator.putObject("examplebucket", "film.mp4", body, {});
  emulator.putObject("examplebucket", "tiny", body.subarray(0, 10), {});
  emulator.putObject("examplebucket", "empty", "", {});
  const methods = "methods: [GET, HEAD, PUT, POST]";
  const gw = await startGateway(
    t,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  b: { bucket: examplebucket, region: cn-hangzhou, endpoint: "${emulator.url}", limits: ${bucket} }
routes:
  - { name: one, match: { hosts: [one.test] }, bucket: b, ${methods}, limits: ${route} }
  - { name: two, match: { hosts: [two.test] }, bucket: b, ${methods}, limits: ${other} }
`,
  );
  return { gw, body, etag: (key) => emulator.getObject("examplebucket", key)?.etag };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  readonly isComplete: boolean;
  readonly seconds: number;
}

interface Ask {
  readonly host?: string;
  readonly method?: string;
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
}

function ask({ port }: TestGateway, path: string, options: Ask = {}): Promise<Answer> {
  const { host = "one.test", method = "GET", body, headers, agent = false } = options;
  const beganMs = performance.now();
  return new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, path, method, agent, headers: { Host: host, ...headers } });
    req.on("error", reject);
    req.on("response", (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: Buffer.concat(chunks),
          isComplete: res.complete,
          seconds: (performance.now() - beganMs) / 1_000,
        }),
      );
    });
    req.end(body);
  });
}

const hash = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex").toUpperCase()}"`;

t.test("a limited download arrives whole, no faster than its rate, and is told in log and metrics", async (t) => {
  for (const limits of [
    { route: "{ egress: 8MiB/s }" },
    { bucket: "{ egress: 8MiB/s }" },
    { route: "{ perClient: { egress: 8MiB/s } }" },
  ]) {
    const world = await start(t, limits);
    const answer = await ask(world.gw, "/film.mp4");
    t.equal(answer.status, 200);
    t.equal(hash(answer.body), hash(world.body), JSON.stringify(limits));
    t.ok(answer.seconds >= 3 / 8 - BURST_S - TICK_S, `${answer.seconds} s for 3 MiB at 8 MiB/s`);
    const entry = await world.gw.logged(() => true);
    t.match(entry, { status: 200, sentBytes: 3 * MIB });
    const party = limits.bucket !== undefined ? "bucket" : limits.route.includes("perClient") ? "client" : "all";
    const labels = `{route="one",party="${party}",limit="egress",enforced="true"}`;
    t.equal(await world.gw.metric(`ossgate_limited_total${labels}`), 1);
    t.equal(await world.gw.metric('ossgate_paced_transfers{route="one",direction="egress"}'), 0);
  }
});

t.test("answers without a body, small ones and ranges are as on any route, on one connection", async (t) => {
  const world = await start(t, { route: "{ egress: 2MiB/s }" });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (let round = 0; round < 3; round += 1) {
    const head = await ask(world.gw, "/film.mp4", { method: "HEAD", agent });
    t.match(head, { status: 200, headers: { "content-length": String(3 * MIB) }, body: Buffer.alloc(0) });
    t.equal((await ask(world.gw, "/tiny", { agent })).body.length, 10);
    t.equal((await ask(world.gw, "/empty", { agent })).body.length, 0);
    const range = await ask(world.gw, "/film.mp4", { agent, headers: { Range: "bytes=100000-399999" } });
    t.equal(range.status, 206);
    t.equal(hash(range.body), hash(world.body.subarray(100_000, 400_000)));
    const etag = String(head.headers.etag);
    t.equal((await ask(world.gw, "/film.mp4", { agent, headers: { "If-None-Match": etag } })).status, 304);
    t.equal((await ask(world.gw, "/none", { agent })).status, 404);
  }
  t.equal(world.gw.gateway.stats.connectionsTotal, 1);
  for (const { error } of world.gw.accessLog) t.equal(error, undefined);
});

t.test("a limited upload arrives whole, no faster than its rate", async (t) => {
  for (const limits of [
    { route: "{ ingress: 8MiB/s, bodySize: 10MiB }" },
    { bucket: "{ ingress: 8MiB/s }", route: "{ bodySize: 10MiB }" },
    { route: "{ perClient: { ingress: 8MiB/s }, bodySize: 10MiB }" },
  ]) {
    const world = await start(t, limits);
    for (const [key, headers] of [
      ["with-length", { "Content-Length": String(3 * MIB) }],
      ["chunked", { "Transfer-Encoding": "chunked" }],
    ] as const) {
      const answer = await ask(world.gw, `/${key}`, { method: "PUT", body: world.body, headers });
      t.equal(answer.status, 200, `${key} ${JSON.stringify(limits)}`);
      t.equal(world.etag(key), hash(world.body));
      t.ok(answer.seconds >= 3 / 8 - BURST_S - TICK_S, `${answer.seconds} s for 3 MiB at 8 MiB/s`);
    }
    t.equal(await world.gw.metric('ossgate_paced_transfers{route="one",direction="ingress"}'), 0);
    for (const { error } of world.gw.accessLog) t.equal(error, undefined);
  }
});

t.test("a bucket's limit holds over the routes to it", async (t) => {
  const world = await start(t, { bucket: "{ egress: 10MiB/s }", other: "{ egress: 100MiB/s }" });
  const answers = await Promise.all(
    ["one.test", "two.test", "one.test"].map((host) => ask(world.gw, "/film.mp4", { host })),
  );
  for (const { body } of answers) t.equal(hash(body), hash(world.body));
  const longest = Math.max(...answers.map(({ seconds }) => seconds));
  t.ok(longest >= 9 / 10 - BURST_S - TICK_S, `9 MiB took ${longest} s at 10 MiB/s`);
});

t.test("a dry run holds nothing back and counts what it would", async (t) => {
  const world = await start(t, { route: "{ egress: 100KiB/s, ingress: 100KiB/s, dryRun: true, bodySize: 10MiB }" });
  const answer = await ask(world.gw, "/film.mp4");
  t.equal(hash(answer.body), hash(world.body));
  t.ok(answer.seconds < 15, "at 100 KiB/s it would have taken 30 s");
  const put = await ask(world.gw, "/up", { method: "PUT", body: world.body });
  t.equal(put.status, 200);
  t.equal(world.etag("up"), hash(world.body));
  for (const limit of ["egress", "ingress"]) {
    const labels = (enforced: boolean): string =>
      `ossgate_limited_total{route="one",party="all",limit="${limit}",enforced="${enforced}"}`;
    t.equal(await world.gw.metric(labels(false)), 1, limit);
    t.equal(await world.gw.metric(labels(true)), 0);
  }
});

t.test("a route without limits paces nothing", async (t) => {
  const world = await start(t, { other: "{ egress: 1MiB/s }" });
  const { table } = world.gw.gateway.runtime;
  t.equal(table.call(world.gw.gateway.runtime, "web").find("one.test", "/")?.bandwidth, null);
  t.equal(hash((await ask(world.gw, "/film.mp4")).body), hash(world.body));
});
