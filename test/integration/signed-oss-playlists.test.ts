import t, { type Test } from "tap";
import { type OssCredentials, Secret } from "../../src/core/secret.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { xmlText } from "../support/raw-client.js";
import {
  ask,
  BUCKET,
  EVERY_METHOD,
  everythingOf,
  inSeconds,
  LINKS,
  linkOf,
  OWN,
  outcome,
  queryOf,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
} from "../support/sign-world.js";

const HLS = "hls: { mode: ossSign, ttl: 2h }";
const ROUTES =
  signingRoute("vod", `${EVERY_METHOD}, allow: { ${LINKS} }, ${HLS}`) +
  signingRoute("listed", `allow: { clients: [127.0.0.1] }, ${HLS}`) +
  signingRoute("bound", `keyPrefix: tenant/, allow: { ${LINKS} }, ${HLS}`) +
  signingRoute("relaying", `clientSignatures: relay, allow: { ${LINKS} }, ${HLS}`) +
  signingRoute("plain", `allow: { ${LINKS} }`);

const TEMPORARY: OssCredentials = {
  accessKeyId: "STS.gateway-ak",
  accessKeySecret: new Secret("sts-sk"),
  securityToken: "CAIS+to/ken==",
  expiresAtMs: Math.ceil(Date.now() / 1_000) * 1_000 + 1_800_000,
};

async function vodWorld(t: Test, credentials: OssCredentials = OWN): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES, { credentials });
  world.emulator.addCredentials(credentials);
  for (const prefix of ["", "tenant/"]) {
    world.emulator.putObject(BUCKET, `${prefix}vod/m.m3u8`, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhd/v.m3u8\n");
    world.emulator.putObject(BUCKET, `${prefix}vod/hd/v.m3u8`, "#EXTM3U\n#EXTINF:1,\ns1.ts\n#EXTINF:1,\n../s2.ts\n");
    for (const key of ["vod/hd/s1.ts", "vod/s2.ts"]) world.emulator.putObject(BUCKET, prefix + key, key);
  }
  return world;
}

function urisOf(text: string, playlistTarget: string): string[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((uri) => {
    const { pathname, search } = new URL(uri, `http://x${playlistTarget}`);
    return pathname + search;
  });
}

/** Loads a playlist that must be there. */
async function load(world: SignWorld, host: string, target: string): Promise<string[]> {
  const answer = await ask(world, { host, target });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return urisOf(answer.text, target);
}

const expiresOf = (target: string): number => Number(/[?&]Expires=(\d+)/.exec(target)?.[1]);
const master = (route: string, claims = {}): string => `/vod/m.m3u8?${linkOf(route, "/vod/m.m3u8", claims)}`;

for (const [name, credentials] of Object.entries({ "a lasting key": OWN, "a token of STS": TEMPORARY })) {
  t.test(`with ${name}: one link leads by way of OSS's own signatures to every segment`, async (t) => {
    const world = await vodWorld(t, credentials);
    for (const route of ["vod", "bound", "relaying"]) {
      const host = `${route}.test`;
      const [variant = ""] = await load(world, host, master(route));
      t.match(variant, /x-oss-process=hls/);
      const segments = await load(world, host, variant);
      t.equal(segments.length, 2);
      for (const [index, text] of ["vod/hd/s1.ts", "vod/s2.ts"].entries()) {
        const answer = await ask(world, { host, target: segments[index] as string });
        t.equal(answer.text, text);
        const capture = answer.captures[0] as (typeof answer.captures)[0];
        t.strictSame(queryOf(capture), [], "nothing of the URL's signature goes upstream");
        t.match(sentHeader(capture, "authorization"), /^OSS4-HMAC-SHA256 /);
        const part = await ask(world, { host, target: segments[index] as string, headers: ["Range", "bytes=0-2"] });
        t.equal(part.status, 206);
      }
    }
  });
}

t.test("the playlist is asked for by a URL signature alone, as a whole", async (t) => {
  const world = await vodWorld(t, TEMPORARY);
  const headers = ["Range", "bytes=0-1", "If-None-Match", "x", "Accept-Encoding", "gzip"];
  for (const method of ["GET", "HEAD"]) {
    const answer = await ask(world, { method, host: "vod.test", target: master("vod"), headers });
    t.equal(answer.status, 200);
    t.equal(answer.header("cache-control"), "private, no-store", "its signatures are for this client and a while");
    for (const header of ["etag", "last-modified", "accept-ranges", "expires"])
      t.equal(answer.header(header), "", header);
    const capture = answer.captures[0] as (typeof answer.captures)[0];
    t.equal(capture.method, "GET");
    const names = queryOf(capture).map(([parameter]) => parameter);
    t.strictSame(names.sort(), ["Expires", "OSSAccessKeyId", "Signature", "security-token", "x-oss-process"]);
    for (const header of [
      "authorization",
      "range",
      "if-none-match",
      "accept-encoding",
      "x-oss-security-token",
      "x-oss-date",
    ]) {
      t.equal(sentHeader(capture, header), undefined, header);
    }
  }
});

