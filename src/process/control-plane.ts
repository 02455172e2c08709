import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { GatewayConfig, SocketAddress } from "../config/gateway-config.js";
import { readSecret } from "../credentials/secret-ref.js";
import { Issuer } from "../issue/issuer.js";
import type { Runtime } from "../route/runtime.js";
import { AdminListener } from "../server/admin.js";
import type { AdminSecrets } from "../server/admin-guard.js";
import type { AdminIssuer } from "../server/admin-issue.js";
import type { AdminSource } from "../server/admin-source.js";
import { CertificateWatch } from "../telemetry/certificate-watch.js";
import { History } from "../telemetry/history.js";
import type { Logger } from "../telemetry/log.js";
import { createMetrics } from "../telemetry/metrics.js";
import {
  mergeCredentials,
  mergeProblems,
  mergeSharedUp,
  mergeUpstreams,
  type ProcessReport,
} from "../telemetry/process-report.js";
import { RecentRates } from "../telemetry/recent-rates.js";
import { ThrottlingWatch } from "../telemetry/throttling.js";
import { WorkerCpu } from "../telemetry/worker-cpu.js";
import type { Fleet } from "./fleet.js";
import { listenOrExplain } from "./listen-or-explain.js";

export interface ControlPlaneOptions {
  readonly fleet: Fleet;
  readonly version: string;
  readonly log: Logger;
  /** Of the configuration that the fleet serves; used for credentials and for what operators ask, never for clients. */
  runtime(): Runtime;
}

/** How often the numbers are brought up to date where nobody asks. */
const TICK_MS = 1_000;

/** The next configuration of it; nothing is shown by it yet. */
export interface PreparedControl {
  commit(): void;
  abort(): void;
}

/** Something that watches the numbers, each second behind their collection. */
export interface Ticker {
  /** @param nowMs monotonic milliseconds */
  tick(nowMs: number): void;
}

/** What operators see of the program: the admin listener, metrics, and what watches the numbers. */
export class ControlPlane {
  adminAddress: AddressInfo | null = null;
  readonly #fleet: Fleet;
  readonly #log: Logger;
  readonly #source: AdminSource;
  #admin: AdminListener;
  #issuer: AdminIssuer | null;
  #secrets: AdminSecrets;
  #throttling: ThrottlingWatch;
  #reports: readonly ProcessReport[] = [];
  readonly #cpu = new WorkerCpu();
  /** Ticked each second, when the numbers of all workers are in; in order. */
  readonly #tickers: readonly Ticker[];
  #timer: NodeJS.Timeout | undefined;

