import type { AddressInfo } from "node:net";
import type { GatewayConfig, SocketAddress } from "../config/gateway-config.js";
import { Common } from "../route/common.js";
import { Runtime } from "../route/runtime.js";
import type { ReloadOutcome } from "../server/admin-source.js";
import { TicketKeys } from "../server/ticket-keys.js";
import { type Logger, openLog, type ProgramLog } from "../telemetry/log.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import { Stats } from "../telemetry/stats.js";
import { StatsReceiver } from "../telemetry/stats-transfer.js";
import { BudgetServer } from "./budget-messages.js";
import { BEGIN_LIMIT_MS, ConfigChange } from "./config-change.js";
import { ControlPlane } from "./control-plane.js";
import { Crew } from "./crew.js";
import { doorKey } from "./door-key.js";
import { refuseExchanged } from "./exchanged-addresses.js";
import type { Fleet, FleetState } from "./fleet.js";
import { FrontDoors, type PreparedDoors } from "./front-doors.js";
import { Handovers } from "./handovers.js";
import type { ToWorker } from "./messages.js";
import { OneByOne } from "./one-by-one.js";
import { type ConfigText, messageOf, readFresh, type ServedConfig, workersOf } from "./served-config.js";
import { createServiceManager, type ServiceManager } from "./systemd.js";
import { type SystemdSockets, takeSystemdSockets } from "./systemd-sockets.js";
import type { WorkerHandle } from "./worker-handle.js";

export interface SupervisorOptions extends ConfigText {
  readonly version: string;
}

/** How long a worker may take to say what it counted. */
const COLLECT_LIMIT_MS = 1_000;
/** So many generations of workers may drain at once: each takes as much memory as one that serves. */
const MAX_DRAINING = 2;

const ENDING = "the gateway is ending";

/** A step of a reload that can be taken back until all are ready. */
interface Change {
  commit(): void;
  abort(): void;
}

/**
 * The main process: it has the listening sockets, the admin listener and the workers, and serves no client itself.
 */
export class Supervisor implements Fleet {
  readonly stats = new Stats();
  readonly log: Logger;
  readonly #version: string;
  /** A TLS session that began in one worker is resumed in any. */
  readonly #ticketKeys = new TicketKeys();
  readonly #programLog: ProgramLog;
  readonly #receiver = new StatsReceiver(this.stats);
  readonly #doors: FrontDoors;
  readonly #handovers: Handovers;
  /** So that a reload does not ask anew for credentials that it does not change. */
  readonly #common: Common;
  readonly #crew: Crew;
  readonly #control: ControlPlane;
  readonly #sockets: SystemdSockets;
  readonly #manager: ServiceManager;
  #current: ServedConfig;
  /** How many workers divide what each counts for itself. */
  #sharers: number;
  readonly #budgetServer: BudgetServer;
  #lastReload: ReloadOutcome | null = null;
  #reloads = { ok: 0, failed: 0 };
  #hasStarted = false;
  #isDraining = false;
  readonly #steps = new OneByOne();
  /** Asked for and not begun: who asks again gets the same. */
  readonly reload = this.#steps.merged(() => this.#reload());
  readonly upgrade = this.#steps.merged(() => this.#upgrade());
  readonly #change: ConfigChange;
  /** Of workers, by their id: what they spend is theirs until then. */
  readonly #budgetEnds = new Map<number, () => void>();

