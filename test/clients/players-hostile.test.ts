import t, { type Test } from "tap";
import { countFrames, NEEDS_FFMPEG, playToTheEnd } from "./players/ffmpeg.js";
import { FRAMES_PER_SECOND, type Media, makeMedia, upload } from "./players/media.js";
import { BUCKET, type PlayersWorld, REGION, startPlayersWorld } from "./players/world.js";

/** What whoever can upload a playlist must not reach with it. */
const PRIVATE = "nobody else may read this";
const PRIVATE_KEYS = ["private.pdf", "secret.key", "vod/other/private.ts", "vod/other/private.m3u8"] as const;
const PLAYLIST = "/vod/ts/low/hostile.m3u8";

/** URIs that lead out of the playlist's directory, or seem to; `port` is the gateway's as the viewer knows it. */
const hostileUris = (port: number): readonly string[] => [
  "../../../private.pdf",
  "../../other/private.ts",
  "../../other/private.m3u8",
  "/private.pdf",
  "/vod/other/private.ts",
  "%2e%2e/%2e%2e/%2e%2e/private.pdf",
  "..%2F..%2F..%2Fprivate.pdf",
  "x/../../../../private.pdf",
  "..\\..\\..\\private.pdf",
  "%2Fprivate.pdf/../../../../private.pdf",
  "../../../../../../../../private.pdf",
  `http://127.0.0.1:${port}/private.pdf`,
  `//127.0.0.1:${port}/private.pdf`,
  `http://${BUCKET}.oss-${REGION}.aliyuncs.com/private.pdf`,
  `https://${BUCKET}.oss-${REGION}.aliyuncs.com/vod/other/private.ts`,
  `http://otherbucket.oss-${REGION}.aliyuncs.com/vod/ts/low/000.ts`,
  `http://user@127.0.0.1:${port}/private.pdf`,
];

