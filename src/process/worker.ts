import type { Socket } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { createAccessLog, type OpenAccessLog } from "../telemetry/access-log.js";
import { type Logger, openLog, type ProgramLog } from "../telemetry/log.js";
import { Stats } from "../telemetry/stats.js";
import { StatsSender } from "../telemetry/stats-transfer.js";
import { createLeasedBudgets } from "./budget-messages.js";
import { DataPlane } from "./data-plane.js";
import { type ConfigMessage, type FromWorker, PROTOCOL, type ToWorker, unwrap, wrap } from "./messages.js";
import { WorkerDoors } from "./worker-doors.js";

type Start = Extract<ToWorker, { readonly say: "start" }>;

/** A configuration that is compiled and waits for the word. */
interface Prepared {
  commit(): Promise<void>;
  abort(): void;
}

/** Serves as the main process says, until it says otherwise or is gone. Resolves with the exit status. */
export function runWorker(): Promise<number> {
  return new Promise((resolve) => {
    let worker: ServingWorker | null = null;
    process.on("message", (message: unknown, socket: unknown) => {
      const body = unwrap<ToWorker>(message);
      if (body === null) return;
      if (body.say === "start") {
        begin(body).then(
          (started) => {
            worker = started;
            void started.ended.then(() => resolve(0));
            tell({ say: "serving" });
          },
          (error: Error) => {
            tell({ say: "failed", problem: error.message }, () => resolve(1));
          },
        );
      } else if (worker !== null) worker.take(body, socket as Socket | undefined);
      else if (body.say === "collect") tell({ say: "collected", id: body.id, patch: null, report: null });
      else if (body.say === "connection") refuse(body.id, socket as Socket | undefined);
    });
    // Its requests have nobody to answer for any more: without the main process nothing is counted nor accepted.
    process.once("disconnect", () => resolve(0));
    tell({ say: "hello", protocol: PROTOCOL });
  });
}

function tell(body: FromWorker, onSent: () => void = () => {}): void {
  if (process.connected) process.send?.(wrap(body), undefined, {}, onSent);
  else onSent();
}

/** The main process has the connection still, and gives it to another. */
function refuse(id: number, socket: Socket | undefined): void {
  socket?.destroy();
  tell({ say: "taken", id, isTaken: false });
}

async function begin({ worker, version: _, workers, ticketKeys, config: message }: Start): Promise<ServingWorker> {
  const config = configOf(message);
  const stats = new Stats();
  const programLog = openLog(config.log, (lines, cause) => stats.logLosses.count(cause, lines));
  const log = programLog.logger.child({ worker });
  const { format, output } = config.log.access;
  const accessLog = createAccessLog(format, stats, { output, log });
  const doors = new WorkerDoors(message.doors, (count) => tell({ say: "left", count }));
  const plane = new DataPlane({
    config,
    stats,
    log,
    accessLog,
    doors,
    share: workers,
    worker,
    generation: message.generation,
    ticketKeys: Buffer.from(ticketKeys),
    budgets: createLeasedBudgets(process, workers),
  });
  await plane.start();
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

class ServingWorker {
  readonly ended: Promise<void>;
  readonly #parts: Parts;
  readonly #sender: StatsSender;
  #end: () => void = () => {};
  #prepared: Prepared | null = null;
  #isDraining = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#sender = new StatsSender(parts.stats);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  take(body: ToWorker, socket: Socket | undefined): void {
    switch (body.say) {
      case "connection":
        this.#takeConnection(body.id, body.door, socket);
        break;
      case "collect":
        this.#collect(body.id);
        break;
      case "prepare":
        this.#answer(body.id, this.#prepare(body.config));
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
    this.#parts.doors.tellLeft();
    const report = this.#isDraining ? null : this.#parts.plane.report();
    tell({ say: "collected", id, patch: this.#sender.take(), report });
  }

  /** It is this worker's from when the main process hears so, which is before it is read: nobody reads it twice. */
  #takeConnection(id: number, door: string, socket: Socket | undefined): void {
    const { doors } = this.#parts;
    // Without a socket: its client left before it was sent here.
    if (socket !== undefined && (this.#isDraining || !doors.has(door))) {
      refuse(id, socket);
      return;
    }
    tell({ say: "taken", id, isTaken: true });
    if (socket !== undefined) doors.enter(door, socket);
    else doors.left();
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
    const { plane, log, programLog, accessLog, doors } = this.#parts;
    const logChange = programLog.prepare(config.log);
    const accessChange = abortingOthers([logChange], () => accessLog.prepare(config.log.access));
    doors.expect(message.doors);
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
    const { plane, programLog, accessLog } = this.#parts;
    await plane.stop(graceMs);
    await accessLog.close();
    await programLog.close();
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
