import { sign } from "node:crypto";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import { signCallbackToken } from "../../src/policy/callback-token.js";
import { callbackMessage, KNOWN_PUBLIC_KEY_URL } from "../../src/signing/callback.js";
import { clientsGone } from "../fault/support/sockets.js";
import { answerWith, makeOssKeys } from "../support/callback-keys.js";
import { type Call, type CallbackWorld, FORM, startCallbackWorld } from "../support/callback-world.js";
import { answerTo, type RawAnswer, RawConnection, valuesOf } from "../support/raw-client.js";

const HOST = "gosspublic.alicdn.com";
const BODY = "bucket=examplebucket&object=user%2F7%2Fcat.jpg&size=12";

interface Forgery {
  readonly name: string;
  /** What the log says of it. */
  readonly detail: RegExp;
  readonly call: (world: CallbackWorld) => Call;
  /** Only these need the vendor's key; all others are refused before any is asked for. */
  readonly needsKey?: boolean;
}

const stranger = makeOssKeys();
const inTenMinutes = (): number => Math.trunc(Date.now() / 1_000) + 600;

const SIGNATURES: readonly Forgery[] = [
  {
    name: "signed by somebody else",
    detail: /signature is not of this request/,
    call: () => ({ signer: stranger.privateKey }),
    needsKey: true,
  },
  {
    name: "a signature that is none",
    detail: /signature is not of this request/,
    call: () => ({ authorization: "Basic dXNlcjpwYXNz" }),
    needsKey: true,
  },
  {
    name: "the documented sample's signature",
    detail: /signature is not of this request/,
    call: () => ({
      authorization: "kKQeGTRccDKyHB3H9vF+xYMSrmhMZjzzl2/kdD1ktNVgbWEfYTQG0G2SU/RaHBovRCE8OkQDjC3uG33esH2txA==",
    }),
    needsKey: true,
  },
  {
    name: "OSS's signature of another body",
    detail: /signature is not of this request/,
    call: (world) => {
      const query = world.token();
      const message = callbackMessage("/callback", query, Buffer.from(BODY));
      const authorization = sign("RSA-MD5", message, world.ossKey).toString("base64");
      return { query, authorization, body: BODY.replace("12", "13") };
    },
    needsKey: true,
  },
  {
    name: "OSS's signature of another path",
    detail: /signature is not of this request/,
    call: (world) => {
      const query = world.token();
      const message = callbackMessage("/other", query, Buffer.from(BODY));
      return { query, body: BODY, authorization: sign("RSA-MD5", message, world.ossKey).toString("base64") };
    },
    needsKey: true,
  },
  {
    name: "OSS's signature of another token",
    detail: /signature is not of this request/,
    call: (world) => {
      const message = callbackMessage("/callback", world.token({ inSeconds: 60 }), Buffer.from(BODY));
      return { body: BODY, authorization: sign("RSA-MD5", message, world.ossKey).toString("base64") };
    },
    needsKey: true,
  },
  {
    name: "two signatures",
    detail: /exactly one Authorization/,
    call: () => ({ headers: ["Authorization", "QUJD"] }),
  },
  {
    name: "two key URLs",
    detail: /exactly one Authorization/,
    call: () => ({ headers: ["x-oss-pub-key-url", Buffer.from("https://evil.net/k.pem").toString("base64")] }),
  },
  {
    name: "two Content-Types",
    detail: /more than one Content-Type/,
    call: () => ({ headers: ["Content-Type", "application/json"] }),
  },
];

const KEY_URLS: readonly Forgery[] = [
  "https://evil.net/callback_pub_key_v1.pem",
  `https://${HOST}.evil.net/callback_pub_key_v1.pem`,
  `https://${HOST}@evil.net/callback_pub_key_v1.pem`,
  `https://evil.net@${HOST}/callback_pub_key_v1.pem`,
  `https://evil.net/https://${HOST}/callback_pub_key_v1.pem`,
  `https://${HOST}:8443/callback_pub_key_v1.pem`,
  `http://${HOST}:80/callback_pub_key_v1.pem`,
  `https://${HOST}\\@evil.net/k.pem`,
  `https://${HOST}/callback_pub_key_v1.pem?a=1`,
  "https://127.0.0.1/callback_pub_key_v1.pem",
  "file:///etc/passwd",
].map((keyUrl) => ({
  name: `the key at ${keyUrl}`,
  detail: /vendor's own host/,
  call: () => ({ keyUrl, signer: stranger.privateKey }),
}));

