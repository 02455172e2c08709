import t from "tap";
import { isPlaylistPath, PLAYLIST_LIMITS, rewritePlaylist } from "../../../src/hls/playlist.js";
import { OUR_BUCKET_HOST, OUR_HOST, rewriteFor } from "./fixture.js";

function rewriteText(text: string, rewrite = rewriteFor()): string {
  const result = rewritePlaylist(Buffer.from(text), rewrite);
  return result.ok ? result.body.toString() : `refused: ${result.reason}`;
}

/** What becomes of one URI line, and the links that were minted for it. */
function rewriteUri(uri: string, rewrite = rewriteFor()) {
  const body = rewriteText(`#EXTM3U\n${uri}\n`, rewrite);
  return { line: body.slice("#EXTM3U\n".length, -1), minted: rewrite.minted };
}

t.test("every URI of a media playlist becomes a link, and nothing else changes", (t) => {
  const rewrite = rewriteFor();
  const body = rewriteText(
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-KEY:METHOD=AES-128,URI="key.bin",IV=0x0123
#EXT-X-MAP:URI="init.mp4",BYTERANGE="719@0"
#EXT-X-PROGRAM-DATE-TIME:2025-01-01T00:00:00Z
#EXTINF:6.006,a title, URI="no.ts"
#EXT-X-BYTERANGE:1000@0
seg0.m4s

# a comment
#EXTINF:6,
hd/seg1.m4s
#EXT-X-PART:DURATION=0.5,URI="part2.0.m4s",BYTERANGE="20000@21000"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part2.1.m4s"
#EXT-X-RENDITION-REPORT:URI="../low/live",LAST-MSN=2
#EXT-X-DATERANGE:ID="ad",X-ASSET-URI="ad.m3u8"
`,
    rewrite,
  );
  t.equal(
    body,
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-KEY:METHOD=AES-128,URI="key.bin?ossgate-link=0",IV=0x0123
#EXT-X-MAP:URI="init.mp4?ossgate-link=1",BYTERANGE="719@0"
#EXT-X-PROGRAM-DATE-TIME:2025-01-01T00:00:00Z
#EXTINF:6.006,a title, URI="no.ts"
#EXT-X-BYTERANGE:1000@0
seg0.m4s?ossgate-link=2

# a comment
#EXTINF:6,
hd/seg1.m4s?ossgate-link=3
#EXT-X-PART:DURATION=0.5,URI="part2.0.m4s?ossgate-link=4",BYTERANGE="20000@21000"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part2.1.m4s?ossgate-link=5"
#EXT-X-RENDITION-REPORT:URI="../low/live?ossgate-link=6",LAST-MSN=2
#EXT-X-DATERANGE:ID="ad",X-ASSET-URI="ad.m3u8"
`,
  );
  t.same(
    rewrite.minted.map(({ path, kind }) => [path, kind]),
    [
      ["/vod/show 1/key.bin", "segment"],
      ["/vod/show 1/init.mp4", "segment"],
      ["/vod/show 1/seg0.m4s", "segment"],
      ["/vod/show 1/hd/seg1.m4s", "segment"],
      ["/vod/show 1/part2.0.m4s", "segment"],
      ["/vod/show 1/part2.1.m4s", "segment"],
      ["/vod/low/live", "playlist"],
    ],
  );
  t.end();
});

t.test("variants and renditions of a master playlist are linked as playlists, whatever their names", (t) => {
  const rewrite = rewriteFor();
  const body = rewriteText(
    `#EXTM3U
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="session.key"
#EXT-X-SESSION-DATA:DATA-ID="a",URI="data.json"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,URI=",NAME="Deutsch",URI="audio/de"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes"
#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a"

# still the variant's
low/index
not-a-variant
other.M3U8
`,
    rewrite,
  );
  t.match(body, 'GROUP-ID="a,URI=",NAME="Deutsch",URI="audio/de?ossgate-link=2"');
  t.same(
    rewrite.minted.map(({ path, kind }) => [path.slice("/vod/show 1/".length), kind]),
    [
      ["session.key", "segment"],
      ["data.json", "segment"],
      ["audio/de", "playlist"],
      ["iframes", "playlist"],
      ["low/index", "playlist"],
      ["not-a-variant", "segment"],
      ["other.M3U8", "playlist"],
    ],
  );
  t.end();
});

