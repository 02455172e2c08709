import type { Budget } from "./budget.js";
import type { Flow, FlowOptions } from "./pacer-flow.js";
import { Queue, Queued } from "./pacer-queue.js";

/** What a group and its flows need of their lane. */
export interface GroupLane {
  ask(flow: LaneFlow, byteCount: number, leftBytes: number): number;
  charge(group: Group, byteCount: number): void;
  leave(flow: LaneFlow, unusedBytes: number): void;
  onAwake(group: Group): void;
  takeBackAhead(group: Group, nowMs: number): void;
}

/** Of flows that share a turn: of one client in one lane. It waits for its turn, sleeps, is ahead, or none of these. */
export class Group extends Queued<Group> {
  readonly name: string;
  readonly lane: GroupLane;
  readonly budgets: readonly Budget[];
  readonly waiting = new Queue<LaneFlow>();
  /** What its last turn took and nobody has used yet: of a transfer one chunk at a time is at hand. */
  aheadBytes = 0;
  aheadUntilMs = 0;
  openFlows = 0;
  /** A budget of its own came short. */
  isAsleep = false;
  /** It has slept for what it wants: now a part of it will do. */
  hasWaited = false;

  constructor(name: string, lane: GroupLane, budgets: readonly Budget[]) {
    super();
    this.name = name;
    this.lane = lane;
    this.budgets = budgets;
  }

  /** What a turn should take: what is still to pass of those that wait, `turnBytes` at most. */
  wantedBytes(turnBytes: number): number {
    let wantedBytes = 0;
    for (let flow = this.waiting.first; flow !== null && wantedBytes < turnBytes; flow = flow.next) {
      wantedBytes += flow.leftBytes;
    }
    return Math.min(wantedBytes, turnBytes);
  }
}

export class LaneFlow extends Queued<LaneFlow> implements Flow {
  readonly group: Group;
  /** While it waits: what is at hand, and all that is still to pass. */
  askedBytes = 0;
  leftBytes = 0;
  readonly #options: FlowOptions;
  #isOpen = true;

  constructor(group: Group, options: FlowOptions) {
    super();
    this.group = group;
    this.#options = options;
  }

  ask(byteCount: number, leftBytes: number): number {
    return this.group.lane.ask(this, byteCount, leftBytes);
  }

  grant(byteCount: number): void {
    this.#options.onGrant(byteCount);
  }

  charge(byteCount: number): void {
    this.group.lane.charge(this.group, byteCount);
  }

  close(unusedBytes = 0): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.group.lane.leave(this, unusedBytes);
  }
}
