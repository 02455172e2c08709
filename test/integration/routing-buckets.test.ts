import t from "tap";
import { signV1Header, signV4Header } from "../../src/signing/sign.js";
import { valuesOf, xmlText } from "../support/raw-client.js";
import {
  BUCKET,
  CREDENTIALS,
  OSS_HOST,
  OTHER,
  REGION,
  relay,
  type Sent,
  signingInput,
  startRelay,
} from "../support/relay-world.js";

const world = await startRelay(
  t,
  `
  - { name: sdk, match: { hosts: [127.0.0.1] }, buckets: [one, two], methods: [GET, HEAD, PUT, POST, DELETE] }
  - { name: sdk-under, match: { hosts: [u.test], pathPrefix: /oss }, buckets: [one, two], stripPrefix: true }
  - { name: strip, match: { hosts: [s.test], pathPrefix: /static }, bucket: one, stripPrefix: true }
  - { name: strip-chinese, match: { hosts: [s.test], pathPrefix: /图 片 }, bucket: one, stripPrefix: true }
  - { name: prefix, match: { hosts: [k.test] }, bucket: one, keyPrefix: "sites/图 1/" }
  - { name: both, match: { hosts: [b.test], pathPrefix: /in }, bucket: one, stripPrefix: true, keyPrefix: out/ }
`,
);
const { emulator } = world;
emulator.putObject(BUCKET, "k", "k of one");
emulator.putObject(BUCKET, `${BUCKET}/k`, "nested k of one");

/** What arrives: the bucket by its Host, and the raw target. */
async function arrival(sent: Sent): Promise<readonly [bucket: string | undefined, target: string | undefined]> {
  const { capture } = await relay(world, sent);
  return [valuesOf(capture?.rawHeaders ?? [], "host")[0]?.split(".", 1)[0], capture?.rawTarget];
}

t.test("path style: the first segment names the bucket and is taken off", async (t) => {
  const table: readonly (readonly [target: string, bucket: string, arrives: string])[] = [
    [`/${BUCKET}/k`, BUCKET, "/k"],
    [`/${OTHER}/k`, OTHER, "/k"],
    [`/${BUCKET}`, BUCKET, "/"],
    [`/${BUCKET}/`, BUCKET, "/"],
    [`/${BUCKET}?prefix=a%2Fb&acl`, BUCKET, "/?prefix=a%2Fb&acl"],
    [`/${BUCKET}?`, BUCKET, "/?"],
    [`/${BUCKET}/?x`, BUCKET, "/?x"],
    [`/${BUCKET}%2Fa%2Fb`, BUCKET, "/a%2Fb"],
    [`/${BUCKET}%2fk`, BUCKET, "/k"],
    ["/%65xamplebucket/k", BUCKET, "/k"],
    ["/%65%78amplebucke%74%2Fk", BUCKET, "/k"],
    [`/${BUCKET}//k`, BUCKET, "//k"],
    [`/${BUCKET}/${BUCKET}/k`, BUCKET, `/${BUCKET}/k`],
    [`/${BUCKET}/../${OTHER}/k`, BUCKET, `/../${OTHER}/k`],
    [`/${BUCKET}/a%20b/%E4%B8%AD+%25`, BUCKET, "/a%20b/%E4%B8%AD+%25"],
  ];
  for (const [target, bucket, arrives] of table) {
    t.same(await arrival({ host: "127.0.0.1:80", target }), [bucket, arrives], target);
  }
});

t.test("a first segment that is no bucket of the route is 404, its alias too", async (t) => {
  for (const target of [
    "/",
    "/k",
    "/one/k",
    `/${BUCKET}x/k`,
    `/${BUCKET.toUpperCase()}/k`,
    `//${BUCKET}/k`,
    "/..",
    `/.%2F${BUCKET}/k`,
  ]) {
    const { answer, entry, capture } = await relay(world, { host: "127.0.0.1", target });
    t.same([answer.status, xmlText(answer.body, "Code"), entry.error], [404, "NoSuchBucket", "NO_SUCH_BUCKET"], target);
    t.equal(capture, undefined);
  }
});

t.test("a bucket's own OSS host name in Host is virtual-hosted on the same route", async (t) => {
  const hosts = [
    OSS_HOST,
    `${BUCKET}.oss-${REGION}-internal.aliyuncs.com`,
    `${BUCKET}.oss-accelerate.aliyuncs.com`,
    `${BUCKET}.${REGION}.oss.aliyuncs.com`,
    `${OSS_HOST.toUpperCase()}:8080`,
  ];
  for (const host of hosts) {
    t.same(await arrival({ host, target: "/k" }), [BUCKET, "/k"], host);
    t.same(
      await arrival({ host, target: `/${OTHER}/k` }),
      [BUCKET, `/${OTHER}/k`],
      `${host}: no second choice by path`,
    );
  }
  t.same(await arrival({ host: `${OTHER}.oss-${REGION}.aliyuncs.com`, target: "/k" }), [OTHER, "/k"]);
  const { answer } = await relay(world, { host: `unknownbucket.oss-${REGION}.aliyuncs.com`, target: "/k" });
  t.equal(answer.status, 404);
});