// What a URI is written as, and the decoded path that is linked. The playlist is /vod/show 1/master.m3u8.
const LINKED: readonly (readonly [uri: string, text: string, path: string])[] = [
  ["seg.ts", "seg.ts", "/vod/show 1/seg.ts"],
  ["hd/seg 1.ts", "hd/seg%201.ts", "/vod/show 1/hd/seg 1.ts"],
  ["hd/seg%201.ts", "hd/seg%201.ts", "/vod/show 1/hd/seg 1.ts"],
  ["a+b.ts", "a%2Bb.ts", "/vod/show 1/a+b.ts"],
  ["a%2Bb.ts", "a%2Bb.ts", "/vod/show 1/a+b.ts"],
  ["100%25.ts", "100%25.ts", "/vod/show 1/100%.ts"],
  ["%2525.ts", "%2525.ts", "/vod/show 1/%25.ts"],
  ["图.ts", "%E5%9B%BE.ts", "/vod/show 1/图.ts"],
  ["%e5%9b%be.ts", "%E5%9B%BE.ts", "/vod/show 1/图.ts"],
  ["a%3Fb%23c.ts", "a%3Fb%23c.ts", "/vod/show 1/a?b#c.ts"],
  ["it's(1)!*.ts", "it%27s%281%29%21%2A.ts", "/vod/show 1/it's(1)!*.ts"],
  ["a%2Fb.ts", "a/b.ts", "/vod/show 1/a/b.ts"],
  ["%2Fb.ts", ".//b.ts", "/vod/show 1//b.ts"],
  ["a//b.ts", "a//b.ts", "/vod/show 1/a//b.ts"],
  [".hidden.ts", ".hidden.ts", "/vod/show 1/.hidden.ts"],
  ["...ts", "...ts", "/vod/show 1/...ts"],
  ["./seg.ts", "seg.ts", "/vod/show 1/seg.ts"],
  ["../b/./c/../seg.ts", "../b/seg.ts", "/vod/b/seg.ts"],
  ["%2e%2e/b.ts", "../b.ts", "/vod/b.ts"],
  ["x%2F..%2f..%2Fb.ts", "../b.ts", "/vod/b.ts"],
  ["../../../../vod/b.ts", "../../../../vod/b.ts", "/vod/b.ts"],
  ["a/.b/./c.ts", "a/.b/c.ts", "/vod/show 1/a/.b/c.ts"],
  ["a/..//b.ts", ".//b.ts", "/vod/show 1//b.ts"],
  ["%2F../b.ts", "b.ts", "/vod/show 1/b.ts"],
  ["1:2.ts", "1%3A2.ts", "/vod/show 1/1:2.ts"],
  ["a%3A2.ts", "a%3A2.ts", "/vod/show 1/a:2.ts"],
  ["/vod/x y.ts", "/vod/x%20y.ts", "/vod/x y.ts"],
  ["/vod/a/../b.ts", "/vod/b.ts", "/vod/b.ts"],
  ["/x/%2e%2e/vod/b.ts", "/vod/b.ts", "/vod/b.ts"],
  ["//MEDIA.example.com/vod/b.ts", "/vod/b.ts", "/vod/b.ts"],
  [`https://${OUR_HOST}/vod/b%20c.ts`, "/vod/b%20c.ts", "/vod/b c.ts"],
  [`HTTP://${OUR_BUCKET_HOST}/x/../b.ts`, "/vod/b.ts", "/vod/b.ts"],
];

for (const [uri, text, path] of LINKED) {
  t.test(`${uri} becomes a link to ${path}`, (t) => {
    const { line, minted } = rewriteUri(uri);
    t.equal(line, `${text}?ossgate-link=0`);
    t.same(
      minted.map((link) => [link.path, link.parameters]),
      [[path, []]],
    );
    t.end();
  });
}

const UNTOUCHED: readonly (readonly [why: string, ...uris: readonly string[]])[] = [
  ["another host", "https://cdn.example.net/vod/a.ts", "//cdn.example.net/vod/a.ts", `http://${OUR_HOST}:81/vod/a.ts`],
  ["another scheme", "data:text/plain,a", "skd://key", "urn:x", "file:///vod/a.ts", "a:b.ts", "https:/vod/a.ts"],
  [
    "an authority with more than a host",
    `https://user@${OUR_HOST}/vod/a.ts`,
    `https://${OUR_HOST}%2F/vod/a.ts`,
    "///vod/a.ts",
  ],
  [
    "a place outside the scope",
    "../../private.pdf",
    "/private.pdf",
    "%2e%2e/%2e%2e/private.pdf",
    "x%2F..%2F../../private.pdf",
  ],
  [
    "a place outside the scope by an absolute URL",
    `https://${OUR_HOST}/private.pdf`,
    `https://${OUR_HOST}/vod/../private.pdf`,
  ],
  [
    "a directory, whose link would be one to all below",
    "hd/",
    "..",
    ".",
    "../",
    "hd/..",
    "/vod/",
    `https://${OUR_HOST}`,
    "hd%2F",
  ],
  ["a neighbour of the scope", "/vod", "/vodka/a.ts", "../../vod.ts"],
  ["a second slash at the beginning", "/%2Fevil.example/vod/a.ts", "/vod/../%2Fevil.example/a.ts"],
  ["a backslash", "hd\\a.ts", "/\\evil.example/a.ts", "hd%5Ca.ts"],
  ["a control character", "a\u0001.ts", "a\tb.ts", "a%0Ab.ts", "a%00.ts", "a\u0085.ts", "ht\ttps://evil.example/"],
  ["a broken escape", "a%zz.ts", "100%.ts", "a%C3.ts", "%ED%A0%80.ts"],
  ["a variable", "{$base}/a.ts", "a.ts?t={$token}"],
  ["nothing but blanks", "\u0020", " \t "],
];

