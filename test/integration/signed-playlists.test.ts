import { gzipSync } from "node:zlib";
import t, { type Test } from "tap";
import { xmlText } from "../support/raw-client.js";
import {
  type Answered,
  ask,
  BUCKET,
  everythingOf,
  inSeconds,
  LINKS,
  linkOf,
  OSS_HOST,
  OWN,
  outcome,
  type SignWorld,
  sentHeader,
  signingRoute,
  startSigning,
  statusFrom,
} from "../support/sign-world.js";

const REWRITE = "hls: { mode: rewrite, ttl: 10m, sessionTtl: 2h }";
const named = (name: string, match: string, rest: string): string =>
  `  - { name: ${name}, match: { hosts: [${name}.test], ${match} }, bucket: one, auth: sign, sign: { credentials: reader }, ${rest} }\n`;

const ROUTES =
  signingRoute("vod", `allow: { ${LINKS} }, ${REWRITE}`) +
  signingRoute("listed", `allow: { clients: [127.0.0.1, 127.0.0.2], ${LINKS} }, satisfy: any, ${REWRITE}`) +
  signingRoute(
    "rooted",
    `allow: { clients: [127.0.0.1], ${LINKS} }, satisfy: any, hls: { mode: rewrite, root: /vod/ }`,
  ) +
  signingRoute(
    "unbound",
    `allow: { clients: [127.0.0.1], ${LINKS} }, satisfy: any, hls: { mode: rewrite, bindClient: false }`,
  ) +
  signingRoute("bound", `keyPrefix: tenant/, allow: { ${LINKS} }, ${REWRITE}`) +
  named("stripped", "pathPrefix: /in", `stripPrefix: true, keyPrefix: tenant/, allow: { ${LINKS} }, ${REWRITE}`) +
  signingRoute("plain", `allow: { ${LINKS} }`);

const MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhd/v.m3u8\n";
const VARIANT =
  '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="../key.bin"\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:1,\nseg 1+a.ts\n#EXTINF:1,\n../shared/s2.ts\n';

async function vodWorld(t: Test): Promise<SignWorld> {
  const world = await startSigning(t, ROUTES, { listeners: 'listeners: [{ name: web, address: "[::]:0" }]' });
  for (const prefix of ["", "tenant/"]) {
    const put = (key: string, body: string): void => void world.emulator.putObject(BUCKET, prefix + key, body);
    put("vod/m.m3u8", MASTER);
    put("vod/hd/v.m3u8", VARIANT);
    for (const key of [
      "vod/key.bin",
      "vod/hd/init.mp4",
      "vod/hd/seg 1+a.ts",
      "vod/shared/s2.ts",
      "private.pdf",
      "vod/hd/x.pdf",
    ])
      put(key, key);
  }
  return world;
}

/** The URIs of a playlist, lines and attributes, resolved against the playlist's own target as a player does it. */
function urisOf(text: string, playlistTarget: string): string[] {
  const attributes = [...text.matchAll(/URI="([^"]*)"/g)].map(([, uri = ""]) => uri);
  const lines = text.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#"));
  return [...attributes, ...lines].map((uri) => {
    const { pathname, search } = new URL(uri, `http://x${playlistTarget}`);
    return pathname + search;
  });
}

const expiryOf = (target: string): number => Number(/ossgate-expires=(\d+)/.exec(target)?.[1]);
const isNear = (seconds: number, wanted: number): boolean => Math.abs(seconds - wanted) <= 5;

async function playlist(
  world: SignWorld,
  host: string,
  target: string,
): Promise<Answered & { readonly uris: readonly string[] }> {
  const answer = await ask(world, { host, target });
  return { ...answer, uris: urisOf(answer.text, target) };
}

