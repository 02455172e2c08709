import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
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
}

/** The whole gateway in one process, without workers: for the demo and for tests. */
export class GatewayProcess implements Fleet {
  readonly config: GatewayConfig;
  readonly stats = new Stats();
  readonly log: Logger;
  readonly #accessLog: AccessLog;
  readonly #data: DataPlane;
  readonly #control: ControlPlane;
  readonly #startedMs = Date.now();
  #isDraining = false;

  /** @throws Error when a file that the configuration names cannot be read */
  constructor({ config, version, log, accessLog }: GatewayProcessOptions) {
    this.config = config;
    this.log =
      log ??
      createLog(config.log.level, () => {
        this.stats.droppedLogLines += 1;
      });
    this.#accessLog = accessLog ?? createAccessLog(config.log.access.format, this.stats);
    this.#data = new DataPlane({ config, stats: this.stats, log: this.log, accessLog: this.#accessLog });
    this.#control = new ControlPlane({ fleet: this, version, log: this.log, runtime: () => this.runtime });
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
      generation: 1,
      workersWanted: 1,
      workersServing: 1,
      workerRestarts: 0,
      reloads: { ok: 0, failed: 0 },
      isDraining: this.#isDraining,
      lastReload: null,
      configLoadedAtMs: this.#startedMs,
    };
  }

  async collect() {
    return [this.#data.report()];
  }

  async reload(): Promise<ReloadOutcome> {
    throw new Error("not built");
  }

  async upgrade(): Promise<ReloadOutcome> {
    throw new Error("not built");
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
}
