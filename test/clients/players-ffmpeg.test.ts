import { join } from "node:path";
import t, { type Test } from "tap";
import { countFrames, NEEDS_FFMPEG, playToTheEnd } from "./players/ffmpeg.js";
import { FRAMES_PER_SECOND, type Media, type MediaSet, makeMedia, SECONDS, SIZES } from "./players/media.js";
import { codings, KEYS, type PlayersWorld, revealed, secondsFromNow, startPlayersWorld } from "./players/world.js";

const ALL_FRAMES = SECONDS * FRAMES_PER_SECOND;
const SETS = ["ts", "aes", "fmp4", "ranges"] as const;
const NOTHING = { frames: Number.NaN };

t.test("ffmpeg plays private HLS through the gateway", NEEDS_FFMPEG, async (t) => {
  const media = await makeMedia(t);
  t.test("every set is what it says", async (t) => {
    const text = (path: string): string => media.files.get(path)?.toString() ?? "";
    t.match(text("aes/high+/index.m3u8"), '#EXT-X-KEY:METHOD=AES-128,URI="../keys/one.key"');
    t.match(text("fmp4/low/index.m3u8"), '#EXT-X-MAP:URI="init_0.mp4"');
    t.match(text("ranges/all.m3u8"), "#EXT-X-BYTERANGE:");
    const widths = Object.values(SIZES).map((size) => Number.parseInt(size, 10));
    for (const set of SETS) {
      const made = await countFrames(join(media.directory, media.playlists[set]));
      const pictures = made.filter(({ width }) => width > 0);
      t.strictSame(
        pictures.map(({ width }) => width),
        set === "ranges" ? widths.slice(0, 1) : widths,
      );
      for (const { frames } of pictures) t.equal(frames, ALL_FRAMES);
    }
  });

  for (const set of SETS) {
    t.test(`${set}, rewritten: all frames arrive, and nothing of the credentials`, async (t) => {
      const world = await startPlayersWorld(t, media, { mode: "rewrite" });
      await playsAll(t, world, media, set);
      t.strictSame(revealed(world.wire), []);
      t.strictSame(codings(world.wire), []);
    });
  }

  t.test("a prefix link for a whole tree serves it, rewritten", async (t) => {
    const world = await startPlayersWorld(t, media, { mode: "rewrite" });
    const path = `/vod/${media.playlists.aes}`;
    const url = `${world.wire.url}${path}?${world.link("/vod/", { isPrefix: true })}`;
    t.equal((await playToTheEnd(url)).frames, ALL_FRAMES);
    const elsewhere = `${world.wire.url}${path}?${world.link("/other/", { isPrefix: true })}`;
    t.match(await playToTheEnd(elsewhere), NOTHING);
  });

  t.test("ts, signed by OSS: all frames arrive, and the AccessKey id and the token are there to be read", async (t) => {
    const world = await startPlayersWorld(t, media, { mode: "ossSign" });
    await playsAll(t, world, media, "ts");
    const shown = revealed(world.wire);
    for (const text of [KEYS.accessKeyId, "ViewersMustNotSeeThisToken", "OSSAccessKeyId"]) t.ok(shown.includes(text));
    t.notOk(shown.includes(KEYS.accessKeySecret), "never the secret");
  });

  t.test("aes, signed by OSS: it does not sign the key, so a link alone is not enough", async (t) => {
    const world = await startPlayersWorld(t, media, { mode: "ossSign", plusInPath: "literal" });
    const played = await playToTheEnd(world.linked(`/vod/${media.playlists.aes}`));
    t.match(played, { ...NOTHING, code: 1, stderr: /Unable to open key file/ });
    const refused = world.gateway.accessLog.filter(({ status }) => status >= 400);
    t.strictSame(new Set(refused.map(({ target, status, error }) => `${target} ${status} ${error}`)), KEY_REFUSED);
  });

  t.test("aes, signed by OSS: all frames arrive where the viewer's address admits too", async (t) => {
    const options = { mode: "ossSign", plusInPath: "literal", admitsThisMachine: true } as const;
    await playsAll(t, await startPlayersWorld(t, media, options), media, "aes");
  });

  t.test("fmp4, signed by OSS: it knows TS alone and refuses, and the client gets its error", async (t) => {
    const world = await startPlayersWorld(t, media, { mode: "ossSign" });
    t.match(await playToTheEnd(world.linked(`/vod/${media.playlists.fmp4}`)), NOTHING);
    const refused = world.gateway.accessLog.filter(({ status }) => status !== 200);
    t.ok(refused.length > 0);
    for (const entry of refused) t.match(entry, { status: 400, ossEc: "0044-00000408" });
  });

  for (const [mode, error] of [
    ["rewrite", "LINK_EXPIRED"],
    ["ossSign", "CLIENT_SIGNATURE_INVALID"],
  ] as const) {
    t.test(`${mode}: a link that expires while it plays ends in 403`, async (t) => {
      const world = await startPlayersWorld(t, media, { mode });
      const { gateway, clock } = world;
      const isSegment = ({ target }: { readonly target: string }): boolean => target.includes(".ts?");
      let served = 0;
      const third = gateway.logged((entry) => {
        if (isSegment(entry)) served += 1;
        if (served < 3) return false;
        clock.forward(61_000);
        return true;
      });
      const url = world.linked(`/vod/${media.playlists.ts}`, { expiresSeconds: secondsFromNow(60) });
      const { frames, stderr } = await playToTheEnd(url, ["-v", "warning"]);
      await third;
      const [came, refused] = [true, false].map((wasServed) =>
        gateway.accessLog.filter((entry) => isSegment(entry) && (entry.status === 206) === wasServed),
      );
      t.ok(came !== undefined && came.length >= 3, "what was asked for in time came");
      t.ok(refused !== undefined && refused.length > 0);
      for (const entry of refused ?? []) t.match(entry, { status: 403, error });
      t.match(stderr, /403 Forbidden/, "ffmpeg tells");
      t.ok(frames < ALL_FRAMES, `${frames} frames came`);
      const again = await fetch(url);
      t.equal(again.status, 403, "the playlist itself is closed too");
      t.match(await again.text(), "<Code>AccessDenied</Code>");
    });
  }
});

const KEY_REFUSED = new Set(["/vod/aes/keys/one.key 403 LINK_REQUIRED"]);

/** Decodes every variant, then plays the best one: all that was made must come, with no refusal on the way. */
async function playsAll(t: Test, world: PlayersWorld, media: Media, set: MediaSet): Promise<void> {
  const path = media.playlists[set];
  const url = world.linked(`/vod/${path}`);
  t.strictSame(await countFrames(url), await countFrames(join(media.directory, path)));
  const { code, stderr, frames, seconds } = await playToTheEnd(url);
  t.strictSame({ code, stderr, frames }, { code: 0, stderr: "", frames: ALL_FRAMES });
  t.ok(Math.abs(seconds - SECONDS) < 0.2, `${seconds} s were played`);
  t.strictSame(
    world.gateway.accessLog.filter(({ status }) => status !== 200 && status !== 206),
    [],
  );
}
