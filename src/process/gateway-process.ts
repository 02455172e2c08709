import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, type readConfig } from "../config/read-config.js";
import type { Runtime } from "../route/runtime.js";
import type { ReloadOutcome } from "../server/admin-source.js";
import { type AccessLog, createAccessLog } from "../telemetry/access-log.js";
import { createLog, type Logger } from "../telemetry/log.js";
import { Stats } from "../telemetry/stats.js";
import { ControlPlane } from "./control-plane.js";
import { DataPlane } from "./data-plane.js";
import type { Fleet, FleetState } from "./fleet.js";

export interface GatewayProcessOptions {
  readonly config: GatewayConfig;
  readonly version: string;
  /** For tests: instead of standard error and standard output. */
  readonly log?: Logger;
  readonly accessLog?: AccessLog;
  /** Reads the configuration again, for {@link GatewayProcess.reload}; absent: there is nothing to read. */
  readonly reloadFrom?: () => Promise<ReturnType<typeof readConfig>>;
}

/** The whole gateway in one process, without workers: for the demo and for tests. */
export class GatewayProcess implements Fleet {
  readonly stats = new Stats();
  readonly log: Logger;
  readonly #accessLog: AccessLog;
  readonly #data: DataPlane;
  readonly #control: ControlPlane;
  readonly #reloadFrom: GatewayProcessOptions["reloadFrom"];
  readonly #reloads = { ok: 0, failed: 0 };
  #generation = 1;
  #configLoadedAtMs = Date.now();
  #lastReload: ReloadOutcome | null = null;
  /** Ends with the reload that was asked for last. */
  #reloading: Promise<unknown> = Promise.resolve();
  #isDraining = false;

  /** @throws Error when a file that the configuration names cannot be read */
  constructor({ config, version, log, accessLog, reloadFrom }: GatewayProcessOptions) {
    this.#reloadFrom = reloadFrom;
    this.log = log ?? createLog(config.log.level, (lines, cause) => this.stats.logLosses.count(cause, lines));
    this.#accessLog = accessLog ?? createAccessLog(config.log.access.format, this.stats);
    this.#data = new DataPlane({ config, stats: this.stats, log: this.log, accessLog: this.#accessLog });
    this.#control = new ControlPlane({ fleet: this, version, log: this.log, runtime: () => this.runtime });
  }

  /** What is served now. */
  get config(): GatewayConfig {
    return this.#data.config;
  }

  get runtime(): Runtime {
    return this.#data.runtime;
  }

  /** By listener name, once started. */
  get addresses(): ReadonlyMap<string, AddressInfo> {
    return this.#data.addresses;
  }

  get adminAddress(): AddressInfo | null {
    return this.#control.adminAddress;
  }

  get state(): FleetState {
    return {
      config: this.config,
      generation: this.#generation,
      workersWanted: 1,
      workersServing: 1,
      workersDraining: 0,
      workerRestarts: 0,
      reloads: this.#reloads,
      isDraining: this.#isDraining,
      lastReload: this.#lastReload,
      configLoadedAtMs: this.#configLoadedAtMs,
    };
  }

  async collect() {
    return [this.#data.report()];
  }

  /** As `Fleet` says: never two at once. The log's level and places stay as they were. */
  reload(): Promise<ReloadOutcome> {
    const outcome = this.#reloading.then(() => this.#reloadNow());
    this.#reloading = outcome;
    return outcome;
  }

  async upgrade(): Promise<ReloadOutcome> {
    return this.#outcome(["there are no workers to replace: this is one process"], []);
  }

  /** Opens the sockets; rejects with one sentence when an address cannot be had, and then nothing stays open. */
  async start(): Promise<void> {
    try {
      await this.#control.start();
      await this.#data.start();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /**
   * Accepts nothing new, lets what runs finish, and ends the rest.
   * @param graceMs how long what runs may take
   */
  async stop(graceMs: number): Promise<void> {
    this.#isDraining = true;
    await this.#data.stop(graceMs);
    this.#control.stop();
    await this.#accessLog.close();
  }

  async #reloadNow(): Promise<ReloadOutcome> {
    const read = this.#reloadFrom === undefined ? null : await this.#reloadFrom();
    const outcome = read === null ? this.#outcome(["there is no file to read again"], []) : await this.#take(read);
    this.#reloads[outcome.ok ? "ok" : "failed"] += 1;
    this.#lastReload = outcome;
    return outcome;
  }

  async #take(read: ReturnType<typeof readConfig>): Promise<ReloadOutcome> {
    const warnings = read.warnings.map((warning) => formatProblem(warning, "warning"));
    if (!read.ok) {
      const problems = read.problems.map((problem) => formatProblem(problem));
      return this.#outcome(problems, warnings);
    }
    try {
      await this.#swap(read.config);
    } catch (error) {
      return this.#outcome([(error as Error).message], warnings);
    }
    return this.#outcome([], warnings);
  }

  async #swap(config: GatewayConfig): Promise<void> {
    const data = await this.#data.prepare(config);
    const control = await this.#control.prepare(config, data.runtime).catch((error: Error) => {
      data.abort();
      throw error;
    });
    control.commit();
    await data.commit();
    this.#generation += 1;
    this.#configLoadedAtMs = Date.now();
  }

  #outcome(problems: readonly string[], warnings: readonly string[]): ReloadOutcome {
    return { ok: problems.length === 0, atMs: Date.now(), generation: this.#generation, problems, warnings };
  }
}
