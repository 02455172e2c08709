import type { Budget } from "./budget.js";
import type { Group } from "./pacer-group.js";
import { Lane, type LaneOptions } from "./pacer-lane.js";
import type { Meter } from "./pacer-purse.js";
import { Queue } from "./pacer-queue.js";
import { Wheel } from "./pacer-wheel.js";

export type { Flow, FlowOptions } from "./pacer-flow.js";
export type { Lane, LaneOptions } from "./pacer-lane.js";

/** What the pacer needs of the world. */
export interface PacerClock {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /**
   * @param delayMs 0: as soon as what happens now has had its consequences
   * @returns what takes it back
   */
  schedule(callback: () => void, delayMs: number): () => void;
}

/** How often those who wait are looked at. Shorter is smoother and costs more CPU per byte. */
const TICK_MS = 10;

/**
 * Lets bytes pass as budgets allow. Strict: none passes before all its budgets gave it. Nothing runs while nobody waits;
 * else one timer serves all lanes by turns: in each lane one group after the other, in each group one flow after the
 * other, a turn's worth of bytes for each group. What of a turn is not at hand yet, since a chunk is held at a time, may
 * follow until the next look; then it goes back.
 */
export class Pacer {
  readonly #clock: PacerClock;
  readonly #meters = new WeakMap<Budget, Meter>();
  readonly #sleepers = new Wheel<Group>(TICK_MS);
  /** Groups that have not used all of a turn, by the time at which the rest is taken back. */
  readonly #ahead = new Queue<Group>();
  /** Those in which somebody waits, in the order of their turns. */
  #waiting: Lane[] = [];
  #cancel: (() => void) | null = null;
  #isServing = false;

  constructor(clock: PacerClock) {
    this.#clock = clock;
  }

  /** A lane for all flows that have the same budgets in common. Lanes may share some. */
  lane(options: LaneOptions): Lane {
    const meters = options.budgets.map((budget) => this.#meter(budget));
    return new Lane(options, meters, {
      nowMs: () => this.#clock.nowMs(),
      onWaiting: (lane) => this.#list(lane),
      sleep: (group, delayMs) => {
        this.#sleepers.add(group, delayMs, this.#clock.nowMs());
        this.#wakeUp(TICK_MS);
      },
      leaveSleep: (group) => this.#sleepers.remove(group),
      watchAhead: (group, nowMs) => {
        group.aheadUntilMs = nowMs + TICK_MS;
        this.#ahead.push(group);
        this.#wakeUp(TICK_MS);
      },
    });
  }

  #meter(budget: Budget): Meter {
    const known = this.#meters.get(budget);
    if (known !== undefined) return known;
    const meter: Meter = { budget, heldBy: null, pendingLanes: 0 };
    this.#meters.set(budget, meter);
    return meter;
  }

  #list(lane: Lane): void {
    if (!lane.isListed) {
      lane.isListed = true;
      this.#waiting.push(lane);
    }
    this.#wakeUp(TICK_MS);
  }

  #wakeUp(delayMs: number): void {
    if (this.#isServing) return;
    this.#cancel ??= this.#clock.schedule(() => {
      this.#cancel = null;
      this.#serve();
    }, delayMs);
  }

  /** Each lane's groups get one turn each. What comes of a turn, the next ask of a flow, is heard before the next round. */
  #serve(): void {
    const nowMs = this.#clock.nowMs();
    this.#isServing = true;
    this.#takeBackAhead(nowMs);
    this.#sleepers.wake(nowMs, (group) => group.lane.onAwake(group));
    const lanes = this.#waiting;
    this.#waiting = [];
    const served: Lane[] = [];
    const short: Lane[] = [];
    const serve = (lane: Lane): void => {
      if (lane.isDue(nowMs) && lane.serve(nowMs)) served.push(lane);
      else short.push(lane);
    };
    // Those that another lane holds up come when that one has had what it waited for.
    const heldUp = lanes.filter((lane) => lane.isHeldUp());
    for (const lane of lanes) if (!heldUp.includes(lane)) serve(lane);
    for (const lane of heldUp) serve(lane);
    // A lane that came short goes on where it was before the others have their next turns.
    const listed = [...short, ...served].filter((lane) => {
      lane.isListed = lane.isActive;
      return lane.isListed;
    });
    this.#waiting = [...listed, ...this.#waiting];
    this.#isServing = false;
    if (served.some((lane) => lane.isActive)) this.#wakeUp(0);
    else if (this.#waiting.length > 0 || !this.#sleepers.isEmpty || this.#ahead.size > 0) this.#wakeUp(TICK_MS);
  }

  #takeBackAhead(nowMs: number): void {
    for (let group = this.#ahead.first; group !== null && group.aheadUntilMs <= nowMs; group = this.#ahead.first) {
      group.lane.takeBackAhead(group, nowMs);
    }
  }
}

/** The pacer's clock in the running program. */
export const REAL_CLOCK: PacerClock = {
  nowMs: () => performance.now(),
  schedule(callback, delayMs) {
    if (delayMs === 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
