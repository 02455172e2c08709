import { createHash } from "node:crypto";
import { once } from "node:events";
import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DOMAIN, openRaw, readRaw, send } from "../unit/emulator/wire.js";

const PART_BYTES = 100 * 1024;

async function start(t: Pick<typeof import("tap").t, "teardown">, discardBodies = false): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN], discardBodies });
  return emulator;
}

const md5Base64 = (text: string): string => createHash("md5").update(text).digest("base64");

t.test("an upload is stored with its bytes and headers and answers its digests", async (t) => {
  const emulator = await start(t);
  const headers = [
    "Content-Type",
    "text/css",
    "Content-Encoding",
    "identity",
    "x-oss-meta-a",
    "1",
    "Content-MD5",
    md5Base64("hello"),
  ];
  const put = await send(emulator, { method: "PUT", target: "/k", headers, body: "hello" });
  t.equal(put.headers.etag, '"5D41402ABC4B2A76B9719D911017C592"');
  t.equal(put.headers["x-oss-hash-crc64ecma"], "11177612005948864433");
  t.equal(put.headers["content-length"], "0");
  const got = await send(emulator, { target: "/k" });
  t.equal(got.text, "hello");
  t.match(got.headers, { "content-type": "text/css", "content-encoding": "identity", "x-oss-meta-a": "1" });
});

t.test("an upload may be chunked, and without any length is answered 411", async (t) => {
  const emulator = await start(t);
  const chunked = await send(emulator, {
    method: "PUT",
    target: "/k",
    headers: ["Transfer-Encoding", "chunked"],
    body: "abc",
  });
  t.equal(chunked.status, 200);
  t.equal(emulator.readObject(BUCKET, "k").toString(), "abc");
  const bare = openRaw(emulator, `PUT /n HTTP/1.1\r\nHost: ${DOMAIN}\r\nConnection: close\r\n\r\n`);
  t.match((await readRaw(bare)).text, /^HTTP\/1\.1 411 [\s\S]*MissingContentLength/);
});

const REFUSED_UPLOADS: readonly (readonly [claim: string, headers: readonly string[], status: number, code: string])[] =
  [
    ["another MD5", ["Content-MD5", md5Base64("other")], 400, "InvalidDigest"],
    ["a malformed MD5", ["Content-MD5", "abc"], 400, "InvalidDigest"],
    ["another CRC", ["x-oss-hash-crc64ecma", "1"], 400, "InvalidCRC64"],
    ["If-Modified-Since", ["If-Modified-Since", "Wed, 01 Jan 2025 00:00:00 GMT"], 400, "NotImplemented"],
    ["If-None-Match", ["If-None-Match", "*"], 400, "NotImplemented"],
    ["an unknown ACL", ["x-oss-object-acl", "open"], 400, "InvalidArgument"],
    ["a storage class that is not emulated", ["x-oss-storage-class", "Archive"], 501, "NotImplemented"],
    ["server-side encryption", ["x-oss-server-side-encryption", "AES256"], 501, "NotImplemented"],
  ];

for (const [claim, headers, status, code] of REFUSED_UPLOADS) {
  t.test(`an upload with ${claim} is refused with ${code} and leaves nothing`, async (t) => {
    const emulator = await start(t);
    const answer = await send(emulator, { method: "PUT", target: "/k", headers, body: "hello" });
    t.match([answer.status, answer.code], [status, code]);
    t.same(emulator.keys(BUCKET), []);
  });
}

t.test("the right CRC is accepted", async (t) => {
  const emulator = await start(t);
  const headers = ["x-oss-hash-crc64ecma", "11177612005948864433"];
  t.equal((await send(emulator, { method: "PUT", target: "/k", headers, body: "hello" })).status, 200);
});

t.test("forbidding to overwrite keeps what is there", async (t) => {
  const emulator = await start(t);
  const wire = { method: "PUT", target: "/k", headers: ["x-oss-forbid-overwrite", "true"] };
  t.equal((await send(emulator, { ...wire, body: "1" })).status, 200);
  const second = await send(emulator, { ...wire, body: "2" });
  t.match([second.status, second.code], [409, "FileAlreadyExists"]);
  t.equal(emulator.readObject(BUCKET, "k").toString(), "1");
});

