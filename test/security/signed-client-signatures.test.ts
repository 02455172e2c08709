import { createRequire } from "node:module";
import t, { type Test } from "tap";
import { type OssCredentials, Secret } from "../../src/core/secret.js";
import { encodePath } from "../../src/core/target.js";
import { parseQuery } from "../../src/signing/canonical.js";
import { presignV1Url, presignV4Url, signV1Header, signV4Header } from "../../src/signing/sign.js";
import { xmlText } from "../support/raw-client.js";
import {
  type Answered,
  type Asked,
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  inSeconds,
  LINKS,
  linkOf,
  OSS_HOST,
  OWN,
  outcome,
  REGION,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const VERIFY = `${EVERY_METHOD}, clientSignatures: verify`;
const ROUTES =
  signingRoute("refusing", `${EVERY_METHOD}, allow: { anyone: true }`) +
  signingRoute("relaying", `${EVERY_METHOD}, clientSignatures: relay, allow: { anyone: true }`) +
  signingRoute("verifying", `${VERIFY}, allow: { signatures: true }`) +
  signingRoute("optional", `${VERIFY}, allow: { anyone: true }`) +
  signingRoute("bound", `${VERIFY}, keyPrefix: tenant/, allow: { signatures: true }`) +
  signingRoute("both", `${VERIFY}, allow: { signatures: true, ${LINKS} }, satisfy: all`) +
  signingRoute("oldest", `${VERIFY}, allow: { signatures: true }`, "version: v1") +
  `  - { name: stripped, match: { hosts: [stripped.test], pathPrefix: /in }, stripPrefix: true, bucket: one, auth: sign, sign: { credentials: reader }, ${VERIFY}, allow: { signatures: true } }\n` +
  `  - { name: chosen, match: { hosts: [chosen.test] }, buckets: [one], auth: sign, sign: { credentials: reader }, ${VERIFY}, allow: { signatures: true } }\n`;

const STRANGER: OssCredentials = { accessKeyId: "stranger-ak", accessKeySecret: new Secret("stranger-sk") };

/** A request before it is signed. The key is what the client signs; the path may differ from it. */
interface Unsigned {
  readonly method?: string;
  readonly host: string;
  readonly key: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly by?: OssCredentials;
  /** Moves the time of signing; the default is now. */
  readonly nowMs?: number;
  readonly lifeSeconds?: number;
}

type SignRequest = (unsigned: Unsigned) => Asked;

function input({ method = "GET", key, query = "", headers = [] }: Unsigned) {
  return { method, bucket: BUCKET, key, query: parseQuery(query), headers };
}

function asked(unsigned: Unsigned, addedQuery: string, addedHeaders: readonly string[]): Asked {
  const { method = "GET", host, key, path = `/${encodePath(key)}`, query = "", headers = [], body } = unsigned;
  const whole = [query, addedQuery].filter((text) => text !== "").join("&");
  const target = whole === "" ? path : `${path}?${whole}`;
  return { method, host, target, headers: [...headers, ...addedHeaders], ...(body === undefined ? {} : { body }) };
}

const time = ({ nowMs = Date.now() }: Unsigned): number => nowMs;

const FORMS: Readonly<Record<string, SignRequest>> = {
  "v1-header": (it) => asked(it, "", signV1Header(input(it), it.by ?? OWN, time(it))),
  "v4-header": (it) => asked(it, "", signV4Header(input(it), it.by ?? OWN, { nowMs: time(it), region: REGION })),
  "v1-url": (it) =>
    asked(it, presignV1Url(input(it), it.by ?? OWN, Math.floor(time(it) / 1_000) + (it.lifeSeconds ?? 600)), []),
  "v4-url": (it) => {
    const options = { nowMs: time(it), region: REGION, expiresSeconds: it.lifeSeconds ?? 600 };
    return asked(it, presignV4Url(input(it), it.by ?? OWN, options), []);
  },
};

async function worldWithObject(t: Test): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "a b+c/图.txt", "hello");
  world.emulator.putObject(BUCKET, "tenant/k", "of the tenant");
  world.emulator.putObject(BUCKET, "k", "kept");
  return world;
}

