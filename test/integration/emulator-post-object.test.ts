import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { deriveDayKey } from "../../src/signing/day-key.js";
import { postSignatureV1, postSignatureV4 } from "../../src/signing/post-policy.js";
import type { KnownCredentials } from "../../src/signing/types.js";
import { type Answered, BUCKET, DOMAIN, NOW_MS, OWNER, REGION, STS, send } from "../unit/emulator/wire.js";

type Fields = Readonly<Record<string, string>>;

const DATE = "20250101T000000Z";
const CREDENTIAL = `${OWNER.accessKeyId}/20250101/${REGION}/oss/aliyun_v4_request`;
const FILE_NAME = ["$", "{filename}"].join("");

async function start(
  t: Pick<typeof import("tap").t, "teardown">,
  acl: "private" | "public-read-write" = "private",
): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addCredentials(STS);
  emulator.addBucket({ name: BUCKET, acl, domains: [DOMAIN] });
  return emulator;
}

function post(emulator: Emulator, fields: Fields, content: string | null = "hello"): Promise<Answered> {
  const boundary = "----boundary";
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `Content-Disposition: form-data; name="file"; filename="图.txt"\r\nContent-Type: text/x-file`;
  if (content !== null) parts.push(`--${boundary}\r\n${head}\r\n\r\n${content}\r\n`);
  const body = `${parts.join("")}--${boundary}--\r\n`;
  return send(emulator, {
    method: "POST",
    target: "/",
    headers: ["Content-Type", `multipart/form-data; boundary=${boundary}`],
    body,
  });
}

function policyOf(...conditions: readonly unknown[]): string {
  return Buffer.from(JSON.stringify({ expiration: "2025-01-01T01:00:00.000Z", conditions })).toString("base64");
}

function v1(credentials: KnownCredentials, policy: string): Fields {
  const token: Fields =
    credentials.securityToken === undefined ? {} : { "x-oss-security-token": credentials.securityToken };
  const Signature = postSignatureV1(credentials.accessKeySecret, policy);
  return { OSSAccessKeyId: credentials.accessKeyId, policy, Signature, ...token };
}

function v4(...conditions: readonly unknown[]): Fields {
  const covered = [
    { "x-oss-signature-version": "OSS4-HMAC-SHA256" },
    { "x-oss-credential": CREDENTIAL },
    { "x-oss-date": DATE },
  ];
  const policy = policyOf(...covered, ...conditions);
  const key = deriveDayKey(OWNER.accessKeySecret, { date8: "20250101", region: REGION, product: "oss" });
  return {
    "x-oss-signature-version": "OSS4-HMAC-SHA256",
    "x-oss-credential": CREDENTIAL,
    "x-oss-date": DATE,
    policy,
    "x-oss-signature": postSignatureV4(key, policy),
  };
}

const USER_KEYS = ["starts-with", "$key", "user/"];

t.test("a form signed V1 is stored, answered 204, and its key takes the name of the file", async (t) => {
  const emulator = await start(t);
  const answer = await post(emulator, {
    key: `user/${FILE_NAME}`,
    ...v1(OWNER, policyOf({ bucket: BUCKET }, USER_KEYS)),
  });
  t.match([answer.status, answer.text, answer.headers.etag], [204, "", '"5D41402ABC4B2A76B9719D911017C592"']);
  t.equal(emulator.readObject(BUCKET, "user/图.txt").toString(), "hello");
});

t.test("a form signed V4 or with an STS token is stored", async (t) => {
  const emulator = await start(t);
  t.equal((await post(emulator, { key: "user/a", ...v4(USER_KEYS) })).status, 204);
  t.equal((await post(emulator, { key: "user/b", ...v1(STS, policyOf(USER_KEYS)) })).status, 204);
  t.same(emulator.keys(BUCKET), ["user/a", "user/b"]);
});

t.test("the fields are the object's settings, and the content type has its precedence", async (t) => {
  const emulator = await start(t, "public-read-write");
  const typeOf = async (fields: Fields): Promise<unknown> => {
    await post(emulator, { key: "k", "Cache-Control": "no-cache", "x-oss-meta-a": "1", ...fields });
    const head = await send(emulator, { method: "HEAD", target: "/k" });
    t.match(head.headers, { "cache-control": "no-cache", "x-oss-meta-a": "1" });
    return head.headers["content-type"];
  };
  t.equal(await typeOf({}), "text/x-file");
  t.equal(await typeOf({ "Content-Type": "text/x-form" }), "text/x-form");
  t.equal(await typeOf({ "Content-Type": "text/x-form", "x-oss-content-type": "text/x-oss" }), "text/x-oss");
});