function hostilePlaylist(port: number): string {
  const lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:1"];
  for (const uri of hostileUris(port)) {
    lines.push(`#EXT-X-KEY:METHOD=AES-128,URI="${uri}"`, `#EXT-X-MAP:URI="${uri}"`, "#EXTINF:1,", uri);
    lines.push(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="${uri}"`);
  }
  return [...lines, "#EXT-X-KEY:METHOD=NONE", "#EXTINF:1,", "000.ts", "#EXT-X-ENDLIST", ""].join("\n");
}

/** On its own ffmpeg asks only for what is called like a segment. */
const FOLLOW_ANYTHING = ["-extension_picky", "0", "-allowed_extensions", "ALL"];

async function startHostileWorld(t: Test, media: Media): Promise<PlayersWorld> {
  const world = await startPlayersWorld(t, media, { mode: "rewrite" });
  const { emulator, wire } = world;
  emulator.addBucket({ name: "otherbucket", region: REGION, acl: "private" });
  upload(emulator, "otherbucket", "vod/ts/low/000.ts", PRIVATE);
  for (const key of PRIVATE_KEYS) upload(emulator, BUCKET, key, PRIVATE);
  upload(emulator, BUCKET, PLAYLIST.slice(1), hostilePlaylist(wire.port));
  return world;
}

t.test("a hostile playlist gets links inside its directory alone", NEEDS_FFMPEG, async (t) => {
  const media = await makeMedia(t);

  t.test("every byte stays as it was but for the one URI that is inside", async (t) => {
    const { linked, wire } = await startHostileWorld(t, media);
    const answer = await fetch(linked(PLAYLIST));
    t.equal(answer.status, 200);
    const text = await answer.text();
    t.equal(text.match(/ossgate-/g)?.length, text.match(/^000\.ts\?ossgate-.*$/m)?.[0].match(/ossgate-/g)?.length);
    t.equal(text.replace(/^000\.ts\?.*$/m, "000.ts"), hostilePlaylist(wire.port));
  });

  t.test("what it names is refused through the gateway, with any link that the viewer holds", async (t) => {
    const { emulator, gateway, link, linked, wire } = await startHostileWorld(t, media);
    const own = link(PLAYLIST);
    const text = await (await fetch(linked(PLAYLIST))).text();
    const [, minted = ""] = /^000\.ts\?(.*)$/m.exec(text) ?? [];
    t.equal(
      (await fetch(`${wire.url}/vod/ts/low/000.ts?${minted}`)).status,
      200,
      "the minted link is good for its own",
    );
    emulator.clearCaptures();
    for (const uri of hostileUris(wire.port)) {
      const { pathname } = new URL(uri, wire.url + PLAYLIST);
      for (const query of ["", `?${own}`, `?${minted}`]) {
        const answer = await fetch(wire.url + pathname + query);
        const body = await answer.text();
        // Of the same path in another bucket the viewer has the same object of this one, which is his own.
        const isOwn = uri.startsWith("http://otherbucket") && query === `?${minted}`;
        t.equal(answer.status, isOwn ? 200 : 403, `${pathname} of ${uri}${query.slice(0, 16)}`);
        t.notMatch(body, PRIVATE);
      }
    }
    const asked = emulator.captures.map(({ rawTarget }) => rawTarget);
    t.strictSame(asked, ["/vod/ts/low/000.ts"], "nothing else went to OSS");
    const refused = gateway.accessLog.filter(({ status }) => status === 403);
    t.strictSame(new Set(refused.map(({ error }) => error)), new Set(["LINK_REQUIRED", "LINK_INVALID"]));
  });

  t.test("ffmpeg, told to follow anything, gets no byte of what is private", async (t) => {
    const { emulator, gateway, linked, wire } = await startHostileWorld(t, media);
    let refusals = 0;
    // One playlist for each, for ffmpeg ends at the first that it cannot have; names elsewhere are not looked up.
    for (const [number, uri] of hostileUris(wire.port).entries()) {
      if (uri.includes("aliyuncs.com")) continue;
      const path = `/vod/ts/low/hostile-${number}.m3u8`;
      const lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", "000.ts", "#EXTINF:1,", uri, "#EXT-X-ENDLIST"];
      upload(emulator, BUCKET, path.slice(1), lines.join("\n"));
      const played = await playToTheEnd(linked(path), ["-v", "warning", ...FOLLOW_ANYTHING]);
      t.equal(played.frames, FRAMES_PER_SECOND, `with ${uri} the second that is inside plays`);
      const before = refusals;
      refusals = gateway.accessLog.filter(({ status }) => status === 403).length;
      t.ok(refusals > before, "and the other is asked for and refused");
    }
    t.notMatch(wire.received().join("\n"), PRIVATE);
    const asked = emulator.captures.map(({ rawTarget }) => rawTarget);
    t.strictSame(
      asked.filter((target) => !target.startsWith("/vod/ts/low/")),
      [],
      "OSS was asked for no private object",
    );
  });

  t.test("a link with a scope opens the scope, and no more", async (t) => {
    const { emulator, linked } = await startHostileWorld(t, media);
    const playlist =
      "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n../low/000.ts\n#EXTINF:1,\n../../other/private.ts\n";
    upload(emulator, BUCKET, "vod/ts/high/crossing.m3u8", `${playlist}#EXT-X-ENDLIST\n`);
    const path = "/vod/ts/high/crossing.m3u8";
    const lines = async (url: string) =>
      (await (await fetch(url)).text()).split("\n").filter((line) => line[0] === ".");
    t.strictSame(await lines(linked(path)), ["../low/000.ts", "../../other/private.ts"]);
    const [inside, outside] = await lines(linked(path, { scope: "/vod/ts/" }));
    t.match(inside, /^\.\.\/low\/000\.ts\?ossgate-/);
    t.equal(outside, "../../other/private.ts");
    const played = await playToTheEnd(linked(path, { scope: "/vod/ts/" }), ["-v", "warning"]);
    t.equal(played.frames, FRAMES_PER_SECOND, "the second that is inside plays");
    t.match(played.stderr, /403 Forbidden/);
    await t.rejects(countFrames(linked(path)), "without the scope nothing does");
  });
});
