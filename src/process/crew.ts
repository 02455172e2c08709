import cluster from "node:cluster";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "../telemetry/log.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { StatsPatch } from "../telemetry/stats-transfer.js";
import { Condition } from "./condition.js";
import type { Handovers } from "./handovers.js";
import { PROTOCOL, type ToWorker } from "./messages.js";
import { type EndedWorker, MAX_FAST_DEATHS, Replacements } from "./replacements.js";
import { SERVING_FLAGS } from "./v8-tuning.js";
import { WorkerHandle } from "./worker-handle.js";

/** How much longer than its grace a worker that drains may take before it is killed. */
const KILL_AFTER_MS = 5_000;
/** A worker that says nothing for so long hangs, and is killed … */
const HUNG_AFTER_MS = 20_000;
/** … and so is one that does not serve yet: to load the program may take a while on a busy machine. */
const HUNG_AT_START_AFTER_MS = 60_000;

/** In so many steps all are replaced, however many they are: who asked for it waits for the end. */
const MOST_STEPS = 8;

const ENDING = "the gateway is ending";

export interface CrewOptions {
  readonly log: Logger;
  readonly handovers: Handovers;
  /** What workers run; absent: worker-main beside this file. */
  readonly program?: string;
  /** Monotonic milliseconds; for tests. */
  readonly nowMs?: () => number;
  /** What a worker is started with, as of now; may wait until that is settled. */
  startMessage(worker: WorkerHandle): Promise<ToWorker>;
  onPatch(worker: WorkerHandle, patch: StatsPatch | null): void;
  /** A process began: for what else uses its channel. */
  onFork(worker: WorkerHandle): void;
  onGone(worker: WorkerHandle): void;
}

/** What a worker answered; see `WorkerHandle.collect`. */
export interface Collected {
  readonly worker: WorkerHandle;
  readonly report: ProcessReport | null;
}

