import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import t, { type Test } from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { PROXY_V2_LOCAL, proxyV1, proxyV2, proxyV2From } from "../support/proxy-header.js";
import { RawClient } from "./support/client.js";
import { checkGauges, checkQuiet, configText, fill, HOST, type Rig } from "./support/rig.js";
import { clientsGone, openSockets } from "./support/sockets.js";

const CLIENT = "192.0.2.7";
const HEADERS = [
  ["version 1", proxyV1(CLIENT)],
  ["version 2", proxyV2From(CLIENT)],
] as const;

interface ProxyRig extends Rig {
  /** Warnings so far: what was said, and its cause. */
  readonly warnings: readonly (readonly [message: string, cause: string])[];
}

/** The usual rig, whose tests' clients are trusted proxies. */
async function start(t: Test, limits: Readonly<Record<string, unknown>> = {}): Promise<ProxyRig> {
  const emulator = fill(await startEmulator(t));
  const config = JSON.parse(configText({ endpoint: emulator.url, limits })) as object;
  const listeners = [{ name: "web", address: "127.0.0.1:0", proxyProtocol: true }];
  const gw = await startGateway(t, JSON.stringify({ ...config, trustedProxies: ["127.0.0.1"], listeners }));
  const warnings: [string, string][] = [];
  const warn = (fields: { readonly cause: string }, message: string) => warnings.push([message, fields.cause]);
  Object.assign(gw.gateway.log, { warn });
  return { emulator, gw, warnings };
}

/** OSS's ETag of an object that was put as a whole. */
function etagOf(body: Buffer | string): string {
  return `"${createHash("md5").update(body).digest("hex").toUpperCase()}"`;
}

const NO_HEADER = "a trusted proxy sent no PROXY header; the connection is closed";

t.test("a header and a request in pieces of one byte are one request", async (t) => {
  const rig = await start(t);
  for (const [version, header] of HEADERS) {
    const client = new RawClient(rig.gw.port);
    client.socket.setNoDelay(true);
    const mark = version.replace(" ", "-");
    const request = `GET /hello.txt HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: ${mark}\r\nConnection: close\r\n\r\n`;
    for (const byte of Buffer.concat([header, Buffer.from(request)])) {
      await new Promise((written) => client.socket.write(Buffer.from([byte]), written));
      await new Promise(setImmediate);
    }
    await client.closed;
    t.match(client.text, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+hello$/, version);
    t.equal((await rig.gw.logged(({ userAgent }) => userAgent === mark)).client, CLIENT, version);
  }
  await checkQuiet(t, rig);
});

t.test("a request that is in the header's own packet, before it ends or behind it, is served", async (t) => {
  const rig = await start(t);
  const request = Buffer.from(`GET /hello.txt HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  for (const [version, header] of HEADERS) {
    for (const cut of [header.length - 1, header.length, header.length + 1, header.length + request.length - 1]) {
      const client = new RawClient(rig.gw.port);
      const all = Buffer.concat([header, request]);
      client.send(all.subarray(0, cut));
      await new Promise(setImmediate);
      client.send(all.subarray(cut));
      await client.closed;
      t.match(client.text, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+hello$/, `${version}, cut at ${cut}`);
    }
  }
  await checkQuiet(t, rig);
});

t.test("a trusted proxy that sends something else is closed without an answer, and the log says so", async (t) => {
  const rig = await start(t);
  const wrong = [
    `GET /hello.txt HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
    "PROXY TCP4 192.0.2.7\r\n",
    `PROXY UNKNOWN ${"x".repeat(200)}`,
    "\x16\x03\x01",
    proxyV2(0x21, 0x11, Buffer.alloc(3)),
    proxyV2(0x21, 0x11, Buffer.alloc(12), 60_000),
  ];
  for (const bytes of wrong) {
    const client = new RawClient(rig.gw.port).send(bytes);
    await client.closed;
    t.equal(client.text, "");
  }
  t.equal(rig.warnings.length, wrong.length);
  for (const [message] of rig.warnings) t.equal(message, NO_HEADER);
  t.equal(rig.emulator.captures.length, 0);
  t.equal(rig.gw.accessLog.length, 0);
  await checkQuiet(t, rig);
});

