import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import t, { type Test as Tap } from "tap";
import { headerValue } from "../../src/core/headers.js";
import { BUCKET, errorOf, type OssClient, OTHER_BUCKET, ossClient } from "./ali-oss.js";
import { ADDRESSINGS, digestOf, startWorld, VERSIONS, type World } from "./world.js";

const MIB = 1024 * 1024;

/** Pieces that come one after the other, as from a disk. */
const inPieces = (bytes: Buffer, pieceBytes = 64 * 1024): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    })(),
    { objectMode: false },
  );

const held = ({ emulator }: World, key: string) => digestOf(emulator.readObject(BUCKET, key));

for (const { title, world: kind, options } of ADDRESSINGS) {
  for (const { version, authorizationV4 } of VERSIONS) {
    t.test(`ali-oss ${title}, signing ${version},`, async (t) => {
      const world = await startWorld(t, kind);
      const client = ossClient(t, { ...options(world.gateway), authorizationV4 });
      await testBodies(t, world, client);
      await testReads(t, world, client);
      await testLists(t, world, client);
      await testMultipart(t, world, client);
      await testCopiesAndDeletes(t, world, client);
      const classes = new Set(world.gateway.accessLog.map((entry) => entry.signature));
      t.strictSame([...classes], [`${version.toLowerCase()}-header`], "and every request is logged as what it is");
    });
  }
}

async function testBodies(t: Tap, world: World, client: OssClient): Promise<void> {
  const body = randomBytes(MIB + 7);
  await t.test("puts a buffer, an empty one too", async (t) => {
    await client.put("buffer.bin", body);
    t.strictSame(held(world, "buffer.bin"), digestOf(body));
    await client.put("empty.bin", Buffer.alloc(0));
    t.strictSame(held(world, "empty.bin"), digestOf(Buffer.alloc(0)));
  });
  await t.test("puts a stream of unknown length", async (t) => {
    await client.put("stream.bin", inPieces(body));
    t.strictSame(held(world, "stream.bin"), digestOf(body));
    const { rawHeaders } = lastRequest(world, "PUT");
    t.equal(headerValue(rawHeaders, "transfer-encoding"), "chunked");
    t.equal(headerValue(rawHeaders, "content-length"), undefined);
  });
  await t.test("puts a stream of known length, which it frames twice", async (t) => {
    await client.put("sized.bin", inPieces(body), { contentLength: body.length });
    t.strictSame(held(world, "sized.bin"), digestOf(body));
    const { rawHeaders } = lastRequest(world, "PUT");
    const framings = ["transfer-encoding", "content-length"].filter((name) => headerValue(rawHeaders, name));
    t.equal(framings.length, 1, "of which one goes on to OSS");
  });
  await t.test("appends twice", async (t) => {
    const first = await client.append("log.txt", Buffer.from("one\n"));
    t.equal(first.nextAppendPosition, "4");
    const second = await client.append("log.txt", inPieces(Buffer.from("two\n")), { position: 4 });
    t.equal(second.nextAppendPosition, "8");
    t.equal(world.emulator.readObject(BUCKET, "log.txt").toString(), "one\ntwo\n");
    t.match(await errorOf(client.append("log.txt", Buffer.from("x"), { position: 4 })), {
      code: "PositionNotEqualToLength",
      status: 409,
    });
  });
}

function lastRequest({ emulator }: World, method: string) {
  const found = emulator.captures.filter((capture) => capture.method === method).at(-1);
  if (found === undefined) throw new Error(`no ${method} arrived`);
  return found;
}

async function testReads(t: Tap, world: World, client: OssClient): Promise<void> {
  const body = randomBytes(3 * MIB + 1);
  world.emulator.putObject(BUCKET, "read.bin", body, { "x-oss-meta-colour": "blue" });
  await t.test("gets the bytes, or a range of them", async (t) => {
    t.strictSame(digestOf((await client.get("read.bin")).content), digestOf(body));
    const part = await client.get("read.bin", { headers: { Range: "bytes=100-1099" } });
    t.equal(part.res.status, 206);
    t.equal(part.res.headers["content-range"], `bytes 100-1099/${body.length}`);
    t.ok(part.content.equals(body.subarray(100, 1100)));
  });
  await t.test("gets a stream", async (t) => {
    const { stream } = await client.getStream("read.bin");
    t.strictSame(digestOf(await buffer(stream)), digestOf(body));
  });
  await t.test("heads: length, ETag and metadata as the bucket has them", async (t) => {
    const { meta, res } = await client.head("read.bin");
    t.strictSame(meta, { colour: "blue" });
    t.match(res.headers, {
      "content-length": String(body.length),
      etag: world.emulator.getObject(BUCKET, "read.bin")?.etag,
    });
    const short = await client.getObjectMeta("read.bin");
    t.equal(short.res.headers["content-length"], String(body.length));
    const unchanged = await client.head("read.bin", { headers: { "If-None-Match": String(res.headers.etag) } });
    t.equal(unchanged.status, 304);
  });
}