/** The refusal is one of OSS's own, made here: nothing went upstream, and nothing of what was signed is told. */
function mustBeRefused(t: Test, answer: Answered, status: number, code: string, name: string) {
  t.equal(answer.status, status, name);
  const xml =
    answer.entry.method === "HEAD" ? Buffer.from(answer.header("x-oss-err"), "base64").toString() : answer.text;
  t.equal(xmlText(xml, "Code"), code, name);
  t.equal(xmlText(xml, "RequestId"), answer.header("x-oss-request-id"), name);
  t.strictSame(answer.captures, [], `${name}: no upstream request`);
  for (const secret of ["StringToSign", "CanonicalRequest", "SignatureProvided", "SecurityToken", "<OSSAccessKeyId>"]) {
    t.notOk(everythingOf(answer).includes(secret), `${name}: no ${secret}`);
  }
}

for (const [form, sign] of Object.entries(FORMS)) {
  t.test(`${form}: refused without being looked at where the route takes no signatures`, async (t) => {
    const world = await worldWithObject(t);
    for (const method of ["GET", "HEAD", "DELETE"]) {
      const answer = await ask(world, sign({ method, host: "refusing.test", key: "k" }));
      t.equal(outcome(answer), "CLIENT_SIGNATURE_NOT_ALLOWED", method);
      t.equal(answer.status, 403);
      t.strictSame(answer.captures, []);
    }
  });

  t.test(`${form}: relayed, the client's signature arrives as it was made, and no other`, async (t) => {
    const world = await worldWithObject(t);
    world.emulator.addCredentials(STRANGER);
    const request = sign({ host: "relaying.test", key: "a b+c/图.txt", by: STRANGER });
    const answer = await ask(world, request);
    t.equal(answer.text, "hello");
    t.equal(answer.captures[0]?.rawTarget, request.target);
    const sent = JSON.stringify(answer.captures);
    t.ok(sent.includes(STRANGER.accessKeyId));
    t.notOk(sent.includes(OWN.accessKeyId));
    const wrong = await ask(
      world,
      sign({ host: "relaying.test", key: "k", by: { ...OWN, accessKeySecret: new Secret("x") } }),
    );
    t.equal(wrong.status, 403);
    t.equal(wrong.captures.length, 1, "OSS decides");
    t.notMatch(everythingOf(wrong), /StringToSign|OSSAccessKeyId|SignatureProvided/);
  });

  t.test(`${form}: verified, every method goes upstream with the gateway's own signature`, async (t) => {
    const world = await worldWithObject(t);
    for (const host of ["verifying.test", "oldest.test", "optional.test"]) {
      const got = await ask(world, sign({ host, key: "a b+c/图.txt" }));
      t.equal(got.text, "hello", host);
      t.equal(
        got.captures[0]?.rawTarget,
        `/${encodePath("a b+c/图.txt")}`,
        "of the client's signature nothing is left",
      );
      const authorization = sentHeader(got.captures[0] as (typeof got.captures)[0], "authorization") ?? "";
      t.match(authorization, host === "oldest.test" ? /^OSS gateway-ak:/ : /^OSS4-HMAC-SHA256 /);
      t.equal((await ask(world, sign({ method: "HEAD", host, key: "k" }))).status, 200);
      const headers = ["Content-Type", "text/plain", "x-oss-meta-a", "1"];
      t.equal((await ask(world, sign({ method: "PUT", host, key: "new", headers, body: "new" }))).status, 200);
      t.equal(world.emulator.readObject(BUCKET, "new").toString(), "new");
      t.equal((await ask(world, sign({ method: "DELETE", host, key: "new" }))).status, 204);
      t.equal(world.emulator.getObject(BUCKET, "new"), undefined);
    }
  });

  t.test(`${form}: verified, the parameters of an operation are signed and the rules of the route stay`, async (t) => {
    const world = await worldWithObject(t);
    const begun = await ask(world, sign({ method: "POST", host: "verifying.test", key: "big", query: "uploads" }));
    const id = xmlText(begun.text, "UploadId") ?? "";
    const query = `partNumber=1&uploadId=${id}`;
    t.equal(
      (await ask(world, sign({ method: "PUT", host: "verifying.test", key: "big", query, body: "part" }))).status,
      200,
    );
    t.equal(
      (await ask(world, sign({ method: "DELETE", host: "verifying.test", key: "big", query: `uploadId=${id}` })))
        .status,
      204,
    );
    for (const query of ["acl", "x-oss-process=image%2Fresize,w_1", "cors", "response-content-type=text%2Fhtml"]) {
      const answer = await ask(world, sign({ host: "verifying.test", key: "k", query }));
      t.equal(outcome(answer), "PARAMETER_NOT_ALLOWED", query);
      t.strictSame(answer.captures, []);
    }
    const copy = ["x-oss-copy-source", `/${BUCKET}/k`];
    t.equal(
      outcome(await ask(world, sign({ method: "PUT", host: "verifying.test", key: "n", headers: copy }))),
      "HEADER_NOT_ALLOWED",
    );
  });

  t.test(`${form}: verified, what is wrong, unknown, skewed or expired ends here with OSS's own code`, async (t) => {
    const world = await worldWithObject(t);
    const isUrl = form.endsWith("url");
    const wrongSecret = { ...OWN, accessKeySecret: new Secret("wrong") };
    const hourAgo = Date.now() - 3_600_000;
    for (const method of ["GET", "HEAD"]) {
      const it = { method, host: "verifying.test", key: "k" };
      mustBeRefused(
        t,
        await ask(world, sign({ ...it, by: wrongSecret })),
        403,
        "SignatureDoesNotMatch",
        "wrong secret",
      );
      mustBeRefused(t, await ask(world, sign({ ...it, by: STRANGER })), 403, "InvalidAccessKeyId", "unknown key");
      const late = await ask(world, sign({ ...it, nowMs: hourAgo }));
      mustBeRefused(t, late, 403, isUrl ? "AccessDenied" : "RequestTimeTooSkewed", "too late");
      const other = await ask(world, {
        ...sign({ ...it, key: "other" }),
        target: sign(it).target.replace("/k", "/kk"),
      });
      mustBeRefused(t, other, 403, "SignatureDoesNotMatch", "another key");
      const token = await ask(world, sign({ ...it, by: { ...OWN, securityToken: "token" } }));
      t.ok(token.status === 403 && token.captures.length === 0, "a token that the key does not have");
      t.notMatch(everythingOf(token), /SecurityToken>|token-/);
    }
    const otherMethod = await ask(world, { ...sign({ host: "verifying.test", key: "k" }), method: "DELETE" });
    mustBeRefused(t, otherMethod, 403, "SignatureDoesNotMatch", "another method");
    t.equal(world.emulator.readObject(BUCKET, "k").toString(), "kept");
  });

  t.test(
    `${form}: below a prefix a header is signed for the key that its client writes, a URL for the key that is read`,
    async (t) => {
      const world = await worldWithObject(t);
      const written = { host: "bound.test", key: "k" };
      const read = { host: "bound.test", key: "tenant/k", path: "/k" };
      const isUrl = form.endsWith("-url");
      t.equal((await ask(world, sign(isUrl ? read : written))).text, "of the tenant");
      const other = await ask(world, sign(isUrl ? written : read));
      mustBeRefused(t, other, 403, "SignatureDoesNotMatch", "a URL for the root of the bucket, say");
      const stripped = { host: "stripped.test", key: isUrl ? "k" : "in/k", path: "/in/k" };
      t.equal((await ask(world, sign(stripped))).text, "kept");
      const chosen = await ask(world, sign({ host: "chosen.test", key: "k", path: `/${BUCKET}/k` }));
      t.equal(chosen.text, "kept");
      t.equal((await ask(world, sign({ host: OSS_HOST, key: "k" }))).text, "kept", "by the bucket's own host");
    },
  );

  t.test(`${form}: where a link is needed too, neither does alone`, async (t) => {
    const world = await worldWithObject(t);
    const it = { host: "both.test", key: "k" };
    t.equal(outcome(await ask(world, sign(it))), "LINK_REQUIRED");
    t.equal((await ask(world, { host: "both.test", target: `/k?${linkOf("both", "/k")}` })).status, 403);
    const signed = sign(it);
    const target = `${signed.target}${signed.target.includes("?") ? "&" : "?"}${linkOf("both", "/k")}`;
    const answer = await ask(world, { ...signed, target });
    t.equal(answer.text, "kept");
    t.equal(answer.captures[0]?.rawTarget, "/k");
  });
}

