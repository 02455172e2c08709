import fc from "fast-check";
import t from "tap";
import { encodePath } from "../../../src/core/target.js";
import { rewritePlaylist } from "../../../src/hls/playlist.js";
import { type Minted, OUR_HOST, rewriteFor } from "./fixture.js";

const GATEWAY = "https://gateway.example";
const HEAD = "#EXTM3U\n";

const segment = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z0-9._~-]{1,6}$/) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("..", ".", "", "%2e%2e", "%2E.", "%2F", "a%2F..%2f", "vod", "%2F%2Fevil.example"),
  },
  fc.string({ unit: "binary", maxLength: 4 }),
  fc.stringMatching(/^[ !'()*+:;,=@$&{}|\\^%"<>#?`图é]{1,4}$/),
);
const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => segments.join("/"));
const prefix = fc.constantFrom(
  "",
  "",
  "",
  "/",
  "/vod/",
  `https://${OUR_HOST}/vod/`,
  `//${OUR_HOST}/`,
  "https://evil.example/",
  "//",
  "http:",
  "data:",
);
const suffix = fc.constantFrom("", "", "?v=1", "?x-oss-process=style/a", "?Expires=1&Signature=a#t=1", "#f?x", "?");
const uri = fc.tuple(prefix, path, suffix).map((parts) => parts.join(""));

const TAGS = ["#EXT-X-KEY", "#EXT-X-MAP", "#EXT-X-MEDIA", "#EXT-X-PART", "#EXT-X-DATERANGE", "#EXTINF"] as const;
const line = fc.oneof(
  { weight: 4, arbitrary: uri },
  fc.tuple(fc.constantFrom(...TAGS), uri).map(([tag, target]) => `${tag}:A=1,URI="${target}",B="c"`),
  fc.constantFrom("#EXT-X-STREAM-INF:BANDWIDTH=1", "#EXTINF:1,", "", "#"),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const body = fc
  .array(fc.tuple(line, fc.constantFrom("\n", "\r\n")), { maxLength: 12 })
  .map((lines) => lines.map(([text, end]) => text.replaceAll("\n", "") + end).join(""));

// Where the playlist is and what its links may reach; the scope need not be the playlist's own place.
const place = fc.constantFrom(
  ["/vod/show 1/master.m3u8", "/vod/"],
  ["/vod/图/a.m3u8", "/vod/图/"],
  ["/a.m3u8", "/"],
  ["/other/a.m3u8", "/vod/"],
  ["/vod//a.m3u8", "/vod/"],
) as fc.Arbitrary<readonly [playlistPath: string, scope: string]>;

const LINK = /ossgate-link=(\d+)/;
const URI_ATTRIBUTE = /URI="([^"]*)"/;

interface Rewritten {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly minted: readonly Minted[];
}

function rewriteLines(text: string, [playlistPath, scope]: readonly [string, string]): Rewritten {
  const rewrite = rewriteFor(playlistPath, scope);
  const result = rewritePlaylist(Buffer.from(HEAD + text), rewrite);
  if (!result.ok) throw new Error(result.reason);
  return {
    before: Buffer.from(HEAD + text)
      .toString()
      .split("\n"),
    after: result.body.toString().split("\n"),
    minted: rewrite.minted,
  };
}

/** Where a browser goes from a line of the output, by the URL standard. */
function follow(outputLine: string, playlistPath: string): URL {
  const trimmed = outputLine.trim();
  const reference = trimmed.startsWith("#") ? (URI_ATTRIBUTE.exec(trimmed)?.[1] ?? "") : trimmed;
  return new URL(reference, GATEWAY + encodePath(playlistPath));
}