t.test(
  "a player that has one link plays all: the variants, the key, the initialization section, the segments",
  async (t) => {
    const world = await vodWorld(t);
    const cases = [
      ["vod", "/vod/"],
      ["bound", "/vod/"],
      ["stripped", "/in/vod/"],
    ] as const;
    for (const [route, scope] of cases) {
      const host = `${route}.test`;
      const master = await playlist(world, host, `${scope}m.m3u8?${linkOf(route, scope, { isPrefix: true })}`);
      t.equal(master.status, 200);
      t.equal(master.uris.length, 1);
      const variant = await playlist(world, host, master.uris[0] as string);
      t.equal(variant.uris.length, 4, route);
      const read: string[] = [];
      for (const uri of variant.uris) read.push((await ask(world, { host, target: uri })).text);
      t.strictSame(read, ["vod/key.bin", "vod/hd/init.mp4", "vod/hd/seg 1+a.ts", "vod/shared/s2.ts"]);
      for (const { text, rawHeaders } of [master, variant]) {
        t.notOk([text, ...rawHeaders].join("\n").includes(OWN.accessKeyId), "no AccessKey id reaches the viewer");
      }
    }
  },
);

t.test("the head of a rewritten playlist describes it and not the object; that of a HEAD is the same", async (t) => {
  const world = await vodWorld(t);
  const target = `/vod/m.m3u8?${linkOf("vod", "/vod/m.m3u8")}`;
  world.emulator.putObject(BUCKET, "vod/m.m3u8", MASTER, {
    "Content-Type": "application/x-mpegURL",
    "Cache-Control": "public, max-age=31536000",
    Expires: "Wed, 01 Jan 2031 00:00:00 GMT",
    "Content-Disposition": "attachment",
  });
  const got = await ask(world, { host: "vod.test", target });
  const headed = await ask(world, { method: "HEAD", host: "vod.test", target });
  for (const answer of [got, headed]) {
    t.equal(answer.status, 200);
    t.equal(answer.header("content-length"), String(got.body.length));
    t.equal(answer.header("content-type"), "application/x-mpegURL");
    t.equal(answer.header("cache-control"), "private, no-store");
    t.match(answer.header("x-oss-request-id"), /^[0-9A-F]{24}$/);
    const gone = ["etag", "last-modified", "content-md5", "x-oss-hash-crc64ecma", "accept-ranges", "content-range"];
    for (const name of [...gone, "expires", "content-disposition", "transfer-encoding"]) {
      t.equal(answer.header(name), "", `${answer.entry.method} ${name}`);
    }
    t.equal(answer.captures[0]?.method, "GET", "its length is known when it is there");
  }
});

