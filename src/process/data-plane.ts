import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import type { LastingBudgets } from "../limits/budget.js";
import { compileClientIp } from "../policy/client-ip.js";
import { type Clients, compileClients } from "../policy/clients.js";
import { Common } from "../route/common.js";
import { Runtime } from "../route/runtime.js";
import type { Doors } from "../server/doors.js";
import type { ListenerGateway } from "../server/listener.js";
import { TicketKeys, type TicketSeed } from "../server/ticket-keys.js";
import { type AccessLog, unmasked } from "../telemetry/access-log.js";
import type { Logger } from "../telemetry/log.js";
import { EventLoopLag } from "../telemetry/metrics-lag.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { Stats } from "../telemetry/stats.js";
import { dividedConfig } from "./divided.js";
import { Listeners, type PreparedListeners, type WantedListener } from "./listeners.js";
import { problemsOf, reportOf } from "./plane-report.js";
import { closePlaneTls, openPlaneTls, type PlaneTls } from "./plane-tls.js";
import { readVersion } from "./program-version.js";
import { settlesWithin } from "./settles-within.js";

/** How long a start or a reload waits for credentials and addresses. */
const FIRST_ANSWERS_MS = 5_000;

/** Of the program that runs here: another may be on the disk by the time it is asked for. */
const VERSION = readVersion();

export interface DataPlaneOptions {
  readonly config: GatewayConfig;
  readonly stats: Stats;
  readonly log: Logger;
  readonly accessLog: AccessLog;
  /** Where connections come from; absent: from sockets of this process. */
  readonly doors?: Doors;
  /** Rates and counts that are held elsewhere, outlive this, and are closed by whoever made them; absent: in this process. */
  readonly budgets?: LastingBudgets;
  /** How many processes divide what each counts for itself, connections; absent: 1. */
  readonly share?: number;
  /** This process's number, from 1; absent: 1. */
  readonly worker?: number;
  /** Of `config`, from 1; absent: 1. */
  readonly generation?: number;
  /** What all processes have alike, for TLS sessions to be resumed in any of them; absent: its own. */
  readonly ticketKeys?: TicketSeed;
}

/** The next configuration, compiled; nothing serves by it yet. One of the two is to be called, once. */
export interface PreparedPlane {
  readonly runtime: Runtime;
  /** Serves by it from the next request on; what is in flight ends by what it began with. Never fails. */
  commit(): Promise<void>;
  /** Nothing has changed. */
  abort(): void;
}

