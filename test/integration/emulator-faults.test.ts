import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import t from "tap";
import { createEmulator, type Emulator, type Fault } from "../../src/emulator/index.js";
import { BUCKET, DOMAIN, openRaw, readRaw, send } from "../unit/emulator/wire.js";

const GET = `GET /k HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`;
const GET_AND_CLOSE = `GET /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nConnection: close\r\n\r\n`;

async function start(t: Pick<typeof import("tap").t, "teardown">, fault?: Fault): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN] });
  emulator.putObject(BUCKET, "k", "0123456789");
  if (fault !== undefined) emulator.faults.failNext(1, fault);
  return emulator;
}

const bodyOf = (text: string): string => text.slice(text.indexOf("\r\n\r\n") + 4);

t.test("resetBeforeHead ends the connection with RST and without a byte", async (t) => {
  const emulator = await start(t, { kind: "resetBeforeHead" });
  t.same(await readRaw(openRaw(emulator, GET)), { text: "", error: "ECONNRESET" });
  await emulator.until(() => emulator.openSockets() === 0 && emulator.requestsInFlight() === 0);
  t.match(emulator.captures, [{ state: "aborted", status: null }]);
});

t.test("resetAfterEffect stores an upload and answers nothing", async (t) => {
  const emulator = await start(t, { kind: "resetAfterEffect" });
  const put = `PUT /new HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 1\r\n\r\nx`;
  t.same(await readRaw(openRaw(emulator, put)), { text: "", error: "ECONNRESET" });
  t.equal(emulator.readObject(BUCKET, "new").toString(), "x");
});

t.test("resetMidBody sends the head with the true length, so many bytes, and RST", async (t) => {
  const emulator = await start(t, { kind: "resetMidBody", afterBytes: 4 });
  const { text, error } = await readRaw(openRaw(emulator, GET));
  t.match(text, "\r\nContent-Length: 10\r\n");
  t.equal(bodyOf(text), "0123");
  t.equal(error, "ECONNRESET");
});

t.test("resetMidBody after no byte still sends the head", async (t) => {
  const emulator = await start(t, { kind: "resetMidBody", afterBytes: 0 });
  const { text, error } = await readRaw(openRaw(emulator, GET));
  t.match(text, /^HTTP\/1\.1 200 /);
  t.equal(bodyOf(text), "");
  t.equal(error, "ECONNRESET");
});

t.test("shortBody announces the true length and ends in good order before it", async (t) => {
  const emulator = await start(t, { kind: "shortBody", missingBytes: 3 });
  const { text, error } = await readRaw(openRaw(emulator, GET));
  t.match(text, "\r\nContent-Length: 10\r\n");
  t.equal(bodyOf(text), "0123456");
  t.equal(error, undefined);
});

t.test("longBody sends more than it announces", async (t) => {
  const emulator = await start(t, { kind: "longBody", extraBytes: 2 });
  const { text } = await readRaw(openRaw(emulator, GET_AND_CLOSE));
  t.match(text, "\r\nContent-Length: 10\r\n");
  t.equal(bodyOf(text), "0123456789xx");
});

t.test("wrongLength announces what it is told and sends the true body", async (t) => {
  const emulator = await start(t, { kind: "wrongLength", contentLength: "abc" });
  const { text } = await readRaw(openRaw(emulator, GET));
  t.match(text, "\r\nContent-Length: abc\r\n");
  t.equal(bodyOf(text), "0123456789");
});

t.test("slowBytes sends the whole body in small pieces", async (t) => {
  const emulator = await start(t, { kind: "slowBytes", bytesPerTick: 3, tickMs: 1 });
  const socket = openRaw(emulator, GET_AND_CLOSE);
  let reads = 0;
  socket.on("data", () => {
    reads += 1;
  });
  t.equal(bodyOf((await readRaw(socket)).text), "0123456789");
  t.ok(reads > 1, `${reads} reads`);
});

t.test("a stalled head comes when it is released", async (t) => {
  const emulator = await start(t, { kind: "stallBeforeHead" });
  const answer = send(emulator, { target: "/k" });
  await emulator.until(() => emulator.faults.stalled === 1);
  t.equal(emulator.captures[0]?.status, null);
  emulator.faults.releaseStalled();
  t.equal((await answer).text, "0123456789");
  t.equal(emulator.faults.stalled, 0);
});

t.test("a stalled body goes on when it is released", async (t) => {
  const emulator = await start(t, { kind: "stallMidBody", afterBytes: 4 });
  const outgoing = request({
    host: "127.0.0.1",
    port: emulator.port,
    path: "/k",
    headers: { Host: DOMAIN },
    agent: false,
  }).end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const [first] = await once(response, "data");
  t.equal(String(first), "0123");
  await emulator.until(() => emulator.faults.stalled === 1);
  emulator.faults.releaseStalled();
  const [rest] = await once(response, "data");
  t.equal(String(rest), "456789");
});

t.test("a stall ends when the client goes away", async (t) => {
  const emulator = await start(t, { kind: "stallBeforeHead" });
  const socket = openRaw(emulator, GET);
  await emulator.until(() => emulator.faults.stalled === 1);
  socket.destroy();
  await emulator.until(() => emulator.openSockets() === 0);
  t.equal(emulator.faults.stalled, 0);
  t.equal(emulator.requestsInFlight(), 0);
});

