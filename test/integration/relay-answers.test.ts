import t from "tap";
import { answerTo, head, RawConnection, valuesOf, xmlText } from "../support/raw-client.js";
import { BUCKET, DOMAIN, OSS_HOST, OTHER, relay, startRelay } from "../support/relay-world.js";

const world = await startRelay(
  t,
  `
  - { name: plain, match: { hosts: [gw.test] }, bucket: one, methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: private, match: { hosts: [private.test] }, bucket: two }
  - { name: prefixed, match: { hosts: [k.test], pathPrefix: /in }, bucket: one, stripPrefix: true, keyPrefix: out/ }
  - { name: style, match: { hosts: [127.0.0.1] }, buckets: [one, two] }
`,
);
const { emulator, gateway } = world;
const TEXT = "0123456789";
emulator.putObject(BUCKET, "k", TEXT, { "Content-Type": "text/plain", "x-oss-meta-a": "b" });
emulator.putObject(BUCKET, "empty", "");

const value = (rawHeaders: readonly string[], name: string): string | undefined => valuesOf(rawHeaders, name)[0];

t.test("GET gives the bytes with ETag, CRC and length as OSS sent them", async (t) => {
  const { answer, entry } = await relay(world, { host: "gw.test", target: "/k" });
  const object = emulator.getObject(BUCKET, "k");
  t.equal(answer.body.toString(), TEXT);
  t.equal(value(answer.rawHeaders, "etag"), object?.etag);
  t.equal(value(answer.rawHeaders, "x-oss-hash-crc64ecma"), String(object?.crc64));
  t.equal(value(answer.rawHeaders, "content-length"), "10");
  t.equal(value(answer.rawHeaders, "x-oss-meta-a"), "b");
  t.equal(value(answer.rawHeaders, "x-oss-request-id"), entry.ossRequestId);
  t.equal(entry.sentBytes, TEXT.length);
});

t.test("HEAD stays HEAD, with the length and without a body", async (t) => {
  const { answer, capture } = await relay(world, { method: "HEAD", host: "gw.test", target: "/k" });
  t.equal(capture?.method, "HEAD");
  t.same([answer.status, value(answer.rawHeaders, "content-length")], [200, "10"]);
});

t.test("HEAD ?objectMeta keeps the object's length", async (t) => {
  const { answer } = await relay(world, { method: "HEAD", host: "gw.test", target: "/k?objectMeta" });
  t.same([answer.status, value(answer.rawHeaders, "content-length")], [200, "10"]);
});

t.test("answers without a body leave the connection good for the next request", async (t) => {
  const etag = emulator.getObject(BUCKET, "k")?.etag ?? "";
  const requests: readonly (readonly [method: string, target: string, headers: readonly string[], status: number])[] = [
    ["HEAD", "/k", [], 200],
    ["HEAD", "/k?objectMeta", [], 200],
    ["HEAD", "/missing", [], 404],
    ["GET", "/k", ["If-None-Match", etag], 304],
    ["HEAD", "/k", ["If-None-Match", etag], 304],
    ["GET", "/empty", [], 200],
    ["DELETE", "/missing", [], 204],
    ["PUT", "/empty", ["Content-Length", "0"], 200],
    ["GET", "/k", [], 200],
  ];
  const connection = await RawConnection.open(gateway.port);
  for (const [method, target, headers, status] of requests) {
    connection.send(head(method, target, ["Host", "gw.test", ...headers]));
    const answer = await connection.answer(method);
    t.equal(answer.status, status, `${method} ${target}`);
    if (status === 304) t.equal(value(answer.rawHeaders, "etag"), etag);
  }
  connection.close();
});