t.test("a header that is not whole within headerTimeout ends the connection, however it moves", async (t) => {
  const rig = await start(t, { headerTimeout: "200ms" });
  for (const begin of ["", "PROXY TCP4 192.0.2.7 ", PROXY_V2_LOCAL.subarray(0, 15)]) {
    const client = new RawClient(rig.gw.port).send(begin);
    await client.closed;
    t.equal(client.text, "");
  }
  const trickle = new RawClient(rig.gw.port).send("PROXY UNKNOWN ");
  const timer = setInterval(() => trickle.send("x"), 20);
  await trickle.closed;
  clearInterval(timer);
  t.strictSame(
    rig.warnings,
    Array.from({ length: 4 }, () => [NO_HEADER, "it did not arrive within 200 ms"]),
  );
  await checkQuiet(t, rig);
});

t.test(
  "behind the header the head of the request has its own time, and its refusal is logged with the client",
  async (t) => {
    const rig = await start(t, { headerTimeout: "200ms" });
    const slow = new RawClient(rig.gw.port).send(HEADERS[1][1]);
    await slow.closed;
    t.match(slow.text, /^HTTP\/1\.1 408 /);
    const late = await rig.gw.logged(({ error }) => error === "REQUEST_TIMEOUT");
    t.equal(late.client, CLIENT);
    const malformed = new RawClient(rig.gw.port).send(Buffer.concat([HEADERS[0][1], HEADERS[0][1]]));
    await malformed.closed;
    t.match(malformed.text, /^HTTP\/1\.1 400 /, "a second header is no request");
    t.equal((await rig.gw.logged(({ error }) => error === "MALFORMED_REQUEST")).client, CLIENT);
    t.strictSame(rig.warnings, []);
    await checkQuiet(t, rig);
  },
);

t.test("a proxy that only looks whether the port is open leaves no trace", async (t) => {
  const rig = await start(t);
  const looks = [Buffer.alloc(0), PROXY_V2_LOCAL, proxyV1(CLIENT)];
  for (const bytes of looks) {
    const ended = new RawClient(rig.gw.port);
    ended.socket.end(bytes);
    await ended.closed;
    t.equal(ended.text, "");
    const reset = new RawClient(rig.gw.port).send(bytes);
    await once(reset.socket, "connect");
    reset.socket.resetAndDestroy();
    await reset.closed;
  }
  await clientsGone(rig.gw.port);
  t.strictSame(rig.warnings, []);
  t.equal(rig.gw.accessLog.length, 0);
  await checkQuiet(t, rig);
});

t.test("a connection that ends in the middle of the header is told of", async (t) => {
  const rig = await start(t);
  const client = new RawClient(rig.gw.port);
  client.socket.end(HEADERS[1][1].subarray(0, 20));
  await client.closed;
  t.strictSame(rig.warnings, [[NO_HEADER, "the connection ended in the middle of it"]]);
  await checkQuiet(t, rig);
});

t.test("connections that wait for their header count for limits.connections", async (t) => {
  const rig = await start(t, { connections: 2 });
  const held = [new RawClient(rig.gw.port), new RawClient(rig.gw.port).send("PROXY ")];
  for (const { socket } of held) await once(socket, "connect");
  const refused = new RawClient(rig.gw.port);
  await refused.closed;
  t.match(refused.text, /^HTTP\/1\.1 503 /);
  t.equal((await rig.gw.logged(({ error }) => error === "GATEWAY_BUSY")).client, "127.0.0.1");
  for (const client of held) client.socket.destroy();
  await checkQuiet(t, rig);
});

