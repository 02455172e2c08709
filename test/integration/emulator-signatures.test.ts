import { readFileSync } from "node:fs";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { BUCKET, DEFAULT_HOST, DOMAIN, NOW_MS, OWNER, SIGNINGS, STS, send, signed } from "../unit/emulator/wire.js";

const MINUTE_MS = 60_000;
const KEY = "dir/图 1+2.txt";
const TARGET = "/dir/%E5%9B%BE%201%2B2.txt";

async function start(t: Pick<typeof import("tap").t, "teardown">): Promise<Emulator> {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addCredentials(STS);
  emulator.addBucket({ name: BUCKET, domains: [DOMAIN] });
  emulator.putObject(BUCKET, KEY, "secret");
  return emulator;
}

for (const how of SIGNINGS) {
  for (const [name, credentials] of [
    ["a permanent key", OWNER],
    ["an STS token", STS],
  ] as const) {
    t.test(`a ${how} signature with ${name} opens a private object on either host`, async (t) => {
      const emulator = await start(t);
      for (const host of [DOMAIN, DEFAULT_HOST]) {
        const answer = await send(emulator, signed({ target: TARGET, key: KEY, host }, how, credentials));
        t.equal(answer.text, "secret");
      }
    });
  }

  t.test(`a ${how} signature for another key is refused with the string to sign`, async (t) => {
    const emulator = await start(t);
    const answer = await send(emulator, signed({ target: TARGET, key: "other" }, how));
    t.match([answer.status, answer.code], [403, "SignatureDoesNotMatch"]);
    t.match(answer.text, /<StringToSign>.+<\/StringToSign><StringToSignBytes>[0-9A-F ]+<\/StringToSignBytes>/s);
  });

  t.test(`a ${how} signature with a wrong secret or an unknown key is refused`, async (t) => {
    const emulator = await start(t);
    const wrong = { ...OWNER, accessKeySecret: new Secret("wrong") };
    t.equal((await send(emulator, signed({ target: TARGET, key: KEY }, how, wrong))).code, "SignatureDoesNotMatch");
    const unknown = { ...OWNER, accessKeyId: "NOBODY" };
    t.equal((await send(emulator, signed({ target: TARGET, key: KEY }, how, unknown))).code, "InvalidAccessKeyId");
  });

  t.test(`a ${how} signature with an expired STS token is refused`, async (t) => {
    const emulator = await start(t);
    emulator.addCredentials({ ...STS, expiresAtMs: NOW_MS });
    const answer = await send(emulator, signed({ target: TARGET, key: KEY }, how, STS));
    t.match([answer.status, answer.code], [403, "SecurityTokenExpired"]);
    t.match(answer.headers["x-oss-ec"], "0002-00000007");
  });

  t.test(`a ${how} signature with a wrong STS token is refused`, async (t) => {
    const emulator = await start(t);
    const answer = await send(emulator, signed({ target: TARGET, key: KEY }, how, { ...STS, securityToken: "other" }));
    t.match([answer.status, answer.code], [403, "InvalidSecurityToken"]);
  });
}

for (const how of ["v1-header", "v4-header"] as const) {
  t.test(`a ${how} signature holds 15 minutes either way`, async (t) => {
    const emulator = await start(t);
    const wire = signed({ target: TARGET, key: KEY }, how);
    for (const offsetMs of [-15 * MINUTE_MS, 15 * MINUTE_MS]) {
      emulator.setNowMs(NOW_MS + offsetMs);
      t.equal((await send(emulator, wire)).status, 200, `${offsetMs} ms`);
      emulator.setNowMs(NOW_MS + offsetMs + Math.sign(offsetMs) * 1000);
      t.equal((await send(emulator, wire)).code, "RequestTimeTooSkewed", `a second more than ${offsetMs} ms`);
    }
  });
}

for (const how of ["v1-url", "v4-url"] as const) {
  t.test(`a ${how} signature holds for its hour`, async (t) => {
    const emulator = await start(t);
    const wire = signed({ target: TARGET, key: KEY }, how);
    emulator.setNowMs(NOW_MS + 60 * MINUTE_MS);
    t.equal((await send(emulator, wire)).status, 200);
    emulator.setNowMs(NOW_MS + 60 * MINUTE_MS + 1000);
    const late = await send(emulator, wire);
    t.match([late.status, late.code], [403, "AccessDenied"]);
    t.match(late.text, /<Message>Request has expired\.<\/Message>.*<Expires>.*<ServerTime>/);
  });
}

t.test("a signature in the URL and one in the header are refused together", async (t) => {
  const emulator = await start(t);
  const url = signed({ target: TARGET, key: KEY }, "v1-url");
  const answer = await send(emulator, {
    ...url,
    headers: signed({ target: TARGET, key: KEY }, "v1-header").headers ?? [],
  });
  t.match([answer.status, answer.code, answer.headers["x-oss-ec"]], [400, "InvalidArgument", "0002-00000039"]);
});

