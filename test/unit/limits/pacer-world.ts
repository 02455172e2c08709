import type { Budget } from "../../../src/limits/budget.js";
import { type Flow, type Lane, type LaneOptions, Pacer, type PacerClock } from "../../../src/limits/pacer.js";

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** A token bucket in plain numbers. */
export class TestBudget implements Budget {
  readonly ratePerMs: number;
  readonly burst: number;
  /** What was taken and not given back. */
  takenBytes = 0;
  takes = 0;
  #tokens: number;
  #atMs = 0;

  constructor(ratePerSecond: number, burst = ratePerSecond / 10) {
    this.ratePerMs = ratePerSecond / 1_000;
    this.burst = burst;
    this.#tokens = burst;
  }

  take(count: number, nowMs: number): number {
    this.#refill(nowMs);
    this.takes += 1;
    if (this.#tokens < count) return Math.max(1, Math.ceil((count - this.#tokens) / this.ratePerMs));
    this.#spend(count);
    return 0;
  }

  takeUpTo(maxCount: number, nowMs: number): number {
    this.#refill(nowMs);
    const count = Math.max(0, Math.min(maxCount, Math.floor(this.#tokens)));
    this.#spend(count);
    return count;
  }

  charge(count: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#spend(count);
  }

  giveBack(count: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#spend(-count);
  }

  #spend(count: number): void {
    this.#tokens -= count;
    this.takenBytes += count;
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.burst, this.#tokens + (nowMs - this.#atMs) * this.ratePerMs);
    this.#atMs = nowMs;
  }
}

/** A clock that stands until a test moves it, with callbacks in order of their time. */
export class TestClock implements PacerClock {
  #nowMs = 0;
  #pending: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const entry = { atMs: this.#nowMs + delayMs, callback };
    const later = this.#pending.findIndex(({ atMs }) => atMs > entry.atMs);
    this.#pending.splice(later === -1 ? this.#pending.length : later, 0, entry);
    return () => {
      this.#pending = this.#pending.filter((candidate) => candidate !== entry);
    };
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (let next = this.#pending[0]; next !== undefined && next.atMs <= endMs; next = this.#pending[0]) {
      this.#pending.shift();
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = endMs;
  }
}

export interface TransferOptions {
  /** The size of the chunks that come from the other side, one after the other. */
  readonly chunkBytes?: number | (() => number);
  /** How long after a chunk has gone out whole, and after each slice, the next is there. */
  readonly againMs?: number;
  readonly onPass?: (byteCount: number) => void;
}

/** A transfer without end: a chunk is held until all of it has passed, then comes the next. */
export class Transfer {
  readonly group: string;
  passedBytes = 0;
  grants = 0;
  readonly #flow: Flow;
  readonly #clock: TestClock;
  readonly #chunkBytes: () => number;
  readonly #againMs: number;
  readonly #onPass: (byteCount: number) => void;
  #heldBytes = 0;
  #isClosed = false;

  constructor(
    lane: Lane,
    group: string,
    clock: TestClock,
    { chunkBytes = 256 * KIB, againMs = 0, onPass = () => {} }: TransferOptions = {},
  ) {
    this.group = group;
    this.#clock = clock;
    this.#chunkBytes = typeof chunkBytes === "number" ? () => chunkBytes : chunkBytes;
    this.#againMs = againMs;
    this.#onPass = onPass;
    this.#flow = lane.open(this);
  }

  start(): this {
    if (this.#isClosed) return this;
    this.#heldBytes = this.#chunkBytes();
    this.#ask();
    return this;
  }

  #ask(): void {
    if (this.#isClosed) return;
    let passing = 0;
    for (;;) {
      if (this.#heldBytes === passing) break;
      const granted = this.#flow.ask(this.#heldBytes - passing, Number.POSITIVE_INFINITY);
      if (granted === 0) {
        this.#pass(passing);
        return;
      }
      passing += granted;
    }
    this.#pass(passing);
    this.#clock.schedule(() => this.start(), this.#againMs);
  }

  onGrant(byteCount: number): void {
    if (this.#isClosed) throw new Error("a grant for a closed flow");
    if (byteCount < 1 || byteCount > this.#heldBytes || !Number.isInteger(byteCount)) throw new Error(`${byteCount}`);
    this.grants += 1;
    this.#pass(byteCount);
    // What has been written has to drain before more is asked for.
    this.#clock.schedule(() => (this.#heldBytes === 0 ? this.start() : this.#ask()), this.#againMs);
  }

  charge(byteCount: number): void {
    this.#flow.charge(byteCount);
  }

  close(unusedBytes = 0): void {
    this.#isClosed = true;
    this.#flow.close(unusedBytes);
  }

  #pass(byteCount: number): void {
    this.#heldBytes -= byteCount;
    this.passedBytes += byteCount;
    this.#onPass(byteCount);
  }
}

export interface PacerWorld {
  readonly clock: TestClock;
  readonly pacer: Pacer;
  lane(budgets: readonly Budget[], options?: Partial<LaneOptions>): Lane;
}

export function pacerWorld(): PacerWorld {
  const clock = new TestClock();
  const pacer = new Pacer(clock);
  return {
    clock,
    pacer,
    lane: (budgets, options) => pacer.lane({ budgets, budgetsOfGroup: null, turnBytes: 64 * KIB, ...options }),
  };
}

/** MiB per second that passed since the last call, by group. */
export function ratesOf(transfers: readonly Transfer[], seconds: number): Map<string, number> {
  const rates = new Map<string, number>();
  for (const transfer of transfers) {
    rates.set(transfer.group, (rates.get(transfer.group) ?? 0) + transfer.passedBytes / MIB / seconds);
    transfer.passedBytes = 0;
  }
  return rates;
}
