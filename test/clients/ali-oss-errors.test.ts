import { Readable } from "node:stream";
import t from "tap";
import { BUCKET, errorOf, ossClient, REGION, STS } from "./ali-oss.js";
import { ADDRESSINGS, SDK_NAME, startWorld, VERSIONS } from "./world.js";

for (const { title, world: kind, options } of ADDRESSINGS) {
  for (const { version, authorizationV4 } of VERSIONS) {
    t.test(`errors of OSS are the SDK's errors, ${title}, signing ${version}`, async (t) => {
      const { emulator, gateway } = await startWorld(t, kind);
      emulator.putObject(BUCKET, "here.txt", "x");
      const common = { ...options(gateway), authorizationV4 };
      const client = ossClient(t, common);
      const missing = await errorOf(client.get("missing.txt"));
      t.match(missing, { code: "NoSuchKey", name: "NoSuchKeyError", status: 404 });
      t.equal(missing.requestId, emulator.captures.at(-1)?.requestId, "with OSS's own request id");
      t.match(await errorOf(client.head("missing.txt")), { code: "NoSuchKey", status: 404 });
      t.match(await errorOf(client.getStream("missing.txt")), { code: "NoSuchKey", status: 404 });

      const badSecret = ossClient(t, { ...common, accessKeySecret: "wrong" });
      t.match(await errorOf(badSecret.get("here.txt")), { code: "SignatureDoesNotMatch", status: 403 });
      t.match(await errorOf(badSecret.head("here.txt")), { code: "SignatureDoesNotMatch", status: 403 });
      t.match(await errorOf(badSecret.put("new.txt", Buffer.from("x"))), {
        code: "SignatureDoesNotMatch",
        status: 403,
      });

      const unknown = ossClient(t, { ...common, accessKeyId: "nobody" });
      t.match(await errorOf(unknown.get("here.txt")), { code: "InvalidAccessKeyId", status: 403 });
      t.strictSame(emulator.keys(BUCKET), ["here.txt"]);
    });
  }
}

t.test("an upload that OSS refuses while it is still coming is the SDK's error", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const client = ossClient(t, { endpoint: gateway.url, accessKeySecret: "wrong" });
  for (const contentLength of [undefined, 4_000_000]) {
    const upload = Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100_000)));
    const call = client.put("new.txt", upload, contentLength === undefined ? {} : { contentLength });
    t.match(await errorOf(call), { code: "SignatureDoesNotMatch", status: 403 });
  }
  t.strictSame(emulator.keys(BUCKET), []);
});

t.test("a presigned URL that has expired is AccessDenied", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  emulator.putObject(BUCKET, "here.txt", "x");
  const signer = ossClient(t, { endpoint: `http://oss-${REGION}.aliyuncs.com` });
  const { pathname, search } = new URL(signer.signatureUrl("here.txt", { expires: 60 }));
  const url = `${gateway.url}/${BUCKET}${pathname}${search}`;
  t.equal((await fetch(url)).status, 200);
  emulator.setNowMs(Date.now() + 120_000);
  const response = await fetch(url);
  t.equal(response.status, 403);
  t.match(await response.text(), /<Code>AccessDenied<\/Code>/);
});

t.test("a clock that is wrong is RequestTimeTooSkewed", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  emulator.setNowMs(Date.now() + 3_600_000);
  const client = ossClient(t, { endpoint: gateway.url });
  t.match(await errorOf(client.get("here.txt")), { code: "RequestTimeTooSkewed", status: 403 });
});

t.test("a bucket that the address does not serve is NoSuchBucket, and OSS is not asked", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const byPath = { endpoint: `http://${SDK_NAME}:${gateway.port}`, sldEnable: true, bucket: "nobodysbucket" };
  t.match(await errorOf(ossClient(t, byPath).get("x")), { code: "NoSuchBucket", status: 404 });
  const byHost = { endpoint: gateway.url, bucket: "nobodysbucket" };
  t.match(await errorOf(ossClient(t, byHost).get("x")), { status: 404 });
  t.strictSame(emulator.captures, []);
});

t.test("a temporary key needs its token, and works with it", async (t) => {
  const { emulator, gateway } = await startWorld(t);
  const { securityToken: stsToken, ...keys } = STS;
  for (const { version, authorizationV4 } of VERSIONS) {
    const common = { ...keys, endpoint: gateway.url, authorizationV4, refreshSTSTokenInterval: 1 };
    await ossClient(t, { ...common, stsToken }).put("sts.txt", Buffer.from(version));
    t.equal(emulator.readObject(BUCKET, "sts.txt").toString(), version);
    const error = await errorOf(ossClient(t, { ...common, stsToken: "CAISother" }).get("sts.txt"));
    t.equal(error.status, 403, `${version}: ${error.code}`);
  }
});
