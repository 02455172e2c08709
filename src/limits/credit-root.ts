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
}

/** Budgets of a configuration are fewer; those that no configuration has any more go first. */
const MAX_POTS = 16_384;

/** Holds the pots of budgets that a fixed number of sharers have (see {@link CreditShare}). */
export class CreditRoot {
  readonly #sharers: number;
  // By `max` the cache would set memory aside for all of them at once.
  readonly #pots = new LRUCache<string, Pots>({ maxSize: MAX_POTS, sizeCalculation: () => 1 });

  constructor(sharers: number) {
    this.#sharers = sharers;
  }

  /**
   * Books what was spent.
   * @returns milliseconds until it is paid; below 0: it was not booked, because that would touch the reserve of others,
   * and may be tried again after so many
   */
  book(ask: BookingAsk, nowMs: number): number {
    const { share, potOf } = this.#potsOf(ask);
    return bookFrom(potOf(ask.client), share, ask, nowMs);
  }

  /** Another size is another budget, so that a new configuration does not mix with the old one. */
  #potsOf(ask: BookingAsk): Pots {
    const name = `${ask.key} ${ask.ratePerSecond} ${ask.burst} ${ask.leastCredit}`;
    const known = this.#pots.get(name);
    if (known !== undefined) return known;
    const share = new CreditShare(ask, this.#sharers);
    const potOf = clientMap(() => new TokenBucket(share.ratePerSecond, share.pot));
    const made = { share, potOf };
    this.#pots.set(name, made);
    return made;
  }
}

interface Pots {
  readonly share: CreditShare;
  /** By client, `""` for all. Who is forgotten has a full pot again. */
  readonly potOf: (client: string) => TokenBucket;
}

function bookFrom(pot: TokenBucket, share: CreditShare, { count, reserve }: BookingAsk, nowMs: number): number {
  if (count < 0) {
    pot.giveBack(-count, nowMs);
    return 0;
  }
  // A pot that cannot hold what is booked and a reserve serves all alike.
  if (reserve === 0 || count > share.pot) return pot.charge(count, nowMs);
  const waitMs = pot.take(count, nowMs, (reserve * share.pot) / share.burst);
  return waitMs === 0 ? 0 : -waitMs;
}