t.test("Expires is that of the link, of the route, or of the credentials, whichever is the first", async (t) => {
  const near = (seconds: number, wanted: number): boolean => Math.abs(seconds - wanted) <= 5;
  const lasting = await vodWorld(t);
  const [long = ""] = await load(lasting, "vod.test", master("vod", { expiresSeconds: inSeconds(10_000) }));
  t.ok(near(expiresOf(long), inSeconds(7_200)), "the route's ttl");
  const [short = ""] = await load(lasting, "vod.test", master("vod", { expiresSeconds: inSeconds(90) }));
  t.ok(near(expiresOf(short), inSeconds(90)), "the link");
  const nested = await load(lasting, "vod.test", short);
  for (const uri of nested) t.equal(expiresOf(uri), expiresOf(short), "and what it leads to");
  const [free = ""] = await load(lasting, "listed.test", "/vod/m.m3u8");
  t.ok(near(expiresOf(free), inSeconds(7_200)), "without a link");
  const temporary = await vodWorld(t, TEMPORARY);
  const [capped = ""] = await load(temporary, "vod.test", master("vod", { expiresSeconds: inSeconds(10_000) }));
  t.equal(expiresOf(capped), (TEMPORARY.expiresAtMs as number) / 1_000, "the credentials");
});

t.test("a URL that was changed, or has expired, ends here with OSS's own code", async (t) => {
  const world = await vodWorld(t);
  const [variant = ""] = await load(world, "vod.test", master("vod"));
  const [segment = ""] = await load(world, "vod.test", variant);
  const input = { method: "GET", bucket: BUCKET, key: "vod/hd/s1.ts", query: [], headers: [] };
  const cases: Readonly<Record<string, readonly [target: string, code: string]>> = {
    "another key": [segment.replace("s1.ts", "s2.ts"), "SignatureDoesNotMatch"],
    "another expiry": [segment.replace(/Expires=(\d+)/, "Expires=9999999999"), "SignatureDoesNotMatch"],
    "another signature": [segment.replace("Signature=", "Signature=x"), "SignatureDoesNotMatch"],
    "an added operation": [`${segment}&acl`, "SignatureDoesNotMatch"],
    "added processing": [`${segment}&x-oss-process=image%2Finfo`, "SignatureDoesNotMatch"],
    "an unknown key pair": [segment.replace("gateway-ak", "other-ak"), "InvalidAccessKeyId"],
    "no signature": [segment.replace(/&Signature=[^&]*/, ""), "AccessDenied"],
    expired: [`/vod/hd/s1.ts?${presignV1Url(input, OWN, inSeconds(-1))}`, "AccessDenied"],
  };
  for (const [name, [target, code]] of Object.entries(cases)) {
    const answer = await ask(world, { host: "vod.test", target });
    t.equal(answer.status, 403, name);
    t.equal(xmlText(answer.text, "Code"), code, name);
    t.equal(outcome(answer), "CLIENT_SIGNATURE_INVALID", name);
    t.strictSame(answer.captures, [], name);
    t.notMatch(everythingOf(answer), /StringToSign|SignatureProvided|<OSSAccessKeyId>/, name);
  }
});

t.test(
  "a URL that was signed for a GET admits HEAD, as a link does; so does one that was signed for a HEAD",
  async (t) => {
    const world = await vodWorld(t);
    for (const method of ["GET", "HEAD"]) {
      const input = { method, bucket: BUCKET, key: "vod/s2.ts", query: [], headers: [] };
      const target = `/vod/s2.ts?${presignV1Url(input, OWN, inSeconds(60))}`;
      const answer = await ask(world, { method: "HEAD", host: "vod.test", target });
      t.equal(answer.status, 200, method);
    }
  },
);

t.test("a signed URL of a playlist's admits to reading alone, and not where playlists are not signed", async (t) => {
  const world = await vodWorld(t);
  const [variant = ""] = await load(world, "vod.test", master("vod"));
  const [segment = ""] = await load(world, "vod.test", variant);
  for (const method of ["PUT", "DELETE", "POST"]) {
    const answer = await ask(world, { method, host: "vod.test", target: segment });
    t.equal(outcome(answer), "CLIENT_SIGNATURE_NOT_ALLOWED", method);
    t.strictSame(answer.captures, []);
    const input = { method, bucket: BUCKET, key: "vod/hd/s1.ts", query: [], headers: [] };
    const own = `/vod/hd/s1.ts?${presignV1Url(input, OWN, inSeconds(60))}`;
    t.equal(outcome(await ask(world, { method, host: "vod.test", target: own })), "CLIENT_SIGNATURE_NOT_ALLOWED");
  }
  t.equal(outcome(await ask(world, { host: "plain.test", target: segment })), "CLIENT_SIGNATURE_NOT_ALLOWED");
  t.equal(world.emulator.readObject(BUCKET, "vod/hd/s1.ts").toString(), "vod/hd/s1.ts");
});

