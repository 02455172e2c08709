import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import t from "tap";
import type { Teardown } from "../support/gateway.js";
import { answerOf, get, HOST, type Http2World, openSession, startHttp2 } from "../support/http2-client.js";
import { BUCKET } from "../support/relay-world.js";

/** A client's connection, of which a test has the ends of TLS and of TCP in hand. */
interface Client {
  readonly tls: TLSSocket;
  /** At the gateway; nothing but the test ends it. */
  readonly tcp: Socket;
  /** The gateway has ended its side, or all. */
  readonly ended: Promise<unknown>;
}

async function openTls(t: Teardown, { port, ca }: Http2World, protocol: string): Promise<Client> {
  const tcp = connectPlain({ port, host: "127.0.0.1", allowHalfOpen: true });
  tcp.on("error", () => {});
  const ended = new Promise((resolve) => tcp.on("end", resolve).on("close", resolve));
  const relay = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => tcp.writable && tcp.write(chunk)).on("end", () => tcp.end());
    tcp
      .on("data", (chunk) => socket.write(chunk))
      .on("end", () => socket.end())
      .on("close", () => socket.destroy());
    t.teardown(() => socket.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const tls = connect({
    port: (relay.address() as AddressInfo).port,
    allowHalfOpen: true,
    servername: HOST,
    ca: readFileSync(ca.caFile),
    ALPNProtocols: [protocol],
  } as ConnectionOptions);
  tls.on("error", () => {});
  t.teardown(() => {
    relay.close();
    tls.destroy();
    tcp.destroy();
  });
  await once(tls, "secureConnect");
  return { tls, tcp, ended };
}

/** Resolves when the gateway has closed the connection, not just ended its side. */
async function gone({ gateway }: Http2World, tcp: Socket): Promise<void> {
  while ((await gateway.metric("ossgate_client_connections")) > 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  tcp.destroy();
}

async function openHttp2(
  t: Teardown,
  world: Http2World,
  initialWindowSize = 65_535,
): Promise<Client & { readonly session: ClientHttp2Session }> {
  const client = await openTls(t, world, "h2");
  const session = connectHttp2(`https://${HOST}`, {
    createConnection: () => client.tls,
    settings: { initialWindowSize },
  });
  session.on("error", () => {});
  await once(session, "connect");
  return { ...client, session };
}

/** Says that it sends nothing more: by TLS and TCP, or by TCP alone. */
const FINS = { "close_notify and FIN": ({ tls }: Client) => tls.end(), FIN: ({ tcp }: Client) => tcp.end() };

t.test("a client of HTTP/2 that ends its connection ends what it waits for, at once", async (t) => {
  const world = await startHttp2(t);
  world.emulator.faults.failEvery(({ method }) => method === "GET", { kind: "stallBeforeHead" });
  for (const [how, end] of Object.entries(FINS)) {
    const client = await openHttp2(t, world);
    const { session } = client;
    const upload = session.request({ ":method": "PUT", ":path": `/up-${how.length}`, ":authority": HOST });
    upload.on("error", () => {}).write("half");
    get(session, `/wait-${how.length}`).on("error", () => {});
    await world.emulator.until(() => world.emulator.requestsInFlight() === 2);
    end(client);
    await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
    await client.ended;
    for (const name of ["up", "wait"]) {
      const { status, error } = await world.gateway.logged(({ target }) => target === `/${name}-${how.length}`);
      t.strictSame([status, error], [499, "CLIENT_GONE"], `${name}: ${how}`);
    }
    t.equal(await world.gateway.metric("ossgate_client_connections"), 0, how);
  }
});

t.test("what a gateway does not read of a request leaves nothing behind, and its answer counts as whole", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "hello");
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(500_000));
  const session = await openSession(t, world);
  const table: readonly (readonly [method: string, path: string, status: number, headers: object, body: string])[] = [
    ["GET", "/a", 200, {}, "hello"],
    ["GET", "/large", 200, {}, "hello"],
    ["GET", "/a", 200, { "content-length": "0" }, ""],
    ["GET", "/none", 404, {}, "x"],
    ["HEAD", "/a", 200, {}, "hello"],
    ["HEAD", "/none", 404, {}, "hello"],
    ["PATCH", "/a", 405, {}, "x".repeat(100_000)],
    ["PATCH", "/a", 405, { expect: "100-continue" }, "x"],
    ["DELETE", "/a", 204, {}, "x"],
  ];
  for (const [index, [method, path, status, headers, body]] of table.entries()) {
    const claim = `${method} ${path} ${body.length}`;
    const fields = { ":method": method, ":path": path, ":authority": HOST, "user-agent": `case-${index}`, ...headers };
    const stream = session.request(fields, { endStream: false });
    const answer = answerOf(stream);
    stream.end(body);
    const { rstCode, ...answered } = await answer;
    t.strictSame([answered.status, rstCode], [status, 0], claim);
    const entry = await world.gateway.logged(({ userAgent }) => userAgent === `case-${index}`);
    t.not(entry.error, "CLIENT_GONE", claim);
    t.equal(entry.sentBytes, answered.body.length, claim);
  }
  session.close();
  await once(session, "close");
});

