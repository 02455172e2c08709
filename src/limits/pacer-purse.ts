import type { Budget } from "./budget.js";
import type { Group } from "./pacer-group.js";

/** A budget that several lanes may share. */
export interface Meter {
  readonly budget: Budget;
  /** The lane that waits until enough has gathered; the others must not take it away. */
  heldBy: object | null;
  /** Lanes with somebody whose turn is to come; while there are any, nobody of another lane passes without one. */
  pendingLanes: number;
}

/** All that a group of a lane spends: what is its own, then what it shares with the others. */
export class Purse {
  readonly #meters: readonly Meter[];
  /** What came short at the last try, and for how long; `null`: a budget of the group's own. */
  shortOf: Meter | null = null;
  shortMs = 0;

  constructor(meters: readonly Meter[]) {
    this.#meters = meters;
  }

  /** Takes of all budgets or of none; the group's own first, so that who has none left touches nobody else's. */
  takeAll(group: Group, byteCount: number, nowMs: number): boolean {
    const own = group.budgets;
    const meters = this.#meters;
    for (let i = 0; i < own.length + meters.length; i += 1) {
      const meter = i < own.length ? null : (meters[i - own.length] as Meter);
      const waitMs = (meter === null ? (own[i] as Budget) : meter.budget).take(byteCount, nowMs);
      if (waitMs === 0) continue;
      this.shortOf = meter;
      this.shortMs = waitMs;
      for (let j = 0; j < i; j += 1) this.#budget(group, j).giveBack(byteCount, nowMs);
      return false;
    }
    return true;
  }

  takePart(group: Group, wantedBytes: number, nowMs: number): number {
    const count = group.budgets.length + this.#meters.length;
    const taken: number[] = [];
    let partBytes = wantedBytes;
    for (let i = 0; i < count; i += 1) {
      partBytes = this.#budget(group, i).takeUpTo(partBytes, nowMs);
      taken.push(partBytes);
    }
    for (let i = 0; i < count; i += 1) {
      const overBytes = (taken[i] as number) - partBytes;
      if (overBytes > 0) this.#budget(group, i).giveBack(overBytes, nowMs);
    }
    return partBytes;
  }

  /** `byteCount`, or as much of it as the budgets can ever give at once: of a shared one, each sharer has a part. */
  mostAtOnce(group: Group, byteCount: number): number {
    let most = byteCount;
    for (let i = 0; i < group.budgets.length + this.#meters.length; i += 1) {
      const { mostAtOnce } = this.#budget(group, i);
      if (mostAtOnce !== undefined && mostAtOnce < most) most = Math.max(1, Math.floor(mostAtOnce));
    }
    return most;
  }

  /** The group's own, then the lane's. */
  #budget(group: Group, index: number): Budget {
    const own = group.budgets;
    return index < own.length ? (own[index] as Budget) : (this.#meters[index - own.length] as Meter).budget;
  }

  giveBack(group: Group, byteCount: number, nowMs: number): void {
    for (let i = 0; i < group.budgets.length + this.#meters.length; i += 1) {
      this.#budget(group, i).giveBack(byteCount, nowMs);
    }
  }

  charge(group: Group, byteCount: number, nowMs: number): void {
    for (let i = 0; i < group.budgets.length + this.#meters.length; i += 1) {
      this.#budget(group, i).charge(byteCount, nowMs);
    }
  }
}