t.test("103 reaches the client with its links, 102 as it is, and the answer after them", async (t) => {
  for (const method of ["GET", "PUT"]) {
    for (const status of [102, 103] as const) {
      const headers = status === 103 ? ["Link", "</style.css>; rel=preload; as=style"] : [];
      emulator.faults.failNext(1, { kind: "informational", status, headers });
      const connection = await RawConnection.open(gateway.port);
      connection.send(head(method, "/empty", ["Host", "gw.test", "Content-Length", "0"]));
      const interim = await connection.answer();
      t.equal(interim.status, status);
      if (status === 103) t.same(valuesOf(interim.rawHeaders, "link"), headers.slice(1));
      t.equal((await connection.answer(method)).status, 200);
      connection.close();
    }
  }
});

t.test("an HTTP/1.0 client gets no interim answer", async (t) => {
  emulator.faults.failNext(1, { kind: "informational", status: 102 });
  const connection = await RawConnection.open(gateway.port);
  connection.send("GET /k HTTP/1.0\r\nHost: gw.test\r\n\r\n");
  const answers = await connection.answersUntilEnd();
  t.same(
    answers.map(({ status, body }) => [status, body.toString()]),
    [[200, TEXT]],
  );
});

t.test("a 100 is the upstream's own, and a refused upload transfers no body", async (t) => {
  const expect = ["Host", "gw.test", "Expect", "100-continue", "Content-Length", "2"];
  const taken = await RawConnection.open(gateway.port);
  taken.send(head("PUT", "/new", expect));
  t.equal((await taken.answer()).status, 100);
  taken.send("hi");
  t.equal((await taken.answer("PUT")).status, 200);
  t.equal(emulator.readObject(BUCKET, "new").toString(), "hi");
  taken.close();

  emulator.clearCaptures();
  const refused = await RawConnection.open(gateway.port);
  refused.send(head("PUT", "/new", [...expect, "Content-MD5", "x", "Authorization", "OSS unknown:sig"]));
  t.equal((await refused.answer("PUT")).status, 403);
  await refused.ended;
  refused.close();
  t.same(
    emulator.captures.map(({ bodyBytes, continueSent }) => [bodyBytes, continueSent]),
    [[0, false]],
  );
});

t.test("ranges are OSS's own: 206, its 200 for a bad one, and 416 only when asked for", async (t) => {
  const standard = ["x-oss-range-behavior", "standard"];
  const table: readonly (readonly [
    headers: readonly string[],
    status: number,
    body: RegExp,
    range: string | undefined,
  ])[] = [
    [["Range", "bytes=2-4"], 206, /^234$/, "bytes 2-4/10"],
    [["Range", "bytes=-3"], 206, /^789$/, "bytes 7-9/10"],
    [["Range", "bytes=8-"], 206, /^89$/, "bytes 8-9/10"],
    [["Range", "bytes=50-60"], 200, /^0123456789$/, undefined],
    [["Range", "byte=0-1"], 200, /^0123456789$/, undefined],
    [["Range", "bytes=8-50", ...standard], 206, /^89$/, "bytes 8-9/10"],
    [["Range", "bytes=50-60", ...standard], 416, /<Code>InvalidRange</, undefined],
  ];
  for (const [headers, status, body, range] of table) {
    const { answer } = await relay(world, { host: "gw.test", target: "/k", headers });
    t.equal(answer.status, status, headers.join(" "));
    t.match(answer.body.toString(), body);
    if (status !== 416) t.equal(value(answer.rawHeaders, "content-range"), range);
  }
});

t.test("OSS's errors pass as they are, in XML and in headers", async (t) => {
  const got = await relay(world, { host: "private.test", target: "/k" });
  const direct = await answerTo(emulator.port, head("GET", "/k", ["Host", `${OTHER}.oss-cn-beijing.aliyuncs.com`]));
  const neutral = (text: string): string => text.replace(/<RequestId>[^<]*/, "");
  t.equal(got.answer.status, 403);
  t.equal(neutral(got.answer.body.toString()), neutral(direct.body.toString()));
  t.equal(value(got.answer.rawHeaders, "x-oss-ec"), value(direct.rawHeaders, "x-oss-ec"));
  t.equal(got.entry.ossEc, "0003-00000001");
  t.equal(got.entry.error, undefined, "it is no error of the gateway");
  t.same(valuesOf(got.answer.rawHeaders, "x-ossgate-error"), []);

  const missing = await relay(world, { method: "HEAD", host: "gw.test", target: "/missing" });
  const xml = Buffer.from(value(missing.answer.rawHeaders, "x-oss-err") ?? "", "base64").toString();
  t.same([missing.answer.status, xmlText(xml, "Code")], [404, "NoSuchKey"]);
});

