import type { AddressInfo } from "node:net";
import { readSecret } from "../credentials/secret-ref.js";
import { Issuer } from "../issue/issuer.js";
import type { Runtime } from "../route/runtime.js";
import { AdminListener } from "../server/admin.js";
import type { AdminIssuer } from "../server/admin-issue.js";
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
import type { Fleet } from "./fleet.js";
import { listenOrExplain } from "./listen-or-explain.js";

export interface ControlPlaneOptions {
  readonly fleet: Fleet;
  readonly version: string;
  readonly log: Logger;
  /** Of the configuration that the fleet serves; used for credentials and for what operators ask, never for clients. */
  runtime(): Runtime;
}

/** How often the numbers of all processes are looked at. */
const TICK_MS = 1_000;

/** What operators see of the program: the admin listener, metrics, and what watches the numbers. */
export class ControlPlane {
  adminAddress: AddressInfo | null = null;
  readonly #fleet: Fleet;
  readonly #admin: AdminListener;
  readonly #throttling: ThrottlingWatch;
  readonly #rates: RecentRates;
  #ticker: NodeJS.Timeout | undefined;
  #reports: readonly ProcessReport[] = [];

  /** @throws Error when the admin's secret cannot be read */
  constructor({ fleet, version, log, runtime }: ControlPlaneOptions) {
    this.#fleet = fleet;
    const { stats, state } = fleet;
    this.#throttling = new ThrottlingWatch({ config: state.config, stats, log, nowMs: performance.now() });
    this.#rates = new RecentRates(stats);
    const metrics = createMetrics({
      stats,
      version,
      upstreams: () => mergeUpstreams(this.#reports),
      credentials: () => mergeCredentials(this.#reports),
      sharedUp: () => mergeSharedUp(this.#reports),
      processes: () => this.#reports,
      rates: this.#rates,
      connectionsLimit: () => fleet.state.config.limits.connections,
      compat: () => fleet.state.config.metrics.compat,
    });
    this.#admin = new AdminListener(state.config.admin.address, {
      metrics: async () => {
        await this.#collect();
        return { contentType: metrics.contentType, body: await metrics.metrics() };
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
      issuer: this.#issuer(runtime()),
    });
  }

  async start(): Promise<void> {
    const { address } = this.#fleet.state.config.admin;
    this.adminAddress = await listenOrExplain("admin", address, () => this.#admin.listen());
    this.#throttling.start();
    this.#rates.tick(performance.now());
    this.#ticker = setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    await this.#collect().catch(() => {});
    this.#rates.tick(performance.now());
  }

  stop(): void {
    this.#throttling.stop();
    clearInterval(this.#ticker);
    this.#admin.close();
  }

  async #collect(): Promise<readonly ProcessReport[]> {
    this.#reports = await this.#fleet.collect();
    return this.#reports;
  }

  /** @throws Error when the secret cannot be read */
  #issuer(runtime: Runtime): AdminIssuer | null {
    const { config } = this.#fleet.state;
    const { bearerSecret } = config.admin;
    if (bearerSecret === null) return null;
    const issuer = new Issuer({ config, credentials: runtime.credentials, readSecret });
    return { issuer, bearerSecret: readSecret(bearerSecret, "admin.bearerSecret") };
  }
}
