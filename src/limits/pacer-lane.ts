import type { Budget } from "./budget.js";
import type { Flow, FlowOptions } from "./pacer-flow.js";
import { Group, type GroupLane, LaneFlow } from "./pacer-group.js";
import { type Meter, Purse } from "./pacer-purse.js";
import { Queue } from "./pacer-queue.js";

export interface LaneOptions {
  /** What all flows of the lane spend together: of the bucket, of the route. The same object is the same budget. */
  readonly budgets: readonly Budget[];
  /** What the flows of one group spend besides, by the group's name; `null`: nothing. */
  readonly budgetsOfGroup: ((group: string) => readonly Budget[]) | null;
  /** What a group may pass in one turn; no budget's burst should be smaller. */
  readonly turnBytes: number;
}

/** What a lane needs of its pacer. */
export interface LaneHost {
  nowMs(): number;
  onWaiting(lane: Lane): void;
  sleep(group: Group, delayMs: number): void;
  leaveSleep(group: Group): void;
  /** What the group is ahead is to be taken back if it does not use it. */
  watchAhead(group: Group, nowMs: number): void;
}

/** A budget that came short is asked again at the latest after this time. */
const MAX_WAIT_MS = 250;

/** How many times a new round waits for those that are ahead: a chunk of 16 KiB, as TLS gives them, is a quarter turn. */
const PATIENCE = 8;

/** The flows that contend for the same budgets. */
export class Lane implements GroupLane {
  /** Whether the pacer looks after it. */
  isListed = false;
  readonly #options: LaneOptions;
  readonly #meters: readonly Meter[];
  readonly #purse: Purse;
  readonly #host: LaneHost;
  readonly #groups = new Map<string, Group>();
  /** Groups that wait for their turn. */
  readonly #ring = new Queue<Group>();
  #turnsLeft = 0;
  #aheadGroups = 0;
  #wasAhead = false;
  #patience = PATIENCE;
  #dueMs = 0;
  #isPending = false;
  /** Some had their turns just now and may ask again: who does so first must not have all that is left. */
  #isSettling = false;
  /** It has waited for what the first group wants: now a part of it will do. */
  #hasWaited = false;

  constructor(options: LaneOptions, meters: readonly Meter[], host: LaneHost) {
    this.#options = options;
    this.#meters = meters;
    this.#purse = new Purse(meters);
    this.#host = host;
  }

  open(options: FlowOptions): Flow {
    const name = options.group;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group(name, this, this.#options.budgetsOfGroup?.(name) ?? []);
      this.#groups.set(name, group);
    }
    group.openFlows += 1;
    return new LaneFlow(group, options);
  }

  /** Whether there may be turns to give; those that wait for a budget of their own do not count. */
  get isActive(): boolean {
    return this.#ring.first !== null || this.#isSettling;
  }

  /** Groups with an open flow. */
  get groupCount(): number {
    return this.#groups.size;
  }

  isDue(nowMs: number): boolean {
    return this.#dueMs <= nowMs && !this.isHeldUp();
  }

  /**
   * Gives each waiting group its turn, or goes on with those that had none when the budgets came short.
   * @returns whether it is for the next round; `false`: a budget of the lane came short
   */
  serve(nowMs: number): boolean {
    this.#isSettling = this.#ring.first !== null;
    if (!this.#isSettling) {
      this.#turnsLeft = 0;
      this.#notePending();
      return true;
    }
    if (this.#turnsLeft === 0) {
      if (this.#awaitsAhead()) return true;
      this.#turnsLeft = this.#ring.size;
    }
    for (let group = this.#ring.first; group !== null && this.#turnsLeft > 0; group = this.#ring.first) {
      const turnBytes = this.#purse.mostAtOnce(group, this.#options.turnBytes);
      const takenBytes = this.#takeFor(group, group.wantedBytes(turnBytes), nowMs);
      if (takenBytes === 0 && this.#purse.shortOf !== null) return false;
      this.#turnsLeft -= 1;
      if (takenBytes > 0) this.#serveGroup(group, takenBytes, nowMs);
    }
    this.#turnsLeft = 0;
    this.#notePending();
    return true;
  }

  /** Whether others should first have what is left of their turns, and, when the last has had it, ask for the next. */
  #awaitsAhead(): boolean {
    const awaits = this.#patience > 0 && (this.#aheadGroups > 0 || this.#wasAhead);
    this.#patience = awaits ? this.#patience - 1 : PATIENCE;
    this.#wasAhead = this.#aheadGroups > 0;
    return awaits;
  }

  #serveGroup(group: Group, takenBytes: number, nowMs: number): void {
    this.#ring.remove(group);
    group.aheadBytes = takenBytes;
    while (group.aheadBytes > 0 && group.waiting.first !== null) {
      const flow = group.waiting.first;
      const grantedBytes = Math.min(flow.askedBytes, group.aheadBytes);
      group.aheadBytes -= grantedBytes;
      group.waiting.remove(flow);
      // It may ask anew at once, or close.
      flow.grant(grantedBytes);
    }
    if (group.waiting.first !== null) {
      if (group.queue === null) this.#ring.push(group);
    } else if (group.aheadBytes > 0) {
      this.#aheadGroups += 1;
      this.#host.watchAhead(group, nowMs);
    }
  }