const TOKENS: readonly Forgery[] = [
  { name: "no token: OSS may call for any of its customers", detail: /no token/, call: () => ({ query: "" }) },
  { name: "another query", detail: /no token/, call: () => ({ query: "id=1&index=2" }) },
  { name: "a token that has expired", detail: /expired/, call: (world) => ({ query: world.token({ inSeconds: -1 }) }) },
  {
    name: "a token of another secret",
    detail: /not one of this route's/,
    call: () => {
      const claims = { bucket: "examplebucket", keyPrefix: "user/7/", expiresSeconds: inTenMinutes() };
      return { query: signCallbackToken(claims, new Secret("another secret, as long")) };
    },
  },
  {
    name: "a token whose prefix was cut off",
    detail: /not one of this route's/,
    call: (world) => ({ query: world.token().replace("ossgate-dir=user/7/", "ossgate-dir=") }),
  },
  {
    name: "a token whose expiry was moved",
    detail: /not one of this route's/,
    call: (world) => ({ query: world.token().replace(/expires=\d+/, `expires=${inTenMinutes() + 1}`) }),
  },
  {
    name: "a token with a second prefix",
    detail: /repeated/,
    call: (world) => ({ query: `${world.token()}&ossgate-dir=` }),
  },
  {
    name: "a good token of a bucket that is not the route's",
    detail: /bucket that is not one of the route's/,
    call: (world) => ({ query: world.token({ bucket: "otherbucket" }), body: BODY.replace("example", "other") }),
  },
];

const REPORTS: readonly Forgery[] = [
  {
    name: "another customer's bucket",
    detail: /bucket is not the token's/,
    call: () => ({ body: BODY.replace("examplebucket", "theirbucket") }),
  },
  {
    name: "another bucket of ours",
    detail: /bucket is not the token's/,
    call: () => ({ body: BODY.replace("examplebucket", "otherbucket") }),
  },
  {
    name: "an object of another prefix",
    detail: /outside the token's key prefix/,
    call: () => ({ body: "bucket=examplebucket&object=user%2F8%2Fcat.jpg" }),
  },
  {
    name: "a prefix that only begins like the token's",
    detail: /outside the token's key prefix/,
    call: () => ({ body: "bucket=examplebucket&object=user%2F7" }),
  },
  {
    name: "a token for another prefix",
    detail: /outside the token's key prefix/,
    call: (world) => ({ query: world.token({ keyPrefix: "user/8/" }) }),
  },
  {
    name: "an object that climbs out",
    detail: /'\.\.' segment/,
    call: () => ({ body: "bucket=examplebucket&object=user%2F7%2F..%2F8%2Fcat.jpg" }),
  },
  {
    name: "no object",
    detail: /callbackBody must contain bucket and object/,
    call: () => ({ body: "bucket=examplebucket&size=12" }),
  },
  { name: "no body", detail: /callbackBody must contain bucket and object/, call: () => ({ body: "" }) },
  {
    name: "a second object",
    detail: /more than one way/,
    call: () => ({ body: `${BODY}&object=admin%2Fa` }),
  },
  {
    name: "a second object in JSON, where the first is read by some",
    detail: /more than one way/,
    call: () => ({
      contentType: "application/json",
      body: '{"bucket":"examplebucket","object":"admin/a","object":"user/7/a"}',
    }),
  },
  {
    name: "JSON that is declared a form",
    detail: /Content-Type is not what the body is/,
    call: () => ({
      contentType: FORM,
      body: '{"object":"admin/a","x":"&bucket=examplebucket&object=user/7/a&"}',
    }),
  },
  {
    name: "the object in a header alone",
    detail: /callbackBody must contain bucket and object/,
    call: () => ({ body: "bucket=examplebucket", headers: ["x-oss-object", "user/7/a"] }),
  },
];

const PATHS: readonly Forgery[] = [
  {
    name: "a path in which another callback's query and body hide",
    detail: /encoded '\?' or control character/,
    call: (world) => {
      const token = world.token();
      // What a customer of OSS had signed for a server of its own: the query x=1, and a body that ends with ours.
      const message = callbackMessage("/callback", "x=1", Buffer.from(`y?${token}\n${BODY}`));
      const authorization = sign("RSA-MD5", message, world.ossKey).toString("base64");
      return { path: "/callback%3Fx=1%0Ay", query: token, body: BODY, authorization };
    },
  },
  {
    name: "a line feed in the path",
    detail: /encoded '\?' or control character/,
    call: () => ({ path: "/callback%0Aa" }),
  },
  {
    name: "a preflight that carries what OSS signed for a POST",
    detail: /method is not POST/,
    call: () => ({ method: "OPTIONS", headers: ["Access-Control-Request-Method", "POST"] }),
  },
];

/** All but what differs with every request. */
function told({ status, rawHeaders, body }: RawAnswer): unknown {
  const { RequestId: _, ...document } = JSON.parse(body.toString());
  const [code] = valuesOf(rawHeaders, "x-ossgate-error");
  return { status, document, code, message: valuesOf(rawHeaders, "x-ossgate-message") };
}

