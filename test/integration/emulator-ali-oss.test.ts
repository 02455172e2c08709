import { Agent } from "node:http";
import { createRequire } from "node:module";
import { isIP, type LookupFunction } from "node:net";
import { Readable, Writable } from "node:stream";
import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DOMAIN, OWNER, REGION, STS } from "../unit/emulator/wire.js";

interface SdkResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

interface SdkResult {
  readonly res: SdkResponse;
  readonly [field: string]: unknown;
}

/** The part of the SDK that is used here; the package has no types of its own. */
interface Sdk {
  put(name: string, body: Buffer | Readable, options?: object): Promise<SdkResult & { readonly name: string }>;
  putStream(name: string, body: Readable, options?: object): Promise<SdkResult>;
  get(name: string, options?: object): Promise<SdkResult & { readonly content: Buffer }>;
  getStream(name: string): Promise<{ readonly stream: Readable }>;
  head(name: string, options?: object): Promise<SdkResult & { readonly meta: object; readonly status: number }>;
  getObjectMeta(name: string): Promise<SdkResult>;
  list(
    query: object,
  ): Promise<{ readonly objects?: readonly { readonly name: string }[]; readonly prefixes?: readonly string[] }>;
  listV2(query: object): Promise<{
    readonly objects?: readonly { readonly name: string }[];
    readonly keyCount: number;
    readonly isTruncated: boolean;
    readonly nextContinuationToken?: string;
  }>;
  copy(
    name: string,
    source: string,
    options?: object,
  ): Promise<SdkResult & { readonly data: { readonly etag: string } }>;
  delete(name: string): Promise<SdkResult>;
  deleteMulti(
    names: readonly string[],
    options?: object,
  ): Promise<{ readonly deleted: readonly { readonly Key: string }[] }>;
  append(name: string, body: Buffer, options?: object): Promise<SdkResult & { readonly nextAppendPosition: string }>;
  multipartUpload(name: string, body: Buffer, options: object): Promise<SdkResult & { readonly etag: string }>;
  multipartUploadCopy(name: string, source: object, options: object): Promise<SdkResult>;
  listUploads(
    query: object,
  ): Promise<{ readonly uploads: readonly { readonly name: string; readonly uploadId: string }[] }>;
  initMultipartUpload(name: string): Promise<{ readonly uploadId: string }>;
  abortMultipartUpload(name: string, id: string): Promise<SdkResult>;
  putACL(name: string, acl: string): Promise<SdkResult>;
  getACL(name: string): Promise<{ readonly acl: string }>;
  getBucketInfo(name: string): Promise<{ readonly bucket: { readonly Name: string } }>;
  listBuckets(query: object): Promise<{ readonly buckets: readonly { readonly name: string }[] }>;
  signatureUrl(name: string, options: object): string;
  signatureUrlV4(method: string, expires: number, request: object, name: string): Promise<string>;
}

const OSS = createRequire(import.meta.url)("ali-oss") as new (options: object) => Sdk;

const KEY = "dir/图片 1+2 100%.txt";
const BODY = Buffer.from("0123456789".repeat(100));

// Every name leads to the emulator: the SDK sends the Host that it would send to OSS.
const toLoopback: LookupFunction = (_name, options, callback) => {
  if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
  else callback(null, "127.0.0.1", 4);
};

interface Setup {
  readonly emulator: Emulator;
  readonly sdk: Sdk;
}

async function start(t: Pick<typeof import("tap").t, "teardown">, options: object): Promise<Setup> {
  const emulator = createEmulator();
  const agent = new Agent({ keepAlive: true, lookup: toLoopback } as object);
  t.teardown(async () => {
    agent.destroy();
    await emulator.close();
  });
  await emulator.listen();
  emulator.addCredentials(OWNER);
  emulator.addCredentials({ ...STS, expiresAtMs: Date.now() + 3_600_000 });
  emulator.addBucket({ name: BUCKET, domains: [DOMAIN] });
  const { endpoint, ...rest } = options as { readonly endpoint: string };
  const owner = { accessKeyId: OWNER.accessKeyId, accessKeySecret: OWNER.accessKeySecret.reveal() };
  const place = { bucket: BUCKET, region: `oss-${REGION}`, endpoint: `http://${endpoint}:${emulator.port}` };
  return { emulator, sdk: new OSS({ ...owner, ...place, ...rest, agent }) };
}

const STANDARD = `oss-${REGION}.aliyuncs.com`;
const GUEST = {
  accessKeyId: STS.accessKeyId,
  accessKeySecret: STS.accessKeySecret.reveal(),
  stsToken: STS.securityToken,
  refreshSTSToken: async () => ({}),
};

const SETUPS: readonly (readonly [name: string, options: object])[] = [
  ["V1 at OSS's own host", { endpoint: STANDARD }],
  ["V1 at a bound domain", { endpoint: DOMAIN, cname: true }],
  ["V1 with an STS token", { endpoint: STANDARD, ...GUEST }],
  ["V4 at OSS's own host", { endpoint: STANDARD, authorizationV4: true }],
  ["V4 at a bound domain", { endpoint: DOMAIN, cname: true, authorizationV4: true }],
  ["V4 with an STS token", { endpoint: STANDARD, authorizationV4: true, ...GUEST }],
];

