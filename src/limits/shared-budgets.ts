import { clientGroup } from "../policy/client-group.js";
import { TokenBucket } from "../policy/rate-limit.js";
import type { Budget, BudgetSpec, Budgets } from "./budget.js";
import { clientMap } from "./client-map.js";
import { type Booking, CreditHolder } from "./credit-holder.js";
import type { CreditShare } from "./credit-share.js";
import { isSameRate, oncePerKey } from "./once-per-key.js";
import { SharedPot } from "./shared-pot.js";
import { SharedServer, type SharedServerOptions } from "./shared-server.js";

export interface SharedBudgetsOptions extends SharedServerOptions {
  /** What runs at once is counted by each machine for itself: by these, which hold no rates. */
  readonly slots: Pick<Budgets, "slots" | "slotsPerClient">;
}

export interface SharedBudgets extends Budgets {
  readonly isSharedUp: boolean;
  /** Processes of all machines that share, or did when that was last known. */
  readonly sharers: number;
  /** Settles when it is known for the first time whether the server answers; until then each process is alone. */
  readonly started: Promise<void>;
}

/** Bookings that are in no hurry wait for so long for others. */
const SOON_MS = 10;
/** At once; more go in the next turn. */
const MAX_BOOKINGS = 1000;
const BOOK_AGAIN_MS = 250;

/**
 * Budgets that processes of several machines share through Redis or Valkey; every worker of a program is one of them.
 * Rates are spent on credit (see {@link CreditShare}), so that no request waits for the server. While it does not
 * answer, each process goes on with its part of each rate, by the number of processes that was last known.
 */
export function createSharedBudgets({ slots, ...options }: SharedBudgetsOptions): SharedBudgets {
  const server = new SharedServer({
    ...options,
    onSharers: (sharers) => holder.share(sharers),
    onState(isUp, reason) {
      if (isUp) books.bookSoon();
      options.onState(isUp, reason);
    },
  });
  const books = new Books(server, options.prefix);
  const { holder } = books;
  const owns = oncePerKey((_, spec: BudgetSpec) => new OwnPart(spec, server), isSameRate);
  return {
    rate: (spec) => new SharedBudget(server, holder.rate(spec), owns(spec.key, spec), spec),
    ratePerClient(spec) {
      const lineOf = holder.ratePerClient(spec);
      const budgetOf = clientMap((client) => new SharedBudget(server, lineOf(client), new OwnPart(spec, server), spec));
      return (client) => budgetOf(clientGroup(client));
    },
    slots: (key, count) => slots.slots(key, count),
    slotsPerClient: (key, count) => slots.slotsPerClient(key, count),
    get isSharedUp() {
      return server.isUp;
    },
    get sharers() {
      return server.sharers;
    },
    started: server.started,
    close() {
      books.close();
      void server.close();
    },
  };
}

/** Sends what was spent to the server, behind requests' backs. */
class Books {
  readonly holder = new CreditHolder(1, (isUrgent) => this.#wake(isUrgent));
  readonly #server: SharedServer;
  readonly #prefix: string;
  readonly #pots = new Map<CreditShare, SharedPot>();
  #soon: NodeJS.Timeout | null = null;
  #turnEnd: NodeJS.Immediate | null = null;
  #isClosed = false;

  constructor(server: SharedServer, prefix: string) {
    this.#server = server;
    this.#prefix = prefix;
  }

  bookSoon(): void {
    this.#wake(false);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimers();
  }

  #wake(isUrgent: boolean): void {
    if (this.#isClosed) return;
    if (isUrgent) this.#turnEnd ??= setImmediate(() => this.#flush());
    else this.#soon ??= setTimeout(() => this.#flush(), SOON_MS).unref();
  }

  #stopTimers(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    if (this.#turnEnd !== null) clearImmediate(this.#turnEnd);
    this.#soon = null;
    this.#turnEnd = null;
  }

  /** While the server does not answer, nothing is spent on credit either; it goes on when it does. */
  #flush(): void {
    this.#stopTimers();
    if (!this.#server.isUp) return;
    for (const booking of this.holder.takeBookings(performance.now(), MAX_BOOKINGS)) void this.#book(booking);
    if (this.holder.isDirty) this.#wake(false);
  }

  async #book(booking: Booking): Promise<void> {
    try {
      const waitMs = await this.#potOf(booking.line.share).book(booking);
      this.holder.settle(booking, waitMs, performance.now());
    } catch {
      this.#server.suspect();
      this.holder.settle(booking, -BOOK_AGAIN_MS, performance.now());
    }
  }

  #potOf(share: CreditShare): SharedPot {
    const known = this.#pots.get(share);
    if (known !== undefined) return known;
    const pot = new SharedPot(this.#server.client, this.#prefix, share);
    this.#pots.set(share, pot);
    return pot;
  }
}

/** This process's part of a rate, for when the server does not answer. It is spent of all the time, or each outage would
 * begin with a burst. */
class OwnPart {
  readonly #spec: BudgetSpec;
  readonly #server: SharedServer;
  readonly #bucket: TokenBucket;
  #sharers = 1;

  constructor(spec: BudgetSpec, server: SharedServer) {
    this.#spec = spec;
    this.#server = server;
    this.#bucket = new TokenBucket(spec.ratePerSecond, spec.burst);
  }

  bucket(nowMs: number): TokenBucket {
    const { sharers } = this.#server;
    if (sharers !== this.#sharers) {
      this.#sharers = sharers;
      const { ratePerSecond, burst } = this.#spec;
      this.#bucket.retune(ratePerSecond / sharers, Math.max(1, burst / sharers), nowMs);
    }
    return this.#bucket;
  }
}

class SharedBudget implements Budget {
  readonly #server: SharedServer;
  readonly #line: Budget;
  readonly #own: OwnPart;
  readonly #spec: BudgetSpec;

  constructor(server: SharedServer, line: Budget, own: OwnPart, spec: BudgetSpec) {
    this.#server = server;
    this.#line = line;
    this.#own = own;
    this.#spec = spec;
  }

  take(count: number, nowMs: number): number {
    const own = this.#own.bucket(nowMs);
    if (!this.#server.isUp) return own.take(count, nowMs, this.#ownReserve);
    const waitMs = this.#line.take(count, nowMs);
    if (waitMs === 0) own.takeUpTo(count, nowMs);
    return waitMs;
  }

  takeUpTo(maxCount: number, nowMs: number): number {
    const own = this.#own.bucket(nowMs);
    if (!this.#server.isUp) return own.takeUpTo(maxCount, nowMs, this.#ownReserve);
    const taken = this.#line.takeUpTo(maxCount, nowMs);
    own.takeUpTo(taken, nowMs);
    return taken;
  }

  charge(count: number, nowMs: number): void {
    const own = this.#own.bucket(nowMs);
    if (!this.#server.isUp) {
      own.charge(count, nowMs);
      return;
    }
    this.#line.charge(count, nowMs);
    own.takeUpTo(count, nowMs);
  }

  giveBack(count: number, nowMs: number): void {
    this.#own.bucket(nowMs).giveBack(count, nowMs);
    if (this.#server.isUp) this.#line.giveBack(count, nowMs);
  }

  get mostAtOnce(): number {
    if (this.#server.isUp) return this.#line.mostAtOnce ?? this.#spec.burst;
    return Math.max(1, this.#spec.burst / this.#server.sharers);
  }

  get #ownReserve(): number {
    return this.#spec.reserve / this.#server.sharers;
  }
}