t.test("throttling passes with its delay", async (t) => {
  emulator.faults.failNext(1, { kind: "throttle", delayMs: 250, code: "DownloadTrafficRateLimitExceeded" });
  const { answer } = await relay(world, { host: "gw.test", target: "/k" });
  t.same([answer.status, value(answer.rawHeaders, "x-oss-qos-delay-time")], [503, "250"]);
});

t.test("XML bodies are left alone, own hosts and keys in them too", async (t) => {
  const xml = `<Result><Endpoint>${OSS_HOST}</Endpoint><Key>out/k</Key></Result>`;
  emulator.faults.failNext(1, { kind: "answer", status: 200, headers: ["Content-Type", "application/xml"], body: xml });
  const { answer } = await relay(world, { host: "k.test", target: "/in/k" });
  t.equal(answer.body.toString(), xml);
});

t.test("a Location to the bucket leads the client back to where it came from", async (t) => {
  const location = (to: string) => ({ kind: "answer", status: 302, headers: ["Location", to] }) as const;
  const table: readonly (readonly [host: string, target: string, to: string, seen: string])[] = [
    ["gw.test:8080", "/k", `https://${OSS_HOST}/a%2Fb?c#d`, "http://gw.test:8080/a%2Fb?c#d"],
    ["gw.test", "/k", `http://${DOMAIN}/a`, "http://gw.test/a"],
    ["gw.test", "/k", "https://elsewhere.example/a", "https://elsewhere.example/a"],
    ["k.test", "/in/k", `http://${OSS_HOST}/out/a`, "http://k.test/in/a"],
    ["127.0.0.1", `/${BUCKET}/k`, `http://${OSS_HOST}/a`, `http://127.0.0.1/${BUCKET}/a`],
  ];
  for (const [host, target, to, seen] of table) {
    emulator.faults.failNext(1, location(to));
    const { answer } = await relay(world, { host, target });
    t.same([answer.status, valuesOf(answer.rawHeaders, "location")], [302, [seen]], to);
  }
});

t.test("a browser's preflight is the bucket's to answer, on any route; other OPTIONS are 405", async (t) => {
  const headers = ["Origin", "https://www.example.com", "Access-Control-Request-Method", "PUT"];
  const { answer, capture } = await relay(world, { method: "OPTIONS", host: "private.test", target: "/k", headers });
  t.equal(capture?.method, "OPTIONS");
  t.equal(answer.status, capture?.status);
  for (const [i, name] of headers.entries())
    if (i % 2 === 0) t.same(valuesOf(capture?.rawHeaders ?? [], name.toLowerCase()), [headers[i + 1]]);
  const bare = await relay(world, { method: "OPTIONS", host: "private.test", target: "/k" });
  t.same([bare.answer.status, bare.capture], [405, undefined]);
});

t.test("a method that the route does not name is 405 with Allow, and is not sent", async (t) => {
  for (const method of ["PUT", "POST", "DELETE", "PATCH", "PROPFIND", "TRACE"]) {
    const { answer, entry, capture } = await relay(world, { method, host: "private.test", target: "/k", body: "hi" });
    t.same([answer.status, xmlText(answer.body, "Code"), entry.error], [405, "MethodNotAllowed", "METHOD_NOT_ALLOWED"]);
    t.same(valuesOf(answer.rawHeaders, "allow"), ["GET, HEAD"]);
    t.equal(capture, undefined);
  }
});