t.test("uploads that are answered before they are read do not count as resets", async (t) => {
  const world = await startHttp2(t, "methods: [GET]");
  const session = await openSession(t, world);
  for (let i = 0; i < 400; i += 1) {
    const stream = session.request({ ":method": "PUT", ":path": "/a", ":authority": HOST }, { endStream: false });
    const answer = answerOf(stream);
    stream.write("some");
    const { status, rstCode } = await answer;
    if (status !== 405 || rstCode !== constants.NGHTTP2_NO_ERROR) t.fail(`the ${i}th: ${status}, ${rstCode}`);
  }
  t.notOk(session.closed);
  t.equal(await world.gateway.metric("ossgate_client_connections"), 1);
});

t.test("an upload that is reset without an error while nobody reads it ends the request", async (t) => {
  const world = await startHttp2(t);
  world.emulator.faults.failEvery(() => true, { kind: "stallBeforeHead" });
  const session = await openSession(t, world);
  const stream = session.request({ ":method": "GET", ":path": "/a", ":authority": HOST }, { endStream: false });
  stream.on("error", () => {}).write("x");
  await world.emulator.until(() => world.emulator.requestsInFlight() === 1);
  stream.close(constants.NGHTTP2_NO_ERROR);
  await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
  t.equal((await world.gateway.logged(() => true)).status, 499);
});

t.test("half an answer is never ended as if it were whole", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  for (const framing of ["Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "Content-Length: 5\r\n\r\nok"]) {
    for (const body of ["", "x"]) {
      world.emulator.faults.failNext(1, { kind: "rawAnswer", bytes: `HTTP/1.1 200 OK\r\n${framing}` });
      const stream = session.request({ ":path": "/a", ":authority": HOST }, { endStream: body === "" });
      const answer = answerOf(stream);
      if (body !== "") stream.end(body);
      t.equal((await answer).rstCode, constants.NGHTTP2_INTERNAL_ERROR, `${framing} ${body}`);
    }
  }
});

t.test("headers that HTTP/2 has once, and answers without a body, are sent as HTTP/2 may send them", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  const twice = ["ETag: a", "ETag: b", "Date: x", "Date: y", "Content-Language: de", "Content-Language: en"];
  const more = ["X-Own: 1", "X-Own: 2", "Content-Length: 2", "", "ok"];
  world.emulator.faults.failNext(1, {
    kind: "rawAnswer",
    bytes: ["HTTP/1.1 200 OK", ...twice, ...more].join("\r\n"),
  });
  const { status, headers, body } = await answerOf(get(session, "/a"));
  t.strictSame([status, body.toString()], [200, "ok"]);
  t.match(headers, { etag: "a", date: "x", "content-language": "de, en", "x-own": "1, 2" });
  const bytes = "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n";
  world.emulator.faults.failNext(1, { kind: "rawAnswer", bytes });
  const none = await answerOf(get(session, "/a"));
  t.strictSame([none.status, none.rstCode, none.headers["content-length"]], [204, 0, undefined]);
});

const IMPATIENT = "limits: { headerTimeout: 300ms, clientIdleTimeout: 300ms }";