  /** @throws Error one sentence when a file or secret that the configuration names cannot be read */
  constructor({ version, ...read }: SupervisorOptions) {
    this.#version = version;
    this.#programLog = openLog(read.config.log, (lines, cause) => this.stats.logLosses.count(cause, lines));
    this.log = this.#programLog.logger;
    this.#sockets = takeSystemdSockets();
    this.#common = new Common(new Stats(), this.log);
    this.#manager = createServiceManager({ log: this.log });
    this.#current = {
      ...read,
      generation: 1,
      runtime: this.#compile(read.config),
      doors: {},
      loadedAtMs: Date.now(),
    };
    this.#sharers = workersOf(read.config);
    this.#budgetServer = new BudgetServer(this.#sharers);
    this.#doors = new FrontDoors({ systemdSockets: (name) => this.#sockets.find(name) });
    this.#handovers = new Handovers({
      log: this.log,
      onRefused: () => {
        this.stats.connectionsRefused += 1;
      },
    });
    this.#crew = new Crew({
      log: this.log,
      handovers: this.#handovers,
      startMessage: (worker) => this.#startMessage(worker),
      onPatch: (worker, patch) => this.#receiver.apply(worker.id, patch),
      onFork: (worker) => void this.#budgetEnds.set(worker.id, this.#budgetServer.serve(worker.process)),
      onGone: (worker) => this.#forget(worker),
    });
    this.#change = new ConfigChange(this.#crew, this.log);
    this.#control = new ControlPlane({ fleet: this, version, log: this.log, runtime: () => this.#current.runtime });
  }

  get state(): FleetState {
    return {
      config: this.#current.config,
      generation: this.#current.generation,
      workersWanted: this.#crew.wanted,
      workersServing: this.#crew.serving.length,
      workersDraining: this.#crew.draining,
      workerRestarts: this.#crew.restarts,
      reloads: this.#reloads,
      isDraining: this.#isDraining,
      lastReload: this.#lastReload,
      configLoadedAtMs: this.#current.loadedAtMs,
    };
  }

  /** By listener name, once started. */
  get addresses(): ReadonlyMap<string, AddressInfo> {
    const { config, doors } = this.#current;
    return new Map(
      config.listeners.map(({ name, address }) => [name, doors[doorKey(name, address)] as AddressInfo] as const),
    );
  }

  get adminAddress(): AddressInfo | null {
    return this.#control.adminAddress;
  }

  get #adminSocket(): SocketAddress | null {
    const { adminAddress } = this;
    return adminAddress === null ? null : { host: adminAddress.address, port: adminAddress.port };
  }

  /**
   * Serves; rejects with one sentence when an address cannot be had or workers cannot begin, and then nothing stays.
   * Resolves too when it is stopped meanwhile.
   */
  async start(): Promise<void> {
    try {
      await this.#steps.run(() => this.#start());
    } catch (error) {
      if (this.#isDraining) return;
      await this.stop(0);
      throw error;
    }
  }

  /**
   * Accepts nothing new, lets what runs finish, and ends the rest. A reload or an upgrade that is under way goes no
   * further, and none begins any more.
   * @param graceMs how long what runs may take
   */
  async stop(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#manager.stopping(graceMs);
    this.#doors.close();
    await this.#crew.stop(graceMs);
    this.#handovers.close();
    // What was under way waits for workers only, and they are gone; it closes what it has opened.
    await this.#steps.idle;
    this.#control.stop();
    this.#current.runtime.destroy();
  }

  async #start(): Promise<void> {
    await this.#control.start();
    const doors = this.#doors.prepare(this.#current.config.listeners);
    this.#current = { ...this.#current, doors: doors.table };
    this.#handovers.divide(this.#current.config.limits.connections, this.#sharers);
    doors.commit();
    await this.#crew.start(this.#sharers);
    this.#startCredentials(this.#current);
    this.#hasStarted = true;
    this.#tellReady();
  }

  /** Opens the files of both logs again. */
  async reopenLogs(): Promise<void> {
    this.#programLog.reopen();
    await Promise.all(this.#crew.all.map((worker) => worker.ask((id) => ({ say: "reopen", id }), COLLECT_LIMIT_MS)));
  }

  /** Each call asks anew: what happened before it is in its numbers. */
  async collect(): Promise<readonly ProcessReport[]> {
    const answers = await this.#crew.collect(COLLECT_LIMIT_MS);
    this.#handovers.tell();
    // Without this for a while, systemd restarts the program: the last resort, where what hangs could not be replaced.
    const isAlive = answers.every(({ worker, report }) => report !== null || !worker.isServing);
    if (isAlive && this.#crew.serving.length > 0) this.#manager.alive();
    return answers.map(({ report }) => report).filter((report) => report !== null);
  }

  /** After the start and after each reload, good or bad: systemd waits for it, and shows the words. */
  #tellReady(): void {
    const { config, generation, file } = this.#current;
    const wanted = config.listeners.flatMap(({ address }) => (address.systemd === null ? [] : [address.systemd]));
    for (const cause of this.#sockets.unused(new Set(wanted))) this.log.warn({ cause }, "a socket is not used");
    const problem = this.#lastReload?.problems[0];
    const refused = problem === undefined ? "" : `; the last reload was refused: ${problem}`;
    this.#manager.ready(`${this.#crew.serving.length} workers serve configuration ${generation} of ${file}${refused}`);
  }

  /**
   * Resolves when nothing is served any more and nothing can be but by another main process: the program on the disk is
   * another, and all workers have died. Whoever started this may start it anew.
   */
  async outdated(): Promise<void> {
    await this.#crew.outdated();
    if (!this.#isDraining) this.log.fatal("no worker serves, and the program on the disk is another: it is ended");
  }

  /** @returns why workers cannot be replaced now */
  #tooManyDrain(): string | null {
    const { draining, wanted } = this.#crew;
    if (draining <= wanted * MAX_DRAINING) return null;
    return `${draining} workers of before still end what they serve; try again when they have`;
  }

  async #upgrade(): Promise<ReloadOutcome> {
    const refusal = this.#isDraining ? ENDING : this.#tooManyDrain();
    if (refusal !== null) return this.#outcome([refusal], []);
    this.log.info("upgrading: workers are replaced one by one");
    const problem = await this.#crew.replaceAll(this.#current.config.limits.shutdownTimeoutMs, BEGIN_LIMIT_MS);
    const warnings = await this.#otherVersions();
    for (const cause of warnings) this.log.warn({ cause }, "not all processes are of one version");
    if (problem === null) this.log.info("upgraded: all workers are new");
    else this.log.error({ cause: problem }, "the upgrade went no further; who was not replaced serves on");
    return this.#outcome(problem === null ? [] : [problem], warnings);
  }

  /** What differs from this process, and what to do about it, in a sentence. */
  async #otherVersions(): Promise<readonly string[]> {
    const reports = await this.collect();
    const versions = new Set(reports.map(({ version }) => version ?? "of another version"));
    versions.delete(this.#version);
    if (versions.size === 0) return [];
    const others = [...versions].join(" and ");
    return [`workers are ${others}; the main process is ${this.#version} until 'systemctl restart ossgate'`];
  }

  async #reload(): Promise<ReloadOutcome> {
    const isTold = this.#hasStarted && !this.#isDraining;
    if (isTold) this.#manager.reloading();
    const { outcome, wasRefused } = await this.#tryReload();
    this.#lastReload = outcome;
    if (isTold && !this.#isDraining) this.#tellReady();
    if (outcome.ok) this.#reloads = { ...this.#reloads, ok: this.#reloads.ok + 1 };
    else this.#reloads = { ...this.#reloads, failed: this.#reloads.failed + 1 };
    const { generation, problems, warnings } = outcome;
    for (const cause of warnings) this.log.warn({ cause }, "the configuration has something to look at");
    for (const cause of problems) this.log.error({ cause, generation }, wasRefused);
    if (outcome.ok) this.log.info({ generation, config: this.#current.file }, "the configuration was reloaded");
    return outcome;
  }

  async #tryReload(): Promise<{ readonly outcome: ReloadOutcome; readonly wasRefused: string }> {
    const wasRefused = "the configuration was not reloaded, the one before is served on";
    if (this.#isDraining) return { outcome: this.#outcome([ENDING], []), wasRefused };
    const read = await readFresh(this.#current.file);
    if (read.config === null) return { outcome: this.#outcome(read.problems, []), wasRefused };
    try {
      const problems = await this.#swap({ file: this.#current.file, text: read.text, config: read.config });
      return { outcome: this.#outcome(problems, read.warnings), wasRefused };
    } catch (error) {
      return { outcome: this.#outcome([(error as Error).message], []), wasRefused };
    }
  }

  /**
   * Prepares everything, then commits everything, or takes it all back.
   * @returns why nothing changed
   * @throws Error one sentence of the same kind
   */
  async #swap(next: ConfigText): Promise<readonly string[]> {
    const tooMany = workersOf(next.config) === this.#sharers ? null : this.#tooManyDrain();
    if (tooMany !== null) return [tooMany];
    const changes: Change[] = [];
    const takeBack = () => {
      for (const { abort } of changes.reverse()) abort();
    };
    try {
      const runtime = this.#compile(next.config);
      changes.push({ commit: () => {}, abort: () => runtime.destroy() });
      changes.push(this.#programLog.prepare(next.config.log));
      refuseExchanged({ ...this.#current, admin: this.#adminSocket }, next.config);
      changes.push(await this.#control.prepare(next.config, runtime));
      const doors = this.#doors.prepare(next.config.listeners);
      changes.push({ commit: () => {}, abort: doors.abort });
      const generation = this.#current.generation + 1;
      const current: ServedConfig = { ...next, generation, runtime, doors: doors.table, loadedAtMs: Date.now() };
      const problems = await this.#tellWorkers(current, doors);
      if (problems.length > 0) {
        takeBack();
        return problems;
      }
      for (const { commit } of changes) commit();
    } catch (error) {
      takeBack();
      throw error;
    }
    await this.#resize(workersOf(next.config));
    return [];
  }

  /** @returns why they cannot; then none has changed anything */
  #tellWorkers(next: ServedConfig, doors: PreparedDoors): Promise<readonly string[]> {
    return this.#change.tell(messageOf(next), {
      beforeTold: (worker) => doors.sendNew(worker),
      begin: () => (this.#isDraining ? ENDING : null),
      end: () => {
        doors.commit();
        this.#handovers.divide(next.config.limits.connections, this.#sharers);
        const old = this.#current;
        this.#current = next;
        old.runtime.destroy();
        this.#startCredentials(next);
      },
    });
  }

  /** Connections are divided by the number of workers, so that with another number all are replaced. */
  async #resize(count: number): Promise<void> {
    if (count === this.#sharers || this.#isDraining) return;
    this.#sharers = count;
    this.#budgetServer.want(count);
    this.#handovers.divide(this.#current.config.limits.connections, count);
    const graceMs = this.#current.config.limits.shutdownTimeoutMs;
    const kept = Math.min(count, this.#crew.wanted);
    this.#crew.resize(count, graceMs);
    const problem = await this.#crew.replaceAll(graceMs, BEGIN_LIMIT_MS, kept);
    // Who is told that it is done may count on those that are more, too.
    await this.#crew.settle(BEGIN_LIMIT_MS);
    if (problem !== null && !this.#isDraining)
      this.log.error({ cause: problem }, "not all workers know how many they are");
  }

  #forget({ id }: WorkerHandle): void {
    this.#receiver.forget(id);
    this.#budgetEnds.get(id)?.();
    this.#budgetEnds.delete(id);
  }

  async #startMessage(worker: WorkerHandle): Promise<ToWorker> {
    await this.#change.settled();
    this.#doors.sendAll(worker, this.#current.doors);
    return {
      say: "start",
      worker: worker.number,
      version: this.#version,
      workers: this.#sharers,
      ticketKeys: this.#ticketKeys.seed(),
      config: messageOf(this.#current),
    };
  }

  /** @throws Error one sentence when a file or secret that the configuration names cannot be read */
  #compile(config: GatewayConfig): Runtime {
    // Not one of those that share budgets: it serves nobody.
    const alone = { ...config, limits: { ...config.limits, shared: null } };
    return new Runtime(alone, new Stats(), this.log, this.#common);
  }

  /** What the admin listener signs with, where it does. */
  #startCredentials({ config, runtime }: ServedConfig): void {
    if (config.admin.bearerSecret === null) return;
    runtime.take(performance.now());
    for (const source of runtime.credentials.values()) void source.start();
  }

  #outcome(problems: readonly string[], warnings: readonly string[]): ReloadOutcome {
    const { generation } = this.#current;
    return { ok: problems.length === 0, atMs: Date.now(), generation, problems, warnings };
  }
}
