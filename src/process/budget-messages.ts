import type { LastingBudgets } from "../limits/budget.js";
import { type BudgetReply, type BudgetReport, LeaseHolder, LeaseRoot } from "../limits/leased-budgets.js";

/** What `process`, a worker of `node:cluster` and a child of `fork` have in common. */
export interface MessagePeer {
  send?(message: object, onSent: (error: Error | null) => void): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "exit", listener: () => void): unknown;
}

/** A worker is ready to be told: what was sent before nobody listened to. */
interface BudgetHello {
  readonly isNew: true;
}

/** Other messages may use the same channel. */
interface BudgetMessage<Body> {
  readonly ossgate: "budgets";
  readonly body: Body;
}

/** Bookings that are in no hurry wait for so long for others. */
const SOON_MS = 10;

/**
 * Budgets of a worker of the program. Nothing waits for the main process, which must run {@link BudgetServer}.
 * To be called once in a worker: what it has spent is the worker's.
 * @param main `process` in a worker
 * @param workers how many share, until the server tells
 */
export function createLeasedBudgets(main: MessagePeer, workers: number): LastingBudgets {
  let soon: NodeJS.Timeout | null = null;
  let turnEnd: NodeJS.Immediate | null = null;
  const holder = new LeaseHolder(workers, (isUrgent) => {
    if (isUrgent) turnEnd ??= setImmediate(report);
    else soon ??= setTimeout(report, SOON_MS).unref();
  });
  const listener = (message: unknown) => {
    if (isBudgetMessage<BudgetReply>(message)) holder.take(message.body, performance.now());
  };
  main.on("message", listener);
  post<BudgetHello>(main, { isNew: true });
  return holder.budgets(() => {
    stopTimers();
    main.off("message", listener);
  });

  function stopTimers(): void {
    if (soon !== null) clearTimeout(soon);
    if (turnEnd !== null) clearImmediate(turnEnd);
    soon = null;
    turnEnd = null;
  }

  function report(): void {
    stopTimers();
    const body = holder.report(performance.now());
    if (body !== null) post<BudgetReport>(main, body);
    if (holder.isDirty) soon ??= setTimeout(report, SOON_MS).unref();
  }
}

/**
 * Holds the budgets of all workers, in the main process. Each that lives has a part of them, one that drains too: so that
 * together they spend no more than a budget is, whoever begins, ends or is replaced.
 */
export class BudgetServer {
  readonly #root: LeaseRoot;
  readonly #workers = new Map<number, MessagePeer>();
  #nextWorker = 1;
  #telling: NodeJS.Immediate | null = null;
  #wanted: number;
  #sharers: number;

  /** @param workers how many are wanted: the place of one that ended is kept for the next */
  constructor(workers: number) {
    this.#root = new LeaseRoot(workers);
    this.#wanted = workers;
    this.#sharers = workers;
  }

  /** So many workers are wanted from here on. */
  want(workers: number): void {
    this.#wanted = workers;
    this.#share();
  }

  /**
   * Serves a worker until it exits.
   * @returns ends it sooner
   */
  serve(worker: MessagePeer): () => void {
    const id = this.#nextWorker;
    this.#nextWorker += 1;
    const listener = (message: unknown) => {
      if (!isBudgetMessage<BudgetReport | BudgetHello>(message)) return;
      const { body } = message;
      if ("isNew" in body) post(worker, this.#root.welcome(id));
      else {
        post<BudgetReply>(worker, this.#root.answer(id, body, performance.now()));
        this.#tellSoon();
      }
    };
    const stop = () => {
      worker.off("message", listener);
      if (!this.#workers.delete(id)) return;
      this.#root.forget(id);
      this.#share();
      this.#tellSoon();
    };
    this.#workers.set(id, worker);
    worker.on("message", listener);
    worker.once("exit", stop);
    this.#share();
    return stop;
  }

  /** Those who give a part of theirs know it before the one who gets it has begun. */
  #share(): void {
    const sharers = Math.max(this.#wanted, this.#workers.size);
    if (sharers === this.#sharers) return;
    this.#sharers = sharers;
    const reply = this.#root.share(sharers);
    for (const worker of this.#workers.values()) post(worker, reply);
  }

  /** Once a turn of the event loop, whatever has come in it. */
  #tellSoon(): void {
    this.#telling ??= setImmediate(() => {
      this.#telling = null;
      const newsFor = this.#root.takeNews();
      if (newsFor === null) return;
      for (const [id, worker] of this.#workers) post(worker, newsFor(id));
    });
  }
}

function isBudgetMessage<Body>(message: unknown): message is BudgetMessage<Body> {
  return (
    typeof message === "object" &&
    message !== null &&
    "ossgate" in message &&
    message.ossgate === "budgets" &&
    "body" in message
  );
}

/** A peer that is gone takes no more messages, and what is told of its exit handles that. */
function post<Body>(peer: MessagePeer, body: Body): void {
  const message: BudgetMessage<Body> = { ossgate: "budgets", body };
  peer.send?.(message, () => {});
}