/** What serves clients in one process: the listeners, and the configuration as it is compiled. */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #common: Common;
  readonly #listeners: Listeners;
  readonly #lag = new EventLoopLag(performance.now());
  #config: GatewayConfig;
  #runtime: Runtime;
  #generation: number;
  readonly #ticketKeys: TicketKeys;
  #tls: PlaneTls = new Map();
  #isPreparing = false;
  #isDraining = false;

  /** @throws Error when a file that the configuration names cannot be read */
  constructor(options: DataPlaneOptions) {
    const { config, stats, log, generation = 1, share = 1, worker = 1 } = options;
    this.#options = options;
    this.#ticketKeys = new TicketKeys(options.ticketKeys);
    this.#config = config;
    this.#generation = generation;
    this.#common = new Common(stats, log, options.budgets);
    this.#listeners = new Listeners(options.doors);
    this.#runtime = new Runtime(dividedConfig(config, share, worker), stats, log, this.#common);
    this.#runtime.take(performance.now());
  }

  /** What is served now. */
  get config(): GatewayConfig {
    return this.#config;
  }

  get runtime(): Runtime {
    return this.#runtime;
  }

  /** By listener name, once started. */
  get addresses(): ReadonlyMap<string, AddressInfo> {
    return this.#listeners.addresses;
  }

  /** Opens the sockets; rejects with one sentence when an address cannot be had. */
  async start(): Promise<void> {
    // Requests before the first credentials would be refused; but one source that is down must not stop the others.
    await settlesWithin(this.#runtime.start(), FIRST_ANSWERS_MS);
    const { tls, listeners } = await this.#openListeners(this.#runtime);
    this.#tls = tls;
    await listeners.commit(0);
  }

  /**
   * Compiles another configuration, opens the sockets that are new in it and asks for credentials that are. Rejects with
   * an Error whose message tells what cannot be had; then nothing has changed.
   * @param share as in the options; absent: as it was
   */
  async prepare(
    config: GatewayConfig,
    generation = this.#generation + 1,
    share = this.#options.share ?? 1,
  ): Promise<PreparedPlane> {
    if (this.#isDraining) throw new Error("the program is shutting down");
    if (this.#isPreparing) throw new Error("another configuration is being taken");
    this.#isPreparing = true;
    try {
      const { stats, log, worker = 1 } = this.#options;
      const runtime = new Runtime(dividedConfig(config, share, worker), stats, log, this.#common);
      const { tls, listeners } = await this.#prepareListeners(runtime);
      const abort = (): void => {
        this.#isPreparing = false;
        listeners.abort();
        closePlaneTls(tls);
        runtime.destroy();
      };
      const commit = async (): Promise<void> => {
        // What is going down opens nothing any more.
        if (this.#isDraining) abort();
        else this.#commit({ config, generation, runtime, tls, listeners });
      };
      return { runtime, commit, abort };
    } catch (error) {
      this.#isPreparing = false;
      throw error;
    }
  }

  /**
   * Accepts nothing new, lets what runs finish, and ends the rest. Clients are told with their next answer; a connection
   * on which nothing is asked is closed when it has been idle for as long as it may be.
   * @param graceMs how long all of it may take
   */
  async stop(graceMs: number): Promise<void> {
    this.#isDraining = true;
    await this.#listeners.stop(graceMs);
    this.#lag.stop();
    this.#runtime.destroy();
  }

  /** What this process says of itself. */
  report(): ProcessReport {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return {
      worker: this.#options.worker ?? 1,
      pid: process.pid,
      version: VERSION,
      node: process.version,
      generation: this.#generation,
      ...reportOf(this.#runtime),
      certificates: [...this.#tls.values()].flatMap((tls) => tls.gauges()),
      problems: this.#isDraining ? ["shutting down"] : [...problemsOf(this.#runtime), ...this.#withoutCertificate()],
      eventLoopLagMs: this.#lag.lately(performance.now()),
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      cpuSeconds: (user + system) / 1e6,
    };
  }

  #withoutCertificate(): readonly string[] {
    const empty = [...this.#tls].filter(([, tls]) => tls.isEmpty);
    return empty.map(([name]) => `listener ${name}: there is no certificate`);
  }

  /** Reads the certificates, then takes the addresses. */
  async #openListeners(runtime: Runtime): Promise<Pick<Next, "tls" | "listeners">> {
    const { stats, log } = this.#options;
    const tls = await openPlaneTls(runtime.config, { ticketKeys: this.#ticketKeys, stats, log });
    try {
      return { tls, listeners: await this.#listeners.prepare(this.#wanted(runtime, tls)) };
    } catch (error) {
      closePlaneTls(tls);
      throw error;
    }
  }

  async #prepareListeners(runtime: Runtime): Promise<Pick<Next, "tls" | "listeners">> {
    try {
      await settlesWithin(Promise.all([runtime.start(), runtime.resolved()]), FIRST_ANSWERS_MS);
      if (this.#isDraining) throw new Error("the program is shutting down");
      return await this.#openListeners(runtime);
    } catch (error) {
      runtime.destroy();
      throw error;
    }
  }

  #commit({ config, generation, runtime, tls, listeners }: Next): void {
    const before = this.#runtime;
    const { shutdownTimeoutMs } = this.#config.limits;
    this.#isPreparing = false;
    this.#config = config;
    this.#runtime = runtime;
    this.#tls = tls;
    this.#generation = generation;
    runtime.take(performance.now());
    // Connections of listeners that go are served with it until the last has ended.
    before.usage.enter();
    void listeners.commit(shutdownTimeoutMs).then(() => before.usage.leave());
    before.retire();
  }

  #wanted(runtime: Runtime, tls: PlaneTls): readonly WantedListener[] {
    const { trustedProxies, listeners, limits } = runtime.config;
    const trusted = trustedProxies.length === 0 ? null : compileClients(trustedProxies);
    return listeners.map(({ name, address, proxyProtocol }) => ({
      address,
      terms: {
        name,
        limits,
        proxyHeaderFrom: proxyProtocol ? trusted : null,
        tls: tls.get(name) ?? null,
        gateway: this.#gateway(runtime, name, { trusted, isTls: tls.has(name) }),
      },
    }));
  }

  #gateway(
    runtime: Runtime,
    listener: string,
    { trusted, isTls }: { readonly trusted: Clients | null; readonly isTls: boolean },
  ): ListenerGateway {
    const { stats, accessLog, log } = this.#options;
    return {
      table: runtime.table(listener),
      limits: runtime.config.limits,
      stats,
      accessLog,
      log,
      isTls,
      acmeChallengeDirectory: isTls ? null : runtime.config.acmeChallengeDirectory,
      findClientIp: trusted === null ? null : compileClientIp(trusted),
      trustedProxies: trusted,
      mask: runtime.config.log.access.unmasked ? unmasked : runtime.mask,
      maskAlways: runtime.mask,
      usage: runtime.usage,
      findCredentials: (accessKeyId, nowMs) => runtime.findCredentials(accessKeyId, nowMs),
    };
  }
}

interface Next {
  readonly config: GatewayConfig;
  readonly generation: number;
  readonly runtime: Runtime;
  readonly tls: PlaneTls;
  readonly listeners: PreparedListeners;
}
