import { SECONDS, upload } from "./media.js";
import { BUCKET, type PlayersWorld } from "./world.js";

const WINDOW = 3;
const LAST_WINDOW = SECONDS - WINDOW;
/** How far the clock goes on from one load of the playlist to the next. */
const STEP_SECONDS = 2;

/** A live show: a window of three segments that goes on by one when a player has its first segment and the playlist. */
export interface LiveShow {
  /** The playlist's path as clients ask for it. */
  readonly path: string;
  /** How many windows there are up to the end of the show. */
  readonly windows: number;
  /** The targets under which the playlist was loaded so far, as the gateway logs them. */
  readonly loads: readonly string[];
}

/** Puts a live show on, from one variant of the plain set; it goes on with what players load, and not with the time. */
export function startLiveShow({ emulator, gateway, clock }: PlayersWorld): LiveShow {
  const directory = "/vod/ts/low/";
  const path = `${directory}live.m3u8`;
  const loads: string[] = [];
  let first = 0;
  let loadsOfWindow = 0;
  let lastSegment = -1;
  const publish = (): void => upload(emulator, BUCKET, path.slice(1), playlistAt(first));
  publish();
  // It is told of every request for as long as the gateway runs.
  void gateway.logged(({ target, status }) => {
    if (status >= 300 || !target.startsWith(directory)) return false;
    if (target.startsWith(`${path}?`)) {
      loads.push(target);
      loadsOfWindow += 1;
      clock.forward(STEP_SECONDS * 1000);
    } else {
      lastSegment = Math.max(lastSegment, Number.parseInt(target.slice(directory.length), 10));
    }
    if (loadsOfWindow > 0 && lastSegment >= first && first < LAST_WINDOW) {
      first += 1;
      loadsOfWindow = 0;
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
