import type { GatewayConfig } from "../config/gateway-config.js";
import type { ReloadOutcome } from "../server/admin-source.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { Stats } from "../telemetry/stats.js";

/** Who serves the clients: this process itself, or its workers. */
export interface Fleet {
  /** Of the whole, as of the last {@link collect}; counters never fall, whoever dies or is replaced. */
  readonly stats: Stats;
  /**
   * Brings the numbers up to date.
   * @returns what each process says of itself; one that does not answer within a second is left out
   */
  collect(): Promise<readonly ProcessReport[]>;
  /** Reads the file again and serves by it, or changes nothing; one after the other, never two at once. */
  reload(): Promise<ReloadOutcome>;
  /** Replaces every process that serves, one by one, by a new one of the program as it is on the disk now. */
  upgrade(): Promise<ReloadOutcome>;
  readonly state: FleetState;
}

export interface FleetState {
  /** What is served now. */
  readonly config: GatewayConfig;
  /** From 1, one more with each configuration. */
  readonly generation: number;
  readonly workersWanted: number;
  readonly workersServing: number;
  /** Replaced, or too many: they accept nothing new and end what they serve. */
  readonly workersDraining: number;
  /** Workers that ended without being told to, and were replaced. */
  readonly workerRestarts: number;
  /** Reloads by outcome. */
  readonly reloads: { readonly ok: number; readonly failed: number };
  readonly isDraining: boolean;
  /** The last reload that was asked for, good or bad; `null`: none was. */
  readonly lastReload: ReloadOutcome | null;
  /** Unix milliseconds of the configuration that is served. */
  readonly configLoadedAtMs: number;
}