t.test("a URL that begins in the future, or lasts longer than seven days, is refused", async (t) => {
  const world = await worldWithObject(t);
  const sign = FORMS["v4-url"] as SignRequest;
  const future = await ask(world, sign({ host: "verifying.test", key: "k", nowMs: Date.now() + 3_600_000 }));
  mustBeRefused(t, future, 403, "AccessDenied", "from the future");
  const tooLong = await ask(world, {
    ...sign({ host: "verifying.test", key: "k" }),
    target: sign({ host: "verifying.test", key: "k" }).target.replace("x-oss-expires=600", "x-oss-expires=604801"),
  });
  t.ok(tooLong.status >= 400 && tooLong.captures.length === 0, "more than seven days");
});

t.test("verification goes by OSS's clock, as signing does", async (t) => {
  const world = await worldWithObject(t);
  const ossMs = Date.now() + 3_600_000;
  world.emulator.setNowMs(ossMs);
  const sign = FORMS["v4-header"] as SignRequest;
  t.equal((await ask(world, { host: "optional.test", target: "/k" })).status, 200, "the gateway learns OSS's clock");
  t.equal((await ask(world, sign({ host: "verifying.test", key: "k", nowMs: ossMs }))).status, 200);
  const byOurs = await ask(world, sign({ host: "verifying.test", key: "k" }));
  mustBeRefused(t, byOurs, 403, "RequestTimeTooSkewed", "by the gateway's clock");
});