t.test("a declared length above 5 GB is refused without reading", async (t) => {
  const emulator = await start(t);
  const head = `PUT /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: ${5 * 2 ** 30 + 1}\r\nExpect: 100-continue\r\n\r\n`;
  t.match((await readRaw(openRaw(emulator, head))).text, /^HTTP\/1\.1 400 [\s\S]*EntityTooLarge/);
});

t.test("an allowed upload that expects 100 gets it", async (t) => {
  const emulator = await start(t);
  const answer = await send(emulator, {
    method: "PUT",
    target: "/k",
    headers: ["Expect", "100-continue"],
    body: "abc",
  });
  t.equal(answer.status, 200);
  t.ok(answer.gotContinue);
  t.match(emulator.captures, [{ continueSent: true, bodyBytes: 3, status: 200 }]);
});

t.test("a refused upload that expects 100 gets its final status and not a byte is read", async (t) => {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, domains: [DOMAIN] });
  const head = `PUT /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`;
  const answer = await readRaw(openRaw(emulator, head));
  t.match(answer.text, /^HTTP\/1\.1 403 /);
  t.match(answer.text, /\r\nConnection: close\r\n/);
  t.match(emulator.captures, [{ continueSent: false, bodyBytes: 0, status: 403 }]);
});

t.test("a body that ends early is answered 400 IncompleteBody and leaves nothing", async (t) => {
  const emulator = await start(t);
  const socket = openRaw(emulator, `PUT /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 10\r\n\r\nabc`);
  await emulator.until(() => emulator.captures[0]?.bodyBytes === 3 || emulator.requestsInFlight() === 1);
  const ended = readRaw(socket);
  socket.end();
  t.match((await ended).text, /^HTTP\/1\.1 400 [\s\S]*<Code>IncompleteBody<\/Code>/);
  t.same(emulator.keys(BUCKET), []);
  t.equal(emulator.captures[0]?.bodyBytes, 3);
});

t.test("a client that vanishes in the middle of its body leaves nothing", async (t) => {
  const emulator = await start(t);
  const socket = openRaw(emulator, `PUT /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: 10\r\n\r\nabc`);
  await emulator.until(() => emulator.requestsInFlight() === 1);
  socket.resetAndDestroy();
  await emulator.until(() => emulator.openSockets() === 0 && emulator.requestsInFlight() === 0);
  t.same(emulator.keys(BUCKET), []);
  t.equal(emulator.captures[0]?.state, "aborted");
});

