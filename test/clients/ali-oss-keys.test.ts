import t from "tap";
import { headerValue } from "../../src/core/headers.js";
import { BUCKET, errorOf, ossClient } from "./ali-oss.js";
import { ADDRESSINGS, BUCKET_HOST, digestOf, startWorld, VERSIONS } from "./world.js";

const KEYS_OF_EVERY_KIND = [
  "plain.txt",
  "a b  c.txt",
  " leading and trailing ",
  "a+b.txt",
  "中文/照片 1.txt",
  "😀/👩‍👩‍👧.bin",
  "100%.txt",
  "%25.txt",
  "a%2Fb.txt",
  "%E4%B8.txt",
  "question?mark=1&b.txt",
  "hash#mark.txt",
  "quo'te\"d<&>.txt",
  "a//b///c",
  "folder/",
  "..a/b../...",
  "(!*~)$,;:@[]{}|^`=.txt",
  "back\\slash.txt",
  "tab\there.txt",
  "é.txt",
  "e\u0301.txt",
  `${"长".repeat(340)}.x`,
];

for (const { title, world: kind, options } of ADDRESSINGS) {
  for (const { version, authorizationV4 } of VERSIONS) {
    t.test(`keys of every kind arrive as they were meant, ${title}, signing ${version}`, async (t) => {
      const { emulator, gateway } = await startWorld(t, kind);
      const client = ossClient(t, { ...options(gateway), authorizationV4 });
      for (const key of KEYS_OF_EVERY_KIND) {
        const body = Buffer.from(`body of ${key}`);
        await client.put(key, body);
        t.strictSame(digestOf(emulator.readObject(BUCKET, key)), digestOf(body), key.slice(0, 30));
        t.ok((await client.get(key)).content.equals(body));
        t.equal((await client.head(key)).status, 200);
      }
      t.strictSame(new Set(emulator.keys(BUCKET)), new Set(KEYS_OF_EVERY_KIND), "and nothing else was written");
      const { objects } = await client.listV2({ "max-keys": 1000, "encoding-type": "url" });
      t.strictSame(
        new Set(objects.map(({ name }) => decodeURIComponent(name.replaceAll("+", " ")))),
        new Set(KEYS_OF_EVERY_KIND),
      );
      const { deleted } = await client.deleteMulti(KEYS_OF_EVERY_KIND.filter((key) => !key.includes("\t")));
      t.equal(deleted?.length, KEYS_OF_EVERY_KIND.length - 1);
      await client.delete("tab\there.txt");
      t.strictSame(emulator.keys(BUCKET), []);
    });
  }
}

t.test(
  "ali-oss resolves dot segments itself after it has signed them, so OSS refuses, with or without a gateway",
  async (t) => {
    const { emulator, gateway } = await startWorld(t);
    const throughGateway = ossClient(t, { endpoint: gateway.url });
    const direct = ossClient(t, { endpoint: emulator.url });
    for (const client of [direct, throughGateway]) {
      emulator.clearCaptures();
      const error = await errorOf(client.put("a/./b/../c", Buffer.from("x")));
      t.match(error, { code: "SignatureDoesNotMatch", status: 403 });
      t.strictSame(
        emulator.captures.map(({ rawTarget }) => rawTarget),
        ["/a/c"],
      );
    }
    t.strictSame(emulator.keys(BUCKET), []);
  },
);

t.test("a key that begins with the bucket's own name", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const key = `${BUCKET}/inner.txt`;
  await t.test("is refused where Host names the bucket too, and no other object is read or written", async (t) => {
    emulator.putObject(BUCKET, "inner.txt", "not this one");
    const client = ossClient(t, { endpoint: gateway.url });
    t.match(await errorOf(client.put(key, Buffer.from("x"))), { code: "SignatureDoesNotMatch", status: 403 });
    t.match(await errorOf(client.get(key)), { code: "SignatureDoesNotMatch", status: 403 });
    t.equal(emulator.readObject(BUCKET, "inner.txt").toString(), "not this one");
  });
  await t.test("is served with sldEnable, where the path names the bucket once more", async (t) => {
    const client = ossClient(t, { endpoint: gateway.url, sldEnable: true });
    await client.put(key, Buffer.from("inner"));
    t.equal(emulator.readObject(BUCKET, key).toString(), "inner");
    t.equal((await client.get(key)).content.toString(), "inner");
  });
});

