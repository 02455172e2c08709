import { SECONDS, upload } from "./media.js";
import { BUCKET, type PlayersWorld } from "./world.js";

const WINDOW = 3;
const LAST_WINDOW = SECONDS - WINDOW;
/** How far the clock goes on from one load of the playlist to the next. */
const STEP_SECONDS = 2;

/** A live show: a window of three segments that slides by one whenever a player has loaded it, up to the end. */
export interface LiveShow {
  /** The playlist's path as clients ask for it. */
  readonly path: string;
  /** How many windows there are before the show has ended. */
  readonly windows: number;
  /** The targets under which the playlist was loaded so far, as the gateway logs them. */
  readonly loads: readonly string[];
}

/** Puts a live show on, from one variant of the plain set; the clock goes on with the loads, and not with the time. */
export function startLiveShow({ emulator, gateway, clock }: PlayersWorld): LiveShow {
  const path = "/vod/ts/low/live.m3u8";
  const loads: string[] = [];
  const publish = (): void => upload(emulator, BUCKET, path.slice(1), playlistAt(Math.min(loads.length, LAST_WINDOW)));
  publish();
  // It is told of every request for as long as the gateway runs.
  void gateway.logged(({ target, status }) => {
    if (target.startsWith(`${path}?`) && status === 200) {
      loads.push(target);
      clock.forward(STEP_SECONDS * 1000);
      publish();
    }
    return false;
  });
  return { path, windows: LAST_WINDOW + 1, loads };
}

function playlistAt(first: number): string {
  const numbers = Array.from({ length: WINDOW }, (_, i) => first + i);
  const head = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:1", `#EXT-X-MEDIA-SEQUENCE:${first}`];
  // A player that knows the directive asks with parameters of its own then.
  const control = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=3";
  const segments = numbers.flatMap((number) => ["#EXTINF:1.0,", `${String(number).padStart(3, "0")}.ts`]);
  return [...head, control, ...segments, ...(first === LAST_WINDOW ? ["#EXT-X-ENDLIST"] : []), ""].join("\n");
}

/** The expiry of each link to a segment in what a player got, by the segment's name, in the order of the playlists. */
export function segmentExpiries(received: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const expiries = new Map<string, number[]>();
  for (const [, name = "", expiry] of received.join("\n").matchAll(/^(\d+\.ts)\?ossgate-expires=(\d+)&/gm)) {
    expiries.set(name, [...(expiries.get(name) ?? []), Number(expiry)]);
  }
  return expiries;
}