t.test("a client that shuts down its sending side behind the header and the request gets its answer", async (t) => {
  const rig = await start(t);
  for (const [version, header] of HEADERS) {
    const client = new RawClient(rig.gw.port).send(header);
    client.socket.end(`GET /hello.txt HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await client.until(({ text }) => text.endsWith("hello"));
    client.socket.destroy();
    t.match(client.text, /HTTP\/1\.1 200 OK\r\n/, version);
  }
  await checkQuiet(t, rig);
});

t.test(
  "an upload that is larger than any buffer arrives whole behind the header, with Expect and without",
  async (t) => {
    const rig = await start(t);
    const body = randomBytes(3 * 1024 * 1024);
    for (const expect of [[], ["Expect: 100-continue"]]) {
      const client = new RawClient(rig.gw.port).send(HEADERS[1][1]);
      client.sendHead("PUT /big HTTP/1.1", `Content-Length: ${body.length}`, "Connection: close", ...expect);
      if (expect.length > 0) await client.until(({ text }) => text.startsWith("HTTP/1.1 100 "));
      client.send(body);
      await client.closed;
      t.match(client.text, /HTTP\/1\.1 200 OK\r\n/);
      t.equal(rig.emulator.getObject("examplebucket", "big")?.etag, etagOf(body));
      rig.emulator.putObject("examplebucket", "big", "");
    }
    await checkQuiet(t, rig);
  },
);

t.test("Content-Length beside chunked encoding is taken behind a header too", async (t) => {
  const rig = await start(t);
  const client = new RawClient(rig.gw.port).send(HEADERS[0][1]);
  client
    .sendHead("PUT /both HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked")
    .send("5\r\nhello\r\n0\r\n\r\n");
  await client.closed;
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\n/);
  t.equal(rig.emulator.getObject("examplebucket", "both")?.etag, etagOf("hello"));
  await checkQuiet(t, rig);
});

t.test("a connection that is still behind its header is closed after clientIdleTimeout", async (t) => {
  const rig = await start(t, { clientIdleTimeout: "200ms" });
  const client = new RawClient(rig.gw.port).send(HEADERS[0][1]).sendHead("GET /hello.txt HTTP/1.1");
  t.equal(await client.closed, null);
  t.match(client.text, /hello$/);
  await checkQuiet(t, rig);
});

t.test(
  "a gateway that stops serves what is in the middle of its header, and lets a request behind one finish",
  async (t) => {
    const rig = await start(t);
    const { emulator, gw } = rig;
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const running = new RawClient(gw.port).send(HEADERS[1][1]).sendHead("GET /hello.txt HTTP/1.1");
    await emulator.until(() => emulator.faults.stalled === 1);
    const [, header] = HEADERS[1];
    const waiting = [new RawClient(gw.port), new RawClient(gw.port).send(header.slice(0, 6))];
    for (const { socket } of waiting) await once(socket, "connect");
    // The gateway has seen them when it has seen one that came later.
    const later = new RawClient(gw.port).send(HEADERS[1][1]).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
    await later.closed;
    const stopped = gw.gateway.stop(30_000);
    waiting[0]?.send(header);
    waiting[1]?.send(header.slice(6));
    for (const client of waiting) {
      client.sendHead("GET /hello.txt HTTP/1.1");
      t.equal(await client.closed, null);
      t.match(client.text, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+hello$/);
    }
    emulator.faults.releaseStalled();
    await running.closed;
    t.match(running.text, /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)+hello$/);
    await stopped;
    checkGauges(t, gw);
    t.equal(openSockets(gw.port).length, 0);
    t.strictSame(rig.warnings, []);
  },
);

t.test("a thousand connections without a header leave nothing behind", async (t) => {
  const rig = await start(t);
  const crowd = Array.from({ length: 1_000 }, (_, i) =>
    new RawClient(rig.gw.port).send(i % 2 === 0 ? "G" : "PROXY X\r\n"),
  );
  await Promise.all(crowd.map(({ closed }) => closed));
  t.equal(rig.warnings.length, 1_000);
  await checkQuiet(t, rig);
});