t.test("a V4 signature for another region is refused", async (t) => {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addBucket({ name: BUCKET, region: "cn-shanghai", domains: [DOMAIN] });
  const answer = await send(emulator, signed({ target: TARGET, key: KEY }, "v4-header"));
  t.match([answer.status, answer.code], [400, "InvalidArgument"]);
});

t.test("a bad signature is refused even where anybody may read", async (t) => {
  const emulator = createEmulator();
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addBucket({ name: BUCKET, acl: "public-read", domains: [DOMAIN] });
  emulator.putObject(BUCKET, KEY, "open");
  t.equal((await send(emulator, { target: TARGET })).text, "open");
  t.equal((await send(emulator, signed({ target: TARGET, key: KEY }, "v1-url"))).code, "InvalidAccessKeyId");
});

t.test("an upload with headers that a signature covers is refused when one of them changes on the way", async (t) => {
  const emulator = await start(t);
  const wire = signed(
    { method: "PUT", target: "/new", key: "new", headers: ["Content-Type", "text/plain"], body: "x" },
    "v1-header",
  );
  const changed = (wire.headers ?? []).map((text) => (text === "text/plain" ? "text/html" : text));
  t.equal((await send(emulator, { ...wire, headers: changed })).code, "SignatureDoesNotMatch");
  t.equal((await send(emulator, wire)).status, 200);
});

interface V2Vector {
  readonly kind: string;
  readonly name: string;
  readonly method: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly expected: string;
  readonly expectedAuthorization?: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
  readonly expires?: number;
}

const V2 = (JSON.parse(readFileSync("test/vectors/extra.json", "utf8")) as readonly V2Vector[]).filter(
  ({ kind, query }) => kind === "v2" && query["x-oss-process"] === undefined,
);

function v2Query(vector: V2Vector): string {
  if (vector.expires === undefined) return new URLSearchParams(vector.query).toString();
  return new URLSearchParams({
    "x-oss-signature-version": "OSS2",
    "x-oss-access-key-id": vector.accessKeyId,
    "x-oss-expires": String(vector.expires),
    "security-token": vector.securityToken ?? "",
    "x-oss-signature": vector.expected,
  }).toString();
}

t.test("there are published V2 signatures to try", async (t) => {
  t.equal(V2.length, 4);
});

for (const vector of V2) {
  t.test(`the V2 signature ${vector.name} is accepted, and refused for another key`, async (t) => {
    const emulator = createEmulator();
    t.teardown(() => emulator.close());
    await emulator.listen();
    emulator.setNowMs(NOW_MS);
    const { accessKeyId, accessKeySecret, securityToken } = vector;
    const token = securityToken === undefined ? {} : { securityToken };
    emulator.addCredentials({ accessKeyId, accessKeySecret: new Secret(accessKeySecret), ...token });
    emulator.addBucket({ name: "examplebucket", domains: [DOMAIN] });
    for (const key of [vector.key, "other"]) emulator.putObject("examplebucket", key, "secret");
    const { method, expectedAuthorization } = vector;
    const authorization = expectedAuthorization === undefined ? [] : ["Authorization", expectedAuthorization];
    const headers = [...Object.entries(vector.headers).flat(), ...authorization];
    const body = method === "PUT" ? { body: "new" } : {};
    const ask = (key: string) =>
      send(emulator, { method, target: `/${encodeURIComponent(key)}?${v2Query(vector)}`, headers, ...body });
    t.equal((await ask(vector.key)).status, 200);
    t.equal((await ask("other")).code, "SignatureDoesNotMatch");
  });
}

t.test("the owner's list of buckets needs a signature", async (t) => {
  const emulator = await start(t);
  const host = "oss-cn-hangzhou.aliyuncs.com";
  t.equal((await send(emulator, { host, target: "/" })).code, "AccessDenied");
  const { presignV1Url } = await import("../../src/signing/sign.js");
  const input = { method: "GET", bucket: "", key: "", query: [], headers: [] };
  const answer = await send(emulator, { host, target: `/?${presignV1Url(input, OWNER, NOW_MS / 1000 + 60)}` });
  t.match(answer.text, `<ExtranetEndpoint>oss-cn-hangzhou.aliyuncs.com</ExtranetEndpoint>`);
  t.match(answer.text, `<Name>${BUCKET}</Name>`);
});

t.test("signatures of the S3 dialect and those bound to an address are answered 501", async (t) => {
  const emulator = await start(t);
  const s3 = await send(emulator, { target: TARGET, headers: ["Authorization", "AWS4-HMAC-SHA256 Credential=a"] });
  t.equal(s3.status, 501);
  const bound = await send(emulator, signed({ target: `${TARGET}?x-oss-ac-subnet-mask=24`, key: KEY }, "v1-url"));
  t.equal(bound.status, 501);
});
