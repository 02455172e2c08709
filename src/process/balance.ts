/** What the main process knows of the other workers that serve. */
export interface Others {
  /** How many; 0: a worker keeps whatever comes to it. */
  readonly count: number;
  /** Connections of the one that has fewest. */
  readonly least: number;
  /** How many more all of them may have. */
  readonly room: number;
  /** How many connections this worker has passed on, ever: so many are in the numbers. */
  readonly passed: number;
}

/** What a worker knows of itself. */
export interface OwnLoad {
  /** Connections, without the one that has come. */
  readonly open: number;
  /** How many it may have. */
  readonly part: number;
}

const NOBODY: Others = { count: 0, least: Number.POSITIVE_INFINITY, room: 0, passed: 0 };
const WINDOW_MS = 1_000;
/** What may be between two workers where each has many: an eighth is within 47 and 53 of 100. */
const SLACK_SHIFT = 3;

/**
 * Whether a worker keeps a connection that it has accepted. The system gives each connection to whoever comes first, and
 * who comes first takes all that wait: connections that are kept would heap up in one worker. So one that has clearly
 * more than another passes on what comes. Where connections end fast this ends by itself, and nothing is passed on.
 */
export class Balance {
  #others = NOBODY;
  #passed = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #ended = 0;
  #endedBefore = 0;

  told(others: Others): void {
    this.#others = others;
  }

  /** @param nowMs monotonic milliseconds */
  ended(nowMs: number): void {
    this.#turn(nowMs);
    this.#ended += 1;
  }

  /** @param nowMs monotonic milliseconds */
  keeps({ open, part }: OwnLoad, nowMs: number): boolean {
    // Not told of others yet, it may know of none: who is one too many may be another's.
    if (this.#others === NOBODY) return open < part;
    if (this.#others.count === 0) return true;
    const { least, room } = this.#known();
    // Nobody else can take it: one too many is refused here.
    if (room <= 0) return true;
    if (open >= part) return false;
    return open + 1 <= least + this.#slack(open, nowMs);
  }

  /**
   * Whether others must know how many there are now, who were told another number: where connections end fast it changes
   * all the time, and says nothing.
   * @param nowMs monotonic milliseconds
   */
  isNews(told: number, { open, part }: OwnLoad, nowMs: number): boolean {
    if (open === told) return false;
    return open >= part || told >= part || 2 * Math.abs(open - told) >= this.#slack(open, nowMs);
  }

  /** One was passed on. */
  passed(): void {
    this.#passed += 1;
  }

  /** What is on its way counts as the others' too: evenly, for nobody knows whose. */
  #known(): Pick<Others, "least" | "room"> {
    const { count, least, room, passed } = this.#others;
    const onTheWay = this.#passed - passed;
    return { least: least + onTheWay / count, room: room - onTheWay };
  }

  #slack(open: number, nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(1, open >> SLACK_SHIFT, this.#ended + this.#endedBefore);
  }

  /** What ended is counted in windows: of this one and the one before. */
  #turn(nowMs: number): void {
    const sinceMs = nowMs - this.#windowMs;
    if (sinceMs < WINDOW_MS) return;
    this.#endedBefore = sinceMs < 2 * WINDOW_MS ? this.#ended : 0;
    this.#ended = 0;
    this.#windowMs = nowMs;
  }
}