for (const [why, ...uris] of UNTOUCHED) {
  t.test(`${why} stays as it is, byte for byte`, (t) => {
    for (const uri of uris) {
      const { line, minted } = rewriteUri(uri);
      t.equal(line, uri);
      t.same(minted, []);
    }
    t.end();
  });
}

t.test("a link of a playlist at the root cannot become another host's", (t) => {
  const rewrite = rewriteFor("/master.m3u8", "/");
  for (const uri of ["%2Fevil.example/a.ts", "/%2Fevil.example/a.ts", "./%2Fa.ts", "..//evil.example/a.ts"]) {
    t.equal(rewriteUri(uri, rewrite).line, uri);
  }
  t.same(rewrite.minted, []);
  t.end();
});

t.test("what clientPath says is bound to the scope too", (t) => {
  for (const path of ["/private.pdf", "/vod/../private.pdf", "//vod/a.ts", "vod/a.ts", "/vod/"]) {
    const rewrite = { ...rewriteFor(), clientPath: () => path };
    t.equal(rewriteUri("https://any.example/a.ts", rewrite).line, "https://any.example/a.ts", path);
  }
  t.end();
});

// [query in the playlist, query that is kept, parameters that the link signs]
const QUERIES: readonly (readonly [
  raw: string,
  kept: string,
  signed: readonly (readonly [string, string | null])[],
])[] = [
  ["", "", []],
  ["v=1&t=a%20b+c", "v=1&t=a%20b+c&", []],
  ["v", "v&", []],
  ["&&v=1&", "v=1&", []],
  [
    "x-oss-process=style%2Fa+b&v=1&response-content-type=video/mp2t",
    "x-oss-process=style%2Fa+b&v=1&response-content-type=video/mp2t&",
    [
      ["x-oss-process", "style/a b"],
      ["response-content-type", "video/mp2t"],
    ],
  ],
  [
    "versionId&x%2Doss-traffic-limit=819200",
    "versionId&x%2Doss-traffic-limit=819200&",
    [
      ["versionId", null],
      ["x-oss-traffic-limit", "819200"],
    ],
  ],
  ["Expires=1&OSSAccessKeyId=AK&Signature=a%3D&security-token=t", "", []],
  ["v=1&%4FSSAccessKeyId=AK&Expires=1&Signature=x", "v=1&", []],
  [
    "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=AK/1&x-oss-date=1&x-oss-expires=1&x-oss-signature=a&x-oss-additional-headers=host&x-oss-security-token=t&x-oss-access-key-id=AK",
    "",
    [],
  ],
  ["ossgate-link=forged&ossgate%2Dexpires=1&v=1", "v=1&", []],
];

for (const [raw, kept, signed] of QUERIES) {
  t.test(`of the query ${JSON.stringify(raw)} stays ${JSON.stringify(kept)}`, (t) => {
    const { line, minted } = rewriteUri(`a b.ts?${raw}#t=1`);
    t.equal(line, `a%20b.ts?${kept}ossgate-link=0#t=1`);
    t.same(minted[0]?.parameters, signed);
    t.end();
  });
}

t.test("a query alone leads to the playlist itself", (t) => {
  const { line, minted } = rewriteUri("?quality=low");
  t.equal(line, "?quality=low&ossgate-link=0");
  t.match(minted, [{ path: "/vod/show 1/master.m3u8", kind: "playlist" }]);
  t.end();
});

t.test("line ends, blanks around lines and the byte order mark stay", (t) => {
  const text = "\uFEFF#EXTM3U\r\n#EXTINF:1,\n a.ts\t \r\n\r\n#EXTINF:1,\r\nb.ts\n\tc.ts";
  t.equal(
    rewriteText(text),
    "\uFEFF#EXTM3U\r\n#EXTINF:1,\n a.ts?ossgate-link=0\t \r\n\r\n#EXTINF:1,\r\nb.ts?ossgate-link=1\n\tc.ts?ossgate-link=2",
  );
  t.end();
});

