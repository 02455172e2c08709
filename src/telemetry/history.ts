import { HistoryTrack, SERIES, type SeriesName, type TrackNow } from "./history-track.js";
import type { RouteStats, Stats } from "./stats.js";

/** One point of a series is of so long. */
export const SLOT_MS = 5_000;
/** So many are remembered: 15 minutes. */
export const SLOTS = 180;
/** Routes beyond are part of the whole alone. */
const MAX_ROUTES = 200;

/** Points of series, oldest first; `null` where nothing is known. */
export type Points = readonly (number | null)[];

/**
 * What passed in the last 15 minutes, by route and in all: read off the counters each second, in bounded memory. A route
 * that the counters have no more, or that comes after the first 200, is not remembered by itself.
 */
export class History {
  readonly #stats: Stats;
  readonly #whole = new HistoryTrack(SLOTS, null);
  readonly #routes = new Map<string, HistoryTrack>();
  readonly #originMs: number;
  /** Monotonic milliseconds at which the slot that is not over yet began. */
  #slotStartMs: number;
  #slot = 0;
  /** Monotonic milliseconds of the last sample; `null` before the first. */
  #sampledMs: number | null = null;

  /**
   * @param nowMs monotonic milliseconds
   * @param originMs what makes Unix milliseconds of them
   */
  constructor(stats: Stats, nowMs: number, originMs: number = performance.timeOrigin) {
    this.#stats = stats;
    this.#originMs = originMs;
    this.#slotStartMs = nowMs;
    this.#sample(nowMs);
  }

  /** Reads the counters; once a second. A tick that comes late leaves a gap of the slots that it missed. */
  tick(nowMs: number): void {
    this.#sample(nowMs);
    const passed = Math.floor((nowMs - this.#slotStartMs) / SLOT_MS);
    if (passed < 1) return;
    for (const track of this.#tracks()) track.close(passed);
    this.#slot += passed;
    this.#slotStartMs += passed * SLOT_MS;
  }

  /** The number of the next point; it counts from 0 at the start. */
  get nextSlot(): number {
    return this.#slot;
  }

  /** Unix milliseconds at which the point with that number ends. */
  endOfSlotMs(slot: number): number {
    return this.#originMs + this.#slotStartMs + (slot + 1 - this.#slot) * SLOT_MS;
  }

  /** The names that are remembered by themselves. */
  get routes(): readonly string[] {
    return [...this.#routes.keys()];
  }

  /** Of the last 10 s and of the last minute; `null` for a route that is not remembered. @param route absent: in all */
  now(route?: string): TrackNow | null {
    return this.#track(route)?.now() ?? null;
  }

  /**
   * A series, per second or in milliseconds.
   * @param fromSlot the first point that is wanted
   * @param route absent: in all
   */
  points(series: SeriesName, fromSlot: number, route?: string): Points {
    return this.#track(route)?.points(series, this.#wanted(fromSlot)) ?? [];
  }

  /** The number of the first point that {@link points} gives. */
  firstSlot(fromSlot: number): number {
    return this.#slot - this.#wanted(fromSlot);
  }

  #wanted(fromSlot: number): number {
    return Math.max(0, Math.min(this.#slot - fromSlot, this.#slot, SLOTS));
  }

  #track(route: string | undefined): HistoryTrack | undefined {
    return route === undefined ? this.#whole : this.#routes.get(route);
  }

  #sample(nowMs: number): void {
    const { routes } = this.#stats;
    for (const name of this.#routes.keys()) if (!routes.has(name)) this.#routes.delete(name);
    this.#whole.begin(nowMs);
    for (const [name, stats] of routes) {
      this.#whole.count(stats);
      this.#sampleRoute(name, stats, nowMs);
    }
    this.#whole.end();
    this.#sampledMs = nowMs;
  }

  #sampleRoute(name: string, stats: RouteStats, nowMs: number): void {
    let track = this.#routes.get(name);
    if (track === undefined) {
      if (this.#routes.size >= MAX_ROUTES) return;
      // The counters of a route begin at 0 when it is first heard of.
      track = new HistoryTrack(SLOTS, this.#sampledMs);
      this.#routes.set(name, track);
    }
    track.begin(nowMs);
    track.count(stats);
    track.end();
  }

  *#tracks(): Generator<HistoryTrack> {
    yield this.#whole;
    yield* this.#routes.values();
  }
}

export { SERIES, type SeriesName, type TrackNow };
