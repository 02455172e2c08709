import type { BudgetSpec } from "./budget.js";

/**
 * Who shares. Workers of a program book within a millisecond or so, their number is known at any moment, and one alone
 * has all of the burst as credit: nobody else is to be asked. Machines book over a network, with a server that may fail.
 */
export type Sharers = "workers" | "machines";

/**
 * A budget that several share: workers of one program, or processes of several machines.
 *
 * Each may spend up to its `credit` without asking, and books what it spent with the one who holds the `pot`, behind
 * requests' backs. What is booked is paid out of the pot, which fills at the rate; as soon as it is paid the credit is
 * there again. So over any window of T seconds at most pot + rate × T is paid, and at most all credits more are spent:
 * rate × T + burst. Who is alone in demand is paid alone, at the whole rate.
 */
export class CreditShare {
  readonly key: string;
  readonly #who: Sharers;
  #ratePerSecond = 0;
  #burst = 0;
  #leastCredit = 0;
  #sharers: number;
  #credit = 0;
  #pot = 0;
  #grown = 0;

  constructor(spec: Omit<BudgetSpec, "reserve">, sharers: number, who: Sharers = "machines") {
    this.key = spec.key;
    this.#who = who;
    this.#sharers = sharers;
    this.resize(spec);
  }

  get ratePerSecond(): number {
    return this.#ratePerSecond;
  }

  /** As it was asked for; see {@link leastCredit} for what it may become. */
  get burst(): number {
    return this.#burst;
  }

  get leastCredit(): number {
    return this.#leastCredit;
  }

  /** What is spent and not paid yet stays so; what is booked from here on comes out of a pot of the new size. */
  resize({ ratePerSecond, burst, leastCredit = 0 }: Omit<BudgetSpec, "reserve">): void {
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
    this.#leastCredit = leastCredit;
    this.divide(this.#sharers);
  }

  /**
   * Half of the burst is credit, unless `leastCredit` is more. Each gets 1 at least, or a first request would have to wait
   * for others, and so does the pot, or what comes in while nothing is booked would be lost: so several share a burst of
   * their number and one at least, or of so many times `leastCredit`. Who is alone in demand spends a credit in the time
   * from one booking to the next, so a credit below rate × that time is a lower rate.
   */
  divide(sharers: number): void {
    this.#sharers = sharers;
    const least = sharers > 1 ? Math.max(1, Math.ceil(this.leastCredit)) : 0;
    const isAlone = sharers === 1 && this.#who === "workers";
    const credit = Math.max(1, least, Math.floor(isAlone ? this.burst : this.burst / (2 * sharers)));
    this.#grown += Math.max(0, credit - this.#credit);
    this.#credit = credit;
    this.#pot = Math.max(least, this.burst - sharers * this.#credit);
  }

  get sharers(): number {
    return this.#sharers;
  }

  /** What each may have spent that is not paid yet; a whole number, at least 1. */
  get credit(): number {
    return this.#credit;
  }

  /**
   * What the credit has grown by since this is there, each time added up. Where workers share, who has an account buys
   * that of the pot before it is spent: what others have spent of it would pass a second time.
   */
  get grown(): number {
    return this.#who === "workers" ? this.#grown : 0;
  }

  /** What the pot holds at most; 0: what is booked is always paid later. */
  get pot(): number {
    return this.#pot;
  }
}
