import cluster, { type Worker } from "node:cluster";
import type { Socket } from "node:net";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { StatsPatch } from "../telemetry/stats-transfer.js";
import type { Taker } from "./front-doors.js";
import { type FromWorker, type ToWorker, unwrap, wrap } from "./messages.js";
import { Silence } from "./silence.js";

/** What a worker is at. */
type WorkerState = "starting" | "serving" | "draining" | "gone";

/** What a worker tells by itself. */
export interface WorkerEvents {
  onHello(worker: WorkerHandle, protocol: number): void;
  onServing(worker: WorkerHandle): void;
  /** It cannot begin, and ends; one sentence. */
  onFailed(worker: WorkerHandle, problem: string): void;
  onPatch(worker: WorkerHandle, patch: StatsPatch | null): void;
  /** Told once. */
  onGone(worker: WorkerHandle, how: string): void;
}

interface Ask {
  resolve(problem: string | null): void;
  readonly timer: NodeJS.Timeout;
}

/** A worker as the main process sees it. */
export class WorkerHandle implements Taker {
  /** From 1; of those that serve at once each has another, and who replaces one gets its number. */
  readonly number: number;
  readonly startedMs: number;
  servingSinceMs: number | null = null;
  state: WorkerState = "starting";
  /** Why it does not begin, in one sentence. */
  problem: string | null = null;
  readonly process: Worker["process"];
  readonly silence = new Silence();
  /** Connections that it took and has still. */
  open = 0;
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #asks = new Map<number, Ask>();
  readonly #collects = new Map<number, (report: ProcessReport | null) => void>();
  readonly #given = new Map<number, (isTaken: boolean) => void>();
  #lastId = 0;
  #isGone = false;

  /** @param nowMs monotonic milliseconds */
  constructor(worker: Worker, number: number, events: WorkerEvents, nowMs: number) {
    this.#worker = worker;
    this.number = number;
    this.process = worker.process;
    this.startedMs = nowMs;
    this.#events = events;
    worker.on("message", (message: unknown) => this.#take(message));
    worker.on("error", (error) => {
      // What could not be sent is told by its end; but what never began has no end that Node would tell.
      if (this.process.pid !== undefined) return;
      delete cluster.workers?.[worker.id];
      this.#gone(error.message);
    });
    // Not at its exit: what it has said until then is read first.
    worker.once("disconnect", () => this.#returnGiven());
    worker.once("exit", (code, signal) => {
      const how = signal ?? `exit status ${code}`;
      if (!worker.isConnected()) this.#gone(how);
      else worker.once("disconnect", () => this.#gone(how));
    });
  }

  get id(): number {
    return this.#worker.id;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get isServing(): boolean {
    return this.state === "serving";
  }

  get untaken(): number {
    return this.#given.size;
  }

  tell(body: ToWorker): void {
    // What cannot be sent any more is told by its end.
    if (this.#worker.isConnected()) this.process.send(wrap(body), () => {});
  }

  /**
   * Tells it something and waits until it is done.
   * @returns `null` when it is; else why not, in one sentence
   */
  ask(body: (id: number) => ToWorker, limitMs: number): Promise<string | null> {
    if (this.state === "gone") return Promise.resolve(`worker ${this.number} is gone`);
    const id = this.#nextId();
    return new Promise((resolve) => {
      const end = (problem: string | null) => {
        clearTimeout(timer);
        this.#asks.delete(id);
        resolve(problem);
      };
      const timer = setTimeout(() => end(`worker ${this.number} did not answer within ${limitMs} ms`), limitMs);
      this.#asks.set(id, { resolve: end, timer });
      this.tell(body(id));
    });
  }

  /** @returns what it says of itself; `null` when it did not within the time. What it counted goes to onPatch. */
  collect(limitMs: number): Promise<ProcessReport | null> {
    if (this.state === "gone") return Promise.resolve(null);
    const id = this.#nextId();
    return new Promise((resolve) => {
      const end = (report: ProcessReport | null) => {
        clearTimeout(timer);
        this.#collects.delete(id);
        resolve(report);
      };
      const timer = setTimeout(() => {
        this.silence.missed();
        end(null);
      }, limitMs);
      this.#collects.set(id, end);
      this.tell({ say: "collect", id });
    });
  }

  give(door: string, socket: Socket, onEnd: (isTaken: boolean) => void): void {
    if (!this.#worker.isConnected()) {
      onEnd(false);
      return;
    }
    const id = this.#nextId();
    this.#given.set(id, onEnd);
    // Kept open: until the worker says that it has it, this process may have to give it to another.
    this.process.send(wrap<ToWorker>({ say: "connection", id, door }), socket, { keepOpen: true }, () => {});
  }

  /** It takes nothing new, ends what runs, and exits. */
  drain(graceMs: number): void {
    if (this.state === "gone" || this.state === "draining") return;
    this.state = "draining";
    this.tell({ say: "drain", graceMs });
  }

  /** Ends it at once. */
  kill(): void {
    this.process.kill("SIGKILL");
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #take(message: unknown): void {
    const body = unwrap<FromWorker>(message);
    if (body === null) return;
    this.silence.heard();
    switch (body.say) {
      case "hello":
        this.#events.onHello(this, body.protocol);
        break;
      case "serving":
        this.#events.onServing(this);
        break;
      case "failed":
        this.#events.onFailed(this, body.problem);
        break;
      case "done":
        this.#asks.get(body.id)?.resolve(body.problem);
        break;
      case "collected":
        this.#events.onPatch(this, body.patch);
        this.#collects.get(body.id)?.(body.report);
        break;
      case "taken": {
        const onEnd = this.#given.get(body.id);
        this.#given.delete(body.id);
        if (body.isTaken) this.open += 1;
        onEnd?.(body.isTaken);
        break;
      }
      case "left":
        this.open -= body.count;
    }
  }

  #returnGiven(): void {
    // None is chosen any more, or what comes back would go there again.
    if (this.state !== "draining") this.state = "gone";
    const given = [...this.#given.values()];
    this.#given.clear();
    for (const onEnd of given) onEnd(false);
  }

  #gone(how: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.problem ??= `it ended (${how})`;
    this.#returnGiven();
    this.#events.onGone(this, how);
    this.state = "gone";
    for (const { resolve } of [...this.#asks.values()]) resolve(`worker ${this.number} ended (${how})`);
    for (const resolve of [...this.#collects.values()]) resolve(null);
  }
}