t.test("every forgery is 403 with one text, named in the log alone, and reaches nobody", async (t) => {
  const world = await startCallbackWorld(t);
  const texts = new Set<string>();
  const all = [...TOKENS, ...KEY_URLS, ...REPORTS, ...PATHS, ...SIGNATURES];
  // Those that need no key come first, so that the key server's silence shows.
  for (const { name, detail, call, needsKey } of all.sort((a, b) => Number(!!a.needsKey) - Number(!!b.needsKey))) {
    await t.test(name, async (t) => {
      const seen = world.entries.length;
      const answer = await world.call(call(world));
      t.equal(answer.status, 403);
      t.same(valuesOf(answer.rawHeaders, "content-type"), ["application/json"]);
      texts.add(JSON.stringify(told(answer)));
      await world.logged(() => world.entries.length > seen);
      const entry = world.entries[seen];
      t.match(entry, { route: "callbacks", status: 403, error: "CALLBACK_NOT_GENUINE" });
      t.match(entry?.detail, detail);
      if (needsKey !== true) t.equal(world.keyServer.requests.length, 0, "no key was asked for");
    });
  }
  t.equal(texts.size, 1, "a forger learns nothing of what was wrong");
  t.equal(world.application.requests.length, 0);
  t.equal((await world.call()).status, 200, "a genuine one passes all the same");
  t.same(world.keyServer.requests, [`GET /callback_pub_key_v1.pem ${HOST}`]);
  await clientsGone(world.port);
  t.equal(world.stats.inFlight, 0);
});

t.test("without a signature's headers a callback is refused like any forgery", async (t) => {
  const world = await startCallbackWorld(t);
  for (const name of ["Authorization", "x-oss-pub-key-url"]) {
    const bytes = world.request().toString("latin1");
    const answer = await answerTo(world.port, bytes.replace(new RegExp(`${name}: .*\r\n`), ""), "POST");
    t.equal(answer.status, 403, name);
  }
  t.equal(world.application.requests.length, 0);
  t.equal(world.keyServer.requests.length, 0);
});

t.test("a key URL with http in it is fetched by https", async (t) => {
  const world = await startCallbackWorld(t);
  const answer = await world.call({ keyUrl: KNOWN_PUBLIC_KEY_URL.replace("https:", "http:") });
  t.equal(answer.status, 200);
  // The key server speaks TLS alone.
  t.same(world.keyServer.requests, [`GET /callback_pub_key_v1.pem ${HOST}`]);
});

t.test("headers of a client cannot pass for what the gateway verified", async (t) => {
  const world = await startCallbackWorld(t);
  const headers = [
    ...["x-ossgate-verified", "examplebucket/admin/a", "X-OSSGATE-VERIFIED", "x", "x_ossgate_verified", "x"],
    ...["x-oss-bucket", "otherbucket", "X-Oss-Bucket", "otherbucket"],
    ...["Cookie", "a=b", "X-Forwarded-For", "10.0.0.1", "Forwarded", "for=10.0.0.1", "Connection", "x-oss-tag"],
    ...["x-oss-owner", "\xe9\xff"],
  ];
  t.equal((await world.call({ headers })).status, 200);
  const { rawHeaders = [] } = world.application.requests[0] ?? {};
  t.same(valuesOf(rawHeaders, "x-ossgate-verified"), ["examplebucket/user/7/cat.jpg"]);
  t.same(valuesOf(rawHeaders, "x-oss-owner"), ["\xe9\xff"], "bytes are kept");
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  for (const name of [
    "x_ossgate_verified",
    "x-oss-bucket",
    "cookie",
    "x-forwarded-for",
    "forwarded",
    "authorization",
  ]) {
    t.notOk(names.includes(name), name);
  }
  t.same(world.application.violations, []);
});

t.test("10,000 key URLs cost five fetches and little memory, and OSS is served all the while", async (t) => {
  const COUNT = 10_000;
  const BATCH = 250;
  const world = await startCallbackWorld(t);
  world.keyServer.reply((req, res) => {
    const isKnown = req.url === "/callback_pub_key_v1.pem";
    answerWith(isKnown ? world.publicPem : "", isKnown ? 200 : 404)(req, res);
  });
  const query = world.token();
  const connection = await RawConnection.open(world.port);
  const statuses = new Map<number, number>();
  for (let sent = 0; sent < COUNT; sent += BATCH) {
    for (let i = 0; i < BATCH; i += 1) {
      connection.send(world.request({ query, keyUrl: `https://${HOST}/k${sent + i}.pem`, authorization: "QUJD" }));
    }
    for (let i = 0; i < BATCH; i += 1) {
      const { status } = await connection.answer("POST");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }
  connection.close();
  t.same([...statuses], [[503, COUNT]]);
  t.equal(world.keyServer.requests.length, 5);
  t.equal(world.keyFailures.length, 5, "each failure is told once");
  t.equal(world.application.requests.length, 0);
  t.equal((await world.call()).status, 200, "the known key is fetched all the same");
  t.equal(world.keyServer.requests.length, 6);
});
