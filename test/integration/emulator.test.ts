import { once } from "node:events";
import { Agent, request } from "node:http";
import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DEFAULT_HOST, DOMAIN, NOW_MS, openRaw, readRaw, send } from "../unit/emulator/wire.js";

type TapTest = Pick<typeof t, "teardown">;

const LAST_MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT";

async function start(t: TapTest): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addBucket({ name: BUCKET, acl: "public-read", domains: [DOMAIN] });
  emulator.putObject(BUCKET, "a b/图.txt", "0123456789", {
    "Content-Type": "text/plain",
    "Cache-Control": "max-age=60",
    "x-oss-meta-Colour": "red",
  });
  return emulator;
}

t.test("a GET answers the object with OSS's headers", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, { target: "/a%20b/%E5%9B%BE.txt" });
  t.equal(answer.text, "0123456789");
  t.match(answer.headers, {
    server: "AliyunOSS",
    date: LAST_MODIFIED,
    "content-type": "text/plain",
    "content-length": "10",
    connection: "close",
    etag: '"781E5E245D69B566979B86E28D23F2C7"',
    "last-modified": LAST_MODIFIED,
    "cache-control": "max-age=60",
    "accept-ranges": "bytes",
    "x-oss-object-type": "Normal",
    "x-oss-storage-class": "Standard",
    "x-oss-meta-colour": "red",
    "x-oss-request-id": "000000000000000000000001",
    "x-oss-server-time": "0",
    "x-oss-hash-crc64ecma": /^\d+$/,
  });
});

t.test("a HEAD answers the same headers without a body, and objectMeta fewer", async (t) => {
  const emulator = await start(t);
  const whole = await send(emulator, { target: "/a%20b/%E5%9B%BE.txt" });
  const head = await send(emulator, { method: "HEAD", target: "/a%20b/%E5%9B%BE.txt" });
  const without = (headers: object): object => ({ ...headers, "x-oss-request-id": "" });
  t.same(without(head.headers), without(whole.headers));
  t.equal(head.body.length, 0);
  const meta = await send(emulator, { method: "HEAD", target: "/a%20b/%E5%9B%BE.txt?objectMeta" });
  t.match(meta.headers, { "content-length": "10", etag: whole.headers.etag, "last-modified": LAST_MODIFIED });
  t.notOk(meta.headers["x-oss-meta-colour"]);
});

t.test("the error of a HEAD is in x-oss-err and x-oss-ec", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, { method: "HEAD", target: "/none" });
  t.equal(answer.status, 404);
  t.equal(answer.headers["x-oss-ec"], "0026-00000001");
  const document = Buffer.from(String(answer.headers["x-oss-err"]), "base64").toString();
  t.match(document, /<Code>NoSuchKey<\/Code>.*<RequestId>000000000000000000000001<\/RequestId>.*<Key>none<\/Key>/);
});

t.test("an error names the Host that the client sent, port and case included", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, { host: "IMG.example.com:8080", target: "/none" });
  t.match(answer.text, /<HostId>IMG\.example\.com:8080<\/HostId>/);
});

const HOSTS: readonly (readonly [host: string, target: string, status: number, code: string | undefined])[] = [
  [DOMAIN, "/a%20b/%E5%9B%BE.txt", 200, undefined],
  [`${DOMAIN}:8443`, "/a%20b/%E5%9B%BE.txt", 200, undefined],
  [DEFAULT_HOST, "/a%20b/%E5%9B%BE.txt", 200, undefined],
  [`${BUCKET}.oss-cn-hangzhou-internal.aliyuncs.com`, "/a%20b/%E5%9B%BE.txt", 200, undefined],
  [`${BUCKET}.cn-hangzhou.oss.aliyuncs.com`, "/a%20b/%E5%9B%BE.txt", 200, undefined],
  ["unknown.example.com", "/a", 403, "NonStandardHostForbidden"],
  ["127.0.0.1:9000", `/${BUCKET}/a`, 403, "NonStandardHostForbidden"],
  ["oss-cn-hangzhou.aliyuncs.com", `/${BUCKET}/a`, 403, "SecondLevelDomainForbidden"],
  ["oss-cn-hangzhou.aliyuncs.com", "/", 403, "AccessDenied"],
  ["oss-cn-hangzhou.aliyuncs.com", "/?regions", 501, "NotImplemented"],
  ["none.oss-cn-hangzhou.aliyuncs.com", "/a", 404, "NoSuchBucket"],
  ["x.oss-cn-hangzhou.aliyuncs.com", "/a", 400, "InvalidBucketName"],
  [`${BUCKET}.oss-cn-shanghai.aliyuncs.com`, "/a", 403, "AccessDenied"],
  [`${BUCKET}.oss-accelerate.aliyuncs.com`, "/a", 403, "TransferAccelerationDisabled"],
  [`${BUCKET}.s3.oss-cn-hangzhou.aliyuncs.com`, "/a", 501, "NotImplemented"],
];

