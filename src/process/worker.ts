import type { Socket } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { createAccessLog, type OpenAccessLog } from "../telemetry/access-log.js";
import { type Logger, openLog, type ProgramLog } from "../telemetry/log.js";
import { Stats } from "../telemetry/stats.js";
import { StatsSender } from "../telemetry/stats-transfer.js";
import { createLeasedBudgets } from "./budget-messages.js";
import { DataPlane } from "./data-plane.js";
import { partOf } from "./divided.js";
import { type ConfigMessage, type FromWorker, PROTOCOL, type ToWorker, unwrap, wrap } from "./messages.js";
import type { TcpHandle } from "./tcp-handle.js";
import { type DoorsTalk, WorkerDoors } from "./worker-doors.js";

type Start = Extract<ToWorker, { readonly say: "start" }>;

/** A configuration that is compiled and waits for the word. */
interface Prepared {
  commit(): Promise<void>;
  abort(): void;
}

/** A socket of a door, as it came. */
interface SentDoor {
  readonly door: string;
  readonly handle: TcpHandle;
}

/** Serves as the main process says, until it says otherwise or is gone. Resolves with the exit status. */
export function runWorker(): Promise<number> {
  return new Promise((resolve) => {
    let worker: ServingWorker | null = null;
    /** What came before the start that needs it. */
    const sent: SentDoor[] = [];
    process.on("message", (message: unknown, handle: unknown) => {
      const body = unwrap<ToWorker>(message);
      if (body === null) return;
      if (body.say === "start") {
        begin(body, sent).then(
          (started) => {
            worker = started;
            void started.ended.then(() => resolve(0));
            tell({ say: "serving" });
          },
          (error: Error) => {
            tell({ say: "failed", problem: error.message }, () => resolve(1));
          },
        );
      } else if (worker !== null) worker.take(body, handle as TcpHandle | undefined);
      else if (body.say === "door") sent.push({ door: body.door, handle: handle as TcpHandle });
      else if (body.say === "collect") tell({ say: "collected", id: body.id, patch: null, report: null });
    });
    // Its requests have nobody to answer for any more: without the main process nothing is counted.
    process.once("disconnect", () => resolve(0));
    tell({ say: "hello", protocol: PROTOCOL });
  });
}

function tell(body: FromWorker, onSent: () => void = () => {}): void {
  if (process.connected) process.send?.(wrap(body), undefined, {}, onSent);
  else onSent();
}

const TALK: DoorsTalk = {
  open: (count) => tell({ say: "open", count }),
  taken: (id, isTaken) => tell({ say: "taken", id, isTaken }),
  passOn(door, handle, onSent) {
    const body: FromWorker = { say: "connection", door };
    // Node's types know nothing of what is below a socket.
    if (process.connected) process.send?.(wrap(body), handle as unknown as Socket, {}, onSent);
    else onSent();
  },
};

async function begin(
  { worker, version: _, workers, ticketKeys, config: message }: Start,
  sent: readonly SentDoor[],
): Promise<ServingWorker> {
  const config = configOf(message);
  const stats = new Stats();
  const programLog = openLog(config.log, (lines, cause) => stats.logLosses.count(cause, lines));
  const log = programLog.logger.child({ worker });
  const { format, output } = config.log.access;
  const accessLog = createAccessLog(format, stats, { output, log });
  const doors = new WorkerDoors({
    talk: TALK,
    isOneOfMany: workers > 1,
    load: () => ({
      open: stats.openConnections,
      part: partOf(plane.config.limits.connections, workers, worker),
    }),
  });
  for (const { door, handle } of sent) doors.receive(door, handle);
  const plane: DataPlane = new DataPlane({
    config,
    stats,
    log,
    accessLog,
    doors,
    share: workers,
    worker,
    generation: message.generation,
    ticketKeys,
    budgets: createLeasedBudgets(process, workers),
  });
  await plane.start();
  doors.closeRest();
  return new ServingWorker({ plane, stats, log, programLog, accessLog, doors });
}

/** Read and checked by the main process before: what is wrong here is that the two differ. */
function configOf({ text, file }: ConfigMessage): GatewayConfig {
  const result = readConfig(text, file);
  if (result.ok) return result.config;
  throw new Error(result.problems.map((problem) => formatProblem(problem)).join("; "));
}

