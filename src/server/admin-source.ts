import type { GatewayConfig } from "../config/gateway-config.js";
import type { Runtime } from "../route/runtime.js";
import type { History } from "../telemetry/history.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { Stats } from "../telemetry/stats.js";
import type { AdminSecrets } from "./admin-guard.js";
import type { AdminIssuer } from "./admin-issue.js";

/** What became of a reload or an upgrade. */
export interface ReloadOutcome {
  readonly ok: boolean;
  /** Unix milliseconds. */
  readonly atMs: number;
  /** What is served now, which a failure leaves as it was. */
  readonly generation: number;
  /** Why nothing was changed: `file:line:col: …` for what is wrong with the file, sentences for the rest. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** How the whole stands. */
export interface AdminState {
  /** Of the configuration that is served; from 1. */
  readonly generation: number;
  readonly workersWanted: number;
  readonly workersServing: number;
  readonly isDraining: boolean;
  /** The last one that was asked for; `null`: none was. */
  readonly lastReload: ReloadOutcome | null;
  /** Unix milliseconds of the configuration that is served. */
  readonly configLoadedAtMs: number;
}

/** What the admin listener shows and does. */
export interface AdminSource {
  /** Prometheus text and its content type, freshly collected. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string | Buffer }>;
  /** What each process says of itself, freshly; {@link stats} is up to date then. */
  collect(): Promise<readonly ProcessReport[]>;
  /** Of the whole. */
  readonly stats: Stats;
  readonly version: string;
  /** Why the gateway is not ready, in words; empty when it is. */
  problems(): Promise<readonly string[]>;
  /** What is seen most and is no metric, since clients choose it; what JSON can hold. */
  tops(): unknown;
  /** What is served now. */
  config(): GatewayConfig;
  /** The same, compiled in this process, where nothing is served with it. */
  runtime(): Runtime;
  readonly state: AdminState;
  /** Of the last 15 minutes. */
  readonly history: History;
  /** What opens the listener. */
  readonly secrets: AdminSecrets;
  reload(): Promise<ReloadOutcome>;
  upgrade(): Promise<ReloadOutcome>;
  /** Serves `POST /sign` and `POST /policy`; `null`: they are off. */
  readonly issuer: AdminIssuer | null;
}
