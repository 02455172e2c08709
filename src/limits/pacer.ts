import type { Budget } from "./budget.js";

/** One transfer in one direction, whose bytes pass as the budgets allow. */
export interface Flow {
  /**
   * Asks for leave to pass bytes on.
   * @returns how many may pass now, 0 to `byteCount`; for the rest `onGrant` is called when some may, and nothing else
   * may be asked for until then
   */
  ask(byteCount: number): number;
  /** Passes bytes on that cannot wait; they are owed. */
  charge(byteCount: number): void;
  /** Ends the flow; what it was granted and has not used is given back. Idempotent. */
  close(unusedBytes?: number): void;
}

export interface FlowOptions {
  /** All must have the bytes: of the bucket, the route, the client. Not empty. */
  readonly budgets: readonly Budget[];
  /** Flows of one group share one turn: a client with a hundred connections gets no more than one with a single one. */
  readonly group: string;
  /** @param byteCount how many of those that were asked for may pass now, at least 1 */
  onGrant(byteCount: number): void;
}