for (const [host, target, status, code] of HOSTS) {
  t.test(`${target} at ${host} is answered ${status} ${code ?? ""}`, async (t) => {
    const emulator = await start(t);
    const answer = await send(emulator, { host, target });
    t.equal(answer.status, status);
    t.equal(answer.code, code);
  });
}

t.test("a bucket of another region is told with its endpoint", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, { host: `${BUCKET}.oss-cn-shanghai.aliyuncs.com`, target: "/a" });
  t.match(answer.text, `<Bucket>${BUCKET}</Bucket><Endpoint>oss-cn-hangzhou.aliyuncs.com</Endpoint>`);
});

t.test("a bucket with acceleration is served by the acceleration host", async (t) => {
  const emulator = await start(t);
  emulator.addBucket({ name: "fast-bucket", acl: "public-read", hasAcceleration: true });
  emulator.putObject("fast-bucket", "k", "v");
  t.equal((await send(emulator, { host: "fast-bucket.oss-accelerate.aliyuncs.com", target: "/k" })).text, "v");
});

t.test("two Host headers are refused", async (t) => {
  const emulator = await start(t);
  const socket = openRaw(emulator, `GET /a HTTP/1.1\r\nHost: ${DOMAIN}\r\nHost: other\r\nConnection: close\r\n\r\n`);
  t.match(await readRaw(socket), { text: /^HTTP\/1\.1 400 / });
});

const RANGES: readonly (readonly [
  range: string,
  standard: boolean,
  status: number,
  body: string,
  contentRange: string | undefined,
])[] = [
  ["bytes=2-4", false, 206, "234", "bytes 2-4/10"],
  ["bytes=-3", false, 206, "789", "bytes 7-9/10"],
  ["bytes=5-", false, 206, "56789", "bytes 5-9/10"],
  ["bytes=5-99", false, 200, "0123456789", undefined],
  ["bytes=5-99", true, 206, "56789", "bytes 5-9/10"],
  ["bytes=10-", false, 200, "0123456789", undefined],
  ["bytes=0-1,4-5", false, 200, "0123456789", undefined],
];

for (const [range, standard, status, body, contentRange] of RANGES) {
  t.test(
    `Range ${range} ${standard ? "with standard behaviour " : ""}is answered ${status} with ${body}`,
    async (t) => {
      const emulator = await start(t);
      const behaviour = standard ? ["x-oss-range-behavior", "standard"] : [];
      const answer = await send(emulator, { target: "/a%20b/%E5%9B%BE.txt", headers: ["Range", range, ...behaviour] });
      t.equal(answer.status, status);
      t.equal(answer.text, body);
      t.equal(answer.headers["content-range"], contentRange);
      t.equal(answer.headers["content-length"], String(body.length));
      const whole = await send(emulator, { method: "HEAD", target: "/a%20b/%E5%9B%BE.txt" });
      t.equal(answer.headers["x-oss-hash-crc64ecma"], whole.headers["x-oss-hash-crc64ecma"], "the CRC is of the whole");
    },
  );
}

t.test("a start beyond the end with standard behaviour is answered 416", async (t) => {
  const emulator = await start(t);
  const headers = ["Range", "bytes=10-", "x-oss-range-behavior", "standard"];
  const answer = await send(emulator, { target: "/a%20b/%E5%9B%BE.txt", headers });
  t.equal(answer.status, 416);
  t.match(answer.text, "<RangeRequested>bytes=10-</RangeRequested><ActualObjectSize>10</ActualObjectSize>");
});

t.test("conditions end in 304 without a body and in 412", async (t) => {
  const emulator = await start(t);
  const target = "/a%20b/%E5%9B%BE.txt";
  const notModified = await send(emulator, { target, headers: ["If-Modified-Since", LAST_MODIFIED] });
  t.equal(notModified.status, 304);
  t.equal(notModified.body.length, 0);
  t.equal(notModified.headers["content-type"], undefined);
  t.equal(notModified.headers.etag, '"781E5E245D69B566979B86E28D23F2C7"');
  const failed = await send(emulator, { target, headers: ["If-Match", '"x"'] });
  t.match([failed.status, failed.code], [412, "PreconditionFailed"]);
});

