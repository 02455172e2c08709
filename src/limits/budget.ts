/**
 * What may be spent per second, of one thing by one party: requests or bytes, of a route, a bucket or a client. Where it
 * is held (in this process, leased from the program's main process, or in Redis) is behind it, and no call waits.
 */
export interface Budget {
  /**
   * Takes all or nothing.
   * @param nowMs monotonic milliseconds
   * @returns 0 when it was taken; otherwise the milliseconds after which another try may succeed, at least 1
   */
  take(count: number, nowMs: number): number;
  /**
   * Takes what is there, `maxCount` at most.
   * @returns what was taken, a whole number; 0 when nothing is there
   */
  takeUpTo(maxCount: number, nowMs: number): number;
  /** Takes what was spent already, there or not: what is missing is owed, and later takes wait for it. */
  charge(count: number, nowMs: number): void;
  /** Gives back what was taken and not spent. */
  giveBack(count: number, nowMs: number): void;
  /**
   * The most that should be asked for at once, at least 1; another one when those who share become more or fewer.
   * Without it: the burst.
   */
  readonly mostAtOnce?: number;
}

/** What may run at once. */
export interface Slots {
  /** @returns whether one was free, which is then taken */
  take(nowMs: number): boolean;
  release(nowMs: number): void;
}

/** One budget: the same key is the same budget, in every worker and on every machine that shares it. */
export interface BudgetSpec {
  /** `route/images/requests`; of a client its address comes behind. */
  readonly key: string;
  readonly ratePerSecond: number;
  /** What may be spent at once after a pause. */
  readonly burst: number;
  /** What this holder leaves for those of higher priority, of the same key; 0 where there are none. */
  readonly reserve: number;
  /**
   * What each of several that share may spend at least before the others know of it; with many, the burst grows so that
   * it holds all of these. Without it the burst is the same however many share.
   */
  readonly leastCredit?: number;
}

/** Budgets by their keys; the same key is the same budget, whoever asks. */
export interface Budgets {
  rate(spec: BudgetSpec): Budget;
  slots(key: string, count: number): Slots;
  /** Of each client, by the address that {@link clientGroup} gives. Bounded: who was not seen for longest is forgotten. */
  ratePerClient(spec: BudgetSpec): (client: string) => Budget;
  slotsPerClient(key: string, count: number): (client: string) => Slots;
  /** Whether the server of a shared budget answers; `null`: the budget is not shared. */
  readonly isSharedUp: boolean | null;
  close(): void;
}

/** How large the budgets of one configuration are, by their keys. */
export interface BudgetSizes {
  readonly rates: ReadonlyMap<string, BudgetSpec>;
  readonly clientRates: ReadonlyMap<string, BudgetSpec>;
  readonly slots: ReadonlyMap<string, number>;
  readonly clientSlots: ReadonlyMap<string, number>;
}

/**
 * Budgets that outlive configurations: a budget that is known goes on with what is left of it and who is in, and keeps
 * its size whatever a later caller asks for, until {@link resize}.
 */
export interface LastingBudgets extends Budgets {
  /**
   * These sizes hold from here on, for everybody who has one of the budgets.
   * @param nowMs monotonic milliseconds
   */
  resize(sizes: BudgetSizes, nowMs: number): void;
  /** Forgets all others. */
  keep(isUsed: (key: string) => boolean): void;
}