t.test("the answer is the one that the form asks for", async (t) => {
  const emulator = await start(t, "public-read-write");
  const ask = (fields: Fields) => post(emulator, { key: "a/b", ...fields });
  const ok = await ask({ success_action_status: "200" });
  t.match([ok.status, ok.text], [200, ""]);
  const created = await ask({ success_action_status: "201" });
  t.equal(created.status, 201);
  t.match(created.text, /<PostResponse><Bucket>test-bucket<\/Bucket><ETag>"5D41.*<\/ETag><Key>a\/b<\/Key><Location>/);
  t.equal((await ask({ success_action_status: "400" })).status, 204);
  const redirected = await ask({
    success_action_redirect: "https://app.example.com/done?x=1",
    success_action_status: "201",
  });
  t.equal(redirected.status, 303);
  t.match(redirected.headers.location, "https://app.example.com/done?x=1&bucket=test-bucket&etag=%225D41");
});

const WRONG_POLICY = policyOf(["starts-with", "$key", "other/"]);
const { policy: _policy, ...WITHOUT_POLICY } = v1(OWNER, policyOf());

const REFUSED: readonly (readonly [claim: string, fields: Fields, status: number, code: string])[] = [
  ["nobody's signature on a private bucket", { key: "k" }, 403, "AccessDenied"],
  ["no policy beside its signature", { key: "k", ...WITHOUT_POLICY }, 400, "InvalidArgument"],
  ["a policy that it breaks", { key: "k", ...v1(OWNER, WRONG_POLICY) }, 403, "AccessDenied"],
  [
    "another policy than the signed one",
    { key: "k", ...v1(OWNER, policyOf()), policy: WRONG_POLICY },
    403,
    "SignatureDoesNotMatch",
  ],
  ["an unknown key", { key: "k", ...v1({ ...OWNER, accessKeyId: "X" }, policyOf()) }, 403, "InvalidAccessKeyId"],
  ["a wrong token", { key: "k", ...v1({ ...STS, securityToken: "x" }, policyOf()) }, 403, "InvalidSecurityToken"],
  ["too long a file", { key: "k", ...v1(OWNER, policyOf(["content-length-range", 0, 4])) }, 400, "EntityTooLarge"],
  ["a signed policy that is no JSON", { key: "k", ...v1(OWNER, "####") }, 400, "InvalidPolicyDocument"],
  ["a V4 policy without its date", { key: "k", ...v4(), ...uncoveredV4() }, 400, "InvalidArgument"],
  [
    "a V4 credential of another region",
    { key: "k", ...v4(), "x-oss-credential": CREDENTIAL.replace(REGION, "cn-beijing") },
    400,
    "InvalidArgument",
  ],
  ["a broken V4 signature", { key: "k", ...v4(), "x-oss-signature": "00" }, 403, "SignatureDoesNotMatch"],
  ["a key with a leading slash", { key: "/k", ...v1(OWNER, policyOf()) }, 400, "InvalidObjectName"],
  ["a callback", { key: "k", ...v1(OWNER, policyOf()), callback: "e30=" }, 501, "NotImplemented"],
  [
    "encryption",
    { key: "k", ...v1(OWNER, policyOf()), "x-oss-server-side-encryption": "AES256" },
    501,
    "NotImplemented",
  ],
  [
    "a line break in a value",
    { key: "k", ...v1(OWNER, policyOf()), "x-oss-meta-a": "1\r\nx: y" },
    400,
    "InvalidArgument",
  ],
  ["no key", {}, 400, "IncorrectNumberOfFilesInPOSTRequest"],
];

function uncoveredV4(): Fields {
  const policy = policyOf({ "x-oss-signature-version": "OSS4-HMAC-SHA256" }, { "x-oss-credential": CREDENTIAL });
  const key = deriveDayKey(OWNER.accessKeySecret, { date8: "20250101", region: REGION, product: "oss" });
  return { policy, "x-oss-signature": postSignatureV4(key, policy) };
}

for (const [claim, fields, status, code] of REFUSED) {
  t.test(`a form with ${claim} is refused with ${code} and leaves nothing`, async (t) => {
    const emulator = await start(t);
    const answer = await post(emulator, fields);
    t.match([answer.status, answer.code], [status, code]);
    t.same(emulator.keys(BUCKET), []);
  });
}

t.test("a policy and a V4 date expire", async (t) => {
  const emulator = await start(t);
  emulator.setNowMs(NOW_MS + 3_600_001);
  const expired = await post(emulator, { key: "user/a", ...v1(OWNER, policyOf(USER_KEYS)) });
  t.match(expired.text, "<Message>Invalid according to Policy: Policy expired.</Message>");
  emulator.setNowMs(NOW_MS - 15 * 60_000 - 1);
  t.match((await post(emulator, { key: "user/a", ...v4(USER_KEYS) })).text, "not valid yet");
});

t.test("a form without a file, without a boundary or that is no form is refused", async (t) => {
  const emulator = await start(t, "public-read-write");
  t.equal((await post(emulator, { key: "k" }, null)).code, "IncorrectNumberOfFilesInPOSTRequest");
  const bare = { method: "POST", target: "/", body: "x" };
  t.equal(
    (await send(emulator, { ...bare, headers: ["Content-Type", "multipart/form-data"] })).code,
    "RequestIsNotMultiPartContent",
  );
  t.equal(
    (await send(emulator, { ...bare, headers: ["Content-Type", "multipart/form-data; boundary=B"] })).code,
    "MalformedPOSTRequest",
  );
  t.equal((await send(emulator, { ...bare, headers: ["Content-Type", "text/plain"] })).code, "NotImplemented");
});

t.test("fields that are no settings may hold anything", async (t) => {
  const emulator = await start(t);
  const policy = policyOf(USER_KEYS).replace(/.{20}/, "$&\r\n");
  t.equal((await post(emulator, { key: "user/a", ...v1(OWNER, policy), "x:mine": "1\n2" })).status, 204);
});

t.test("a form may forbid to overwrite", async (t) => {
  const emulator = await start(t, "public-read-write");
  emulator.putObject(BUCKET, "k", "old");
  t.equal((await post(emulator, { key: "k", "x-oss-forbid-overwrite": "true" })).code, "FileAlreadyExists");
  t.equal(emulator.readObject(BUCKET, "k").toString(), "old");
});