  /** @returns 0 when a budget came short; then the group sleeps, or the lane waits */
  #takeFor(group: Group, wantedBytes: number, nowMs: number): number {
    let takenBytes = this.#purse.takeAll(group, wantedBytes, nowMs) ? wantedBytes : 0;
    // What another process took meanwhile must not make it wait for ever.
    const takesLess = this.#purse.shortOf === null ? group.hasWaited : this.#hasWaited;
    if (takenBytes === 0 && takesLess) takenBytes = this.#purse.takePart(group, wantedBytes, nowMs);
    if (takenBytes > 0) {
      group.hasWaited = false;
      this.#endWait();
    } else if (this.#purse.shortOf === null) this.#putToSleep(group);
    else this.#wait(this.#purse.shortOf, nowMs + Math.min(this.#purse.shortMs, MAX_WAIT_MS));
    return takenBytes;
  }

  #putToSleep(group: Group): void {
    if (group.queue !== null) this.#ring.remove(group);
    group.hasWaited = true;
    group.isAsleep = true;
    this.#onRingLeft();
    this.#host.sleep(group, this.#purse.shortMs);
  }

  /** The group's own budgets may have enough again. */
  onAwake(group: Group): void {
    group.isAsleep = false;
    this.#enter(group);
  }

  #enter(group: Group): void {
    this.#ring.push(group);
    this.#notePending();
    this.#host.onWaiting(this);
  }

  #wait(meter: Meter, dueMs: number): void {
    this.#endWait();
    meter.heldBy = this;
    this.#hasWaited = true;
    this.#dueMs = dueMs;
    this.#notePending();
  }

  #endWait(): void {
    this.#hasWaited = false;
    this.#dueMs = 0;
    for (const meter of this.#meters) if (meter.heldBy === this) meter.heldBy = null;
  }

  #onRingLeft(): void {
    if (this.#ring.first !== null) return;
    this.#endWait();
    this.#notePending();
  }

  #notePending(): void {
    const isPending = this.isActive && !this.#hasWaited;
    if (isPending === this.#isPending) return;
    this.#isPending = isPending;
    for (const meter of this.#meters) meter.pendingLanes += isPending ? 1 : -1;
  }

  /** Whether a flow may pass bytes without waiting for a turn. */
  #isFree(): boolean {
    if (this.isActive) return false;
    for (const { heldBy, pendingLanes } of this.#meters) if (heldBy !== null || pendingLanes > 0) return false;
    return true;
  }

  /** Whether another lane waits for a budget of this one. */
  isHeldUp(): boolean {
    for (const { heldBy } of this.#meters) if (heldBy !== null && heldBy !== this) return true;
    return false;
  }

  /** For flows: see {@link Flow.ask}. */
  ask(flow: LaneFlow, byteCount: number, leftBytes: number): number {
    const { group } = flow;
    if (group.aheadBytes > 0) return this.#useAhead(group, byteCount);
    const isFirst = group.waiting.first === null;
    if (isFirst && this.#isFree()) {
      const grantedBytes = this.#takeFor(
        group,
        Math.min(byteCount, this.#purse.mostAtOnce(group, this.#options.turnBytes)),
        this.#host.nowMs(),
      );
      if (grantedBytes > 0) return grantedBytes;
    }
    flow.askedBytes = byteCount;
    flow.leftBytes = leftBytes;
    group.waiting.push(flow);
    if (isFirst && !group.isAsleep) this.#enter(group);
    return 0;
  }

  #useAhead(group: Group, byteCount: number): number {
    const grantedBytes = Math.min(byteCount, group.aheadBytes);
    group.aheadBytes -= grantedBytes;
    if (group.aheadBytes === 0) this.#endAhead(group);
    return grantedBytes;
  }

  /** What a group has not used goes back. */
  takeBackAhead(group: Group, nowMs: number): void {
    this.#purse.giveBack(group, group.aheadBytes, nowMs);
    group.aheadBytes = 0;
    this.#endAhead(group);
  }

  #endAhead(group: Group): void {
    if (group.queue === null) return;
    group.queue.remove(group);
    this.#aheadGroups -= 1;
  }

  /** For flows: see {@link Flow.charge}. */
  charge(group: Group, byteCount: number): void {
    this.#purse.charge(group, byteCount, this.#host.nowMs());
  }

  /** For flows: see {@link Flow.close}. */
  leave(flow: LaneFlow, unusedBytes: number): void {
    const { group } = flow;
    if (unusedBytes > 0) this.#purse.giveBack(group, unusedBytes, this.#host.nowMs());
    if (flow.queue !== null) {
      group.waiting.remove(flow);
      if (group.waiting.first === null) this.#leaveQueue(group);
    }
    group.openFlows -= 1;
    if (group.openFlows > 0) return;
    this.#groups.delete(group.name);
    if (group.aheadBytes > 0) this.takeBackAhead(group, this.#host.nowMs());
  }

  #leaveQueue(group: Group): void {
    if (group.isAsleep) this.#host.leaveSleep(group);
    else if (group.queue !== null) this.#ring.remove(group);
    group.isAsleep = false;
    this.#onRingLeft();
  }
}