for (const [name, options] of SETUPS) {
  t.test(`ali-oss, ${name}`, async (t) => {
    const { emulator, sdk } = await start(t, options);

    t.test("puts, heads and gets an object with metadata", async (t) => {
      const put = await sdk.put(KEY, BODY, { meta: { colour: "red" }, headers: { "Cache-Control": "no-cache" } });
      t.match([put.res.status, put.name], [200, KEY]);
      t.match(await sdk.head(KEY), { status: 200, meta: { colour: "red" } });
      t.ok((await sdk.get(KEY)).content.equals(BODY));
      const part = await sdk.get(KEY, { headers: { Range: "bytes=10-19" } });
      t.match([part.res.status, part.content.toString()], [206, "0123456789"]);
      t.equal((await sdk.getObjectMeta(KEY)).res.headers["content-length"], String(BODY.length));
    });

    t.test("streams up in chunks and down", async (t) => {
      await sdk.putStream("streamed", Readable.from([BODY, BODY]));
      const { stream } = await sdk.getStream("streamed");
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      t.ok(Buffer.concat(chunks).equals(Buffer.concat([BODY, BODY])));
    });

    t.test("lists in both versions", async (t) => {
      t.same(
        (await sdk.list({ prefix: "dir/" })).objects?.map((object) => object.name),
        [KEY],
      );
      t.same((await sdk.list({ delimiter: "/" })).prefixes, ["dir/"]);
      const first = await sdk.listV2({ "max-keys": 1 });
      t.ok(first.isTruncated);
      const rest = await sdk.listV2({ "continuation-token": first.nextContinuationToken });
      t.same(
        [...(first.objects ?? []), ...(rest.objects ?? [])].map((object) => object.name),
        [KEY, "streamed"],
      );
    });

    t.test("copies and appends", async (t) => {
      const copy = await sdk.copy("copy", KEY);
      t.equal(copy.data.etag, emulator.getObject(BUCKET, KEY)?.etag);
      t.equal((await sdk.append("log", BODY)).nextAppendPosition, String(BODY.length));
      const second = await sdk.append("log", BODY, { position: String(BODY.length) });
      t.equal(second.nextAppendPosition, String(2 * BODY.length));
      await t.rejects(sdk.append("log", BODY, { position: "1" }), { code: "PositionNotEqualToLength", status: 409 });
    });

    t.test("uploads in parts, and copies in parts", async (t) => {
      const big = Buffer.alloc(250 * 1024, "big");
      const done = await sdk.multipartUpload("big", big, { partSize: 100 * 1024, parallel: 2 });
      t.match(done.etag, /^"[0-9A-F]{32}-3"$/);
      t.ok(emulator.readObject(BUCKET, "big").equals(big));
      await sdk.multipartUploadCopy("big2", { sourceKey: "big", sourceBucketName: BUCKET }, { partSize: 100 * 1024 });
      t.ok(emulator.readObject(BUCKET, "big2").equals(big));
      const { uploadId } = await sdk.initMultipartUpload("open");
      t.match((await sdk.listUploads({ "max-uploads": 10 })).uploads, [{ name: "open", uploadId }]);
      await sdk.abortMultipartUpload("open", uploadId);
      t.same((await sdk.listUploads({ "max-uploads": 10 })).uploads, []);
    });

    t.test("reads and changes an ACL", async (t) => {
      t.equal((await sdk.getACL(KEY)).acl, "default");
      await sdk.putACL(KEY, "public-read");
      t.equal((await sdk.getACL(KEY)).acl, "public-read");
      t.equal((await sdk.getBucketInfo(BUCKET)).bucket.Name, BUCKET);
    });

    t.test("signs URLs that anybody can use", async (t) => {
      const isV4 = (options as { readonly authorizationV4?: boolean }).authorizationV4 === true;
      const url = isV4 ? await sdk.signatureUrlV4("GET", 60, {}, "log") : sdk.signatureUrl("log", { expires: 60 });
      const { hostname, host, pathname, search } = new URL(url);
      t.equal(isIP(hostname), 0);
      const { send } = await import("../unit/emulator/wire.js");
      const answer = await send(emulator, { host, target: pathname + search });
      t.match([answer.status, answer.body.length], [200, 2 * BODY.length]);
    });

    t.test("deletes one and several", async (t) => {
      t.equal((await sdk.delete("copy")).res.status, 204);
      const { deleted } = await sdk.deleteMulti([KEY, "log", "none"]);
      t.same(
        deleted.map(({ Key }) => Key),
        [KEY, "log", "none"],
      );
      t.same([...emulator.keys(BUCKET)].sort(), ["big", "big2", "streamed"]);
    });

    t.test("understands the errors", async (t) => {
      await t.rejects(sdk.get("none"), { status: 404, code: "NoSuchKey", ecCode: "0026-00000001" });
      await t.rejects(sdk.head("none"), { status: 404, code: "NoSuchKey" });
    });
  });
}

t.test("ali-oss with a wrong secret is refused", async (t) => {
  for (const authorizationV4 of [false, true]) {
    const { sdk } = await start(t, { endpoint: STANDARD, accessKeySecret: "wrong", authorizationV4 });
    await t.rejects(sdk.put("k", BODY), { status: 403, code: "SignatureDoesNotMatch" });
  }
});

t.test("ali-oss lists the owner's buckets", async (t) => {
  const { emulator, sdk } = await start(t, { endpoint: STANDARD });
  emulator.addBucket({ name: "another-bucket" });
  const { buckets } = await sdk.listBuckets({});
  t.same(
    buckets.map(({ name }) => name),
    ["another-bucket", BUCKET],
  );
});

t.test("ali-oss takes a download into a stream that is slower than the socket", async (t) => {
  const { emulator, sdk } = await start(t, { endpoint: STANDARD });
  const size = 8 * 2 ** 20;
  emulator.putGenerated(BUCKET, "big", size);
  const { stream } = await sdk.getStream("big");
  let received = 0;
  const sink = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      received += chunk.length;
      setImmediate(done);
    },
  });
  await new Promise((resolve) => stream.pipe(sink).once("finish", resolve));
  t.equal(received, size);
});
