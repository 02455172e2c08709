import fc from "fast-check";
import t from "tap";
import type { Budget, BudgetSpec } from "../../../src/limits/budget.js";
import { LeaseHolder, LeaseRoot } from "../../../src/limits/leased-budgets.js";
import { excess, type Passed, passedBetween } from "./windows.js";

const SOON_MS = 10;
const LATENCY_MS = 1;
/** A process takes longer than this to begin. */
const BEGIN_MS = 600;

interface Worker {
  readonly id: number;
  readonly holder: LeaseHolder;
  /** Once it has read its configuration. */
  budget: Budget | null;
  readonly servesFromMs: number;
  endsAtMs: number;
  isAsked: boolean;
}

/** A main process whose workers begin and end, on a fake clock; it counts them as `BudgetServer` does. */
class World {
  nowMs = 0;
  most = 0;
  readonly passed: Passed[] = [];
  readonly #root: LeaseRoot;
  readonly #workers: Worker[] = [];
  readonly #mail = new Map<number, (() => void)[]>();
  readonly #spec: BudgetSpec;
  #wanted: number;
  #nextId = 1;

  constructor(wanted: number, spec: BudgetSpec) {
    this.#spec = spec;
    this.#root = new LeaseRoot(wanted);
    this.#wanted = wanted;
    for (let i = 0; i < wanted; i += 1) this.fork(0);
  }

  get serving(): readonly Worker[] {
    return this.#workers.filter(({ servesFromMs }) => servesFromMs <= this.nowMs);
  }

  want(count: number): void {
    this.#wanted = count;
    this.#share();
  }

  fork(beginMs = BEGIN_MS): void {
    const worker: Worker = {
      id: this.#nextId,
      holder: new LeaseHolder(this.#sharers(1), (isUrgent) => {
        worker.isAsked ||= isUrgent;
      }),
      budget: null,
      servesFromMs: this.nowMs + beginMs,
      endsAtMs: Number.POSITIVE_INFINITY,
      isAsked: false,
    };
    this.#nextId += 1;
    this.#workers.push(worker);
    this.#share();
    this.#at(this.nowMs + beginMs / 2, () => {
      worker.budget = worker.holder.budgets(() => {}).rate(this.#spec);
    });
  }

  /** The oldest that does not yet, in so many milliseconds. */
  drain(afterMs: number): void {
    const worker = this.serving.find(({ endsAtMs }) => endsAtMs === Number.POSITIVE_INFINITY);
    if (worker !== undefined) worker.endsAtMs = this.nowMs + afterMs;
  }

  /** Each that serves takes as much as it gets, up to so many; one that ends has booked all when it does. */
  flood(perWorker: number): void {
    for (const { budget, endsAtMs } of this.serving) {
      if (endsAtMs < this.nowMs + 2 * SOON_MS) continue;
      const count = budget?.takeUpTo(perWorker, this.nowMs) ?? 0;
      if (count > 0) this.passed.push({ atMs: this.nowMs, count });
    }
  }

  step(): void {
    for (const worker of [...this.serving]) {
      const isOver = worker.endsAtMs <= this.nowMs;
      if (isOver || worker.isAsked || this.nowMs % SOON_MS === 0) this.#send(worker);
      if (isOver) this.#end(worker);
    }
    this.nowMs += 1;
    const due = this.#mail.get(this.nowMs) ?? [];
    this.#mail.delete(this.nowMs);
    for (const deliver of due) deliver();
  }

  #send(worker: Worker): void {
    worker.isAsked = false;
    const report = worker.holder.report(this.nowMs);
    if (report === null) return;
    this.#after(() => {
      const reply = this.#root.answer(worker.id, report, this.nowMs);
      this.#after(() => worker.holder.take(reply, this.nowMs));
    });
  }

  #end(worker: Worker): void {
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    // What it said last is read before its end.
    this.#after(() => {
      this.#root.forget(worker.id);
      this.#share();
    });
  }

  #sharers(more = 0): number {
    const sharers = Math.max(this.#wanted, this.#workers.length + more);
    this.most = Math.max(this.most, sharers);
    return sharers;
  }

  #share(): void {
    const reply = this.#root.share(this.#sharers());
    for (const { holder } of this.#workers) this.#after(() => holder.take(reply, this.nowMs));
  }

  #after(deliver: () => void): void {
    this.#at(this.nowMs + LATENCY_MS, deliver);
  }

  #at(atMs: number, deliver: () => void): void {
    if (atMs <= this.nowMs) deliver();
    else this.#mail.set(atMs, [...(this.#mail.get(atMs) ?? []), deliver]);
  }
}

/** What a burst counts as with so many: each may spend one at least, and the pot holds one. */
function leastBurst(burst: number, sharers: number): number {
  return sharers === 1 ? burst : Math.max(burst, sharers + 1);
}

const change = fc.record({
  afterMs: fc.integer({ min: 0, max: 2_000 }),
  wanted: fc.integer({ min: 1, max: 5 }),
  drainMs: fc.integer({ min: 0, max: 3_000 }),
  idles: fc.boolean(),
});

t.test("a rate holds over any change of the number of workers, and is used", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 5, max: 1_000 }),
      fc.double({ min: 0.1, max: 0.5, noNaN: true }),
      (workers, changes, rate, burstSeconds) => {
        const spec = { key: "a", ratePerSecond: rate, burst: Math.max(1, Math.ceil(rate * burstSeconds)), reserve: 0 };
        const world = new World(workers, spec);
        let wanted = workers;
        const run = (ms: number, perMs: number) => {
          for (let i = 0; i < ms; i += 1) {
            if (perMs > 0) world.flood(perMs);
            world.step();
          }
        };
        run(500, 5);
        for (const { afterMs, wanted: next, drainMs, idles } of changes) {
          world.want(next);
          for (let i = wanted; i < next; i += 1) world.fork();
          for (let i = next; i < wanted; i += 1) world.drain(drainMs);
          wanted = next;
          run(afterMs, idles ? 0 : 5);
          // One is replaced, as an upgrade does.
          world.fork();
          run(BEGIN_MS, 5);
          world.drain(drainMs);
        }
        run(7_000, 5);
        const over = excess(world.passed, rate, leastBurst(spec.burst, world.most));
        if (over > 1e-3) throw new Error(`${over} too many`);
        const untilMs = world.nowMs;
        const found = passedBetween(world.passed, untilMs - 3_000, untilMs);
        const due = 3 * rate;
        if (found < Math.min(0.95 * due, due - world.most - 1))
          throw new Error(`${found} of ${due} when it is settled`);
        return true;
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});
