import t, { type Test } from "tap";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { NEEDS_FFMPEG } from "../clients/players/ffmpeg.js";
import { segmentExpiries, startLiveShow } from "../clients/players/live-show.js";
import { type Media, makeMedia, SECONDS } from "../clients/players/media.js";
import {
  codings,
  KEYS,
  type PlayersWorld,
  type PlayersWorldOptions,
  revealed,
  secondsFromNow,
  startPlayersWorld,
} from "../clients/players/world.js";
import { NEEDS_CHROMIUM, type Playback, type PlayOptions, playInPage, startChromium } from "./chromium.js";
import { startPageServer } from "./page-server.js";

/** A browser, and a page of one origin that plays what a gateway at another serves. */
interface Stage {
  readonly media: Media;
  start(t: Test, options: PlayersWorldOptions): Promise<PlayersWorld>;
  play(options: PlayOptions): Promise<Playback>;
  readonly pageOrigin: string;
}

async function setStage(t: Test): Promise<Stage> {
  const media = await makeMedia(t);
  const pageOrigin = await startPageServer(t);
  const browser = await startChromium(t);
  return {
    media,
    pageOrigin,
    start: (t, options) => startPlayersWorld(t, media, { ...options, pageOrigin }),
    play: (options) => playInPage(browser, pageOrigin, options),
  };
}

/** The first failure of a load is the last: what hls.js makes of one depends on whether the machine has a network. */
const NO_RETRIES = {
  fragLoadPolicy: {
    default: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 20_000, timeoutRetry: null, errorRetry: null },
  },
};
/** It asks for a segment when it is about to need it. */
const SMALL_BUFFER = { maxBufferLength: 1, maxMaxBufferLength: 1 };
/** A playlist of segments: hls.js has no other variant to try before it gives up. */
const VARIANT = "/vod/ts/high/index.m3u8";
const WIDTHS = { aes: [160, 320], fmp4: [160, 320], ranges: [160], ts: [160, 320] } as const;

