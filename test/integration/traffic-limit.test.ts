import t, { type Test } from "tap";
import type { OssCredentials } from "../../src/core/secret.js";
import { Secret } from "../../src/core/secret.js";
import type { CapturedRequest } from "../../src/emulator/index.js";
import { classify } from "../../src/signing/classify.js";
import type { Verdict } from "../../src/signing/types.js";
import { verifyRequest } from "../../src/signing/verify.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  LINKS,
  linkOf,
  OWN,
  outcome,
  queryOf,
  REGION,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const CLIENTS = "allow: { clients: [127.0.0.1] }";
const OPERATIONS = "operations: [AppendObject, GetObjectMeta, ListObjectsV2]";
const ROUTES =
  signingRoute("v4", `${EVERY_METHOD}, ${CLIENTS}, ${OPERATIONS}`, "trafficLimit: 1MiB/s") +
  signingRoute("v1", `${EVERY_METHOD}, ${CLIENTS}, ${OPERATIONS}`, "version: v1, trafficLimit: 1MiB/s") +
  signingRoute("free", `${EVERY_METHOD}, ${CLIENTS}`) +
  signingRoute("linked", `allow: { ${LINKS} }`, "trafficLimit: 100KiB/s") +
  signingRoute("rewritten", `allow: { ${LINKS} }, hls: { mode: rewrite }`, "trafficLimit: 1MiB/s") +
  signingRoute("vod", `${CLIENTS}, hls: { mode: ossSign }`, "trafficLimit: 1MiB/s");

async function world(t: Test): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES);
  world.emulator.putObject(BUCKET, "a.txt", "a");
  world.emulator.putObject(BUCKET, "m.m3u8", "#EXTM3U\n#EXTINF:1,\ns.ts\n");
  return world;
}

const limitOf = (capture: CapturedRequest | undefined): string | undefined =>
  capture === undefined ? undefined : sentHeader(capture, "x-oss-traffic-limit");

/** Verifies what arrived at OSS as OSS would, its headers changed first. */
function verified(
  { method, rawTarget, rawHeaders }: CapturedRequest,
  change: (headers: readonly string[]) => readonly string[] = (headers) => headers,
  own: OssCredentials = OWN,
): Verdict {
  const [path = "", rawQuery = ""] = rawTarget.split("?");
  const request = { method, bucket: BUCKET, key: path.slice(1), rawQuery, headers: change(rawHeaders) };
  return verifyRequest(request, classify(method, rawQuery, request.headers), {
    nowMs: Date.now(),
    region: REGION,
    product: "oss",
    findCredentials: (accessKeyId) => (accessKeyId === own.accessKeyId ? own : null),
  });
}

for (const version of ["v4", "v1"]) {
  t.test(`${version}: each transfer carries the route's limit in bits per second, signed`, async (t) => {
    const started = await world(t);
    for (const { method = "GET", target, body } of [
      { target: "/a.txt" },
      { method: "PUT", target: "/b.txt", body: "b" },
      { method: "PUT", target: "/b.txt?partNumber=1&uploadId=u", body: "b" },
      { method: "POST", target: "/c.txt?append&position=0", body: "c" },
    ]) {
      const sent = body === undefined ? {} : { body };
      const answer = await ask(started, { host: `${version}.test`, method, target, ...sent });
      const what = `${method} ${target}`;
      t.not(outcome(answer), "UPSTREAM_AUTH_FAILED", what);
      t.equal(answer.captures.length, 1, what);
      const capture = answer.captures[0] as CapturedRequest;
      t.equal(limitOf(capture), "8388608", what);
      t.equal(verified(capture).ok, true, what);
      const faster = (headers: readonly string[]) => headers.map((text) => (text === "8388608" ? "838860800" : text));
      t.equal(verified(capture, faster).ok, false, `${what}: nobody on the way can raise it`);
    }
  });

  t.test(`${version}: what moves no object's bytes carries none`, async (t) => {
    const started = await world(t);
    for (const { method = "GET", target } of [
      { method: "HEAD", target: "/a.txt" },
      { target: "/a.txt?objectMeta" },
      { target: "/?list-type=2" },
      { method: "DELETE", target: "/a.txt" },
    ]) {
      const { captures } = await ask(started, { host: `${version}.test`, method, target });
      t.equal(captures.length, 1, `${method} ${target}`);
      t.equal(limitOf(captures[0]), undefined, `${method} ${target}`);
    }
  });
}

t.test("a key that OSS does not know is refused with the limit as without", async (t) => {
  const started = await startSigning(t, ROUTES, { credentials: { ...OWN, accessKeySecret: new Secret("another") } });
  const answer = await ask(started, { host: "v4.test", target: "/a.txt" });
  t.equal(outcome(answer), "UPSTREAM_AUTH_FAILED");
});

t.test("a client's own limit does not reach OSS beside the route's, which would refuse both", async (t) => {
  const started = await world(t);
  for (const asked of [
    { target: "/a.txt", headers: ["X-Oss-Traffic-Limit", "838860800"] },
    { target: "/a.txt?x-oss-traffic-limit=838860800" },
    { target: "/a.txt?x-oss-traffic-limit=838860800", headers: ["x-oss-traffic-limit", "819200"] },
  ]) {
    const { captures } = await ask(started, { host: "v4.test", ...asked });
    t.equal(captures.length, 1);
    const capture = captures[0] as CapturedRequest;
    t.same(queryOf(capture), []);
    t.same(
      capture.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === "x-oss-traffic-limit"),
      ["8388608"],
    );
    t.equal(verified(capture).ok, true);
  }
});

t.test("a route without the key sends none, and refuses a client's own as before", async (t) => {
  const started = await world(t);
  const plain = await ask(started, { host: "free.test", target: "/a.txt" });
  t.equal(plain.status, 200);
  t.equal(limitOf(plain.captures[0]), undefined);
  const own = await ask(started, { host: "free.test", target: "/a.txt", headers: ["x-oss-traffic-limit", "819200"] });
  t.equal(outcome(own), "HEADER_NOT_ALLOWED");
});

t.test("a link admits to the object, at the route's speed", async (t) => {
  const started = await world(t);
  const target = `/a.txt?${linkOf("linked", "/a.txt")}`;
  const { captures } = await ask(started, { host: "linked.test", target });
  t.equal(limitOf(captures[0]), "819200");
  const own = await ask(started, { host: "linked.test", target: `${target}&x-oss-traffic-limit=838860800` });
  t.equal(outcome(own), "LINK_INVALID", "a parameter that the link does not cover");
});

t.test(
  "a playlist that is rewritten is fetched at the route's speed; OSS's own playlists carry no limit",
  async (t) => {
    const started = await world(t);
    const target = `/m.m3u8?${linkOf("rewritten", "/m.m3u8")}`;
    const rewritten = await ask(started, { host: "rewritten.test", target });
    t.equal(limitOf(rewritten.captures[0]), "8388608");
    const signed = await ask(started, { host: "vod.test", target: "/m.m3u8" });
    t.equal(signed.status, 200);
    t.equal(limitOf(signed.captures[0]), undefined);
    t.notMatch(signed.captures[0]?.rawTarget, "traffic-limit");
  },
);
