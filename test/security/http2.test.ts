import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2, constants } from "node:http2";
import { connect as connectPlain } from "node:net";
import { connect } from "node:tls";
import t from "tap";
import { answerOf, get, HOST, openSession, startHttp2 } from "../support/http2-client.js";
import { BUCKET, startRelay } from "../support/relay-world.js";
import { pairsOf, TestAuthority } from "../support/tls-world.js";

t.test("a Host that differs from :authority is refused, and one that is the same is not", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  t.equal((await answerOf(get(session, "/a", { host: "other.example.com" }))).status, 400);
  t.equal((await answerOf(get(session, "/a", { host: HOST }))).status, 200);
});

t.test("heads that are too large, or have too many lines, get their 431", async (t) => {
  const world = await startHttp2(
    t,
    "methods: [GET]",
    "limits: { headerSize: 4KiB, targetSize: 1KiB, headerCount: 20 }",
  );
  const session = await openSession(t, world, {}, { maxSendHeaderBlockLength: 1024 * 1024 });
  const heads: readonly (readonly [lines: number, bytes: number])[] = [
    [1, 4_096],
    [1, 12_000],
    [4, 20_000],
    [2, 60_000],
    [30, 1],
    [70, 10],
    [70, 1_000],
  ];
  for (const [count, bytes] of heads) {
    const lines = Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "v".repeat(bytes)]));
    const { status, body } = await answerOf(get(session, "/a", { "user-agent": `${count} x ${bytes}`, ...lines }));
    t.equal(status, 431, `${count} lines of ${bytes} bytes`);
    t.match(body.toString(), "HEADERS_TOO_LARGE");
  }
  t.strictSame(
    world.gateway.accessLog.map(({ status, error }) => [status, error]),
    heads.map(() => [431, "HEADERS_TOO_LARGE"]),
    "and a line in the log",
  );
  t.equal((await answerOf(get(session, `/${"a".repeat(1_100)}`))).status, 414);
});

t.test("streams that are opened and reset in great numbers end the connection", async (t) => {
  const world = await startHttp2(t);
  world.emulator.faults.failEvery(() => true, { kind: "stallBeforeHead" });
  t.teardown(() => world.emulator.faults.clear());
  const session = await openSession(t, world);
  // Not once(): that it was told why is an error of the session in newer Nodes.
  const closed = new Promise((resolve) => session.on("close", resolve));
  let opened = 0;
  while (!session.destroyed && !session.closed && opened < 2_000) {
    const streams = Array.from({ length: 50 }, () => get(session, "/a"));
    for (const stream of streams) {
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    opened += streams.length;
    await Promise.all(
      streams.map((stream) => stream.destroyed || new Promise((resolve) => stream.on("close", resolve))),
    );
    await new Promise((resolve) => (session.destroyed ? resolve(null) : session.ping(resolve) || resolve(null)));
  }
  await closed;
  t.ok(opened < 2_000, `closed after ${opened} streams`);
});

t.test("a PROXY header comes before the handshake, and names the client", async (t) => {
  const ca = new TestAuthority(t);
  const pair = pairsOf(ca.issue({ san: `DNS:${HOST}` }));
  const listener = `{ name: web, address: "127.0.0.1:0", proxyProtocol: true, tls: { certificates: ${pair} } }`;
  const routes = `  - { name: r, match: { hosts: [${HOST}] }, bucket: one }`;
  const { gateway, emulator } = await startRelay(t, routes, `listeners: [${listener}]\ntrustedProxies: [127.0.0.1]`);
  emulator.putObject(BUCKET, "a", "hello");
  for (const protocol of ["h2", "http/1.1"]) {
    const raw = connectPlain(gateway.port, "127.0.0.1");
    raw.write("PROXY TCP4 203.0.113.7 127.0.0.1 4711 443\r\n");
    const socket = connect({ socket: raw, servername: HOST, ca: readFileSync(ca.caFile), ALPNProtocols: [protocol] });
    await once(socket, "secureConnect");
    if (protocol === "h2") {
      const session = connectHttp2(`https://${HOST}`, { createConnection: () => socket });
      t.equal((await answerOf(get(session, "/a"))).status, 200);
      session.destroy();
    } else {
      socket.write(`GET /a HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
      socket.resume();
      await once(socket, "close");
    }
    const version = protocol === "h2" ? "HTTP/2.0" : "HTTP/1.1";
    t.equal((await gateway.logged((entry) => entry.protocol === version)).client, "203.0.113.7", protocol);
  }
});

t.test("what comes in the clear on a TLS port is no request", async (t) => {
  const world = await startHttp2(t);
  const socket = connectPlain(world.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.resume();
  await once(socket, "close");
  t.equal(world.gateway.accessLog.length, 0);
});

t.test("a preface that never comes holds no connection beyond headerTimeout", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", "limits: { headerTimeout: 300ms }");
  const socket = connect({
    port: world.port,
    servername: HOST,
    ca: readFileSync(world.ca.caFile),
    ALPNProtocols: ["h2"],
  });
  await once(socket, "secureConnect");
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "close");
  t.equal(world.gateway.accessLog.length, 0);
});