t.test("a signature in the header and another in the URL: OSS's 400", async (t) => {
  const world = await worldWithObject(t);
  const url = (FORMS["v1-url"] as SignRequest)({ host: "verifying.test", key: "k" });
  const headers = signV4Header(input({ host: "", key: "k" }), OWN, { nowMs: Date.now(), region: REGION });
  mustBeRefused(t, await ask(world, { ...url, headers }), 400, "InvalidArgument", "both");
  t.equal(outcome(await ask(world, { ...url, host: "refusing.test", headers })), "CLIENT_SIGNATURE_NOT_ALLOWED");
});

t.test("parts of a signature, and signatures of the S3 dialect, are no way in", async (t) => {
  const world = await worldWithObject(t);
  const parts = [
    ...["Signature=x", "OSSAccessKeyId=gateway-ak", `OSSAccessKeyId=gateway-ak&Expires=${inSeconds(60)}`],
    ...[
      "x-oss-signature=x",
      "x-oss-signature-version=OSS4-HMAC-SHA256",
      "x-oss-signature-version=OSS2",
      "x-oss-credential=x",
    ],
    ...["X-Amz-Signature=x&X-Amz-Algorithm=AWS4-HMAC-SHA256", "AWSAccessKeyId=gateway-ak&Signature=x"],
  ];
  for (const host of ["verifying.test", "optional.test", "refusing.test"]) {
    for (const part of parts) {
      const answer = await ask(world, { host, target: `/k?${part}` });
      t.ok(answer.status === 403 || answer.status === 400, `${host} ${part}`);
      t.strictSame(answer.captures, [], `${host} ${part}`);
    }
    for (const scheme of [
      "OSS gateway-ak:x",
      "oss gateway-ak:x",
      "OSS2 x",
      "OSS4-HMAC-SHA256 x",
      "AWS a:b",
      "AWS4-HMAC-SHA256 x",
    ]) {
      const answer = await ask(world, { host, target: "/k", headers: ["Authorization", scheme] });
      t.ok(answer.status === 403 || answer.status === 400, `${host} ${scheme}`);
      t.strictSame(answer.captures, [], `${host} ${scheme}`);
    }
  }
});

