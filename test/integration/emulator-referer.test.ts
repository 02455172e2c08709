import t from "tap";
import { createEmulator, type Emulator, type RefererRules } from "../../src/emulator/index.js";
import { postSignatureV1 } from "../../src/signing/post-policy.js";
import { type Answered, BUCKET, DOMAIN, NOW_MS, OWNER, SIGNINGS, send, signed } from "../unit/emulator/wire.js";

// The comparison itself is tested with the policy: here, whom it is asked about and what the answer is.
const ONLY_A: RefererRules = { refererList: ["http://a.com"], allowEmptyReferer: false };
const A = ["Referer", "http://a.com/page"];
const OTHER = ["Referer", "http://other.com/"];

async function start(t: Pick<typeof import("tap").t, "teardown">, referer: RefererRules | null): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN], ...(referer && { referer }) });
  emulator.putObject(BUCKET, "k", "text");
  emulator.putObject(BUCKET, "private", "text", { "x-oss-object-acl": "private" });
  return emulator;
}

const get = (emulator: Emulator, headers: readonly string[] = [], target = "/k"): Promise<Answered> =>
  send(emulator, { target, headers });

t.test("a refusal is 403 AccessDenied with OSS's message, the bucket's name and the EC of its reason", async (t) => {
  const emulator = await start(t, { ...ONLY_A, refererBlacklist: ["http://bad.com"] });
  const cases = [
    [[], "0003-00000501"],
    [["Referer", ""], "0003-00000501"],
    [["Referer", "http://bad.com/x"], "0003-00000502"],
    [OTHER, "0003-00000503"],
  ] as const;
  for (const [headers, ec] of cases) {
    const answer = await get(emulator, headers);
    t.match(answer, { status: 403, code: "AccessDenied", headers: { "x-oss-ec": ec } });
    t.match(answer.text, `<EC>${ec}</EC><RecommendDoc>https://api.aliyun.com/troubleshoot?q=${ec}</RecommendDoc>`);
    t.match(answer.text, "<Message>You are denied by bucket referer policy.</Message>");
    t.match(answer.text, `<HostId>${DOMAIN}</HostId><BucketName>${BUCKET}</BucketName>`);
  }
  t.equal((await get(emulator, A)).text, "text");
});

t.test("an open end, as OSS has it: the emulator does not know strict", async (t) => {
  const emulator = await start(t, ONLY_A);
  t.equal((await get(emulator, ["Referer", "http://a.com.evil.net/"])).status, 200);
});

t.test("rows 37 and 39: who signs in a header is not asked, who signs in the URL is", async (t) => {
  const emulator = await start(t, ONLY_A);
  for (const how of SIGNINGS) {
    for (const headers of [[], OTHER]) {
      const answer = await send(emulator, signed({ target: "/private", key: "private", headers }, how));
      t.equal(answer.status, how.endsWith("-header") ? 200 : 403, how);
      if (how.endsWith("-url")) t.match(answer.text, "bucket referer policy");
    }
    const allowed = await send(emulator, signed({ target: "/private", key: "private", headers: A }, how));
    t.equal(allowed.status, 200, how);
  }
});

t.test("a wrong signature is told before the referer, the referer before the ACL and the object", async (t) => {
  const emulator = await start(t, ONLY_A);
  for (const how of ["v1-url", "v4-url"] as const) {
    const wire = signed({ target: "/private", key: "other", headers: OTHER }, how);
    t.equal((await send(emulator, wire)).code, "SignatureDoesNotMatch", how);
  }
  for (const target of ["/private", "/none", "/", "/?acl"]) {
    const answer = await get(emulator, OTHER, target);
    t.match(answer.text, "bucket referer policy", target);
  }
});

t.test("row 40: every method is asked, a preflight is not", async (t) => {
  const emulator = await start(t, { refererList: ["*a.com"] });
  emulator.setCors(BUCKET, [
    { allowedOrigins: ["*"], allowedMethods: ["GET"], allowedHeaders: [], exposeHeaders: [], maxAgeSeconds: null },
  ]);
  for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
    const headers = ["Referer", "http://b.com/"];
    const body = method === "PUT" ? { body: "new" } : {};
    t.equal((await send(emulator, { method, target: "/k", headers, ...body })).status, 403, method);
  }
  t.equal(emulator.readObject(BUCKET, "k").toString(), "text");
  const headers = ["Referer", "http://b.com/", "Origin", "http://b.com", "Access-Control-Request-Method", "GET"];
  t.equal((await send(emulator, { method: "OPTIONS", target: "/k", headers })).status, 200);
});

t.test("a form that is signed by its fields is asked, after its signature", async (t) => {
  const emulator = await start(t, ONLY_A);
  const policy = Buffer.from('{"expiration":"2025-01-01T01:00:00.000Z","conditions":[{"key":"new"}]}');
  const encoded = policy.toString("base64");
  const post = (headers: readonly string[], signature: string): Promise<Answered> => {
    const fields = { key: "new", OSSAccessKeyId: OWNER.accessKeyId, policy: encoded, Signature: signature };
    const parts = Object.entries(fields).map(
      ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n';
    const type = ["Content-Type", "multipart/form-data; boundary=b"];
    return send(emulator, { method: "POST", target: "/", headers: [...type, ...headers], body: parts.join("") + file });
  };
  const good = postSignatureV1(OWNER.accessKeySecret, encoded);
  t.equal((await post(OTHER, "wrong")).code, "SignatureDoesNotMatch");
  t.match(await post(OTHER, good), { status: 403, text: /bucket referer policy/ });
  t.strictSame(emulator.keys(BUCKET), ["k", "private"]);
  t.equal((await post(A, good)).status, 204);
});

t.test("the configuration can be replaced and taken away", async (t) => {
  const emulator = await start(t, null);
  t.equal((await get(emulator, OTHER)).status, 200);
  emulator.setReferer(BUCKET, ONLY_A);
  t.equal((await get(emulator, OTHER)).status, 403);
  emulator.setReferer(BUCKET, { refererBlacklist: ["http://a.com"] });
  t.equal((await get(emulator, OTHER)).status, 200);
  t.equal((await get(emulator)).status, 200, "AllowEmptyReferer is true when it is not said");
  t.equal((await get(emulator, A)).status, 403);
  emulator.setReferer(BUCKET, null);
  t.equal((await get(emulator, A)).status, 200);
  t.throws(() => emulator.setReferer("none", null), /no bucket none/);
});