t.test("a playlist is asked for as a whole, uncompressed and unconditionally", async (t) => {
  const world = await vodWorld(t);
  const etag = world.emulator.getObject(BUCKET, "vod/m.m3u8")?.etag ?? "";
  const conditions = [
    ...[
      "Range",
      "bytes=0-3",
      "If-None-Match",
      etag,
      "If-Match",
      '"x"',
      "If-Range",
      etag,
      "Accept-Encoding",
      "gzip, br",
    ],
    ...[
      "If-Modified-Since",
      new Date(Date.now() + 60_000).toUTCString(),
      "If-Unmodified-Since",
      new Date(0).toUTCString(),
    ],
  ];
  for (const method of ["GET", "HEAD"]) {
    const target = `/vod/m.m3u8?${linkOf("vod", "/vod/m.m3u8")}`;
    const answer = await ask(world, { method, host: "vod.test", target, headers: conditions });
    t.equal(answer.status, 200);
    if (method === "GET") t.match(answer.text, /^#EXTM3U/);
    for (let i = 0; i < conditions.length; i += 2) {
      const name = (conditions[i] as string).toLowerCase();
      t.equal(sentHeader(answer.captures[0] as (typeof answer.captures)[0], name), undefined, name);
    }
  }
  const segment = `/vod/hd/x.pdf?${linkOf("vod", "/vod/hd/x.pdf")}`;
  t.equal(
    (await ask(world, { host: "vod.test", target: segment, headers: ["Range", "bytes=0-3"] })).status,
    206,
    "segments may",
  );
});

t.test("what cannot be served as a playlist: 502 with a code of its own", async (t) => {
  const world = await vodWorld(t);
  const target = `/p.m3u8?${linkOf("vod", "/p.m3u8")}`;
  const lines = (count: number): string => `#EXTM3U\n${"a.ts\n".repeat(count - 1)}`;
  const bad: Readonly<Record<string, string | Buffer>> = {
    "no playlist": "<html>",
    empty: "",
    "not UTF-8": Buffer.concat([Buffer.from("#EXTM3U\n"), Buffer.from([0xff, 0xfe])]),
    "over 1 MiB": `#EXTM3U\n#${"x".repeat(2 ** 20)}`,
    "10,001 lines": lines(10_001),
  };
  for (const [name, body] of Object.entries(bad)) {
    world.emulator.putObject(BUCKET, "p.m3u8", body);
    for (const method of ["GET", "HEAD"]) {
      const answer = await ask(world, { method, host: "vod.test", target });
      t.equal(answer.status, 502, name);
      t.equal(outcome(answer), "PLAYLIST_INVALID", name);
      if (method === "GET") t.equal(xmlText(answer.text, "Code"), "PlaylistInvalid");
      t.notMatch(everythingOf(answer), /<html>/);
    }
  }
  world.emulator.putObject(BUCKET, "p.m3u8", gzipSync("#EXTM3U\n"), { "Content-Encoding": "gzip" });
  t.equal(outcome(await ask(world, { host: "vod.test", target })), "PLAYLIST_INVALID", "stored compressed");
  world.emulator.putObject(BUCKET, "p.m3u8", lines(10_000));
  t.equal((await ask(world, { host: "vod.test", target })).status, 200, "10,000 lines");
  world.emulator.putObject(BUCKET, "p.m3u8", `#EXTM3U\n#${"x".repeat(2 ** 20 - 9)}`);
  t.equal((await ask(world, { host: "vod.test", target })).status, 200, "1 MiB");
});

t.test("a playlist that is not there, or that OSS refuses, is answered as any other object", async (t) => {
  const world = await vodWorld(t);
  const target = `/no.m3u8?${linkOf("vod", "/no.m3u8")}`;
  const answer = await ask(world, { host: "vod.test", target });
  t.equal(answer.status, 404);
  t.equal(xmlText(answer.text, "Code"), "NoSuchKey");
  t.equal(xmlText(answer.text, "Key"), "no.m3u8");
  t.equal((await ask(world, { method: "HEAD", host: "vod.test", target })).status, 404);
  world.emulator.faults.failNext(1, { kind: "throttle", delayMs: 0, code: "ServiceUnavailable" });
  t.equal((await ask(world, { host: "vod.test", target })).status, 503);
});

t.test("links last for ttl from each load, and never longer than the link that admitted the playlist", async (t) => {
  const world = await vodWorld(t);
  const of = async (seconds: number, path: string) =>
    playlist(world, "vod.test", `${path}?${linkOf("vod", path, { expiresSeconds: inSeconds(seconds) })}`);
  for (const uri of (await of(3_600, "/vod/hd/v.m3u8")).uris.filter((text) => text.includes("ossgate"))) {
    t.ok(isNear(expiryOf(uri), inSeconds(600)), "ttl");
  }
  for (const uri of (await of(60, "/vod/hd/v.m3u8")).uris.filter((text) => text.includes("ossgate"))) {
    t.ok(isNear(expiryOf(uri), inSeconds(60)), "the link's");
  }
  t.ok(isNear(expiryOf((await of(3_600, "/vod/m.m3u8")).uris[0] as string), inSeconds(3_600)), "playlists: the link's");
  const listed = await playlist(world, "listed.test", "/vod/m.m3u8");
  t.ok(isNear(expiryOf(listed.uris[0] as string), inSeconds(7_200)), "without a link: sessionTtl");
  const nested = await playlist(world, "listed.test", listed.uris[0] as string);
  for (const uri of nested.uris.filter((text) => text.includes("ossgate"))) t.ok(expiryOf(uri) <= inSeconds(600));
});

t.test("a nested playlist's links end with the session, however often it is loaded again", async (t) => {
  const world = await vodWorld(t);
  const end = inSeconds(300);
  const master = await playlist(
    world,
    "vod.test",
    `/vod/m.m3u8?${linkOf("vod", "/vod/m.m3u8", { expiresSeconds: end })}`,
  );
  t.equal(expiryOf(master.uris[0] as string), end);
  const variant = await playlist(world, "vod.test", master.uris[0] as string);
  for (const uri of variant.uris.filter((text) => text.includes("ossgate"))) t.equal(expiryOf(uri), end);
});

/** Which of the keys that a hostile playlist names becomes a link. */
async function linked(world: SignWorld, host: string, target: string): Promise<string[]> {
  const { uris, status } = await playlist(world, host, target);
  if (status !== 200) throw new Error(`${status}`);
  return uris.filter((uri) => uri.includes("ossgate-signature")).map((uri) => uri.split("?")[0] as string);
}

const HOSTILE = [
  "in.ts",
  "../up.ts",
  "../../private.pdf",
  "/private.pdf",
  "/vod/top.ts",
  "%2e%2e/%2e%2e/private.pdf",
  "sub/../../../private.pdf",
];

t.test("whoever can upload a playlist reaches nothing outside of the scope with it", async (t) => {
  const world = await vodWorld(t);
  const body = `#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="/private.pdf"\n${HOSTILE.join("\n")}\n`;
  for (const prefix of ["", "tenant/"]) world.emulator.putObject(BUCKET, `${prefix}vod/user/h.m3u8`, body);
  const exact = `/vod/user/h.m3u8?${linkOf("vod", "/vod/user/h.m3u8")}`;
  t.strictSame(await linked(world, "vod.test", exact), ["/vod/user/in.ts"], "exact link: the playlist's directory");
  const below = `/vod/user/h.m3u8?${linkOf("vod", "/vod/", { isPrefix: true })}`;
  t.strictSame(
    await linked(world, "vod.test", below),
    ["/vod/user/in.ts", "/vod/up.ts", "/vod/top.ts"],
    "prefix link: its prefix",
  );
  const scoped = `/vod/user/h.m3u8?${linkOf("vod", "/vod/user/h.m3u8", { scope: "/vod/" })}`;
  t.strictSame(await linked(world, "vod.test", scoped), ["/vod/user/in.ts", "/vod/up.ts", "/vod/top.ts"], "scope");
  t.strictSame(await linked(world, "listed.test", "/vod/user/h.m3u8"), ["/vod/user/in.ts"], "no link: the directory");
  t.strictSame(
    await linked(world, "rooted.test", "/vod/user/h.m3u8"),
    ["/vod/user/in.ts", "/vod/up.ts", "/vod/top.ts"],
    "root",
  );
  const bound = `/vod/user/h.m3u8?${linkOf("bound", "/vod/user/h.m3u8")}`;
  t.strictSame(await linked(world, "bound.test", bound), ["/vod/user/in.ts"]);
  for (const path of HOSTILE.slice(1)) {
    const { pathname } = new URL(path, "http://x/vod/user/h.m3u8");
    const answer = await ask(world, { host: "vod.test", target: `${pathname}?${exact.split("?")[1]}` });
    t.ok(answer.status === 403 || answer.status === 400, path);
  }
});

t.test("nested playlists keep the scope of the first, and cannot widen it", async (t) => {
  const world = await vodWorld(t);
  world.emulator.putObject(BUCKET, "vod/a/m.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb/v.m3u8\n");
  world.emulator.putObject(BUCKET, "vod/a/b/v.m3u8", "#EXTM3U\n../s.ts\n../../out.ts\nin.ts\n/private.pdf\n");
  const master = await playlist(world, "vod.test", `/vod/a/m.m3u8?${linkOf("vod", "/vod/a/m.m3u8")}`);
  t.strictSame(await linked(world, "vod.test", master.uris[0] as string), ["/vod/a/s.ts", "/vod/a/b/in.ts"]);
  const wider = (master.uris[0] as string).replace("ossgate-scope=/vod/a/", "ossgate-scope=/vod/");
  t.equal(outcome(await ask(world, { host: "vod.test", target: wider })), "LINK_INVALID");
  const root = await playlist(world, "rooted.test", "/vod/a/m.m3u8");
  t.strictSame(await linked(world, "rooted.test", root.uris[0] as string), [
    "/vod/a/s.ts",
    "/vod/out.ts",
    "/vod/a/b/in.ts",
  ]);
});

t.test("links are bound to the viewer's address, unless the route says otherwise", async (t) => {
  const world = await vodWorld(t);
  const [own = ""] = (await playlist(world, "listed.test", "/vod/hd/v.m3u8")).uris.filter((uri) =>
    uri.includes("init.mp4"),
  );
  t.match(own, /ossgate-client=1/);
  t.equal(await statusFrom(world, "127.0.0.1", "listed.test", own), 200);
  t.equal(await statusFrom(world, "::1", "listed.test", own), 403);
  const [free = ""] = (await playlist(world, "unbound.test", "/vod/hd/v.m3u8")).uris.filter((uri) =>
    uri.includes("init.mp4"),
  );
  t.notMatch(free, /ossgate-client/);
  t.equal(await statusFrom(world, "::1", "unbound.test", free), 200);
  const bound = `/vod/hd/v.m3u8?${linkOf("unbound", "/vod/hd/v.m3u8", { client: "127.0.0.1" })}`;
  const [inherited = ""] = (await playlist(world, "unbound.test", bound)).uris.filter((uri) =>
    uri.includes("init.mp4"),
  );
  t.match(inherited, /ossgate-client=1/, "a link's own binding is inherited");
});

t.test("absolute URLs of the bucket's own host become links of the gateway; foreign ones stay", async (t) => {
  const world = await vodWorld(t);
  const absolute = ["http", "https"].map(
    (scheme) => `${scheme}://${OSS_HOST}/tenant/vod/hd/init.mp4?Expires=1&OSSAccessKeyId=x&Signature=y`,
  );
  const foreign = [
    "https://cdn.example/vod/a.ts",
    "data:text/plain,x",
    `https://other.oss-cn-beijing.aliyuncs.com/vod/a.ts`,
  ];
  const text = `#EXTM3U\n${[...absolute, ...foreign, `https://${OSS_HOST}/vod/hd/init.mp4`].join("\n")}\n`;
  world.emulator.putObject(BUCKET, "tenant/vod/abs.m3u8", text);
  for (const [route, base] of [
    ["bound", "/vod/"],
    ["stripped", "/in/vod/"],
  ] as const) {
    const target = `${base}abs.m3u8?${linkOf(route, base, { isPrefix: true })}`;
    const answer = await ask(world, { host: `${route}.test`, target });
    const [, first = "", second = "", ...rest] = answer.text.trimEnd().split("\n");
    for (const uri of [first, second]) {
      t.equal(
        uri.split("?")[0],
        `${base}hd/init.mp4`,
        "a path of the client's, which keeps to its own scheme and host",
      );
      t.notMatch(uri, /OSSAccessKeyId|Signature=y/);
      t.equal((await ask(world, { host: `${route}.test`, target: uri })).text, "vod/hd/init.mp4");
    }
    t.strictSame(rest, [...foreign, `https://${OSS_HOST}/vod/hd/init.mp4`], "outside of the prefix it is not ours");
  }
});

t.test("a byte order mark, CRLF, comments and tags arrive as they were; the length is the text's", async (t) => {
  const world = await vodWorld(t);
  const body = "\ufeff#EXTM3U\r\n#EXT-X-BYTERANGE:10@0\r\nimg é.ts\r\n\r\n# comment\r\n#EXT-X-ENDLIST";
  world.emulator.putObject(BUCKET, "vod/bom.m3u8", body);
  const answer = await ask(world, { host: "vod.test", target: `/vod/bom.m3u8?${linkOf("vod", "/vod/bom.m3u8")}` });
  t.equal(answer.text.replace(/\?[^\r\n]*/, "").replace("img%20%C3%A9", "img é"), body);
  t.equal(answer.header("content-length"), String(answer.body.length));
});

t.test("on a route without hls a playlist is a file like others", async (t) => {
  const world = await vodWorld(t);
  const answer = await ask(world, { host: "plain.test", target: `/vod/m.m3u8?${linkOf("plain", "/vod/m.m3u8")}` });
  t.equal(answer.text, MASTER);
  t.not(answer.header("etag"), "");
});