interface Parts {
  readonly plane: DataPlane;
  readonly stats: Stats;
  readonly log: Logger;
  readonly programLog: ProgramLog;
  readonly accessLog: OpenAccessLog;
  readonly doors: WorkerDoors;
}

/**
 * What a worker has counted since is lost when it is killed. To look for it costs some 20 µs, and with 200 routes 0.4 ms;
 * nothing is sent where nothing was counted.
 */
const TELL_STATS_EVERY_MS = 250;

class ServingWorker {
  readonly ended: Promise<void>;
  readonly #parts: Parts;
  readonly #sender: StatsSender;
  readonly #telling: NodeJS.Timeout;
  #end: () => void = () => {};
  #prepared: Prepared | null = null;
  #isDraining = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#sender = new StatsSender(parts.stats);
    this.#telling = setInterval(() => this.#tellStats(), TELL_STATS_EVERY_MS).unref();
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  take(body: ToWorker, handle: TcpHandle | undefined): void {
    switch (body.say) {
      case "connection":
        if (handle !== undefined) this.#parts.doors.offer(body, handle);
        break;
      case "yours":
        this.#parts.doors.confirm(body.id, body.isYours);
        break;
      case "others":
        this.#parts.doors.told(body.others);
        break;
      case "door":
        if (handle !== undefined) this.#parts.doors.receive(body.door, handle);
        break;
      case "collect":
        this.#collect(body.id);
        break;
      case "prepare":
        // What it has not opened is bound still, and would be in the way of the next.
        this.#answer(
          body.id,
          this.#prepare(body.config).finally(() => this.#parts.doors.closeRest()),
        );
        break;
      case "commit":
        this.#answer(body.id, this.#commit());
        break;
      case "abort":
        this.#answer(body.id, this.#abort());
        break;
      case "reopen":
        this.#answer(body.id, this.#reopen());
        break;
      case "drain":
        void this.#drain(body.graceMs);
    }
  }

  #collect(id: number): void {
    // Who sees in the numbers that a connection has ended may count on its place.
    this.#parts.doors.tellOpen();
    const report = this.#isDraining ? null : this.#parts.plane.report();
    tell({ say: "collected", id, patch: this.#sender.take(), report });
  }

  #tellStats(): void {
    const patch = this.#sender.take();
    if (patch !== null) tell({ say: "collected", id: 0, patch, report: null });
  }

  #answer(id: number, done: Promise<void>): void {
    done.then(
      () => tell({ say: "done", id, problem: null }),
      (error: Error) => tell({ say: "done", id, problem: error.message }),
    );
  }

  async #prepare(message: ConfigMessage): Promise<void> {
    await this.#abort();
    const config = configOf(message);
    const { plane, log, programLog, accessLog } = this.#parts;
    const logChange = programLog.prepare(config.log);
    const accessChange = abortingOthers([logChange], () => accessLog.prepare(config.log.access));
    const abortLogs = () => {
      logChange.abort();
      accessChange.abort();
    };
    try {
      const change = await plane.prepare(config, message.generation);
      this.#prepared = {
        async commit() {
          logChange.commit();
          accessChange.commit();
          log.level = config.log.level;
          await change.commit();
        },
        abort() {
          change.abort();
          abortLogs();
        },
      };
    } catch (error) {
      abortLogs();
      throw error;
    }
  }

  async #commit(): Promise<void> {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared === null) throw new Error("nothing was prepared");
    await prepared.commit();
  }

  async #abort(): Promise<void> {
    this.#prepared?.abort();
    this.#prepared = null;
  }

  async #reopen(): Promise<void> {
    this.#parts.programLog.reopen();
    this.#parts.accessLog.reopen();
  }

  async #drain(graceMs: number): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { plane, programLog, accessLog, doors } = this.#parts;
    await doors.drain();
    await plane.stop(graceMs);
    await accessLog.close();
    await programLog.close();
    clearInterval(this.#telling);
    tell({ say: "collected", id: 0, patch: this.#sender.take(), report: null }, () => this.#end());
  }
}

function abortingOthers<T>(others: readonly { abort(): void }[], prepare: () => T): T {
  try {
    return prepare();
  } catch (error) {
    for (const other of others) other.abort();
    throw error;
  }
}
