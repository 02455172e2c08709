import { clientGroup } from "../policy/client-group.js";
import { TokenBucket } from "../policy/rate-limit.js";
import type { Budget, BudgetSpec, Budgets, LastingBudgets } from "./budget.js";
import { type ClientMap, clientMap } from "./client-map.js";
import { type Booking, CreditHolder } from "./credit-holder.js";
import type { CreditShare } from "./credit-share.js";
import { KeptByKey } from "./kept-by-key.js";
import { isSameRate } from "./once-per-key.js";
import { SharedPot } from "./shared-pot.js";
import { SharedServer, type SharedServerOptions } from "./shared-server.js";

export interface SharedBudgetsOptions extends SharedServerOptions {
  /** What runs at once is counted by each machine for itself: by these, which hold no rates. */
  readonly slots: Pick<Budgets, "slots" | "slotsPerClient">;
}

export interface SharedBudgets extends LastingBudgets {
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
  const rates = new KeptByKey((spec: BudgetSpec) => new SharedRate(server, holder, spec));
  const clientRates = new KeptByKey((spec: BudgetSpec) => new SharedClientRates(server, holder, spec));
  return {
    rate: (spec) => rates.of(spec.key, spec).budget(spec.reserve),
    ratePerClient(spec) {
      const ofClients = clientRates.of(spec.key, spec);
      return (client) => ofClients.of(clientGroup(client));
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
    resize(sizes, nowMs) {
      holder.resize(sizes);
      rates.resize(sizes.rates, (rate, spec) => rate.resize(spec, nowMs));
      clientRates.resize(sizes.clientRates, (ofClients, spec) => ofClients.resize(spec, nowMs));
    },
    keep(isUsed) {
      holder.keep(isUsed);
      rates.keep(isUsed);
      clientRates.keep(isUsed);
    },
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
  readonly #pots = new WeakMap<CreditShare, SharedPot>();
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
    if (known?.isOfSize(share) === true) return known;
    const pot = new SharedPot(this.#server.client, this.#prefix, share);
    this.#pots.set(share, pot);
    return pot;
  }
}

/** The budget of one key, and what each of those has who leave more or less of it to others. */
class SharedRate {
  readonly #server: SharedServer;
  readonly #holder: CreditHolder;
  readonly #own: OwnPart;
  readonly #budgets = new Map<number, SharedBudget>();
  #spec: BudgetSpec;

  constructor(server: SharedServer, holder: CreditHolder, spec: BudgetSpec) {
    this.#server = server;
    this.#holder = holder;
    this.#own = new OwnPart(spec, server);
    this.#spec = spec;
  }

  budget(reserve: number): SharedBudget {
    const known = this.#budgets.get(reserve);
    if (known !== undefined) return known;
    const line = this.#holder.rate({ ...this.#spec, reserve });
    const budget = new SharedBudget(this.#server, line, this.#own, reserve);
    this.#budgets.set(reserve, budget);
    return budget;
  }

  resize(spec: BudgetSpec, nowMs: number): void {
    this.#spec = spec;
    this.#own.resize(spec, nowMs);
  }
}

/** A budget for each client. */
class SharedClientRates {
  readonly of: ClientMap<SharedBudget>;
  #spec: BudgetSpec;

  constructor(server: SharedServer, holder: CreditHolder, spec: BudgetSpec) {
    const lineOf = holder.ratePerClient(spec);
    this.#spec = spec;
    this.of = clientMap(
      (client) => new SharedBudget(server, lineOf(client), new OwnPart(this.#spec, server), spec.reserve),
    );
  }

  resize(spec: BudgetSpec, nowMs: number): void {
    if (isSameRate(spec, this.#spec)) return;
    this.#spec = spec;
    for (const budget of this.of.all()) budget.resize(spec, nowMs);
  }
}

/** This process's part of a rate, for when the server does not answer. It is spent of all the time, or each outage would
 * begin with a burst. */
class OwnPart {
  #spec: BudgetSpec;
  readonly #server: SharedServer;
  readonly #bucket: TokenBucket;
  #sharers = 1;

  constructor(spec: BudgetSpec, server: SharedServer) {
    this.#spec = spec;
    this.#server = server;
    this.#bucket = new TokenBucket(spec.ratePerSecond, spec.burst);
  }

  get burst(): number {
    return this.#spec.burst;
  }

  bucket(nowMs: number): TokenBucket {
    const { sharers } = this.#server;
    if (sharers !== this.#sharers) this.#divide(sharers, nowMs);
    return this.#bucket;
  }

  resize(spec: BudgetSpec, nowMs: number): void {
    this.#spec = spec;
    this.#divide(this.#sharers, nowMs);
  }

  #divide(sharers: number, nowMs: number): void {
    this.#sharers = sharers;
    const { ratePerSecond, burst } = this.#spec;
    this.#bucket.retune(ratePerSecond / sharers, Math.max(1, burst / sharers), nowMs);
  }
}

class SharedBudget implements Budget {
  readonly #server: SharedServer;
  readonly #line: Budget;
  readonly #own: OwnPart;
  readonly #reserve: number;

  constructor(server: SharedServer, line: Budget, own: OwnPart, reserve: number) {
    this.#server = server;
    this.#line = line;
    this.#own = own;
    this.#reserve = reserve;
  }

  resize(spec: BudgetSpec, nowMs: number): void {
    this.#own.resize(spec, nowMs);
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
    if (this.#server.isUp) return this.#line.mostAtOnce ?? this.#own.burst;
    return Math.max(1, this.#own.burst / this.#server.sharers);
  }

  get #ownReserve(): number {
    return this.#reserve / this.#server.sharers;
  }
}