/** The workers: keeps as many as are wanted, and replaces those that die. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #nowMs: () => number;
  readonly #workers = new Set<WorkerHandle>();
  readonly #condition = new Condition();
  readonly #replacements = new Replacements();
  #wanted = 0;
  #hasServed = false;
  #isEnding = false;
  /** Why the program cannot start. */
  #startProblem: string | null = null;
  #isOutdated = false;
  /** Workers that ended and were replaced since the program began. */
  restarts = 0;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    cluster.setupPrimary({
      exec: options.program ?? workerProgram(),
      args: [],
      execArgv: [...process.execArgv, ...SERVING_FLAGS],
      serialization: "advanced",
    });
  }

  get wanted(): number {
    return this.#wanted;
  }

  get serving(): readonly WorkerHandle[] {
    return [...this.#workers].filter(({ isServing }) => isServing);
  }

  /** How many end what they serve. */
  get draining(): number {
    return [...this.#workers].filter(({ state }) => state === "draining").length;
  }

  /** No worker serves, and none will: the program on the disk is another that needs another main process. */
  outdated(): Promise<void> {
    return this.#condition.until(() => this.#isOutdated);
  }

  /** All whose process lives. */
  get all(): readonly WorkerHandle[] {
    return [...this.#workers];
  }

  /** @throws Error one sentence when workers cannot begin */
  async start(count: number): Promise<void> {
    this.resize(count);
    await this.#condition.until(() => this.serving.length === count || this.#startProblem !== null || this.#isEnding);
    if (this.#isEnding) throw new Error(ENDING);
    if (this.#startProblem !== null) throw new Error(this.#startProblem);
    this.#hasServed = true;
  }

  /** Another number of workers: more are begun, those beyond drain. */
  resize(count: number, graceMs = 0): void {
    if (this.#isEnding) return;
    this.#wanted = count;
    this.#replacements.cancelAbove(count);
    for (const worker of this.#workers) if (worker.number > count) this.#drain(worker, graceMs);
    for (let number = 1; number <= count; number += 1) if (!this.#isTaken(number)) this.#begin(number);
  }

  /**
   * Some after the others: a new worker begins, and when it serves the old one of its number drains.
   * @param limitMs how long one may take to begin
   * @param count of those with the lowest numbers
   * @returns why it went no further, in one sentence; `null` when all are replaced
   */
  async replaceAll(graceMs: number, limitMs: number, count = this.#wanted): Promise<string | null> {
    const atOnce = Math.ceil(count / MOST_STEPS);
    for (let first = 1; first <= count; first += atOnce) {
      if (this.#isEnding) return ENDING;
      const numbers = Array.from({ length: Math.min(atOnce, count - first + 1) }, (_, i) => first + i);
      const problems = await Promise.all(numbers.map((number) => this.#replaceOne(number, graceMs, limitMs)));
      const problem = problems.find((each) => each !== null);
      if (problem !== undefined) return problem;
    }
    return null;
  }

  async #replaceOne(number: number, graceMs: number, limitMs: number): Promise<string | null> {
    const old = [...this.#workers].filter((worker) => worker.number === number && worker.state !== "draining");
    const problem = await this.#beginAnother(number, limitMs);
    if (problem === null) for (const worker of old) this.#drain(worker, graceMs);
    return problem;
  }

  /** Waits for workers that begin; those that do not serve by then are killed, and others begin. */
  async settle(limitMs: number): Promise<void> {
    const isSettled = () => ![...this.#workers].some(({ state }) => state === "starting");
    if (isSettled()) return;
    const timer = setTimeout(() => {
      for (const worker of this.#workers) if (worker.state === "starting") worker.kill();
    }, limitMs);
    await this.#condition.until(isSettled);
    clearTimeout(timer);
  }

  /**
   * Asks all for what they counted, and ends those that have not answered for long.
   * @param limitMs how long one may take
   */
  async collect(limitMs: number): Promise<readonly Collected[]> {
    const answers = await Promise.all(
      this.all.map(async (worker) => ({ worker, report: await worker.collect(limitMs) })),
    );
    const nowMs = this.#nowMs();
    for (const { worker } of answers) this.#killHung(worker, nowMs);
    return answers;
  }

  /** Drains all, and begins no more; resolves when the last has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isEnding = true;
    this.#replacements.cancelAbove();
    for (const worker of this.#workers) this.#drain(worker, graceMs);
    this.#condition.changed();
    await this.#condition.until(() => this.#workers.size === 0);
  }

  #isTaken(number: number): boolean {
    return (
      this.#replacements.has(number) || [...this.#workers].some((w) => w.number === number && w.state !== "draining")
    );
  }

  /**
   * One that the system cannot give is tried again later, as one that ended.
   * @returns why it cannot, for want of memory say; for want of most else, it is told later that the worker is gone
   */
  #begin(number: number): WorkerHandle | string {
    try {
      return this.#fork(number);
    } catch (error) {
      const { message } = error as Error;
      this.#replace({ number, pid: 0, startedMs: this.#nowMs(), servingSinceMs: null }, message);
      this.#condition.changed();
      return message;
    }
  }

  #fork(number: number): WorkerHandle {
    const { handovers, onFork } = this.#options;
    const worker = new WorkerHandle(
      cluster.fork(),
      number,
      {
        onHello: (from, protocol) => void this.#onHello(from, protocol),
        onServing: (from) => this.#onServing(from),
        onFailed: (from, problem) => this.#onFailed(from, problem),
        onPatch: (from, patch) => this.#options.onPatch(from, patch),
        onLoad: () => handovers.changed(),
        onConnection: (from, door, handle) => handovers.take(from, door, handle),
        onGone: (from, how) => this.#onGone(from, how),
      },
      this.#nowMs(),
    );
    this.#workers.add(worker);
    handovers.add(worker);
    onFork(worker);
    return worker;
  }

  async #onHello(worker: WorkerHandle, protocol: number): Promise<void> {
    this.#isOutdated = protocol !== PROTOCOL && this.serving.length === 0;
    if (protocol !== PROTOCOL) {
      this.#onFailed(worker, "the program on the disk speaks another protocol with its workers; restart it instead");
      worker.kill();
      return;
    }
    worker.tell(await this.#options.startMessage(worker));
  }

  #onServing(worker: WorkerHandle): void {
    if (worker.state !== "starting") return;
    worker.state = "serving";
    worker.servingSinceMs = this.#nowMs();
    this.#replacements.served();
    this.#options.handovers.changed();
    // At once: it accepts already.
    this.#options.handovers.tell();
    this.#condition.changed();
  }

  #onFailed(worker: WorkerHandle, problem: string): void {
    worker.problem = problem;
    if (!this.#hasServed) this.#startProblem ??= problem;
    this.#options.log.error({ worker: worker.number, cause: problem }, "a worker cannot begin");
    this.#condition.changed();
  }

  #onGone(worker: WorkerHandle, how: string): void {
    const wasExpected = worker.state === "draining" || this.#isEnding;
    this.#workers.delete(worker);
    this.#options.handovers.remove(worker);
    this.#options.onGone(worker);
    if (!wasExpected) this.#replace(worker, how);
    this.#condition.changed();
  }

  #replace(worker: EndedWorker, how: string): void {
    const nowMs = this.#nowMs();
    const { number, pid } = worker;
    if (!this.#hasServed && this.#replacements.areHopeless(worker, nowMs)) {
      this.#startProblem ??= `${MAX_FAST_DEATHS} workers in a row ended right after their start, the last with ${how}`;
      return;
    }
    // Who replaces it in an upgrade is there already.
    if (number > this.#wanted || this.#isTaken(number)) return;
    const backOffMs = this.#replacements.begin(worker, nowMs, () => this.#begin(number));
    this.restarts += 1;
    this.#options.log.error({ worker: number, pid, how, backOffMs }, "a worker ended and is replaced");
  }

  async #beginAnother(number: number, limitMs: number): Promise<string | null> {
    // One that waits for its back-off would be one too many.
    this.#replacements.cancel(number);
    const worker = this.#begin(number);
    if (typeof worker === "string") return `worker ${number} of the new program: ${worker}`;
    const timer = setTimeout(() => {
      worker.problem ??= `it did not serve within ${limitMs} ms`;
      worker.kill();
    }, limitMs);
    await this.#condition.until(() => worker.state !== "starting");
    clearTimeout(timer);
    if (worker.isServing) return null;
    return this.#isEnding ? ENDING : `worker ${number} of the new program: ${worker.problem ?? "it ended at once"}`;
  }

  #killHung(worker: WorkerHandle, nowMs: number): void {
    const limitMs = worker.isServing ? HUNG_AFTER_MS : HUNG_AT_START_AFTER_MS;
    // One that drains has its time.
    if (worker.state === "draining" || !worker.silence.lasts(limitMs, nowMs)) return;
    const fields = { worker: worker.number, pid: worker.pid, silentMs: limitMs };
    this.#options.log.error(fields, "a worker does not answer, and is killed");
    worker.silence.heard();
    worker.kill();
  }

  #drain(worker: WorkerHandle, graceMs: number): void {
    if (worker.state === "gone" || worker.state === "draining") return;
    if (worker.state === "starting") {
      // It has nothing to end in order.
      worker.state = "draining";
      worker.kill();
      return;
    }
    worker.drain(graceMs);
    this.#options.handovers.changed();
    const timer = setTimeout(() => worker.kill(), graceMs + KILL_AFTER_MS);
    worker.process.once("exit", () => clearTimeout(timer));
    this.#condition.changed();
  }
}

/** Beside this file, compiled or not. */
function workerProgram(): string {
  const extension = extname(fileURLToPath(import.meta.url));
  return fileURLToPath(new URL(`./worker-main${extension}`, import.meta.url));
}
