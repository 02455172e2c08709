import { Agent } from "node:http";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, startRig } from "./support/rig.js";
import { clientsGone, startOrigin } from "./support/sockets.js";

const SIZE = 200_000;

t.test("a body that is shorter than announced is a truncated answer", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.putGenerated("examplebucket", "a.bin", SIZE);
  emulator.faults.failNext(1, { kind: "shortBody", missingBytes: 1 });
  const answer = await ask(gw.port, "/a.bin");
  t.equal(answer.headers["content-length"], String(SIZE));
  t.equal(answer.body.length, SIZE - 1);
  t.notOk(answer.isComplete);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
  await checkQuiet(t, { emulator, gw });
});

t.test("what follows the announced body reaches no client, nor the next request", async (t) => {
  const { emulator, gw } = await startRig(t);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  for (const extraBytes of [1, 100_000]) {
    emulator.faults.failNext(1, { kind: "longBody", extraBytes });
    for (let i = 0; i < 3; i += 1) {
      const answer = await ask(gw.port, "/hello.txt", { agent });
      t.equal(answer.status, 200);
      t.equal(answer.body.toString(), "hello", `request ${i} after ${extraBytes} extra bytes`);
      t.ok(answer.isComplete);
    }
  }
  t.ok(gw.accessLog.every((entry) => entry.error === undefined && entry.sentBytes === 5));
  agent.destroy();
  await checkQuiet(t, { emulator, gw });
});

t.test("a second answer that nobody asked for is not taken for the next one's", async (t) => {
  const answerOf = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  const origin = await startOrigin(t, (socket) => {
    socket.once("data", () => socket.write(`${answerOf("true")}${answerOf("forged")}`));
  });
  const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
  for (let i = 0; i < 3; i += 1) t.equal((await ask(gw.port, `/${i}`)).body.toString(), "true");
  await clientsGone(gw.port);
  checkGauges(t, gw);
});

t.test("a Content-Length that is larger than the body is a truncated answer", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "wrongLength", contentLength: "9" });
  const answer = await ask(gw.port, "/hello.txt");
  t.equal(answer.body.toString(), "hello");
  t.notOk(answer.isComplete);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a Content-Length that is smaller than the body cuts it there", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "wrongLength", contentLength: "2" });
  const answer = await ask(gw.port, "/hello.txt");
  t.equal(answer.body.toString(), "he");
  t.ok(answer.isComplete);
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});

const NOT_HTTP: readonly (readonly [what: string, bytes: string])[] = [
  ["no HTTP at all", "SSH-2.0-OpenSSH_9.2p1\r\n"],
  ["HTTP/0.9", "<html>hello</html>"],
  ["a status that is no number", "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nno"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nno"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nno"],
  ["a status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nno"],
  ["a control character in a value", "HTTP/1.1 200 OK\r\nx-a: b\u0001c\r\nContent-Length: 2\r\n\r\nno"],
  ["a NUL in a value", "HTTP/1.1 200 OK\r\nx-a: b\u0000c\r\nContent-Length: 2\r\n\r\nno"],
  ["a space in a name", "HTTP/1.1 200 OK\r\nx a: b\r\nContent-Length: 2\r\n\r\nno"],
  ["a bare CR in a value", "HTTP/1.1 200 OK\r\nx-a: b\rc\r\nContent-Length: 2\r\n\r\nno"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nno"],
  ["a length that is no number", "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nno"],
  ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nno"],
  ["length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["headers without end", `HTTP/1.1 200 OK\r\n${"x-filler: 0123456789\r\n".repeat(5_000)}`],
  ["an upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
];

t.test("an answer that is not valid HTTP is 502 for downloads and uploads", async (t) => {
  for (const [what, bytes] of NOT_HTTP) {
    for (const method of ["GET", "PUT"]) {
      t.comment(`${method}: ${what}`);
      const { emulator, gw } = await startRig(t, { bucket: { timeouts: { headers: "2s" } } });
      emulator.faults.failEvery(() => true, { kind: "rawAnswer", bytes });
      const answer = await ask(gw.port, "/hello.txt", { method, ...(method === "PUT" ? { body: "data" } : {}) });
      t.equal(answer.status, 502, `${method}: ${what}`);
      t.equal(gatewayCode(answer), "UPSTREAM_BAD_RESPONSE");
      t.equal(emulator.captures.length, 1, "it was not sent again");
      await checkLogged(t, gw, { status: 502, error: "UPSTREAM_BAD_RESPONSE" });
      await checkQuiet(t, { emulator, gw });
    }
  }
});

t.test("bytes that are no valid chunked coding truncate the answer", async (t) => {
  for (const method of ["GET", "PUT"]) {
    const { emulator, gw } = await startRig(t);
    emulator.faults.failNext(1, {
      kind: "rawAnswer",
      bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    });
    const client = new RawClient(gw.port);
    client.sendHead(`${method} /chunked HTTP/1.1`, ...(method === "PUT" ? ["Content-Length: 0"] : []));
    await client.closed;
    t.match(client.text, /^HTTP\/1\.1 200 OK/, method);
    t.notMatch(client.text, /\r\n0\r\n/, "no last chunk");
    t.equal((await gw.logged(() => true)).status, 200);
    t.ok((await gw.logged(() => true)).error);
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("interim answers reach the client and the final one follows", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "informational", status: 103, headers: ["Link", "</a.css>; rel=preload"] });
  const client = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
  t.equal(await client.closed, null);
  t.match(client.text, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/i);
  t.match(client.text, /hello$/);
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});
