import { clientGroup } from "../policy/client-group.js";
import type { Budget, BudgetSizes, BudgetSpec } from "./budget.js";
import { type ClientMap, clientMap } from "./client-map.js";
import { CreditShare, type Sharers } from "./credit-share.js";
import { KeptByKey } from "./kept-by-key.js";

/** What was spent of one budget, to be booked with who holds its pot. */
export interface Booking {
  readonly line: CreditLine;
  /** A whole number; below 0: given back. */
  readonly count: number;
  /** What of it no request spent: it pays for credit that grew. */
  readonly forCredit: number;
}

/**
 * One sharer's side of budgets that are shared (see {@link CreditShare}): spends on credit and says what is to be booked.
 * Pure but for what it remembers: who sends the bookings, and when, is the caller's.
 */
export class CreditHolder {
  readonly #onSpent: (isUrgent: boolean) => void;
  readonly #dirty = new Set<CreditLine>();
  readonly #accounts: KeptByKey<BudgetSpec, Account>;
  readonly #clientAccounts: KeptByKey<BudgetSpec, ClientAccounts>;
  readonly #shares = new Set<CreditShare>();
  readonly #who: Sharers;
  #sharers: number;
  #asked: "no" | "soon" | "now" = "no";

  /**
   * @param sharers how many share, this one included
   * @param onSpent told when something is to be booked: soon, or now since half a credit is spent; then not again until
   * {@link takeBookings}
   */
  constructor(sharers: number, onSpent: (isUrgent: boolean) => void, who: Sharers = "machines") {
    this.#who = who;
    this.#sharers = sharers;
    this.#onSpent = onSpent;
    this.#accounts = new KeptByKey((spec) => new Account(this.#shareOf(spec), ""));
    this.#clientAccounts = new KeptByKey((spec) => {
      const share = this.#shareOf(spec);
      return { share, of: clientMap((client) => new Account(share, client)) };
    });
  }

  /** A budget that is known keeps its size, whatever is asked for. */
  rate(spec: BudgetSpec): Budget {
    return this.#accounts.of(spec.key, spec).line(spec.reserve, this);
  }

  ratePerClient(spec: BudgetSpec): (client: string) => Budget {
    const accounts = this.#clientAccounts.of(spec.key, spec);
    return (client) => accounts.of(clientGroup(client)).line(spec.reserve, this);
  }

  /** See `LastingBudgets`. */
  resize({ rates, clientRates }: BudgetSizes): void {
    this.#accounts.resize(rates, ({ share }, spec) => share.resize(spec));
    this.#clientAccounts.resize(clientRates, ({ share }, spec) => share.resize(spec));
  }

  /** See `LastingBudgets`. */
  keep(isUsed: (key: string) => boolean): void {
    this.#accounts.keep(isUsed, ({ share }) => this.#shares.delete(share));
    this.#clientAccounts.keep(isUsed, ({ share }) => this.#shares.delete(share));
  }

  /** Divides all budgets anew. */
  share(sharers: number): void {
    if (sharers === this.#sharers) return;
    this.#sharers = sharers;
    for (const share of this.#shares) share.divide(sharers);
  }

  /** Whether something is still to be booked: then {@link takeBookings} is to be called again within some 10 ms. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /**
   * Hands out what is to be booked. For each, {@link settle} must follow.
   * @param maxCount the rest is left for the next time
   */
  takeBookings(nowMs: number, maxCount = Number.POSITIVE_INFINITY): readonly Booking[] {
    this.#asked = "no";
    const bookings: Booking[] = [];
    for (const line of this.#dirty) {
      if (bookings.length >= maxCount) break;
      if (!line.mayBook(nowMs)) continue;
      this.#dirty.delete(line);
      const booking = line.book();
      if (booking.count !== 0) bookings.push(booking);
    }
    return bookings;
  }

  /**
   * Takes the answer to a booking.
   * @param waitMs 0 or above: it is paid in so many milliseconds; below 0: it was not booked, since the rest is for
   * those of higher priority or nobody answered, and may be tried again in so many. What was given back is lost then.
   */
  settle({ line, count }: Booking, waitMs: number, nowMs: number): void {
    if (count > 0) line.settle(waitMs, nowMs);
  }

  /** For lines: something was spent or given back. */
  noteSpent(line: CreditLine, isUrgent: boolean): void {
    this.#dirty.add(line);
    if (this.#asked === "now" || (this.#asked === "soon" && !isUrgent)) return;
    this.#asked = isUrgent ? "now" : "soon";
    this.#onSpent(isUrgent);
  }

  #shareOf(spec: BudgetSpec): CreditShare {
    const share = new CreditShare(spec, this.#sharers, this.#who);
    this.#shares.add(share);
    return share;
  }
}

/** One budget for each client. */
interface ClientAccounts {
  readonly share: CreditShare;
  readonly of: ClientMap<Account>;
}

/** One budget of one sharer; its lines differ in what they leave to each other. */
class Account {
  readonly share: CreditShare;
  readonly client: string;
  /** What all lines have spent and nobody has paid. */
  unpaid = 0;
  readonly #lines: CreditLine[] = [];
  #grown: number;

  constructor(share: CreditShare, client: string) {
    this.share = share;
    this.client = client;
    this.#grown = share.grown;
  }

  /** By what the credit has grown since this was asked last; no more than it is now. */
  takeGrown(): number {
    const { grown, credit } = this.share;
    const since = grown - this.#grown;
    this.#grown = grown;
    return Math.min(since, credit);
  }

  line(reserve: number, holder: CreditHolder): CreditLine {
    for (const line of this.#lines) if (line.reserve === reserve) return line;
    const line = new CreditLine(this, reserve, holder);
    this.#lines.push(line);
    return line;
  }

  collectAll(nowMs: number): void {
    for (const line of this.#lines) line.collect(nowMs);
  }
}

/** What is charged beyond this is forgiven, so that no mistake closes a budget for good. */
const MAX_DEBT_S = 60;

/** Bookings that are answered and not all paid; with that many, the next waits. */
const MAX_PAYMENTS = 8;

/** A booking that was answered. */
interface Payment {
  /** What of it is not paid yet. */
  rest: number;
  /** When all of it is. The pot pays one booking after the other, each at the rate. */
  readonly paidAtMs: number;
}

export class CreditLine implements Budget {
  readonly reserve: number;
  readonly #account: Account;
  readonly #holder: CreditHolder;
  #unbooked = 0;
  /** Of {@link #unbooked}; see `Booking`. */
  #forCredit = 0;
  /** Booked, and not answered yet: one booking at a time. */
  #asked = 0;
  readonly #payments: Payment[] = [];
  #bookAgainAtMs = Number.NEGATIVE_INFINITY;

  constructor(account: Account, reserve: number, holder: CreditHolder) {
    this.#account = account;
    this.#holder = holder;
    this.reserve = reserve;
  }

  get share(): CreditShare {
    return this.#account.share;
  }

  /** Group of the client whose budget it is; `""`: of all. */
  get client(): string {
    return this.#account.client;
  }

  /** Half of what it may spend: while a part of it is paid, another can be spent. */
  get mostAtOnce(): number {
    return Math.max(1, Math.floor(this.#limit / 2));
  }

  take(count: number, nowMs: number): number {
    const account = this.#account;
    this.#buyGrown();
    if (account.unpaid + count > this.#limit && !this.#fitsNow(count, nowMs)) return this.#waitMs(count, nowMs);
    this.#spend(count);
    return 0;
  }

  takeUpTo(maxCount: number, nowMs: number): number {
    this.#buyGrown();
    if (!this.#fitsNow(1, nowMs)) return 0;
    const taken = Math.min(maxCount, Math.floor(this.#limit - this.#account.unpaid));
    this.#spend(taken);
    return taken;
  }

  charge(count: number, nowMs: number): void {
    this.#buyGrown();
    this.#account.collectAll(nowMs);
    const { ratePerSecond, credit } = this.share;
    const most = credit + MAX_DEBT_S * ratePerSecond - this.#account.unpaid;
    this.#spend(Math.max(0, Math.min(count, Math.ceil(most))));
  }

  giveBack(count: number): void {
    this.#spend(-count);
  }

  get #limit(): number {
    const { credit, burst } = this.#account.share;
    // The rest of the credit is for lines that leave less.
    return Math.max(1, credit * (1 - Math.min(this.reserve / burst, 1)));
  }

  #fitsNow(count: number, nowMs: number): boolean {
    this.#account.collectAll(nowMs);
    return this.#account.unpaid + count <= this.#limit;
  }

  #buyGrown(): void {
    const grown = this.#account.takeGrown();
    if (grown <= 0) return;
    this.#forCredit += grown;
    this.#spend(grown);
  }

  #spend(count: number): void {
    const account = this.#account;
    account.unpaid += count;
    this.#unbooked += count;
    this.#holder.noteSpent(this, this.#isUrgent());
  }

  /** Half of the credit is spent, and what the next booking would hold is worth a message. */
  #isUrgent(): boolean {
    const { credit } = this.share;
    if (this.#asked > 0 || 2 * this.#account.unpaid < credit) return false;
    return this.#payments.length === 0 || 4 * this.#unbooked >= credit;
  }

  #waitMs(count: number, nowMs: number): number {
    const limit = this.#limit;
    if (count > limit) return Number.POSITIVE_INFINITY;
    const { ratePerSecond } = this.share;
    let missing = this.#account.unpaid + count - limit;
    let fromMs = nowMs;
    for (const { rest, paidAtMs } of this.#payments) {
      if (rest >= missing) return Math.max(1, Math.ceil(paidAtMs - ((rest - missing) * 1000) / ratePerSecond - nowMs));
      missing -= rest;
      fromMs = paidAtMs;
    }
    return Math.max(1, Math.ceil(fromMs - nowMs + (missing * 1000) / ratePerSecond));
  }

  /** Frees the credit of what has been paid. */
  collect(nowMs: number): void {
    const payments = this.#payments;
    for (let first = payments[0]; first !== undefined; first = payments[0]) {
      const rest = Math.ceil((Math.max(0, first.paidAtMs - nowMs) * this.share.ratePerSecond) / 1000);
      if (rest >= first.rest) return;
      this.#account.unpaid -= first.rest - rest;
      first.rest = rest;
      if (rest > 0) return;
      payments.shift();
    }
  }

  /** What was given back goes at once. */
  mayBook(nowMs: number): boolean {
    this.collect(nowMs);
    if (this.#unbooked < 0) return true;
    return this.#asked === 0 && this.#payments.length < MAX_PAYMENTS && this.#bookAgainAtMs <= nowMs;
  }

  book(): Booking {
    const count = this.#unbooked;
    const forCredit = Math.max(0, Math.min(count, this.#forCredit));
    this.#unbooked = 0;
    this.#forCredit = 0;
    // What goes back into the pot can be spent here no more, from now on.
    if (count < 0) this.#account.unpaid -= count;
    else this.#asked = count;
    return { line: this, count, forCredit };
  }

  settle(waitMs: number, nowMs: number): void {
    const count = this.#asked;
    this.#asked = 0;
    if (waitMs >= 0) {
      this.#payments.push({ rest: count, paidAtMs: nowMs + waitMs });
      this.collect(nowMs);
      if (this.#unbooked !== 0) this.#holder.noteSpent(this, this.#isUrgent());
      return;
    }
    this.#bookAgainAtMs = nowMs - waitMs;
    this.#unbooked += count;
    this.#holder.noteSpent(this, false);
  }
}
