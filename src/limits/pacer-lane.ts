import type { Budget } from "./budget.js";
import type { Flow, FlowOptions } from "./pacer-flow.js";
import { Group, type GroupLane, LaneFlow } from "./pacer-group.js";
import { LeftGroups } from "./pacer-left.js";
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

/** How many times a new round waits for those that go on with their turns: of 256 KiB, 16 KiB are at hand with TLS. */
const PATIENCE = 20;

/** What a turn need not be shorter than, and how many take longer ones at full length. */
const SHORT_TURN_BYTES = 64 * 1024;
const LONG_TURNS = 4;

/** The flows that contend for the same budgets. */
export class Lane implements GroupLane {
  /** Whether the pacer looks after it. */
  isListed = false;
  readonly #options: LaneOptions;
  readonly #meters: readonly Meter[];
  readonly #purse: Purse;
  readonly #host: LaneHost;
  readonly #groups = new Map<string, Group>();
  readonly #left = new LeftGroups();
  /** Groups that wait for their turn. */
  readonly #ring = new Queue<Group>();
  /** Groups that ask anew and have something left of the turn of this round: they come first. */
  readonly #entitled = new Queue<Group>();
  #round = 0;
  #turnsLeft = 0;
  #aheadGroups = 0;
  #wasAhead = false;
  /** Since the last look, one passed a part of its turn and has some left. */
  #wasRightUsed = false;
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
      this.#left.comeBack(group);
      this.#groups.set(name, group);
      for (const meter of this.#meters) meter.groups += 1;
    }
    group.openFlows += 1;
    return new LaneFlow(group, options);
  }

  /** Whether there may be turns to give; those that wait for a budget of their own do not count. */
  get isActive(): boolean {
    return this.#next !== null || this.#isSettling;
  }

  get #next(): Group | null {
    return this.#entitled.first ?? this.#ring.first;
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
    this.#isSettling = this.#next !== null;
    if (!this.#isSettling) {
      this.#turnsLeft = 0;
      this.#left.clear();
      this.#notePending();
      return true;
    }
    if (this.#turnsLeft === 0 && this.#entitled.first === null) {
      if (this.#awaitsAhead()) return true;
      this.#turnsLeft = this.#ring.size;
      this.#round += 1;
    }
    for (let group = this.#nextOfRound; group !== null; group = this.#nextOfRound) {
      const isEntitled = group.queue === this.#entitled;
      const turnBytes = isEntitled ? group.rightBytes : this.#turnBytes();
      const takenBytes = this.#takeFor(group, group.wantedBytes(this.#purse.mostAtOnce(group, turnBytes)), nowMs);
      if (takenBytes === 0 && this.#purse.shortOf !== null) return false;
      if (!isEntitled) this.#turnsLeft -= 1;
      if (takenBytes > 0) this.#serveGroup(group, turnBytes, takenBytes, nowMs);
    }
    this.#turnsLeft = 0;
    this.#notePending();
    return true;
  }

  get #nextOfRound(): Group | null {
    return this.#turnsLeft > 0 ? this.#next : this.#entitled.first;
  }

  /** Long turns cost less CPU per byte; where many take them, each would wait for long. */
  #turnBytes(): number {
    const { turnBytes } = this.#options;
    let groups = 0;
    for (const meter of this.#meters) groups = Math.max(groups, meter.groups);
    if (groups <= LONG_TURNS || turnBytes <= SHORT_TURN_BYTES) return turnBytes;
    return Math.max(SHORT_TURN_BYTES, Math.floor((turnBytes * LONG_TURNS) / groups));
  }

  /** Whether others should first have what is left of their turns, and, when the last has had it, ask for the next. */
  #awaitsAhead(): boolean {
    const awaits = this.#patience > 0 && (this.#aheadGroups > 0 || this.#wasAhead || this.#wasRightUsed);
    this.#patience = awaits ? this.#patience - 1 : PATIENCE;
    this.#wasAhead = this.#aheadGroups > 0;
    this.#wasRightUsed = false;
    return awaits;
  }

  #serveGroup(group: Group, turnBytes: number, takenBytes: number, nowMs: number): void {
    group.queue?.remove(group);
    group.turnRound = this.#round;
    group.rightBytes = turnBytes - takenBytes;
    if (group.rightBytes > 0) this.#wasRightUsed = true;
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
      if (group.queue === null) this.#line(group);
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
    group.queue?.remove(group);
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
    this.#line(group);
    this.#notePending();
    this.#host.onWaiting(this);
  }

  /**
   * Who has something left of its turn comes before those that wait for the next, for answers may be short and asked for
   * one after the other: they would have to wait a whole round for each.
   */
  #line(group: Group): void {
    if (this.#rightOf(group) === 0) {
      this.#ring.push(group);
      return;
    }
    if (this.#entitled.first === null) this.#dueMs = 0;
    this.#entitled.push(group);
  }

  /** In each round, who had a turn in one before has one. */
  #rightOf(group: Group): number {
    if (group.turnRound >= 0 && group.turnRound !== this.#round) {
      group.turnRound = this.#round;
      group.rightBytes = this.#turnBytes();
    }
    return group.rightBytes;
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
    if (this.#next !== null) return;
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
    if (isFirst) {
      const grantedBytes = this.#passNow(group, byteCount);
      if (grantedBytes > 0) return grantedBytes;
    }
    flow.askedBytes = byteCount;
    flow.leftBytes = leftBytes;
    group.waiting.push(flow);
    if (isFirst && !group.isAsleep) this.#enter(group);
    return 0;
  }

  /** @returns what passes without waiting for a turn */
  #passNow(group: Group, byteCount: number): number {
    if (group.isAsleep) return 0;
    const isFree = this.#isFree();
    const mostBytes = isFree ? this.#turnBytes() : this.#mayUseRight() ? this.#rightOf(group) : 0;
    if (mostBytes === 0) return 0;
    const wantedBytes = Math.min(byteCount, this.#purse.mostAtOnce(group, mostBytes));
    const grantedBytes = this.#takeFor(group, wantedBytes, this.#host.nowMs());
    if (!isFree) {
      group.rightBytes -= grantedBytes;
      if (grantedBytes > 0 && group.rightBytes > 0) this.#wasRightUsed = true;
    }
    return grantedBytes;
  }

  #mayUseRight(): boolean {
    return this.#entitled.first === null && !this.isHeldUp();
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
    for (const meter of this.#meters) meter.groups -= 1;
    if (this.isActive) this.#left.leave(group);
    if (group.aheadBytes > 0) this.takeBackAhead(group, this.#host.nowMs());
  }

  #leaveQueue(group: Group): void {
    if (group.isAsleep) this.#host.leaveSleep(group);
    else group.queue?.remove(group);
    group.isAsleep = false;
    this.#onRingLeft();
  }
}
