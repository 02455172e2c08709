import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import type { Budgets } from "../limits/budget.js";
import { compileClientIp } from "../policy/client-ip.js";
import { type Clients, compileClients } from "../policy/clients.js";
import { Runtime } from "../route/runtime.js";
import type { Doors } from "../server/doors.js";
import { Listener, type ListenerGateway } from "../server/listener.js";
import { type AccessLog, maskTarget, unmasked } from "../telemetry/access-log.js";
import type { Logger } from "../telemetry/log.js";
import { EventLoopLag } from "../telemetry/metrics-lag.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { Stats } from "../telemetry/stats.js";
import { listenOrExplain } from "./listen-or-explain.js";
import { settlesWithin } from "./settles-within.js";

/** How long the start waits for credentials. */
const FIRST_CREDENTIALS_MS = 5_000;

export interface DataPlaneOptions {
  readonly config: GatewayConfig;
  readonly stats: Stats;
  readonly log: Logger;
  readonly accessLog: AccessLog;
  /** Where connections come from; absent: from sockets of this process. */
  readonly doors?: Doors;
  /** Rates and counts that are held elsewhere and outlive this; absent: in this process. */
  readonly budgets?: Budgets;
  /** How many processes divide what each counts for itself, connections; absent: 1. */
  readonly share?: number;
  /** This process's number, from 1; absent: 1. */
  readonly worker?: number;
  /** Of `config`, from 1; absent: 1. */
  readonly generation?: number;
}

/** The next configuration, compiled; nothing serves by it yet. */
export interface PreparedPlane {
  commit(): Promise<void>;
  abort(): void;
}

/** What serves clients in one process: the listeners, and the configuration as it is compiled. */
export class DataPlane {
  readonly config: GatewayConfig;
  readonly runtime: Runtime;
  /** By listener name, once started. */
  readonly addresses = new Map<string, AddressInfo>();
  readonly #options: DataPlaneOptions;
  readonly #lag = new EventLoopLag(performance.now());
  readonly #listeners: readonly Listener[];
  #isDraining = false;

  /** @throws Error when a file that the configuration names cannot be read */
  constructor(options: DataPlaneOptions) {
    const { config, stats, log } = options;
    this.config = config;
    this.#options = options;
    this.runtime = new Runtime(config, stats, log);
    const trusted = config.trustedProxies.length === 0 ? null : compileClients(config.trustedProxies);
    this.#listeners = config.listeners.map(
      ({ name, address, proxyProtocol }) =>
        new Listener({
          name,
          address,
          ...(options.doors === undefined ? {} : { doors: options.doors }),
          limits: config.limits,
          proxyHeaderFrom: proxyProtocol ? trusted : null,
          gateway: this.#gateway(name, trusted),
        }),
    );
  }

  /** Opens the sockets; rejects with one sentence when an address cannot be had. */
  async start(): Promise<void> {
    // Requests before the first credentials would be refused; but one source that is down must not stop the others.
    await settlesWithin(this.runtime.start(), FIRST_CREDENTIALS_MS);
    for (const [index, { name, address }] of this.config.listeners.entries()) {
      const listener = this.#listeners[index] as Listener;
      this.addresses.set(name, await listenOrExplain(`listener ${name}`, address, () => listener.listen()));
    }
  }

  /**
   * Accepts nothing new, lets what runs finish, and ends the rest.
   * @param graceMs how long what runs may take
   */
  async stop(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const drained = Promise.all(this.#listeners.map((listener) => listener.drain()));
    if (!(await settlesWithin(drained, graceMs))) {
      await Promise.all(this.#listeners.map((listener) => listener.destroy()));
    }
    await drained;
    this.#lag.stop();
    this.runtime.destroy();
  }

  async prepare(_config: GatewayConfig, _generation?: number): Promise<PreparedPlane> {
    throw new Error("not built");
  }

  /** What this process says of itself. */
  report(): ProcessReport {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return {
      worker: this.#options.worker ?? 1,
      pid: process.pid,
      generation: this.#options.generation ?? 1,
      upstreams: this.#upstreamGauges(),
      credentials: this.#credentialsGauges(),
      certificates: [],
      sharedUp: this.runtime.budgets.isSharedUp,
      problems: this.#problems(),
      eventLoopLagMs: this.#lag.lately(performance.now()),
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      cpuSeconds: (user + system) / 1e6,
    };
  }

  #gateway(listener: string, trusted: Clients | null): ListenerGateway {
    const { stats, accessLog, log } = this.#options;
    return {
      table: this.runtime.table(listener),
      limits: this.config.limits,
      stats,
      accessLog,
      log,
      isTls: false,
      findClientIp: trusted === null ? null : compileClientIp(trusted),
      trustedProxies: trusted,
      mask: this.config.log.access.unmasked ? unmasked : maskTarget,
      usage: this.runtime.usage,
      findCredentials: (accessKeyId, nowMs) => this.runtime.findCredentials(accessKeyId, nowMs),
    };
  }

  #upstreamGauges() {
    const nowMs = performance.now();
    return [...this.runtime.upstreams].map(([id, upstream]) => ({
      id,
      addresses: upstream.addresses.length,
      setAside: upstream.setAsideCount(nowMs),
      inFlight: upstream.inFlight,
      clockSkewMs: this.runtime.clocks.get(id)?.skewMs ?? null,
      pools: upstream.health(nowMs),
    }));
  }

  #credentialsGauges() {
    const nowMs = Date.now();
    return [...this.runtime.credentials.values()].map((source) => {
      const current = source.current(nowMs);
      return { name: source.name, isValid: current !== null, expiresAtMs: current?.expiresAtMs ?? null };
    });
  }

  #problems(): string[] {
    if (this.#isDraining) return ["shutting down"];
    const nowMs = Date.now();
    const upstreams = [...this.runtime.upstreams]
      .filter(([, upstream]) => upstream.addresses.length === 0)
      .map(([alias, upstream]) => `bucket ${alias}: no address is known for ${upstream.options.host}`);
    const credentials = [...this.runtime.credentials.values()]
      .filter((source) => source.current(nowMs) === null)
      .map(({ name }) => {
        const cause = this.runtime.credentialsFailure(name);
        return `credentials ${name}: there are no valid ones${cause === undefined ? "" : `: ${cause}`}`;
      });
    return [...upstreams, ...credentials];
  }
}