t.test("the rest of a refused body is read, so that the connection serves the next request", async (t) => {
  const emulator = await start(t);
  const body = "x".repeat(300_000);
  const refused = `PUT //k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const next = `GET /none HTTP/1.1\r\nHost: ${DOMAIN}\r\nConnection: close\r\n\r\n`;
  const { text } = await readRaw(openRaw(emulator, refused + next));
  t.same(text.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 400", "HTTP/1.1 404"]);
  t.equal(emulator.captures[0]?.bodyBytes, body.length);
});

t.test("a deletion is answered 204 whether or not there was an object", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "k", "v");
  for (let i = 0; i < 2; i += 1) t.equal((await send(emulator, { method: "DELETE", target: "/k" })).status, 204);
  t.same(emulator.keys(BUCKET), []);
});

t.test("appends go on where the object ends, and answer the CRC of the whole", async (t) => {
  const emulator = await start(t);
  const append = (position: number | string, body: string) =>
    send(emulator, { method: "POST", target: `/log?append&position=${position}`, body });
  t.equal((await append(0, "hel")).headers["x-oss-next-append-position"], "3");
  const second = await append(3, "lo");
  t.equal(second.headers["x-oss-next-append-position"], "5");
  t.equal(second.headers["x-oss-hash-crc64ecma"], "11177612005948864433");
  const wrong = await append(3, "x");
  t.match(
    [wrong.status, wrong.code, wrong.headers["x-oss-next-append-position"]],
    [409, "PositionNotEqualToLength", "5"],
  );
  t.equal((await append("x", "x")).code, "InvalidArgument");
  const got = await send(emulator, { target: "/log" });
  t.match([got.text, got.headers["x-oss-object-type"]], ["hello", "Appendable"]);
});

t.test("an object that was put cannot be appended to", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "k", "v");
  const answer = await send(emulator, { method: "POST", target: "/k?append&position=1", body: "x" });
  t.match([answer.status, answer.code], [409, "ObjectNotAppendable"]);
});

t.test("a copy keeps the metadata or takes new ones, as it is told", async (t) => {
  const emulator = await start(t);
  const source = emulator.putObject(BUCKET, "a b", "v", { "Content-Type": "text/css", "x-oss-meta-a": "1" });
  const copy = (headers: readonly string[]) =>
    send(emulator, { method: "PUT", target: "/copy", headers: ["x-oss-copy-source", `/${BUCKET}/a%20b`, ...headers] });
  const answer = await copy([]);
  t.match(answer.text, `<ETag>${source.etag}</ETag>`);
  t.match((await send(emulator, { target: "/copy" })).headers, { "content-type": "text/css", "x-oss-meta-a": "1" });
  await copy(["x-oss-metadata-directive", "REPLACE", "Content-Type", "text/html"]);
  const replaced = await send(emulator, { target: "/copy" });
  t.match([replaced.text, replaced.headers["content-type"]], ["v", "text/html"]);
  t.equal(replaced.headers["x-oss-meta-a"], undefined);
  t.equal((await copy(["x-oss-copy-source-if-match", '"x"'])).status, 412);
  t.equal((await copy(["x-oss-copy-source-if-none-match", source.etag])).status, 304);
  t.equal((await copy(["x-oss-metadata-directive", "MERGE"])).code, "InvalidArgument");
});

const BAD_SOURCES: readonly (readonly [source: string, status: number, code: string])[] = [
  [`/${BUCKET}/none`, 404, "NoSuchKey"],
  ["/nobucket/k", 404, "NoSuchBucket"],
  ["/private-bucket/k", 403, "AccessDenied"],
  ["/far-bucket/k", 501, "NotImplemented"],
  ["nonsense", 400, "InvalidArgument"],
  [`/${BUCKET}/%`, 400, "InvalidArgument"],
  [`/${BUCKET}/k?versionId=1`, 501, "NotImplemented"],
];

for (const [source, status, code] of BAD_SOURCES) {
  t.test(`copying from ${source} is refused with ${code}`, async (t) => {
    const emulator = await start(t);
    emulator.addBucket({ name: "private-bucket" });
    emulator.addBucket({ name: "far-bucket", region: "cn-beijing", acl: "public-read" });
    const answer = await send(emulator, {
      method: "PUT",
      target: "/copy",
      headers: ["x-oss-copy-source", source],
      body: "",
    });
    t.match([answer.status, answer.code], [status, code]);
  });
}

async function initiate(emulator: Emulator, target = "/big"): Promise<string> {
  const answer = await send(emulator, {
    method: "POST",
    target: `${target}?uploads`,
    headers: ["Content-Type", "text/css"],
    body: "",
  });
  return /<UploadId>([^<]+)</.exec(answer.text)?.[1] ?? "";
}

const partList = (...parts: readonly (readonly [number: number, etag: unknown])[]): string =>
  `<CompleteMultipartUpload>${parts
    .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
    .join("")}</CompleteMultipartUpload>`;

t.test("a multipart upload ends in one object with the CRC of the whole", async (t) => {
  const emulator = await start(t);
  const id = await initiate(emulator);
  const put = (number: number, body: Buffer) =>
    send(emulator, { method: "PUT", target: `/big?partNumber=${number}&uploadId=${id}`, body });
  const bodies = [Buffer.alloc(PART_BYTES, "a"), Buffer.from("end")];
  const first = await put(1, bodies[0] as Buffer);
  const second = await put(2, bodies[1] as Buffer);
  const parts = await send(emulator, { target: `/big?uploadId=${id}&max-parts=1` });
  t.equal(parts.code, "AccessDenied", "only the owner sees parts");
  t.equal((await send(emulator, { target: "/big" })).code, "NoSuchKey", "before completion there is no object");
  const body = partList([1, first.headers.etag], [2, second.headers.etag]);
  const done = await send(emulator, { method: "POST", target: `/big?uploadId=${id}`, body });
  t.match(done.text, /<ETag>"[0-9A-F]{32}-2"<\/ETag>/);
  t.match(done.text, `<Location>http://${DOMAIN}/big</Location>`);
  const got = await send(emulator, { target: "/big" });
  t.ok(got.body.equals(Buffer.concat(bodies)));
  t.equal(got.headers["x-oss-object-type"], "Multipart");
  t.equal(got.headers["content-type"], "text/css");
  t.equal(got.headers["x-oss-hash-crc64ecma"], done.headers["x-oss-hash-crc64ecma"]);
  const again = await send(emulator, { method: "POST", target: `/big?uploadId=${id}`, body });
  t.match([again.status, again.code], [404, "NoSuchUpload"]);
});