t.test("no signature at all is no proof: the route that wants one says so", async (t) => {
  const world = await worldWithObject(t);
  const answer = await ask(world, { host: "verifying.test", target: "/k" });
  t.equal(outcome(answer), "CLIENT_NOT_ALLOWED");
  t.equal((await ask(world, { host: "optional.test", target: "/k" })).text, "kept");
  t.equal(
    (await ask(world, { host: "verifying.test", target: "/k", headers: ["Authorization", "Basic dTpw"] })).status,
    403,
  );
});

t.test("a form upload is not signed for anybody", async (t) => {
  const world = await worldWithObject(t);
  const headers = ["Content-Type", "multipart/form-data; boundary=b"];
  const body = '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nnew\r\n--b--\r\n';
  for (const [host, code] of [
    ["refusing.test", "CLIENT_SIGNATURE_NOT_ALLOWED"],
    ["verifying.test", "CLIENT_SIGNATURE_NOT_ALLOWED"],
  ] as const) {
    for (const target of ["/", "/k", "/k?append&position=0", "/?delete"]) {
      const answer = await ask(world, { method: "POST", host, target, headers, body });
      t.equal(outcome(answer), code, host + target);
      t.strictSame(answer.captures, []);
    }
  }
});

t.test("a key that was replaced still verifies what was signed before, and never signs again", async (t) => {
  const world = await worldWithObject(t);
  const next = { accessKeyId: "next-ak", accessKeySecret: new Secret("next-sk") };
  const before = (FORMS["v1-url"] as SignRequest)({ host: "verifying.test", key: "k" });
  world.emulator.addCredentials(next);
  await world.rotate(next);
  const answer = await ask(world, before);
  t.equal(answer.text, "kept");
  t.match(sentHeader(answer.captures[0] as (typeof answer.captures)[0], "authorization"), /next-ak/);
});

interface Presigner {
  signatureUrl(name: string, options: Readonly<Record<string, unknown>>): string;
  signatureUrlV4(method: string, expiresSeconds: number, request: object, name: string): Promise<string>;
}
const AliOss = createRequire(import.meta.url)("ali-oss") as new (options: object) => Presigner;

t.test("URLs that ali-oss presigns with the gateway's key are verified here", async (t) => {
  const world = await worldWithObject(t);
  const keys = { accessKeyId: OWN.accessKeyId, accessKeySecret: OWN.accessKeySecret.reveal() };
  const place = { bucket: BUCKET, region: `oss-${REGION}`, endpoint: `http://oss-${REGION}.aliyuncs.com` };
  const client = new AliOss({ ...keys, ...place });
  const key = "a b+c/图.txt";
  for (const url of [client.signatureUrl(key, { expires: 600 }), await client.signatureUrlV4("GET", 600, {}, key)]) {
    const target = url.slice(url.indexOf("/", "http://".length));
    const answer = await ask(world, { host: "verifying.test", target });
    t.equal(answer.text, "hello");
    t.equal(answer.captures[0]?.rawTarget, `/${encodePath(key)}`);
    const tampered = await ask(world, {
      host: "verifying.test",
      target: target.replace(/([Ss]ignature=..)../, "$1xx"),
    });
    mustBeRefused(t, tampered, 403, "SignatureDoesNotMatch", "tampered");
  }
});
