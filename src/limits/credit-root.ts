import { LRUCache } from "lru-cache";
import { TokenBucket } from "../policy/rate-limit.js";
import { clientMap } from "./client-map.js";
import { CreditShare } from "./credit-share.js";

/** What a sharer books: see {@link CreditRoot.book}. */
export interface BookingAsk {
  readonly key: string;
  /** Group of the client whose budget it is; `""`: of all. */
  readonly client: string;
  readonly ratePerSecond: number;
  readonly burst: number;
  readonly leastCredit: number;
  readonly reserve: number;
  /** A whole number; below 0: given back. */
  readonly count: number;
  /** What of it no request spent: it pays for credit that grew. Absent: 0. */
  readonly forCredit?: number;
}

/** Budgets of a configuration are fewer; those that no configuration has any more go first. */
const MAX_POTS = 16_384;

/** Holds the pots of budgets that workers share (see {@link CreditShare}). */
export class CreditRoot {
  #sharers: number;
  // By `max` the cache would set memory aside for all of them at once.
  readonly #pots = new LRUCache<string, Pots>({ maxSize: MAX_POTS, sizeCalculation: () => 1 });

  constructor(sharers: number) {
    this.#sharers = sharers;
  }

  /** Divides all budgets anew: what was paid and what is owed stays so. */
  share(sharers: number): void {
    if (sharers === this.#sharers) return;
    this.#sharers = sharers;
    for (const { share } of this.#pots.values()) share.divide(sharers);
  }

  /**
   * Books what was spent.
   * @returns milliseconds until it is paid; below 0: it was not booked, because that would touch the reserve of others,
   * and may be tried again after so many
   */
  book(ask: BookingAsk, nowMs: number): number {
    const { share, potOf } = this.#potsOf(ask);
    return potOf(ask.client).book(share, ask, nowMs);
  }

  /** Another size is another budget, so that a new configuration does not mix with the old one. */
  #potsOf(ask: BookingAsk): Pots {
    const name = `${ask.key} ${ask.ratePerSecond} ${ask.burst} ${ask.leastCredit}`;
    const known = this.#pots.get(name);
    if (known !== undefined) return known;
    const share = new CreditShare(ask, this.#sharers, "workers");
    const potOf = clientMap(() => new Pot(share));
    const made = { share, potOf };
    this.#pots.set(name, made);
    return made;
  }
}

interface Pots {
  readonly share: CreditShare;
  /** By client, `""` for all. Who is forgotten has a full pot again. */
  readonly potOf: (client: string) => Pot;
}

class Pot {
  readonly #bucket: TokenBucket;
  /** As the share said when something was booked last. */
  #sharers: number;
  #credits: number;

  constructor({ ratePerSecond, pot, sharers, credit }: CreditShare) {
    this.#bucket = new TokenBucket(ratePerSecond, pot);
    this.#sharers = sharers;
    this.#credits = sharers * credit;
  }

  /** See {@link CreditRoot.book}. */
  book(share: CreditShare, { count, reserve, forCredit = 0 }: BookingAsk, nowMs: number): number {
    const rest = this.#sharers === share.sharers ? count : count - this.#resize(share, forCredit, nowMs);
    if (count < 0) {
      this.#bucket.giveBack(-count, nowMs);
      return 0;
    }
    // A pot that cannot hold what is booked and a reserve serves all alike.
    if (reserve === 0 || count > share.pot) return this.#bucket.charge(rest, nowMs);
    const waitMs = this.#bucket.take(rest, nowMs, (reserve * share.pot) / share.burst);
    return waitMs === 0 ? 0 : -waitMs;
  }

  /**
   * What is in a pot that gets smaller pays for credit: for that of those who have more now, and for that of those who
   * came, where the others' has not become less by as much.
   * @returns what of `forCredit` is charged
   */
  #resize({ ratePerSecond, pot, sharers, credit }: CreditShare, forCredit: number, nowMs: number): number {
    const credits = sharers * credit;
    const forNew = sharers > this.#sharers ? Math.max(0, credits - this.#credits) : 0;
    this.#bucket.charge(forCredit + forNew, nowMs);
    this.#bucket.retune(ratePerSecond, pot, nowMs);
    this.#sharers = sharers;
    this.#credits = credits;
    return forCredit;
  }
}
