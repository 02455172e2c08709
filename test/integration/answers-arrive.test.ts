import { once } from "node:events";
import { connect } from "node:net";
import t, { type Test } from "tap";
import { maskTarget } from "../../src/telemetry/access-log.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { answerTo, valuesOf, xmlText } from "../support/raw-client.js";
import { startStrictOrigin } from "../support/strict-origin.js";

function start(t: Test, endpoint: string): Promise<TestGateway> {
  return startGateway(
    t,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
limits: { headerSize: 4KiB, targetSize: 2KiB }
buckets: { b: { bucket: examplebucket, region: cn-hangzhou, endpoint: "${endpoint}" } }
routes:
  - { name: all, match: { hosts: [g.test] }, bucket: b, methods: [GET, HEAD, PUT] }
  - { name: inside, match: { hosts: [p.test] }, bucket: b, methods: [GET, PUT], keyPrefix: site/ }
`,
  );
}

t.test("a 304 or 204 that tells a length is whole", async (t) => {
  const origin = await startStrictOrigin(t);
  const { port } = await start(t, `http://127.0.0.1:${origin.port}`);
  for (const status of [304, 204]) {
    for (const method of ["GET", "HEAD"]) {
      origin.reply(() => `HTTP/1.1 ${status} X\r\nContent-Length: 5\r\nETag: "e"\r\n\r\n`);
      const answer = await answerTo(port, `${method} /k HTTP/1.1\r\nHost: g.test\r\n\r\n`, "HEAD");
      t.equal(answer.status, status, method);
      t.same(valuesOf(answer.rawHeaders, "etag"), ['"e"']);
    }
  }
});

t.test("each Connection header of an answer is heeded", async (t) => {
  const origin = await startStrictOrigin(t);
  const { port } = await start(t, `http://127.0.0.1:${origin.port}`);
  const lines = "Connection: keep-alive\r\nConnection: x-inner\r\nx-inner: 1\r\nx-outer: 2\r\nContent-Length: 0";
  origin.reply(() => `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n`);
  const { rawHeaders } = await answerTo(port, "GET /k HTTP/1.1\r\nHost: g.test\r\n\r\n");
  t.same(valuesOf(rawHeaders, "x-inner"), []);
  t.same(valuesOf(rawHeaders, "x-outer"), ["2"]);
});

t.test("a refusal reaches a client that sends on and reads late, and is counted and logged once", async (t) => {
  const emulator = await startEmulator(t);
  const gateway = await start(t, emulator.url);
  const heads = [
    "PUT /caf\xe9 HTTP/1.1\r\nHost: g.test\r\nContent-Length: 3000000\r\n\r\n",
    `PUT /k HTTP/1.1\r\nHost: g.test\r\nX: ${"a".repeat(5_000)}\r\nContent-Length: 3000000\r\n\r\n`,
  ];
  for (const [index, head] of heads.entries()) {
    const socket = connect(gateway.port, "127.0.0.1");
    socket.pause();
    await once(socket, "connect");
    socket.write(Buffer.from(head, "latin1"));
    for (let sent = 0; sent < 3_000_000; sent += 60_000) {
      if (!socket.write(Buffer.alloc(60_000, "x"))) await once(socket, "drain");
    }
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.resume();
    socket.end();
    await once(socket, "close");
    const text = Buffer.concat(chunks).toString("latin1");
    t.match(text, /^HTTP\/1\.1 4(00|31) /, `head ${index}`);
    t.equal(text.split("HTTP/1.1").length, 2, "one answer");
    t.equal(gateway.accessLog.length, index + 1, "one line");
  }
  t.equal(gateway.accessLog[0]?.target, "/caf\xe9");
});

t.test("a route with a keyPrefix refuses headers that name a second key, signed or not", async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-hangzhou", acl: "public-read-write" });
  emulator.putObject("examplebucket", "secret.txt", "TOP");
  const { port } = await start(t, emulator.url);
  for (const name of ["x-oss-copy-source", "X-Oss-Symlink-Target"]) {
    const head = `PUT /x HTTP/1.1\r\nHost: p.test\r\n${name}: /examplebucket/secret.txt\r\nContent-Length: 0\r\n\r\n`;
    const { status, body } = await answerTo(port, head);
    t.equal(status, 400, name);
    t.equal(xmlText(body, "Code"), "InvalidArgument");
  }
  t.same(emulator.keys("examplebucket"), ["secret.txt"]);
  t.equal(emulator.captures.length, 0);
});

t.test("what is masked", async (t) => {
  const nested = encodeURIComponent("http://47.0.2.74/k?Expires=1&OSSAccessKeyId=AK&Signature=LEAK");
  const rows: [string, string][] = [
    [`https://view.test/op?src=${nested}&n=1`, "https://view.test/op?src=***&n=1"],
    [`/op?src=${encodeURIComponent(nested)}`, "/op?src=***"],
    ["https://u:pw@view.test/a", "https://***@view.test/a"],
    ["/k?AWSAccessKeyId=A&x=1", "/k?AWSAccessKeyId=***&x=1"],
    ["/k@v2?x=a%20b", "/k@v2?x=a%20b"],
  ];
  for (const [target, expected] of rows) t.equal(maskTarget(target), expected);
});
