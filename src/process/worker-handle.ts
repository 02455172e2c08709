import cluster, { type Worker } from "node:cluster";
import type { Socket } from "node:net";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { StatsPatch } from "../telemetry/stats-transfer.js";
import type { Others } from "./balance.js";
import type { DoorTaker } from "./front-doors.js";
import type { Gift, Taker } from "./handovers.js";
import { type FromWorker, type ToWorker, unwrap, wrap } from "./messages.js";
import { Silence } from "./silence.js";
import type { TcpHandle } from "./tcp-handle.js";

/** What a worker is at. */
type WorkerState = "starting" | "serving" | "draining" | "gone";

/** What a worker tells by itself. */
export interface WorkerEvents {
  onHello(worker: WorkerHandle, protocol: number): void;
  onServing(worker: WorkerHandle): void;
  /** It cannot begin, and ends; one sentence. */
  onFailed(worker: WorkerHandle, problem: string): void;
  onPatch(worker: WorkerHandle, patch: StatsPatch | null): void;
  /** It has told how many connections it has, or takes what it is given again. */
  onLoad(worker: WorkerHandle): void;
  /** It passes on a connection that came in by this door. */
  onConnection(worker: WorkerHandle, door: string, handle: TcpHandle): void;
  /** Told once. */
  onGone(worker: WorkerHandle, how: string): void;
}

interface Ask {
  resolve(problem: string | null): void;
  readonly timer: NodeJS.Timeout;
}

/** A connection that it was given, and has not taken yet. */
interface Given {
  readonly gift: Gift;
  readonly timer: NodeJS.Timeout;
}

/** So long a connection waits for a worker that was given it; then another gets it. */
const TAKE_LIMIT_MS = 500;

/** A worker as the main process sees it. */
export class WorkerHandle implements Taker, DoorTaker {
  /** From 1; of those that serve at once each has another, and who replaces one gets its number. */
  readonly number: number;
  readonly startedMs: number;
  servingSinceMs: number | null = null;
  state: WorkerState = "starting";
  /** Why it does not begin, in one sentence. */
  problem: string | null = null;
  readonly process: Worker["process"];
  readonly silence = new Silence();
  open = 0;
  readonly #worker: Worker;
  readonly #events: WorkerEvents;
  readonly #asks = new Map<number, Ask>();
  readonly #collects = new Map<number, (report: ProcessReport | null) => void>();
  /** By their ids, which rise; `null`: it did not take it in time, and may not any more. */
  readonly #given = new Map<number, Given | null>();
  #lastId = 0;
  #isGone = false;

  /** @param nowMs monotonic milliseconds */
  constructor(worker: Worker, number: number, events: WorkerEvents, nowMs: number) {
    this.#worker = worker;
    this.number = number;
    this.process = worker.process;
    this.startedMs = nowMs;
    this.#events = events;
    worker.on("message", (message: unknown, handle: unknown) => this.#take(message, handle as TcpHandle | undefined));
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

  get isSlow(): boolean {
    for (const given of this.#given.values()) if (given === null) return true;
    return false;
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

  sendDoor(door: string, handle: TcpHandle): void {
    this.#send({ say: "door", door }, handle);
  }

  give(gift: Gift): void {
    if (!this.#worker.isConnected()) {
      gift.onEnd(false);
      return;
    }
    const id = this.#nextId();
    const timer = setTimeout(() => this.#takeBack(id), TAKE_LIMIT_MS);
    this.#given.set(id, { gift, timer });
    const { door, handle, isLast } = gift;
    this.#send({ say: "connection", id, door, isLast }, handle);
  }

  tellOthers(others: Others): void {
    this.tell({ say: "others", others });
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

  /** With a copy of it. */
  #send(body: ToWorker, handle: TcpHandle): void {
    // Node's types know nothing of what is below a socket.
    if (this.#worker.isConnected()) this.process.send(wrap(body), handle as unknown as Socket, {}, () => {});
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #take(message: unknown, handle: TcpHandle | undefined): void {
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
        this.#loseUntil(body.id);
        this.#events.onPatch(this, body.patch);
        this.#collects.get(body.id)?.(body.report);
        break;
      case "taken":
        this.#onTaken(body.id, body.isTaken);
        break;
      case "connection":
        if (handle !== undefined) this.#events.onConnection(this, body.door, handle);
        break;
      case "open":
        this.open = body.count;
        this.#events.onLoad(this);
    }
  }

  #onTaken(id: number, isTaken: boolean): void {
    this.#loseUntil(id);
    const given = this.#given.get(id);
    if (given === undefined) return;
    if (isTaken) this.tell({ say: "yours", id, isYours: given !== null });
    if (isTaken && given !== null) this.open += 1;
    this.#end(id, isTaken);
  }

  /** It answers in order: what it was given before, and has not answered, has not come to it, for want of a file descriptor say. */
  #loseUntil(id: number): void {
    for (const before of [...this.#given.keys()]) if (before < id) this.#end(before, false);
  }

  #takeBack(id: number): void {
    const given = this.#given.get(id);
    this.#given.set(id, null);
    given?.gift.onEnd(false);
  }

  #end(id: number, isTaken: boolean): void {
    const given = this.#given.get(id);
    this.#given.delete(id);
    clearTimeout(given?.timer);
    if (given !== null) given?.gift.onEnd(isTaken);
    else this.#events.onLoad(this);
  }

  #returnGiven(): void {
    // None is chosen any more, or what comes back would go there again.
    if (this.state !== "draining") this.state = "gone";
    for (const id of [...this.#given.keys()]) this.#end(id, false);
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
