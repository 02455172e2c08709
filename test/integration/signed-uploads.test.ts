import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import t, { type Test } from "tap";
import { errorOf, loopbackAgent, type OssClient, ossClient } from "../clients/ali-oss.js";
import { head, RawConnection, xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  OSS_HOST,
  OWN,
  outcome,
  REGION,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const VERIFY = `${EVERY_METHOD}, clientSignatures: verify, allow: { signatures: true }`;
const ROUTES =
  signingRoute("open", `${EVERY_METHOD}, allow: { anyone: true }, limits: { bodySize: 1MiB }`) +
  signingRoute("oldest", `${EVERY_METHOD}, allow: { anyone: true }`, "version: v1") +
  signingRoute("closed", `${EVERY_METHOD}, allow: { clients: [192.0.2.1] }`) +
  `  - { name: client, match: { hosts: [sdk.localhost] }, bucket: one, auth: sign, sign: { credentials: reader }, ${VERIFY}, operations: [ListObjects, ListObjectsV2, GetObjectMeta] }\n`;

const md5 = (bytes: Buffer | string): string => createHash("md5").update(bytes).digest("base64");

interface Conversation {
  readonly world: SignWorld;
  readonly connection: RawConnection;
}

async function open(t: Test): Promise<Conversation> {
  const world = await startSigning(t, ROUTES);
  const connection = await RawConnection.open(world.gateway.port);
  t.teardown(() => connection.close());
  return { world, connection };
}

for (const host of ["open.test", "oldest.test"]) {
  t.test(`${host}: a body arrives whole with what describes it, and the answer is OSS's`, async (t) => {
    const world = await startSigning(t, ROUTES);
    const headers = [
      ...[
        "Content-Type",
        "image/png",
        "Content-MD5",
        md5("hello"),
        "Content-Disposition",
        "inline",
        "Cache-Control",
        "no-cache",
      ],
      ...["x-oss-meta-a", "1", "x-oss-forbid-overwrite", "true", "Content-Encoding", "identity"],
    ];
    const answer = await ask(world, { method: "PUT", host, target: "/new", headers, body: "hello" });
    t.equal(answer.status, 200);
    t.equal(answer.header("etag"), `"${createHash("md5").update("hello").digest("hex").toUpperCase()}"`);
    t.not(answer.header("x-oss-hash-crc64ecma"), "");
    const capture = answer.captures[0] as (typeof answer.captures)[0];
    for (let i = 0; i < headers.length; i += 2) {
      t.equal(sentHeader(capture, (headers[i] as string).toLowerCase()), headers[i + 1]);
    }
    const again = await ask(world, { method: "PUT", host, target: "/new", headers, body: "hello" });
    t.equal(again.status, 409);
    t.equal(xmlText(again.text, "Code"), "FileAlreadyExists");
    const wrong = await ask(world, {
      method: "PUT",
      host,
      target: "/other",
      headers: ["Content-MD5", md5("x")],
      body: "hello",
    });
    t.equal(wrong.status, 400);
    t.equal(xmlText(wrong.text, "Code"), "InvalidDigest");
  });

  t.test(`${host}: a chunked body is streamed to OSS and stored without its framing`, async (t) => {
    const { world, connection } = await open(t);
    connection.send(head("PUT", "/chunked", ["Host", host, "Transfer-Encoding", "chunked"]));
    connection.send("5\r\nhello\r\n");
    await world.emulator.until(() => world.emulator.requestsInFlight() === 1);
    connection.send("6\r\n world\r\n0\r\n\r\n");
    t.equal((await connection.answer("PUT")).status, 200);
    t.equal(world.emulator.readObject(BUCKET, "chunked").toString(), "hello world");
  });

  t.test(`${host}: who waits for a 100 gets it from OSS, and a refusal without having sent a byte`, async (t) => {
    const { world, connection } = await open(t);
    const headers = ["Host", host, "Expect", "100-continue", "Content-Length", "5"];
    connection.send(head("PUT", "/waited", headers));
    t.equal((await connection.answer("PUT")).status, 100);
    t.equal(world.emulator.captures.at(-1)?.continueSent, true);
    connection.send("hello");
    t.equal((await connection.answer("PUT")).status, 200);
    t.equal(world.emulator.readObject(BUCKET, "waited").toString(), "hello");
    connection.send(head("PUT", "/waited", [...headers, "x-oss-forbid-overwrite", "true", "x-oss-tagging", "a=b"]));
    const refused = await connection.answer("PUT");
    t.equal(refused.status, 400, "no 100 before it");
    t.equal(world.emulator.captures.length, 1);
  });
}

t.test("a body over the route's limit: 413, whether its length is told or found out; nothing is stored", async (t) => {
  const { world, connection } = await open(t);
  connection.send(
    head("PUT", "/big", ["Host", "open.test", "Content-Length", String(2 ** 20 + 1), "Expect", "100-continue"]),
  );
  t.equal((await connection.answer("PUT")).status, 413);
  t.strictSame(world.emulator.captures, []);
  const second = await RawConnection.open(world.gateway.port);
  t.teardown(() => second.close());
  second.send(head("PUT", "/big", ["Host", "open.test", "Transfer-Encoding", "chunked"]));
  const chunk = "x".repeat(2 ** 16);
  for (let i = 0; i <= 16; i += 1) second.send(`10000\r\n${chunk}\r\n`);
  t.equal((await second.answer("PUT")).status, 413);
  await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
  t.strictSame(world.emulator.keys(BUCKET), []);
});

t.test("who may not use the route sends no body", async (t) => {
  const { world, connection } = await open(t);
  connection.send(head("PUT", "/new", ["Host", "closed.test", "Expect", "100-continue", "Content-Length", "5"]));
  t.equal((await connection.answer("PUT")).status, 403);
  t.strictSame(world.emulator.captures, []);
});

t.test("chunks that the client signed itself are refused: OSS would store their envelope", async (t) => {
  const world = await startSigning(t, ROUTES);
  const headers = ["Content-Encoding", "aws-chunked"];
  const answer = await ask(world, { method: "PUT", host: "open.test", target: "/k", headers, body: "x" });
  t.equal(outcome(answer), "UNSUPPORTED_ENCODING");
  t.strictSame(answer.captures, []);
});

/** ali-oss with the gateway's key, to which the gateway is the bucket's own domain. */
function clientOf(t: Test, { gateway }: SignWorld, authorizationV4: boolean): OssClient {
  return ossClient(t, {
    endpoint: `http://sdk.localhost:${gateway.port}`,
    cname: true,
    bucket: BUCKET,
    region: `oss-${REGION}`,
    accessKeyId: OWN.accessKeyId,
    accessKeySecret: OWN.accessKeySecret.reveal(),
    authorizationV4,
    agent: loopbackAgent(t),
  });
}

for (const [version, isV4] of [
  ["V1", false],
  ["V4", true],
] as const) {
  t.test(`ali-oss, ${version}: the gateway verifies what it signs, and signs anew`, async (t) => {
    const world = await startSigning(t, ROUTES);
    const client = clientOf(t, world, isV4);
    const key = "a b+c/图 %.txt";
    const put = await client.put(key, Buffer.from("hello"), { meta: { author: "me" }, mime: "text/plain" });
    t.equal(put.res.status, 200);
    t.equal(world.emulator.readObject(BUCKET, key).toString(), "hello");
    t.equal((await client.get(key)).content.toString(), "hello");
    t.strictSame((await client.head(key)).meta, { author: "me" });
    t.equal((await client.getObjectMeta(key)).status, 200);
    const { objects } = await client.listV2({ "max-keys": 10, prefix: "a b" });
    t.strictSame(
      objects.map(({ name }) => name),
      [key],
    );
    await client.put("stream", Readable.from([Buffer.from("hel"), Buffer.from("lo")]));
    t.equal(world.emulator.readObject(BUCKET, "stream").toString(), "hello");
    await client.delete("stream");
    t.equal(world.emulator.getObject(BUCKET, "stream"), undefined);
    const missing = await errorOf(client.get("missing"));
    t.equal(missing.status, 404);
    t.match(missing, { code: "NoSuchKey" });
    const refused = await errorOf(client.putACL(key, "public-read"));
    t.equal(refused.status, 400, "what the route does not allow stays closed");
    for (const capture of world.emulator.captures) {
      t.match(sentHeader(capture, "authorization"), /^OSS4-HMAC-SHA256 Credential=gateway-ak\//, capture.method);
      t.equal(sentHeader(capture, "host"), OSS_HOST);
      t.equal(capture.status === null ? null : capture.status === 403, false);
    }
  });

  t.test(`ali-oss, ${version}: an upload in parts`, async (t) => {
    const world = await startSigning(t, ROUTES);
    const client = clientOf(t, world, isV4);
    const body = randomBytes(300_000);
    const done = await client.multipartUpload("big file+1", body, { partSize: 102_400, parallel: 2 });
    t.equal(done.res.status, 200);
    t.ok(world.emulator.readObject(BUCKET, "big file+1").equals(body));
  });

  t.test(
    `ali-oss, ${version}: a wrong secret is refused here, with OSS's code, before anything is sent on`,
    async (t) => {
      const world = await startSigning(t, ROUTES);
      const client = ossClient(t, {
        endpoint: `http://sdk.localhost:${world.gateway.port}`,
        cname: true,
        bucket: BUCKET,
        region: `oss-${REGION}`,
        accessKeyId: OWN.accessKeyId,
        accessKeySecret: "wrong",
        authorizationV4: isV4,
      });
      const error = await errorOf(client.put("k", Buffer.from("hello")));
      t.equal(error.status, 403);
      t.equal(error.code, "SignatureDoesNotMatch");
      t.strictSame(world.emulator.captures, []);
    },
  );
}