t.test("metadata in Chinese arrives byte for byte", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  for (const { version, authorizationV4 } of VERSIONS) {
    await t.test(`signing ${version} with headerEncoding latin1, the bytes of UTF-8`, async (t) => {
      const client = ossClient(t, { endpoint: gateway.url, headerEncoding: "latin1", authorizationV4 });
      const options = { meta: { author: "张三", plain: "x" } };
      await client.put("meta.txt", Buffer.from("x"), options);
      const { metadata } = emulator.getObject(BUCKET, "meta.txt") ?? { metadata: [] };
      const asUtf8 = (name: string) => Buffer.from(headerValue(metadata, name) ?? "", "latin1").toString();
      t.equal(asUtf8("x-oss-meta-author"), "张三");
      const { meta } = await client.head("meta.txt");
      t.equal(Buffer.from(meta?.author ?? "", "latin1").toString(), "张三", "and comes back the same");
      const small = await client.get("meta.txt");
      t.equal(Buffer.from(small.res.headers["x-oss-meta-author"] ?? "", "latin1").toString(), "张三");
      await client.put("large.txt", Buffer.alloc(500_000), options);
      const large = await client.getStream("large.txt");
      t.equal(Buffer.from(String(large.res.headers["x-oss-meta-author"]), "latin1").toString(), "张三");
      large.stream.resume();
    });
  }
});

t.test("a raw UTF-8 Content-Disposition comes back byte for byte, whatever the size of the body", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const disposition = Buffer.from('attachment; filename="照片.jpg"').toString("latin1");
  const client = ossClient(t, { endpoint: gateway.url });
  for (const [name, size] of [
    ["none", 0],
    ["small", 5],
    ["large", 500_000],
  ] as const) {
    emulator.putObject(BUCKET, name, Buffer.alloc(size), { "Content-Disposition": disposition });
    t.equal((await client.get(name)).res.headers["content-disposition"], disposition, name);
  }
});

t.test(
  "what ali-oss signs goes to OSS untouched: Content-Type, Content-MD5, x-oss-*, the order of its headers",
  async (t) => {
    const { emulator, gateway } = await startWorld(t);
    const client = ossClient(t, { endpoint: gateway.url });
    await client.put("photo.jpg", Buffer.from("x"), {
      headers: { "X-Oss-Meta-Case": "Kept", "Cache-Control": "no-cache" },
    });
    const throughGateway = emulator.captures.at(-1)?.rawHeaders ?? [];
    const direct = ossClient(t, { endpoint: emulator.url });
    await direct.put("photo.jpg", Buffer.from("x"), {
      headers: { "X-Oss-Meta-Case": "Kept", "Cache-Control": "no-cache" },
    });
    const asSent = emulator.captures.at(-1)?.rawHeaders ?? [];
    const signed = ["content-type", "content-md5", "x-oss-meta-case", "cache-control", "user-agent"];
    for (const name of signed) {
      t.equal(headerValue(throughGateway, name), headerValue(asSent, name), name);
      t.not(headerValue(throughGateway, name), undefined);
    }
    const hopByHop = new Set(["host", "connection", "content-length"]);
    const namesOf = (headers: readonly string[]) =>
      headers.filter((name, index) => index % 2 === 0 && !hopByHop.has(name.toLowerCase()));
    t.strictSame(namesOf(throughGateway), namesOf(asSent), "no header more, none less, in their case");
    t.equal(headerValue(throughGateway, "host"), BUCKET_HOST);
  },
);