const ATTRIBUTES: readonly (readonly [tag: string, rewritten: string])[] = [
  ['#EXT-X-MAP:BYTERANGE="1@0", URI="a.mp4" ,X=1', '#EXT-X-MAP:BYTERANGE="1@0", URI="a.mp4?ossgate-link=0" ,X=1'],
  ['#EXT-X-MAP:URI=" a.mp4 "', '#EXT-X-MAP:URI=" a.mp4?ossgate-link=0 "'],
  ['#EXT-X-KEY:METHOD=AES-128,URI="a.key"\r', '#EXT-X-KEY:METHOD=AES-128,URI="a.key?ossgate-link=0"\r'],
  [
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://a",KEYFORMAT="x"',
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://a",KEYFORMAT="x"',
  ],
  ["#EXT-X-KEY:METHOD=NONE", "#EXT-X-KEY:METHOD=NONE"],
  ["#EXT-X-MAP", "#EXT-X-MAP"],
  ["#EXT-X-MAP:", "#EXT-X-MAP:"],
  ["#EXT-X-MAP:URI", "#EXT-X-MAP:URI"],
  ["#EXT-X-MAP:URI=a.mp4", "#EXT-X-MAP:URI=a.mp4"],
  ['#EXT-X-MAP:URI="a.mp4', '#EXT-X-MAP:URI="a.mp4'],
  ['#EXT-X-MAP:URI=""', '#EXT-X-MAP:URI=""'],
  ['#EXT-X-MAP:URI="#a"', '#EXT-X-MAP:URI="#a"'],
  ['#EXT-X-MAP:XURI="a.mp4",NAME="URI=x"', '#EXT-X-MAP:XURI="a.mp4",NAME="URI=x"'],
  ['#EXT-X-MAP:URI="a.mp4",URI="b.mp4"', '#EXT-X-MAP:URI="a.mp4",URI="b.mp4"'],
  ['#EXT-X-MAPPED:URI="a.mp4"', '#EXT-X-MAPPED:URI="a.mp4"'],
  ['#EXT-X-DEFINE:NAME="base",VALUE="a"', '#EXT-X-DEFINE:NAME="base",VALUE="a"'],
  ['#EXT-X-MAP:URI="{$base}.mp4"', '#EXT-X-MAP:URI="{$base}.mp4"'],
];

for (const [tag, rewritten] of ATTRIBUTES) {
  t.test(`the tag ${JSON.stringify(tag)}`, (t) => {
    t.equal(rewriteText(`#EXTM3U\n${tag}\n`), `#EXTM3U\n${rewritten}\n`);
    t.end();
  });
}

t.test("what is no playlist is refused with a sentence", (t) => {
  const bodies: readonly Buffer[] = [
    Buffer.alloc(0),
    Buffer.from("<html>"),
    Buffer.from("\n#EXTM3U\n"),
    Buffer.from("\uFEFF\uFEFF#EXTM3U\n"),
    Buffer.from([0x1f, 0x8b, 8, 0]),
    Buffer.concat([Buffer.from("#EXTM3U\n"), Buffer.from([0xff]), Buffer.from(".ts\n")]),
    Buffer.from("#EXTM3U", "utf16le"),
  ];
  for (const body of bodies) {
    const result = rewritePlaylist(body, rewriteFor());
    t.match(result, { ok: false, reason: /^The playlist .+\.$/ });
  }
  t.end();
});

t.test("limits hold at their border", (t) => {
  const lines = (count: number): Buffer => Buffer.from(`#EXTM3U\n${"\n".repeat(count - 1)}`);
  t.equal(rewritePlaylist(lines(PLAYLIST_LIMITS.lines), rewriteFor()).ok, true);
  t.match(rewritePlaylist(lines(PLAYLIST_LIMITS.lines + 1), rewriteFor()), { ok: false, reason: /10000 lines/ });
  const bytes = (count: number): Buffer => Buffer.from("#EXTM3U\n#".padEnd(count, "x"));
  t.equal(rewritePlaylist(bytes(PLAYLIST_LIMITS.bodyBytes), rewriteFor()).ok, true);
  t.match(rewritePlaylist(bytes(PLAYLIST_LIMITS.bodyBytes + 1), rewriteFor()), { ok: false, reason: /1048576 bytes/ });
  t.end();
});

t.test("a playlist that grows past bounds is refused, also when only its links grow", (t) => {
  const body = Buffer.from(`#EXTM3U\n${"a.ts\n".repeat(9000)}`);
  const rewrite = { ...rewriteFor(), link: () => "x".repeat(1000) };
  t.match(rewritePlaylist(body, rewrite), { ok: false, reason: /too large/ });
  t.end();
});

t.test("a playlist is known by its name", (t) => {
  for (const path of ["/a.m3u8", "a.M3U8", "/x/a.m3u", ".m3u8"]) t.equal(isPlaylistPath(path), true, path);
  for (const path of ["", "/a.ts", "/m3u8", "/a.m3u8/", "/a.m3u88", "/8", "/a.m3u8.ts"])
    t.equal(isPlaylistPath(path), false, path);
  t.end();
});
