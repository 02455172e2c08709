import { readFileSync } from "node:fs";
import t from "tap";
import { Secret } from "../../src/core/secret.js";
import { createEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/index.js";
import { presignV1Url } from "../../src/signing/sign.js";
import { BUCKET, DOMAIN, NOW_MS, OWNER, STS, send, signed } from "../unit/emulator/wire.js";

type TapTest = Pick<typeof t, "teardown">;

const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
const SIGN = "x-oss-process=hls/sign";

async function start(t: TapTest, options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = createEmulator(options);
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.setNowMs(NOW_MS);
  emulator.addCredentials(OWNER);
  emulator.addCredentials(STS);
  emulator.addBucket({ name: BUCKET, domains: [DOMAIN] });
  return emulator;
}

function putPlaylist(emulator: Emulator, key: string, lines: readonly string[]): void {
  emulator.putObject(BUCKET, key, `#EXTM3U\n${lines.join("\n")}\n`, { "Content-Type": PLAYLIST_TYPE });
}

function ask(emulator: Emulator, key: string, how: Parameters<typeof signed>[1] = "v1-url", credentials = OWNER) {
  return send(emulator, signed({ target: `/${encodeURI(key)}?${SIGN}`, key }, how, credentials));
}

/** The lines of a signed playlist that are no tags. */
const uris = (text: string): string[] => text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));

/** What a player asks for when it follows a line. */
function targetOf(line: string, playlistKey: string): string {
  const url = new URL(line, `http://${DOMAIN}/${encodeURI(playlistKey)}`);
  return url.pathname + url.search;
}

for (const [name, credentials] of [
  ["a permanent key", OWNER],
  ["an STS token", STS],
] as const) {
  t.test(`every segment of a playlist signed with ${name} can be had with what stands in its line`, async (t) => {
    const emulator = await start(t);
    const key = "vod/图 1/a.m3u8";
    const segments = ["0.ts", "hd/seg 1+2.ts", "a%20b.ts", "图.ts", "../up.ts", "/root.ts", "0.ts?v=1", "./x/../y.ts"];
    const keys = [
      "vod/图 1/0.ts",
      "vod/图 1/hd/seg 1+2.ts",
      "vod/图 1/a b.ts",
      "vod/图 1/图.ts",
      "vod/up.ts",
      "root.ts",
      "vod/图 1/0.ts",
      "vod/图 1/y.ts",
    ];
    for (const object of keys) emulator.putObject(BUCKET, object, object);
    putPlaylist(emulator, key, ["#EXTINF:6,", ...segments, "#EXT-X-ENDLIST"]);
    const answer = await ask(emulator, key, "v1-url", credentials);
    t.equal(answer.status, 200);
    t.equal(answer.headers["content-type"], PLAYLIST_TYPE);
    for (const [i, line] of uris(answer.text).entries()) {
      t.ok(line.startsWith(`${segments[i]}${segments[i]?.includes("?") ? "&" : "?"}Expires=`), line);
      t.equal((await send(emulator, { target: targetOf(line, key) })).text, keys[i]);
      const other = targetOf(line, key).replace(/[^/]*\.ts/, "other.ts");
      t.equal((await send(emulator, { target: other })).code, "SignatureDoesNotMatch");
    }
    emulator.setNowMs(NOW_MS + 3_600_001);
    const late = await send(emulator, { target: targetOf(uris(answer.text)[0] ?? "", key) });
    t.match([late.status, late.code], [403, "AccessDenied"], "segments expire with their playlist");
  });
}

interface LineVector {
  readonly kind: string;
  readonly name: string;
  readonly bucket: string;
  readonly playlistKey: string;
  readonly playlistLine: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken?: string;
  readonly expires: number;
  readonly outputLine: string;
}

const VECTORS = (
  JSON.parse(readFileSync(new URL("../vectors/extra.json", import.meta.url), "utf8")) as readonly LineVector[]
).filter(({ kind }) => kind === "hls-ts-line");

t.test("there are vectors of playlist lines", async (t) => t.equal(VECTORS.length, 3));

for (const vector of VECTORS) {
  t.test(`the vector ${vector.name} comes out of the emulator byte for byte`, async (t) => {
    const emulator = await start(t);
    const { accessKeyId, securityToken } = vector;
    const token = securityToken === undefined ? {} : { securityToken };
    const credentials = { accessKeyId, accessKeySecret: new Secret(vector.accessKeySecret), ...token };
    emulator.addCredentials(credentials);
    emulator.addBucket({ name: vector.bucket, domains: ["vectors.example.com"] });
    emulator.putObject(vector.bucket, vector.playlistKey, `#EXTM3U\r\n${vector.playlistLine}\r\n`);
    const input = { method: "GET", bucket: vector.bucket, key: vector.playlistKey, headers: [] };
    const added = presignV1Url({ ...input, query: [["x-oss-process", "hls/sign"]] }, credentials, vector.expires);
    const target = `/${vector.playlistKey}?${SIGN}&${added}`;
    const answer = await send(emulator, { host: "vectors.example.com", target });
    t.equal(answer.text, `#EXTM3U\r\n${vector.outputLine}\r\n`);
  });
}

