/** One transfer in one direction, whose bytes pass as the budgets allow. */
export interface Flow {
  /**
   * Asks for leave to pass bytes on.
   * @param byteCount what is at hand, at least 1
   * @param leftBytes all that is still to pass, what is at hand included; `Infinity` where nobody knows
   * @returns how many may pass now: ask again for the rest. 0: none, and `onGrant` is called once, later, when some may;
   * until then nothing else may be asked for
   */
  ask(byteCount: number, leftBytes: number): number;
  /** Passes bytes on that cannot wait; they are owed. */
  charge(byteCount: number): void;
  /** Ends the flow; what it was granted and has not used is given back. Idempotent; `onGrant` is not called any more. */
  close(unusedBytes?: number): void;
}

export interface FlowOptions {
  /** Flows of one group share one turn: a client with a hundred connections gets no more than one with a single one. */
  readonly group: string;
  /** @param byteCount how many of those that were asked for may pass now, at least 1; for the rest ask again */
  onGrant(byteCount: number): void;
}