async function testLists(t: Tap, world: World, client: OssClient): Promise<void> {
  const names = ["list/a b.txt", "list/c+d.txt", "list/sub/1.txt", "list/sub/2.txt", "list/中文.txt"];
  for (const name of names) world.emulator.putObject(BUCKET, name, name);
  await t.test("lists in pages, with V1 and V2 of the operation", async (t) => {
    const first = await client.list({ prefix: "list/", "max-keys": 3 });
    const rest = await client.list({ prefix: "list/", "max-keys": 3, marker: first.nextMarker ?? "" });
    t.strictSame(
      [...first.objects, ...rest.objects].map(({ name }) => name),
      names,
    );
    t.strictSame([first.isTruncated, rest.isTruncated], [true, false]);
    const pageOne = await client.listV2({ prefix: "list/", "max-keys": 3 });
    const pageTwo = await client.listV2({
      prefix: "list/",
      "max-keys": 3,
      "continuation-token": pageOne.nextContinuationToken ?? "",
    });
    t.strictSame(
      [...pageOne.objects, ...pageTwo.objects].map(({ name }) => name),
      names,
    );
    t.strictSame([pageOne.keyCount, pageTwo.keyCount], [3, 2]);
  });
  await t.test("lists what looks like folders", async (t) => {
    const { objects, prefixes } = await client.listV2({ prefix: "list/", delimiter: "/" });
    t.strictSame(prefixes, ["list/sub/"]);
    t.equal(objects.length, 3);
  });
}

async function testMultipart(t: Tap, world: World, client: OssClient): Promise<void> {
  await t.test("uploads in parts, several at a time", async (t) => {
    const body = randomBytes(550 * 1024);
    await client.multipartUpload("parts/分片 1.bin", body, { partSize: 100 * 1024, parallel: 3, meta: { parts: "6" } });
    t.strictSame(held(world, "parts/分片 1.bin"), digestOf(body));
    t.equal(world.emulator.getObject(BUCKET, "parts/分片 1.bin")?.type, "Multipart");
    t.strictSame((await client.head("parts/分片 1.bin")).meta, { parts: "6" });
    t.strictSame(digestOf((await client.get("parts/分片 1.bin")).content), digestOf(body));
  });
}

async function testCopiesAndDeletes(t: Tap, world: World, client: OssClient): Promise<void> {
  const { emulator } = world;
  await t.test("copies inside the bucket and from another one", async (t) => {
    const source = "源/a+b %25.txt";
    emulator.putObject(BUCKET, source, "to copy");
    const { data } = await client.copy("copied 1.txt", source);
    t.equal(data.etag, emulator.getObject(BUCKET, source)?.etag);
    t.equal(emulator.readObject(BUCKET, "copied 1.txt").toString(), "to copy");
    emulator.putObject(OTHER_BUCKET, "far.txt", "from afar");
    await client.copy("copied 2.txt", "far.txt", OTHER_BUCKET);
    t.equal(emulator.readObject(BUCKET, "copied 2.txt").toString(), "from afar");
    await client.putMeta("copied 2.txt", { state: "changed" });
    t.strictSame((await client.head("copied 2.txt")).meta, { state: "changed" });
  });
  await t.test("deletes one and many", async (t) => {
    const names = ["gone/1.txt", "gone/二 +.txt", "gone/<&'\">.txt"];
    for (const name of ["single gone", ...names]) emulator.putObject(BUCKET, name, "x");
    t.equal((await client.delete("single gone")).res.status, 204);
    t.equal(emulator.getObject(BUCKET, "single gone"), undefined);
    const { deleted } = await client.deleteMulti(names);
    t.strictSame(new Set(deleted?.map(({ Key }) => Key)), new Set(names));
    t.notOk(emulator.keys(BUCKET).some((key) => key.startsWith("gone/")));
  });
  await t.test("reads and writes an ACL", async (t) => {
    emulator.putObject(BUCKET, "acl.txt", "x");
    await client.putACL("acl.txt", "public-read");
    t.equal((await client.getACL("acl.txt")).acl, "public-read");
  });
}