t.test("completions and parts that cannot be are refused", async (t) => {
  const emulator = await start(t);
  const id = await initiate(emulator);
  const target = `/big?uploadId=${id}`;
  const part = await send(emulator, { method: "PUT", target: `/big?partNumber=1&uploadId=${id}`, body: "small" });
  await send(emulator, { method: "PUT", target: `/big?partNumber=2&uploadId=${id}`, body: "small" });
  const complete = async (body: string) => (await send(emulator, { method: "POST", target, body })).code;
  t.equal(await complete("<x>"), "MalformedXML");
  t.equal(await complete(partList([2, part.headers.etag], [1, part.headers.etag])), "InvalidPartOrder");
  t.equal(await complete(partList([1, '"0"'])), "InvalidPart");
  t.equal(await complete(partList([1, part.headers.etag], [2, part.headers.etag])), "EntityTooSmall");
  for (const number of ["0", "10001", "x"]) {
    const answer = await send(emulator, {
      method: "PUT",
      target: `/big?partNumber=${number}&uploadId=${id}`,
      body: "",
    });
    t.equal(answer.code, "InvalidArgument", number);
  }
  const otherKey = await send(emulator, { method: "PUT", target: `/other?partNumber=1&uploadId=${id}`, body: "" });
  t.equal(otherKey.code, "NoSuchUpload");
});

t.test("an aborted upload is gone", async (t) => {
  const emulator = await start(t);
  const id = await initiate(emulator);
  t.equal((await send(emulator, { method: "DELETE", target: `/big?uploadId=${id}` })).status, 204);
  t.equal((await send(emulator, { method: "DELETE", target: `/big?uploadId=${id}` })).code, "NoSuchUpload");
});

t.test("a part can be a range of an object", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "source", "0123456789");
  const id = await initiate(emulator);
  const headers = ["x-oss-copy-source", `/${BUCKET}/source`, "x-oss-copy-source-range", "bytes=2-4"];
  const part = await send(emulator, { method: "PUT", target: `/big?partNumber=1&uploadId=${id}`, headers, body: "" });
  const etag = /<ETag>([^<]+)</.exec(part.text)?.[1];
  await send(emulator, { method: "POST", target: `/big?uploadId=${id}`, body: partList([1, etag]) });
  t.equal(emulator.readObject(BUCKET, "big").toString(), "234");
});

t.test("a bucket that drops bodies knows their digests, answers HEAD and refuses GET with 501", async (t) => {
  const emulator = await start(t, true);
  const put = await send(emulator, { method: "PUT", target: "/k", body: "hello" });
  t.equal(put.headers["x-oss-hash-crc64ecma"], "11177612005948864433");
  const head = await send(emulator, { method: "HEAD", target: "/k" });
  t.match(head.headers, { "content-length": "5", etag: '"5D41402ABC4B2A76B9719D911017C592"' });
  t.equal((await send(emulator, { target: "/k" })).status, 501);
  t.throws(() => emulator.readObject(BUCKET, "k"));
});

t.test("bodies are dropped under a prefix only, if so configured", async (t) => {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN], discardBodies: ["sink/"] });
  for (const target of ["/sink/a", "/b"]) await send(emulator, { method: "PUT", target, body: "hello" });
  t.equal((await send(emulator, { target: "/sink/a" })).status, 501);
  t.equal((await send(emulator, { target: "/b" })).text, "hello");
});

t.test("an upload that waits for its turn behind a full socket buffer arrives whole", async (t) => {
  const emulator = await start(t, true);
  const size = 32 * 2 ** 20;
  const socket = openRaw(
    emulator,
    `PUT /k HTTP/1.1\r\nHost: ${DOMAIN}\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`,
  );
  const ended = readRaw(socket);
  const chunk = Buffer.alloc(2 ** 20);
  for (let sent = 0; sent < size; sent += chunk.length) if (!socket.write(chunk)) await once(socket, "drain");
  t.match((await ended).text, /^HTTP\/1\.1 200 /);
  t.equal(emulator.getObject(BUCKET, "k")?.size, size);
});