  /** @throws Error when the admin's secret cannot be read */
  constructor({ fleet, version, log, runtime }: ControlPlaneOptions) {
    this.#fleet = fleet;
    this.#log = log;
    const { stats, state } = fleet;
    this.#throttling = this.#watch(state.config);
    this.#issuer = issuerOf(state.config, runtime());
    this.#secrets = secretsOf(state.config);
    const rates = new RecentRates(stats);
    const metrics = createMetrics({
      stats,
      version,
      upstreams: () => mergeUpstreams(this.#reports),
      credentials: () => mergeCredentials(this.#reports),
      sharedUp: () => mergeSharedUp(this.#reports),
      processes: () => this.#reports,
      workerCpu: () => this.#cpu.seconds(),
      fleet: () => fleet.state,
      rates,
      connectionsLimit: () => fleet.state.config.limits.connections,
      compat: () => fleet.state.config.metrics.compat,
    });
    const history = new History(stats, performance.now());
    const certificates = new CertificateWatch(log);
    this.#tickers = [
      { tick: (nowMs) => this.#throttling.tick(nowMs) },
      {
        tick: () =>
          certificates.tick(
            this.#reports.flatMap((report) => report.certificates),
            Date.now(),
          ),
      },
      rates,
      history,
    ];
    rates.tick(performance.now());
    const issuer = () => this.#issuer;
    const secrets = () => this.#secrets;
    this.#source = {
      history,
      get state() {
        return fleet.state;
      },
      get secrets() {
        return secrets();
      },
      metrics: async () => {
        await this.#collect();
        return { contentType: metrics.contentType, body: await metrics.bytes() };
      },
      collect: () => this.#collect(),
      stats,
      version,
      problems: async () => (fleet.state.isDraining ? ["shutting down"] : mergeProblems(await this.#collect())),
      tops: () => stats.tops(),
      config: () => fleet.state.config,
      runtime,
      reload: () => fleet.reload(),
      upgrade: () => fleet.upgrade(),
      get issuer() {
        return issuer();
      },
    };
    this.#admin = new AdminListener(state.config.admin.address, this.#source);
  }

  async start(): Promise<void> {
    const { address } = this.#fleet.state.config.admin;
    this.adminAddress = await listenOrExplain("admin", address, () => this.#admin.listen());
    // Does not keep the program alive; one that takes longer than a second is not overtaken.
    this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#throttling.stop();
    this.#admin.close();
  }

  /**
   * Gets ready to show another configuration.
   * @throws Error one sentence when its address cannot be had or its secret cannot be read; nothing has changed then
   */
  async prepare(config: GatewayConfig, runtime: Runtime): Promise<PreparedControl> {
    const issuer = issuerOf(config, runtime);
    const secrets = secretsOf(config);
    const old = this.#fleet.state.config;
    const moved = await this.#move(old.admin.address, config.admin.address);
    return {
      commit: () => {
        this.#issuer = issuer;
        this.#secrets = secrets;
        if (!isDeepStrictEqual(quotasOf(old), quotasOf(config))) {
          this.#throttling.stop();
          this.#throttling = this.#watch(config);
        }
        if (moved === null) return;
        // The call that asks for this may have come by the listener that goes.
        this.#admin.retire();
        this.#admin = moved.admin;
        this.adminAddress = moved.address;
      },
      abort: () => moved?.admin.close(),
    };
  }

  async #move(from: SocketAddress, to: SocketAddress) {
    if (isDeepStrictEqual(from, to)) return null;
    const admin = new AdminListener(to, this.#source);
    return { admin, address: await listenOrExplain("admin", to, () => admin.listen()) };
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    await this.#collect().catch(() => {});
    const nowMs = performance.now();
    for (const ticker of this.#tickers) ticker.tick(nowMs);
  }

  async #collect(): Promise<readonly ProcessReport[]> {
    const reports = await this.#fleet.collect();
    this.#reports = reports;
    this.#cpu.see(reports);
    return reports;
  }

  #watch(config: GatewayConfig): ThrottlingWatch {
    return new ThrottlingWatch({ config, stats: this.#fleet.stats, log: this.#log, nowMs: performance.now() });
  }
}

/** What a watch is made from. */
function quotasOf({ buckets, quotas }: GatewayConfig) {
  return { quotas, buckets: [...buckets].map(([alias, { quota, endpoint }]) => [alias, quota, String(endpoint)]) };
}

/** @throws Error when the secret cannot be read */
function issuerOf(config: GatewayConfig, runtime: Runtime): AdminIssuer | null {
  const { bearerSecret } = config.admin;
  if (bearerSecret === null) return null;
  const issuer = new Issuer({ config, credentials: runtime.credentials, readSecret });
  return { issuer, bearerSecret: readSecret(bearerSecret, "admin.bearerSecret") };
}

/** @throws Error when one of them cannot be read */
function secretsOf({ admin }: GatewayConfig): AdminSecrets {
  const { bearerSecret, readerSecret } = admin;
  return {
    bearer: bearerSecret === null ? null : readSecret(bearerSecret, "admin.bearerSecret"),
    reader: readerSecret === null ? null : readSecret(readerSecret, "admin.readerSecret"),
  };
}