t.test("throttle answers 503, or 429, with the delay that OSS tells", async (t) => {
  const emulator = await start(t, { kind: "throttle", delayMs: 120, code: "DownloadTrafficRateLimitExceeded" });
  const answer = await send(emulator, { target: "/k" });
  t.match([answer.status, answer.code], [503, "DownloadTrafficRateLimitExceeded"]);
  t.match(answer.headers, { "x-oss-qos-delay-time": "120", "x-oss-ec": "0004-00000304" });
  emulator.faults.failNext(1, { kind: "throttle", delayMs: 5, code: "QpsLimitExceeded" });
  t.equal((await send(emulator, { target: "/k" })).status, 429);
});

t.test("answer replaces the answer and OSS's headers where it says so", async (t) => {
  const headers = ["Location", "http://x/y", "Server", "other", "Set-Cookie", "a", "Set-Cookie", "b"];
  const emulator = await start(t, { kind: "answer", status: 302, headers, body: "moved" });
  const answer = await send(emulator, { target: "/k" });
  t.match([answer.status, answer.text], [302, "moved"]);
  t.match(answer.headers, { location: "http://x/y", server: "other", "set-cookie": ["a", "b"], "content-length": "5" });
  t.equal(answer.headers["x-oss-request-id"], "000000000000000000000001");
});

for (const status of [204, 304]) {
  t.test(`answer with ${status} has neither body nor length`, async (t) => {
    const emulator = await start(t, { kind: "answer", status });
    const { text } = await readRaw(openRaw(emulator, GET_AND_CLOSE));
    t.notMatch(text, /content-length|transfer-encoding/i);
    t.equal(bodyOf(text), "");
  });
}

t.test("rawAnswer sends these bytes and nothing else", async (t) => {
  const emulator = await start(t, { kind: "rawAnswer", bytes: "HTTP/1.1 garbage\r\n\r\n" });
  t.same(await readRaw(openRaw(emulator, GET)), { text: "HTTP/1.1 garbage\r\n\r\n", error: undefined });
});

t.test("informational sends an interim answer before the true one", async (t) => {
  const emulator = await start(t, { kind: "informational", status: 103, headers: ["Link", "</a>; rel=preload"] });
  const { text } = await readRaw(openRaw(emulator, GET_AND_CLOSE));
  t.match(text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

t.test("resetOnReuse breaks the next request of a connection that was used, and no first one", async (t) => {
  const emulator = await start(t, { kind: "resetOnReuse" });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const get = () =>
    request({ host: "127.0.0.1", port: emulator.port, path: "/k", headers: { Host: DOMAIN }, agent }).end();
  const [response] = (await once(get(), "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  t.equal(emulator.faults.pending, 1);
  const reused = get();
  const [error] = await once(reused, "error");
  t.equal(error.code, "ECONNRESET");
  t.ok(reused.reusedSocket);
  t.equal(emulator.faults.pending, 0);
});

const PUT_HEAD = `PUT /new HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 10\r\n\r\n`;

t.test("refuseUpload answers while the body is arriving, and may leave the connection open", async (t) => {
  const emulator = await start(t, { kind: "refuseUpload", afterBytes: 4, code: "InternalError", closes: false });
  const socket = openRaw(emulator, `${PUT_HEAD}0123`);
  const [head] = await once(socket, "data");
  t.match(String(head), /^HTTP\/1\.1 500 /);
  socket.write(`456789${GET_AND_CLOSE}`);
  t.match((await readRaw(socket)).text, /^HTTP\/1\.1 200 /);
  t.equal(emulator.getObject(BUCKET, "new"), undefined);
  t.equal(emulator.captures[0]?.bodyBytes, 10);
});

t.test("refuseUpload may close the connection at once", async (t) => {
  const emulator = await start(t, { kind: "refuseUpload", afterBytes: 0, code: "InternalError", closes: true });
  const { text } = await readRaw(openRaw(emulator, PUT_HEAD));
  t.match(text, /^HTTP\/1\.1 500 [\s\S]*\r\nConnection: close\r\n/);
});

t.test("faults are taken in order, by count and by predicate", async (t) => {
  const emulator = await start(t);
  const status = async (target: string) => (await send(emulator, { target })).status;
  emulator.faults.failNext((captured) => captured.rawTarget === "/b", { kind: "answer", status: 502 });
  emulator.faults.failNext(2, { kind: "answer", status: 500 });
  emulator.faults.failEvery(({ method }) => method === "GET", { kind: "answer", status: 503 });
  t.equal(emulator.faults.pending, 3);
  t.same([await status("/a"), await status("/b"), await status("/b"), await status("/a")], [500, 502, 500, 503]);
  t.equal(emulator.faults.pending, 0);
  t.equal(await status("/a"), 503, "failEvery stays");
  emulator.faults.clear();
  t.equal(await status("/k"), 200);
});

t.test("a fault of the body does no harm to an answer without one", async (t) => {
  const emulator = await start(t, { kind: "shortBody", missingBytes: 5 });
  t.equal((await send(emulator, { method: "HEAD", target: "/k" })).status, 200);
});
