import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import { AdminListener } from "../../src/server/admin.js";
import type { AdminSource, ReloadOutcome } from "../../src/server/admin-source.js";
import { adminSource } from "../support/admin-source.js";
import { answerTo, head, type RawAnswer, valuesOf } from "../support/raw-client.js";

const BEARER = "a secret that opens all";
const READER = "a secret for reading";
const SECRETS = { bearer: new Secret(BEARER), reader: new Secret(READER) };
const NO_SECRETS = { bearer: null, reader: null };

const DONE: ReloadOutcome = { ok: true, atMs: 1, generation: 2, problems: [], warnings: [] };

interface World {
  readonly port: number;
  readonly calls: readonly string[];
  ask(path: string, options?: Asked): Promise<RawAnswer>;
}

interface Asked {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: readonly string[];
}

/** @param host what it is bound to; it is reached by 127.0.0.1 anyway */
async function start(t: Test, host: string, own: Partial<AdminSource> = {}): Promise<World> {
  const calls: string[] = [];
  const note = (name: string) => async () => {
    calls.push(name);
    return DONE;
  };
  const source = adminSource({ reload: note("reload"), upgrade: note("upgrade"), ...own });
  const admin = new AdminListener({ host, port: 0 }, source);
  const { port } = await admin.listen();
  t.teardown(() => admin.close());
  return {
    port,
    calls,
    ask: (path, { method = "GET", host = "127.0.0.1", headers = [] } = {}) =>
      answerTo(port, head(method, path, ["Host", host, "Connection", "close", ...headers])),
  };
}

const bearer = (secret: string): Asked => ({ headers: ["Authorization", `Bearer ${secret}`] });
const basic = (password: string): Asked => ({
  headers: ["Authorization", `Basic ${Buffer.from(`anyone:${password}`).toString("base64")}`],
});

const OPEN = ["/healthz", "/readyz"];
const READ = [
  "/metrics",
  "/status",
  "/status.json",
  "/status/app.js",
  "/config",
  "/routes/explain",
  "/tops",
  "/nothing",
];
const CHANGE = ["/reload", "/upgrade"];

t.test("on a loopback address no secret is needed to read, and one to change where there is one", async (t) => {
  const without = await start(t, "127.0.0.1");
  for (const path of [...OPEN, "/metrics", "/status", "/tops"]) t.equal((await without.ask(path)).status, 200, path);
  for (const path of CHANGE) t.equal((await without.ask(path, { method: "POST" })).status, 200, path);
  t.strictSame(without.calls, ["reload", "upgrade"]);
  const guarded = await start(t, "127.0.0.1", { secrets: SECRETS });
  for (const path of ["/metrics", "/status", "/tops"]) t.equal((await guarded.ask(path)).status, 200, path);
  for (const path of CHANGE) {
    const refused = await guarded.ask(path, { method: "POST" });
    t.equal(refused.status, 401, path);
    t.match(refused.body.toString(), "admin.bearerSecret");
    t.notMatch(refused.body.toString(), "readerSecret");
    t.equal((await guarded.ask(path, { method: "POST", ...bearer(READER) })).status, 401, "reading is not changing");
    t.equal(
      (await guarded.ask(path, { method: "POST", ...bearer(`${BEARER} `) })).status,
      200,
      "blanks around are HTTP's",
    );
  }
  t.strictSame(guarded.calls, ["reload", "upgrade"]);
});

t.test("where others reach it, everything but being alive and ready needs a secret", async (t) => {
  const world = await start(t, "0.0.0.0", { secrets: SECRETS, problems: async () => ["bucket media: no address"] });
  for (const path of [...READ, ...CHANGE]) {
    const methods = CHANGE.includes(path) ? ["POST"] : ["GET", "HEAD", "POST"];
    for (const method of methods) {
      const refused = await world.ask(path, { method });
      t.equal(refused.status, 401, `${method} ${path}`);
      t.match(valuesOf(refused.rawHeaders, "www-authenticate"), [/^Bearer/, /^Basic/]);
    }
    for (const wrong of [bearer("wrong"), bearer(""), bearer(BEARER.slice(1)), basic("wrong"), basic("")]) {
      t.equal((await world.ask(path, wrong)).status, 401, path);
    }
    const garbage = ["Basic", "Basic !!!", "Bearer", `bearer${BEARER}`, `Digest ${BEARER}`, "Basic YQ=="];
    for (const value of garbage)
      t.equal((await world.ask(path, { headers: ["Authorization", value] })).status, 401, value);
  }
  for (const secret of [BEARER, READER]) {
    for (const shown of [bearer(secret), basic(secret)]) {
      for (const path of ["/metrics", "/status", "/status/style.css", "/tops"]) {
        t.equal((await world.ask(path, shown)).status, 200, path);
      }
      t.equal((await world.ask("/nothing", shown)).status, 404);
    }
  }
  t.equal((await world.ask("/reload", { method: "POST", ...basic(READER) })).status, 401);
  t.equal((await world.ask("/reload", { method: "POST", ...basic(BEARER) })).status, 200);
  t.strictSame(world.calls, ["reload"]);
  t.equal((await world.ask("/healthz")).status, 200);
  const stranger = await world.ask("/readyz");
  t.strictSame([stranger.status, stranger.body.toString()], [503, "not ready\n"], "strangers are not told why");
  const friend = await world.ask("/readyz", bearer(READER));
  t.strictSame([friend.status, friend.body.toString()], [503, "bucket media: no address\n"]);
});