t.test("tags, comments, other files, foreign URLs, blanks and line ends stay", async (t) => {
  const emulator = await start(t);
  const stays = [
    '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\r',
    "# a.ts",
    "",
    "init.mp4",
    "https://cdn.example.net/a.ts",
    "//cdn.example.net/a.ts",
    "seg%zz.ts",
  ];
  putPlaylist(emulator, "a.m3u8", [...stays, "a.ts\r"]);
  const { text } = await ask(emulator, "a.m3u8");
  t.same(text.split("\n").slice(1, -2), stays);
  t.match(text, /\na\.ts\?Expires=1735693200&OSSAccessKeyId=AKOWNER&Signature=[^&\r\n]+\r\n$/);
});

t.test("a master playlist leads to child playlists that are signed in turn", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "v/master.m3u8", ["#EXT-X-STREAM-INF:BANDWIDTH=1", "low/a.m3u8?v=1"]);
  putPlaylist(emulator, "v/low/a.m3u8", ["0.ts"]);
  emulator.putObject(BUCKET, "v/low/0.ts", "bytes");
  const [child = ""] = uris((await ask(emulator, "v/master.m3u8", "v1-url", STS)).text);
  t.match(child, /^low\/a\.m3u8\?v=1&x-oss-process=hls%2Fsign&Expires=/);
  const childTarget = targetOf(child, "v/master.m3u8");
  const [segment = ""] = uris((await send(emulator, { target: childTarget })).text);
  const segmentTarget = new URL(segment, `http://${DOMAIN}${childTarget}`);
  t.equal((await send(emulator, { target: segmentTarget.pathname + segmentTarget.search })).text, "bytes");
});

t.test("a signed playlist has none of the object's digests, and no Range", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.m3u8", ["a.ts"]);
  const query = `${SIGN}&response-cache-control=no-store`;
  const wire = { target: `/a.m3u8?${query}`, key: "a.m3u8", headers: ["Range", "bytes=0-3"] };
  const answer = await send(emulator, signed(wire, "v1-url"));
  t.equal(answer.status, 200);
  t.equal(answer.headers["content-length"], String(answer.body.length));
  t.equal(answer.headers["cache-control"], "no-store");
  for (const name of ["etag", "x-oss-hash-crc64ecma", "content-md5", "accept-ranges", "content-range"]) {
    t.notOk(answer.headers[name], name);
  }
});

const SMALL: EmulatorOptions = { hlsSignLimits: { playlistBytes: 200, segments: 2, variants: 1 } };

const BAD_PLAYLISTS: readonly (readonly [ec: string, why: string, lines: readonly string[]])[] = [
  ["404", "too many bytes", [`#${"x".repeat(200)}`, "a.ts"]],
  ["406", "too many segments", ["a.ts", "b.ts", "c.ts"]],
  ["407", "too many playlists", ["a.m3u8", "b.m3u8"]],
  ["408", "neither segments nor playlists", ["a.mp4", "#a.ts", "https://cdn.example.net/a.ts"]],
  ["409", "segments beside playlists", ["a.m3u8", "a.ts"]],
];

for (const [ec, why, lines] of BAD_PLAYLISTS) {
  t.test(`a playlist with ${why} is refused with ${ec}`, async (t) => {
    const emulator = await start(t, SMALL);
    putPlaylist(emulator, "a.m3u8", lines);
    const answer = await ask(emulator, "a.m3u8");
    t.match([answer.status, answer.code, answer.headers["x-oss-ec"]], [400, "InvalidArgument", `0044-00000${ec}`]);
  });
}

t.test("a playlist at the limits is signed", async (t) => {
  const emulator = await start(t, SMALL);
  putPlaylist(emulator, "a.m3u8", ["a.ts", "b.ts", `#${"x".repeat(180)}`]);
  putPlaylist(emulator, "b.m3u8", ["a.m3u8"]);
  t.equal(emulator.readObject(BUCKET, "a.m3u8").length, 200);
  for (const key of ["a.m3u8", "b.m3u8"]) t.equal((await ask(emulator, key)).status, 200);
});

for (const how of ["v1-header", "v4-header"] as const) {
  t.test(`a ${how} signature cannot ask for a signed playlist`, async (t) => {
    const emulator = await start(t);
    putPlaylist(emulator, "a.m3u8", ["a.ts"]);
    for (const credentials of [OWNER, STS]) {
      const answer = await ask(emulator, "a.m3u8", how, credentials);
      t.match([answer.status, answer.code, answer.headers["x-oss-ec"]], [400, "InvalidArgument", "0044-00000410"]);
    }
  });
}