t.test("both at once: a signed request for the bucket by Host and by path means the key", async (t) => {
  const host = ["Host", OSS_HOST];
  const signers = {
    v1: () => signV1Header(signingInput("GET", "k", "", host), CREDENTIALS, Date.now()),
    v4: () => signV4Header(signingInput("GET", "k", "", host), CREDENTIALS, { nowMs: Date.now(), region: REGION }),
  };
  for (const [name, sign] of Object.entries(signers)) {
    const { answer, capture } = await relay(world, { host: OSS_HOST, target: `/${BUCKET}/k`, headers: sign() });
    t.equal(capture?.rawTarget, "/k", name);
    t.same([answer.status, answer.body.toString()], [200, "k of one"], name);
  }
});

t.test("an anonymous request for the bucket by Host means the whole path", async (t) => {
  const { answer, capture } = await relay(world, { host: OSS_HOST, target: `/${BUCKET}/k` });
  t.equal(capture?.rawTarget, `/${BUCKET}/k`);
  t.equal(answer.body.toString(), "nested k of one");
});

t.test(
  "a signed key that begins with the bucket's own name is refused by OSS, never another key's bytes",
  async (t) => {
    const input = signingInput("GET", `${BUCKET}/k`, "", ["Host", OSS_HOST]);
    const { answer } = await relay(world, {
      host: OSS_HOST,
      target: `/${BUCKET}/k`,
      headers: signV1Header(input, CREDENTIALS, Date.now()),
    });
    t.same([answer.status, xmlText(answer.body, "Code")], [403, "SignatureDoesNotMatch"]);
  },
);

t.test("AWS's signature covers the path, so nothing is taken off it", async (t) => {
  const target = `/${BUCKET}/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0`;
  t.same(await arrival({ host: `${BUCKET}.s3.oss-${REGION}.aliyuncs.com`, target }), [BUCKET, target]);
});

t.test("stripPrefix takes the prefix off and nothing else", async (t) => {
  const table: readonly (readonly [target: string, arrives: string])[] = [
    ["/static/k", "/k"],
    ["/static", "/"],
    ["/static/", "/"],
    ["/static?x=/static", "/?x=/static"],
    ["/static?", "/?"],
    ["/static//k", "//k"],
    ["/static/static/k", "/static/k"],
    ["/static%2Fa%2Fb", "/a%2Fb"],
    ["/st%61tic/%61+%25", "/%61+%25"],
    ["/%73%74%61%74%69%63%2fk", "/k"],
    ["/%E5%9B%BE%20%e7%89%87/k", "/k"],
    ["/%E5%9B%BE%20%E7%89%87%2F%E5%9B%BE", "/%E5%9B%BE"],
  ];
  for (const [target, arrives] of table) {
    t.same(await arrival({ host: "s.test", target }), [BUCKET, arrives], target);
  }
});

t.test("keyPrefix is put before the key, percent-encoded", async (t) => {
  const prefix = "/sites/%E5%9B%BE%201/";
  t.same(await arrival({ host: "k.test", target: "/a%2Fb+c?x=1&y" }), [BUCKET, `${prefix}a%2Fb+c?x=1&y`]);
  t.same(await arrival({ host: "k.test", target: "/" }), [BUCKET, prefix]);
  t.same(await arrival({ host: "k.test", target: "//a" }), [BUCKET, `${prefix}/a`]);
  t.same(await arrival({ host: "b.test", target: "/in/a" }), [BUCKET, "/out/a"]);
  t.same(await arrival({ host: "b.test", target: "/in" }), [BUCKET, "/out/"]);
});

t.test("path style below a prefix that is stripped", async (t) => {
  t.same(await arrival({ host: "u.test", target: `/oss/${BUCKET}/k` }), [BUCKET, "/k"]);
  t.same(await arrival({ host: "u.test", target: `/o%73s%2F${OTHER}?x` }), [OTHER, "/?x"]);
  t.equal((await relay(world, { host: "u.test", target: "/oss" })).answer.status, 404);
  t.equal((await relay(world, { host: "u.test", target: `/${BUCKET}/k` })).answer.status, 404);
});

t.test("dot segments are verbatim on a plain relay, and 400 where the gateway changes the key", async (t) => {
  for (const key of [".", "..", "a/./b/../c", "%2e%2e/k", "a%2F..%2Fb"]) {
    t.same(await arrival({ host: "127.0.0.1", target: `/${BUCKET}/${key}` }), [BUCKET, `/${key}`], key);
    for (const [host, path] of [
      ["s.test", "/static/"],
      ["k.test", "/"],
      ["b.test", "/in/"],
    ] as const) {
      const { answer, entry, capture } = await relay(world, { host, target: path + key });
      t.same(
        [answer.status, xmlText(answer.body, "Code"), entry.error],
        [400, "InvalidObjectName", "DOT_SEGMENT"],
        host,
      );
      t.equal(capture, undefined);
    }
  }
});
