import t from "tap";
import { NEEDS_FFMPEG, playToTheEnd } from "./players/ffmpeg.js";
import { segmentExpiries, startLiveShow } from "./players/live-show.js";
import { FRAMES_PER_SECOND, makeMedia, SECONDS } from "./players/media.js";
import { revealed, startPlayersWorld } from "./players/world.js";

t.test("ffmpeg follows a live playlist, rewritten at each load", NEEDS_FFMPEG, async (t) => {
  const media = await makeMedia(t);
  const world = await startPlayersWorld(t, media, { mode: "rewrite", ttl: "2m" });
  const show = startLiveShow(world);
  const { code, stderr, frames } = await playToTheEnd(world.linked(show.path));
  t.strictSame({ code, stderr, frames }, { code: 0, stderr: "", frames: SECONDS * FRAMES_PER_SECOND });
  t.ok(show.loads.length >= show.windows, `it was loaded ${show.loads.length} times`);
  const expiries = segmentExpiries(world.wire.received());
  t.equal(expiries.size, SECONDS);
  t.ok((expiries.get("002.ts")?.length ?? 0) >= 3, "a segment in the middle was linked in three windows");
  for (const [name, times] of expiries) t.equal(new Set(times).size, times.length, `${name} had a new link each time`);
  t.strictSame(
    world.gateway.accessLog.filter(({ status }) => status !== 200 && status !== 206),
    [],
  );
  t.strictSame(revealed(world.wire), []);
});
