import type { LastingBudgets } from "./budget.js";
import { type Booking, CreditHolder } from "./credit-holder.js";
import { type BookingAsk, CreditRoot } from "./credit-root.js";
import { SlotHolder, type SlotNews, type SlotUse } from "./slot-holder.js";
import { SlotRoot } from "./slot-root.js";

/** What a worker tells the main process, all of one turn together. */
export interface BudgetReport {
  readonly bookings: readonly BookingAsk[];
  readonly uses: readonly SlotUse[];
}

/** What the main process answers. */
export interface BudgetReply {
  /** Of each booking, in order: see {@link CreditRoot.book}. Empty when the message answers no report. */
  readonly waitsMs: readonly number[];
  readonly news: readonly SlotNews[];
  /** Whether it answers a report; one that does not brings news alone. */
  readonly isAnswer: boolean;
  /** How many share from here on; absent: as many as before. */
  readonly sharers?: number;
}

/** More in one message would keep the main process from its other workers. */
const MAX_BOOKINGS = 1000;

/** One worker's budgets, of which the main process has the pots. Pure: messages in, messages out. */
export class LeaseHolder {
  readonly #credit: CreditHolder;
  readonly #slots: SlotHolder;
  /** What was reported and is not answered yet; answers come in order. */
  readonly #open: { readonly bookings: readonly Booking[]; readonly uses: readonly SlotUse[] }[] = [];

  /**
   * @param workers how many share, until another number is told
   * @param onChange told when {@link report} is to be called: soon, which is within some 10 ms, or at the end of this turn
   */
  constructor(workers: number, onChange: (isUrgent: boolean) => void) {
    this.#credit = new CreditHolder(workers, onChange, "workers");
    this.#slots = new SlotHolder(workers, onChange);
  }

  budgets(close: () => void): LastingBudgets {
    return {
      rate: (spec) => this.#credit.rate(spec),
      ratePerClient: (spec) => this.#credit.ratePerClient(spec),
      slots: (key, count) => this.#slots.slots(key, count),
      slotsPerClient: (key, count) => this.#slots.slotsPerClient(key, count),
      isSharedUp: null,
      resize: (sizes) => {
        this.#credit.resize(sizes);
        this.#slots.resize(sizes);
      },
      keep: (isUsed) => {
        this.#credit.keep(isUsed);
        this.#slots.keep(isUsed);
      },
      close,
    };
  }

  /** Whether {@link report} is to be called again soon, even if nothing more is spent. */
  get isDirty(): boolean {
    return this.#credit.isDirty;
  }

  /** @returns what to send; `null` when there is nothing */
  report(nowMs: number): BudgetReport | null {
    const bookings = this.#credit.takeBookings(nowMs, MAX_BOOKINGS);
    const uses = this.#slots.takeUses();
    if (bookings.length === 0 && uses.length === 0) return null;
    this.#open.push({ bookings, uses });
    return { bookings: bookings.map(askOf), uses };
  }

  take({ waitsMs, news, isAnswer, sharers }: BudgetReply, nowMs: number): void {
    if (sharers !== undefined) {
      this.#credit.share(sharers);
      this.#slots.share(sharers);
    }
    const report = isAnswer ? this.#open.shift() : undefined;
    if (report !== undefined) {
      this.#slots.arrived(report.uses);
      for (const [i, booking] of report.bookings.entries()) this.#credit.settle(booking, waitsMs[i] ?? 0, nowMs);
    }
    for (const each of news) this.#slots.learn(each);
  }
}

function askOf({ line: { share, client, reserve }, count, forCredit }: Booking): BookingAsk {
  const { key, ratePerSecond, burst, leastCredit } = share;
  return { key, client, ratePerSecond, burst, leastCredit, reserve, count, forCredit };
}

/** The main process's side: the pots of all budgets, and who uses which slots. Pure: messages in, messages out. */
export class LeaseRoot {
  readonly #credit: CreditRoot;
  readonly #slots = new SlotRoot();
  #sharers: number;

  /** @param workers how many share, until {@link share} */
  constructor(workers: number) {
    this.#credit = new CreditRoot(workers);
    this.#sharers = workers;
  }

  /** So many share from here on. @returns what all workers must be told */
  share(workers: number): BudgetReply {
    this.#sharers = workers;
    this.#credit.share(workers);
    return { waitsMs: [], news: [], isAnswer: false, sharers: workers };
  }

  /** A worker begins. @returns what it must know */
  welcome(worker: number): BudgetReply {
    return { waitsMs: [], news: this.#slots.newsFor(worker), isAnswer: false, sharers: this.#sharers };
  }

  /** @returns the answer for this worker; what others must know is in {@link takeNews} */
  answer(worker: number, { bookings, uses }: BudgetReport, nowMs: number): BudgetReply {
    for (const use of uses) this.#slots.note(worker, use);
    const waitsMs = bookings.map((ask) => this.#credit.book(ask, nowMs));
    return { waitsMs, news: [], isAnswer: true };
  }

  /**
   * A worker is gone: its slots are free. What it spent and had not booked is forgotten, so that its successor may bring
   * a budget above its burst by one worker's credit.
   */
  forget(worker: number): void {
    this.#slots.forget(worker);
  }

  /** What all workers must be told; see {@link SlotRoot.takeNews}. */
  takeNews(): ((worker: number) => BudgetReply) | null {
    const newsFor = this.#slots.takeNews();
    return newsFor === null ? null : (worker) => ({ waitsMs: [], news: newsFor(worker), isAnswer: false });
  }
}