t.test(
  "hls.js in Chromium plays private HLS from another origin",
  { ...NEEDS_FFMPEG, ...NEEDS_CHROMIUM },
  async (t) => {
    const stage = await setStage(t);
    const { media, play, start } = stage;

    for (const set of ["aes", "fmp4", "ranges"] as const) {
      t.test(`${set}, rewritten: it plays to the end, and the browser sees nothing of the credentials`, async (t) => {
        const world = await start(t, { mode: "rewrite" });
        const played = await play({ url: world.linked(`/vod/${media.playlists[set]}`), isSwitching: true });
        playedAll(t, played, world, stage);
        t.strictSame(played.widths, WIDTHS[set]);
        t.strictSame(revealed(world.wire), []);
        t.strictSame(codings(world.wire), [], "nothing was coded so that it could not be found");
      });
    }

    for (const [set, options] of [
      ["ts", {}],
      ["aes", { plusInPath: "literal", admitsThisMachine: true }],
    ] as const) {
      t.test(`${set}, signed by OSS: it plays to the end, and the browser sees the AccessKey id`, async (t) => {
        const world = await start(t, { mode: "ossSign", ...options });
        const played = await play({ url: world.linked(`/vod/${media.playlists[set]}`), isSwitching: true });
        playedAll(t, played, world, stage);
        t.strictSame(played.widths, WIDTHS[set]);
        const shown = revealed(world.wire);
        for (const text of [KEYS.accessKeyId, "ViewersMustNotSeeThisToken", "OSSAccessKeyId"])
          t.ok(shown.includes(text));
        t.notOk(shown.includes(KEYS.accessKeySecret), "never the secret");
      });
    }

    t.test("a prefix link serves a tree without rewriting to a player that puts it behind every URL", async (t) => {
      const world = await start(t, {});
      const query = world.link("/vod/ts/", { isPrefix: true });
      const url = `${world.wire.url}/vod/${media.playlists.ts}?${query}`;
      const played = await play({ url, query, isSwitching: true });
      playedAll(t, played, world, stage);
      const without = await play({ url: `${world.wire.url}${VARIANT}?${query}`, config: NO_RETRIES });
      t.match(without, { outcome: "failed", totalVideoFrames: 0 });
      const [refused] = refusals(world);
      t.match(refused, { target: "/vod/ts/high/000.ts", error: "LINK_REQUIRED" }, "a URI alone is no link");
    });

    for (const [mode, error] of [
      ["rewrite", "LINK_EXPIRED"],
      ["ossSign", "CLIENT_SIGNATURE_INVALID"],
    ] as const) {
      t.test(`${mode}: a link that expires while it plays ends in 403, and hls.js tells`, async (t) => {
        const world = await start(t, { mode });
        const { gateway, clock } = world;
        const isSegment = ({ target }: { readonly target: string }): boolean => target.includes(".ts?");
        let served = 0;
        void gateway.logged((entry) => {
          if (isSegment(entry)) served += 1;
          if (served === 2) clock.forward(61_000);
          return served === 2;
        });
        const url = world.linked(VARIANT, { expiresSeconds: secondsFromNow(60) });
        const played = await play({ url, config: { ...SMALL_BUFFER, ...NO_RETRIES } });
        t.equal(played.outcome, "failed");
        t.match(
          played.errors.find(({ fatal }) => fatal),
          { type: "networkError", details: "fragLoadError" },
        );
        const came = gateway.accessLog.filter((entry) => isSegment(entry) && entry.status === 200);
        const refused = refusals(world);
        t.ok(came.length >= 2, "what was asked for in time came");
        t.ok(played.totalVideoFrames > 0, "and was played");
        t.ok(refused.some(isSegment));
        for (const entry of refused) t.match(entry, { status: 403, error });
      });
    }

    t.test("a live playlist is rewritten at each load, with parameters of the player's own behind it", async (t) => {
      const world = await start(t, { mode: "rewrite", ttl: "2m" });
      const show = startLiveShow(world);
      const played = await play({ url: world.linked(show.path), rate: 1 });
      t.equal(played.outcome, "ended");
      t.ok(show.loads.length >= show.windows, `it was loaded ${show.loads.length} times`);
      t.match(show.loads.at(-1), /[?&]_HLS_msn=\d/);
      const expiries = segmentExpiries(world.wire.received());
      for (const [name, times] of expiries)
        t.equal(new Set(times).size, times.length, `${name} had a new link each time`);
      t.ok((expiries.get("002.ts")?.length ?? 0) >= 3, "a segment in the middle was linked in three windows");
      t.strictSame(refusals(world), []);
      t.strictSame(revealed(world.wire), []);
    });
  },
);

function playedAll(t: Test, played: Playback, world: PlayersWorld, { pageOrigin }: Stage): void {
  const { outcome, errors, duration, ranges, requested } = played;
  t.equal(outcome, "ended");
  t.strictSame(
    errors.filter(({ fatal, type, details }) => fatal || (type === "networkError" && details !== "aborted")),
    [],
  );
  t.ok(unplayedSeconds(ranges) < 0.5, `played: ${JSON.stringify(ranges)}`);
  t.ok(Math.abs(duration - SECONDS) < 0.2, `${duration} s long`);
  t.not(world.wire.url, pageOrigin);
  const origins = new Set(requested.filter((url) => url.startsWith("http")).map((url) => new URL(url).origin));
  t.strictSame([...origins].sort(), [pageOrigin, world.wire.url].sort(), "nobody else was asked");
  t.strictSame(refusals(world), []);
}

/** 499 is a player that hung up, as they do when they change variants; what has no target was no request. */
function refusals({ gateway }: PlayersWorld): readonly AccessEntry[] {
  return gateway.accessLog.filter(({ status, target }) => status >= 400 && status !== 499 && target !== "");
}

/** Seconds of the show that were not played. */
function unplayedSeconds(ranges: Playback["ranges"]): number {
  return SECONDS - ranges.reduce((sum, [start, end]) => sum + end - start, 0);
}