t.test("nobody gets a signed playlist without a signature, whatever the ACL", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.m3u8", ["a.ts"]);
  emulator.putObject(BUCKET, "open.m3u8", "#EXTM3U\na.ts\n", { "x-oss-object-acl": "public-read" });
  t.equal((await send(emulator, { target: `/a.m3u8?${SIGN}` })).status, 403);
  t.equal((await send(emulator, { target: `/open.m3u8?${SIGN}` })).headers["x-oss-ec"], "0044-00000410");
});

t.test("a V4 URL signature is not emulated, because its output is not documented", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.m3u8", ["a.ts"]);
  t.match(await ask(emulator, "a.m3u8", "v4-url"), { status: 501, code: "NotImplemented" });
});

t.test("the STS token of hls/sign must be in the query", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.m3u8", ["a.ts"]);
  const wire = signed({ target: `/a.m3u8?${SIGN}`, key: "a.m3u8" }, "v1-url", STS);
  const target = wire.target.replace(/&security-token=[^&]*/, "");
  const headers = ["x-oss-security-token", STS.securityToken ?? ""];
  const answer = await send(emulator, { target, headers });
  t.match([answer.status, answer.code], [400, "InvalidRequest"]);
  t.match(answer.text, "Security-token must be provided by query string parameter.");
});

t.test("a changed process, key or signature of a playlist request is refused", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.m3u8", ["a.ts"]);
  putPlaylist(emulator, "b.m3u8", ["a.ts"]);
  const { target } = signed({ target: `/a.m3u8?${SIGN}`, key: "a.m3u8" }, "v1-url");
  const plain = signed({ target: "/a.m3u8", key: "a.m3u8" }, "v1-url").target;
  for (const changed of [target.replace("/a.", "/b."), target.replace(`${SIGN}&`, ""), `${plain}&${SIGN}`]) {
    t.equal((await send(emulator, { target: changed })).code, "SignatureDoesNotMatch", changed);
  }
});

t.test("only an object named .m3u8 that is there can be asked for", async (t) => {
  const emulator = await start(t);
  putPlaylist(emulator, "a.txt", ["a.ts"]);
  t.match(await ask(emulator, "a.txt"), { status: 400, code: "InvalidRequest" });
  t.match(await ask(emulator, "none.m3u8"), { status: 404, code: "NoSuchKey" });
});

const TOKENS: readonly (readonly [token: string, ec: string | undefined])[] = [
  ["aFt87-_.", undefined],
  ["x".repeat(100), undefined],
  ["x".repeat(101), "0044-00000401"],
  ["test&*^%abc", "0044-00000402"],
];

for (const [token, ec] of TOKENS) {
  t.test(`x-oss-hls-sign-token ${token.slice(0, 12)} (${token.length}) is ${ec ?? "taken"}`, async (t) => {
    const emulator = await start(t);
    putPlaylist(emulator, "a.m3u8", ["a.ts"]);
    const wire = { target: `/a.m3u8?${SIGN}`, key: "a.m3u8", headers: ["x-oss-hls-sign-token", token] };
    const answer = await send(emulator, signed(wire, "v1-url"));
    t.equal(answer.headers["x-oss-ec"], ec);
    t.equal(answer.status, ec === undefined ? 200 : 400);
  });
}

t.test("a processed image has the object's bytes and type under another ETag", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "a.png", "pixels", { "Content-Type": "image/png", "x-oss-object-acl": "public-read" });
  const plain = await send(emulator, { target: "/a.png" });
  const etags = new Set([plain.headers.etag]);
  for (const process of ["image/resize,w_100", "image/resize,w_200|image/rotate,90", "style/thumb"]) {
    const answer = await send(emulator, { target: `/a.png?x-oss-process=${encodeURIComponent(process)}` });
    t.match(answer, { status: 200, text: "pixels", headers: { "content-type": "image/png", "content-length": "6" } });
    t.equal(answer.headers["x-oss-hash-crc64ecma"], undefined);
    etags.add(answer.headers.etag);
  }
  t.equal(etags.size, 4, "every process has an ETag of its own");
  for (const process of ["image/info", "video/snapshot,t_1", "style/", "doc/preview", ""]) {
    const answer = await send(emulator, { target: `/a.png?x-oss-process=${process}` });
    t.match(answer, { status: 501, code: "NotImplemented" }, process);
  }
});

t.test("processing an image needs the right to read it", async (t) => {
  const emulator = await start(t);
  emulator.putObject(BUCKET, "a.png", "pixels", { "Content-Type": "image/png" });
  const wire = { target: "/a.png?x-oss-process=style/thumb", key: "a.png" };
  t.equal((await send(emulator, wire)).status, 403);
  for (const how of ["v1-header", "v4-url"] as const) t.equal((await send(emulator, signed(wire, how))).status, 200);
});