t.test("without a link or a signature nothing is read, and a link for the playlist opens no segment", async (t) => {
  const world = await vodWorld(t);
  for (const target of ["/vod/m.m3u8", "/vod/hd/s1.ts", "/vod/m.m3u8?x-oss-process=hls%2Fsign"]) {
    t.equal(outcome(await ask(world, { host: "vod.test", target })), "LINK_REQUIRED", target);
  }
  const link = master("vod").split("?")[1];
  t.equal(outcome(await ask(world, { host: "vod.test", target: `/vod/hd/s1.ts?${link}` })), "LINK_INVALID");
});

t.test("below a prefix the signature is of the whole key, and leads nowhere outside", async (t) => {
  const world = await vodWorld(t);
  world.emulator.putObject(BUCKET, "vod/secret.ts", "secret");
  const input = { method: "GET", bucket: BUCKET, key: "vod/secret.ts", query: [], headers: [] };
  const target = `/vod/secret.ts?${presignV1Url(input, OWN, inSeconds(60))}`;
  const answer = await ask(world, { host: "bound.test", target });
  t.equal(answer.status, 403);
  t.strictSame(answer.captures, []);
});

t.test("segments stay readable when the key was replaced, until the URL expires", async (t) => {
  const world = await vodWorld(t, TEMPORARY);
  const [variant = ""] = await load(world, "vod.test", master("vod"));
  const [segment = ""] = await load(world, "vod.test", variant);
  const next = { accessKeyId: "next-ak", accessKeySecret: new Secret("next-sk") };
  world.emulator.addCredentials(next);
  await world.rotate(next);
  const answer = await ask(world, { host: "vod.test", target: segment });
  t.equal(answer.text, "vod/hd/s1.ts");
  t.match(sentHeader(answer.captures[0] as (typeof answer.captures)[0], "authorization"), /next-ak/);
});

t.test("what OSS says of a playlist that it cannot sign reaches the client without our side of it", async (t) => {
  const world = await vodWorld(t);
  world.emulator.putObject(BUCKET, "vod/none.m3u8", "#EXTM3U\n");
  const answer = await ask(world, { host: "vod.test", target: `/vod/none.m3u8?${linkOf("vod", "/vod/none.m3u8")}` });
  t.equal(answer.status, 400);
  t.equal(answer.header("x-oss-ec"), "0044-00000408");
  t.notOk(everythingOf(answer).includes(OWN.accessKeyId));
  const missing = await ask(world, { host: "vod.test", target: `/vod/no.m3u8?${linkOf("vod", "/vod/no.m3u8")}` });
  t.equal(missing.status, 404);
});

t.test("a URL that another key pair signed is relayed where the route relays, and OSS decides", async (t) => {
  const world = await vodWorld(t);
  const stranger = { accessKeyId: "stranger", accessKeySecret: new Secret("s") };
  world.emulator.addCredentials(stranger);
  const input = { method: "GET", bucket: BUCKET, key: "vod/s2.ts", query: [], headers: [] };
  const query = presignV1Url(input, stranger, inSeconds(60));
  const target = `/vod/s2.ts?${query}&${linkOf("relaying", "/vod/s2.ts")}`;
  const answer = await ask(world, { host: "relaying.test", target });
  t.equal(answer.text, "vod/s2.ts");
  t.equal(answer.captures[0]?.rawTarget, `/vod/s2.ts?${query}`);
});

t.test("with a clock that is wrong by an hour, a short link still plays", async (t) => {
  for (const hours of [1, -1]) {
    const world = await vodWorld(t);
    world.emulator.setNowMs(Date.now() + hours * 3_600_000);
    const target = master("vod", { expiresSeconds: inSeconds(600) });
    const first = await ask(world, { host: "vod.test", target });
    t.equal(first.status, 200, `${hours} h: the first`);
    const again = await ask(world, { host: "vod.test", target });
    t.equal(again.status, 200, `${hours} h: the second`);
    if (again.status !== 200) continue;
    const [variant = ""] = urisOf(again.text, target);
    const [segment = ""] = await load(world, "vod.test", variant);
    t.equal((await ask(world, { host: "vod.test", target: segment })).text, "vod/hd/s1.ts");
  }
});