t.test("a client that does not close its connection when it should does not keep it", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", IMPATIENT);
  const { tls, tcp } = await openTls(t, world, "h2");
  tls.resume();
  // The preface, settings, and a head that is not ended.
  tls.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  tls.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]));
  await gone(world, tcp);
});

t.test("a client that takes nothing off its connection does not keep it, nor what it asked for", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", IMPATIENT);
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(50_000_000));
  const { session, tls, tcp } = await openHttp2(t, world, 2 ** 30);
  for (let i = 0; i < 5; i += 1) get(session, "/large").on("error", () => {});
  tcp.pause();
  await world.gateway.logged(() => world.gateway.accessLog.length === 5);
  for (const { error } of world.gateway.accessLog) t.equal(error, "CLIENT_GONE");
  await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
  await gone(world, tcp);
  tls.destroy();
});

t.test("a stream that stalls is ended also where it was the upstream that was slow before", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", "limits: { clientIdleTimeout: 300ms }");
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(1_000_000));
  world.emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const session = await openSession(t, world, { initialWindowSize: 0 });
  const stream = get(session, "/large");
  stream.on("error", () => {});
  await world.emulator.until(() => world.emulator.faults.stalled === 1);
  // Longer than the time limit, which begins before.
  await new Promise((resolve) => setTimeout(resolve, 700));
  world.emulator.faults.releaseStalled();
  t.equal((await world.gateway.logged(() => true)).error, "CLIENT_GONE");
});

t.test(
  "a client of HTTP/1.1 over TLS that ends its side has its answer, and one that is gone ends its request",
  async (t) => {
    const world = await startHttp2(t);
    world.emulator.putObject(BUCKET, "a", "hello");
    const request = `GET /a HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
    for (const [how, end] of Object.entries(FINS)) {
      world.emulator.faults.failNext(1, { kind: "stallBeforeHead" });
      const waiting = await openTls(t, world, "http/1.1");
      let text = "";
      waiting.tls.on("data", (chunk) => {
        text += chunk;
      });
      waiting.tls.write(request);
      await world.emulator.until(() => world.emulator.faults.stalled === 1);
      const probed = once(waiting.tls, "data");
      end(waiting);
      await probed;
      t.match(text, /^HTTP\/1\.1 102 /, `it is asked whether it is still there: ${how}`);
      const ended = once(waiting.tls, "end");
      world.emulator.faults.releaseStalled();
      await ended;
      t.match(text, /HTTP\/1\.1 200 .*hello$/s, how);

      world.emulator.faults.failNext(1, { kind: "stallBeforeHead" });
      const left = await openTls(t, world, "http/1.1");
      left.tls.write(request);
      await world.emulator.until(() => world.emulator.faults.stalled === 1);
      left.tcp.destroy();
      await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
      const idle = await openTls(t, world, "http/1.1");
      idle.tls.resume();
      end(idle);
      await idle.ended;
    }
    t.equal((await world.gateway.logged(({ status }) => status === 499)).error, "CLIENT_GONE");
  },
);

t.test("a connection that ends before its handshake is not kept for it", async (t) => {
  const world = await startHttp2(t);
  const socket = connectPlain({ port: world.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.resume().end();
  await once(socket, "end");
  t.pass();
});

t.test("a status that HTTP does not have is 502 over HTTP/2 as over HTTP/1.1, in the same words", async (t) => {
  const world = await startHttp2(t);
  world.emulator.faults.failEvery(() => true, { kind: "answer", status: 700, headers: [], body: "odd" });
  const session = await openSession(t, world);
  t.equal((await answerOf(get(session, "/h2", { "user-agent": "h2" }))).status, 502);
  const { tls } = await openTls(t, world, "http/1.1");
  tls.write(`GET /h1 HTTP/1.1\r\nHost: ${HOST}\r\nUser-Agent: h1\r\nConnection: close\r\n\r\n`);
  const [first] = await once(tls, "data");
  t.match(String(first), /^HTTP\/1\.1 502 /);
  for (const mark of ["h2", "h1"]) {
    const entry = await world.gateway.logged(({ userAgent }) => userAgent === mark);
    t.match(entry, {
      status: 502,
      error: "UPSTREAM_BAD_RESPONSE",
      detail: "The upstream answered with the status 700, which HTTP does not have.",
    });
  }
});