t.test("a capture has the request target and the headers as they were on the wire", async (t) => {
  const emulator = await start(t);
  const target = "/a//b/../%2f+%20?x=1&&y=%zz;";
  const head = `GET ${target} HTTP/1.1\r\nHOST: ${DOMAIN}\r\nX-a: 1\r\nx-A:  2 \r\nconnection: CLOSE\r\n\r\n`;
  await readRaw(openRaw(emulator, head));
  t.match(emulator.captures, [
    {
      method: "GET",
      rawTarget: target,
      rawHeaders: ["HOST", DOMAIN, "X-a", "1", "x-A", "2", "connection", "CLOSE"],
      requestId: "000000000000000000000001",
      numberOnSocket: 1,
      status: 404,
      state: "answered",
      continueSent: false,
    },
  ]);
  emulator.clearCaptures();
  t.same(emulator.captures, []);
});

t.test("only the last captures are kept", async (t) => {
  const emulator = createEmulator({ captureLimit: 2 });
  t.teardown(() => emulator.close());
  await emulator.listen();
  for (const target of ["/1", "/2", "/3"]) await send(emulator, { target });
  t.same(
    emulator.captures.map(({ rawTarget }) => rawTarget),
    ["/2", "/3"],
  );
});

t.test("a kept connection is counted once, and closing the idle ones ends it", async (t) => {
  const emulator = await start(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (const target of ["/1", "/2"]) {
    const outgoing = request({
      port: emulator.port,
      host: "127.0.0.1",
      path: target,
      agent,
      headers: { Host: DOMAIN },
    }).end();
    const [response] = await once(outgoing, "response");
    t.equal(response.headers.connection, "keep-alive");
    t.equal(response.headers["keep-alive"], undefined, "OSS gives no hint of its timeout");
    response.resume();
    await once(response, "end");
  }
  t.equal(emulator.acceptedConnections, 1);
  t.equal(emulator.openSockets(), 1);
  t.same(
    emulator.captures.map(({ numberOnSocket }) => numberOnSocket),
    [1, 2],
  );
  await emulator.until(() => emulator.requestsInFlight() === 0);
  emulator.closeIdleSockets();
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("what is not HTTP is answered 400 and counted", async (t) => {
  const emulator = await start(t);
  const answer = await readRaw(openRaw(emulator, "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n"));
  t.match(answer.text, /^HTTP\/1\.1 400 /);
  t.equal(emulator.clientErrors, 1);
  t.same(emulator.captures, []);
});

t.test("a method that OSS does not have is answered 405 with Allow", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, { method: "PATCH", target: "/a" });
  t.match([answer.status, answer.code], [405, "MethodNotAllowed"]);
  t.equal(answer.headers.allow, "GET, HEAD, PUT, POST, DELETE, OPTIONS");
});

t.test("closing ends requests in work and idle connections", async (t) => {
  const emulator = await start(t);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const socket = openRaw(emulator, `GET /a HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`);
  await emulator.until(() => emulator.faults.stalled === 1);
  const ended = readRaw(socket);
  await emulator.close();
  await ended;
  t.equal(emulator.openSockets(), 0);
  t.equal(emulator.captures[0]?.state, "aborted");
});

t.test("a generated object of 64 MB streams while the reader sets the pace", async (t) => {
  const emulator = await start(t);
  const size = 64 * 2 ** 20;
  emulator.putGenerated(BUCKET, "big", size);
  const outgoing = request({
    port: emulator.port,
    host: "127.0.0.1",
    path: "/big",
    headers: { Host: DOMAIN },
    agent: false,
  }).end();
  const [response] = await once(outgoing, "response");
  t.equal(response.headers["content-length"], String(size));
  t.equal(response.headers["x-oss-hash-crc64ecma"], undefined, "no CRC is better than a wrong one");
  let received = 0;
  for await (const chunk of response) received += chunk.length;
  t.equal(received, size);
  const range = await send(emulator, { target: "/big", headers: ["Range", "bytes=65530-65545"] });
  t.ok(range.body.equals(emulator.readObject(BUCKET, "big").subarray(65530, 65546)));
});