t.test("whatever the bytes are, rewriting never throws and mints only inside the scope", async (t) => {
  const anything = fc.oneof(
    body.map((text) => Buffer.from(HEAD + text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([Buffer.from(HEAD), bytes])),
  );
  fc.assert(
    fc.property(anything, place, (bytes, [playlistPath, scope]) => {
      const rewrite = rewriteFor(playlistPath, scope);
      rewritePlaylist(bytes, rewrite);
      for (const { path: minted } of rewrite.minted) {
        const stays = !minted.split("/").some((name) => name === "." || name === "..");
        if (!minted.startsWith(scope) || minted.endsWith("/") || !stays) throw new Error(`minted ${minted}`);
      }
    }),
    { numRuns: 3000 },
  );
  t.pass("3000 playlists");
});

t.test("a browser that follows a rewritten URI asks the gateway for the path that was linked", async (t) => {
  let followed = 0;
  fc.assert(
    fc.property(body, place, (text, at) => {
      const { after, minted } = rewriteLines(text, at);
      for (const outputLine of after) {
        const link = minted[Number(LINK.exec(outputLine)?.[1] ?? -1)];
        if (link === undefined) continue;
        const url = follow(outputLine, at[0]);
        if (url.origin !== GATEWAY) throw new Error(`${outputLine} leads to ${url.origin}`);
        if (decodeURIComponent(url.pathname) !== link.path) throw new Error(`${url.pathname} is not ${link.path}`);
        if (!url.search.endsWith(link.query)) throw new Error(`${url.search} does not end with the link`);
        followed += 1;
      }
    }),
    { numRuns: 3000 },
  );
  t.ok(followed > 1000, `followed ${followed} links`);
});

t.test("a line without a link stays byte for byte, and as many links are in the lines as were minted", async (t) => {
  fc.assert(
    fc.property(body, place, (text, at) => {
      const { before, after, minted } = rewriteLines(text, at);
      if (before.length !== after.length) throw new Error("another number of lines");
      const linked = after.filter((outputLine, i) => outputLine !== before[i]);
      if (linked.length !== minted.length) throw new Error(`${linked.length} lines changed, ${minted.length} links`);
      for (const [i, outputLine] of linked.entries()) {
        if (!outputLine.includes(`ossgate-link=${i}`)) throw new Error(`changed without a link: ${outputLine}`);
      }
    }),
    { numRuns: 3000 },
  );
  t.pass("3000 playlists");
});

t.test("a URI that leads a browser to another host is never touched", async (t) => {
  fc.assert(
    fc.property(uri, place, (target, at) => {
      const text = target.replace(/[\n\r]/g, "").trim();
      if (!URL.canParse(text, GATEWAY)) return;
      const { host } = new URL(text, GATEWAY);
      if (host === OUR_HOST || host === "gateway.example") return;
      const { before, after } = rewriteLines(`${text}\n`, at);
      if (after[1] !== before[1]) throw new Error(`${before[1]} became ${after[1]}`);
    }),
    { numRuns: 3000 },
  );
  t.pass("3000 URIs");
});

t.test("a URI of plain names is linked exactly when a browser would find it inside the scope", async (t) => {
  const name = fc.oneof(
    fc.stringMatching(/^[a-z0-9_~-][a-z0-9._~-]{0,4}$/),
    fc.constantFrom("..", ".", "%2e%2e", "vod"),
  );
  const start = fc.constantFrom("", "/", "/vod/", `https://${OUR_HOST}/vod/`);
  let linked = 0;
  fc.assert(
    fc.property(start, fc.array(name, { minLength: 1, maxLength: 5 }), place, (from, names, at) => {
      const target = from + names.join("/");
      const found = decodeURIComponent(new URL(target, GATEWAY + encodePath(at[0])).pathname);
      const isInside = found.startsWith(at[1]) && !found.endsWith("/") && !found.startsWith("//");
      const { minted } = rewriteLines(`${target}\n`, at);
      if (minted.length !== (isInside ? 1 : 0)) throw new Error(`${target}: ${minted.length} links, ${found}`);
      linked += minted.length;
    }),
    { numRuns: 3000 },
  );
  t.ok(linked > 500, `linked ${linked}`);
});