t.test("an address that others reach is closed without a secret", async (t) => {
  const world = await start(t, "0.0.0.0", { secrets: NO_SECRETS });
  for (const path of READ) t.equal((await world.ask(path)).status, 403, path);
  for (const path of CHANGE) t.equal((await world.ask(path, { method: "POST" })).status, 403, path);
  t.equal((await world.ask("/readyz")).body.toString(), "ready\n");
  t.strictSame(world.calls, []);
});

t.test("a name that is not this machine's opens nothing, unless a secret is shown", async (t) => {
  const local = await start(t, "127.0.0.1", { secrets: SECRETS });
  for (const host of [
    "rebound.evil.test",
    "rebound.evil.test:9180",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "",
  ]) {
    for (const path of [...OPEN, ...READ]) t.equal((await local.ask(path, { host })).status, 403, `${host}${path}`);
    for (const path of CHANGE) t.equal((await local.ask(path, { host, method: "POST" })).status, 403, path);
  }
  t.equal((await local.ask("/metrics", { host: "gateway.internal:9180", ...bearer(READER) })).status, 200);
  for (const host of ["localhost", "localhost:9180", "127.0.0.1:9180", "[::1]:9180", "10.1.2.3"]) {
    t.equal((await local.ask("/metrics", { host })).status, 200, host);
  }
  const remote = await start(t, "0.0.0.0", { secrets: SECRETS });
  t.equal((await remote.ask("/healthz", { host: "gateway.internal" })).status, 200, "a load balancer asks by name");
  t.equal((await remote.ask("/metrics", { host: "gateway.internal" })).status, 401);
  t.equal((await remote.ask("/metrics", { host: "gateway.internal", ...bearer(READER) })).status, 200);
  t.strictSame(local.calls, []);
});

t.test("what a page of another origin asks is refused, with a secret too", async (t) => {
  const world = await start(t, "127.0.0.1");
  const guarded = await start(t, "127.0.0.1", { secrets: SECRETS });
  const elsewhere: readonly (readonly string[])[] = [
    ["Origin", "https://evil.test"],
    ["Origin", "null"],
    ["Origin", "http://127.0.0.1:1"],
    ["Sec-Fetch-Site", "cross-site"],
    ["Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"],
    ["Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"],
  ];
  for (const headers of elsewhere) {
    for (const path of ["/healthz", "/metrics", "/status", "/status.json", "/config"]) {
      t.equal((await world.ask(path, { headers })).status, 403, `${path} ${headers}`);
    }
    for (const path of CHANGE) t.equal((await world.ask(path, { method: "POST", headers })).status, 403);
    const shown = [...(bearer(BEARER).headers ?? []), ...headers];
    t.equal((await guarded.ask("/reload", { method: "POST", headers: shown })).status, 403, String(headers));
  }
  const link = ["Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"];
  t.equal((await world.ask("/status", { headers: link })).status, 200, "a link from a wiki may lead here");
  t.equal((await world.ask("/status.json", { headers: link })).status, 403);
  t.equal((await world.ask("/reload", { method: "POST", headers: link })).status, 403);
  const bookmark = ["Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"];
  t.equal((await world.ask("/metrics", { headers: bookmark })).status, 200);
  const own = ["Origin", "http://127.0.0.1", "Sec-Fetch-Site", "same-origin"];
  t.equal((await world.ask("/reload", { method: "POST", headers: own })).status, 200);
  t.strictSame([world.calls, guarded.calls], [["reload"], []]);
});

t.test("no page can be framed, sniffed or kept, and the document runs nothing but its own script", async (t) => {
  const world = await start(t, "127.0.0.1");
  for (const path of ["/status", "/status/app.js", "/status.json", "/metrics", "/nothing"]) {
    const { rawHeaders } = await world.ask(path, path === "/status.json" ? {} : {});
    t.strictSame(valuesOf(rawHeaders, "x-content-type-options"), ["nosniff"], path);
    t.strictSame(valuesOf(rawHeaders, "cache-control"), ["no-store"], path);
  }
  const { rawHeaders, body } = await world.ask("/status");
  const [policy = ""] = valuesOf(rawHeaders, "content-security-policy");
  for (const part of ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"]) {
    t.ok(policy.includes(part), part);
  }
  t.notMatch(policy, /unsafe|https?:|\*/);
  t.notMatch(body.toString(), /\son\w+=|<style|<script>|https?:\/\//);
});

/** A client that sends part of a head and no more. */
async function stall(t: Test, port: number, bytes: string): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  const closed = once(socket, "close");
  socket.resume();
  socket.write(bytes);
  t.teardown(() => socket.destroy());
  return { socket, closed };
}

t.test("however many connect and send nothing, an operator gets an answer", async (t) => {
  const world = await start(t, "127.0.0.1");
  const idle = [];
  for (let i = 0; i < 200; i += 1) idle.push(await stall(t, world.port, "GET /metr"));
  t.equal((await world.ask("/healthz")).status, 200);
  // The oldest had to make room.
  await idle[0]?.closed;
  await idle[100]?.closed;
  t.equal((await world.ask("/metrics")).status, 200);
});

t.test("a head or a body that is too long is refused, and a body that nobody wants ends the connection", async (t) => {
  const world = await start(t, "127.0.0.1");
  t.equal((await world.ask("/healthz", { headers: ["X-Long", "x".repeat(20_000)] })).status, 431);
  t.equal((await world.ask(`/routes/explain?url=${"x".repeat(20_000)}`)).status, 431);
  const { status, rawHeaders } = await answerTo(
    world.port,
    head("POST", "/reload", ["Host", "127.0.0.1", "Content-Length", "1000000000"]),
  );
  t.equal(status, 200);
  t.strictSame(valuesOf(rawHeaders, "connection"), ["close"]);
});
