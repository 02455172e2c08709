import type { GatewayConfig } from "../config/gateway-config.js";
import type { Runtime } from "../route/runtime.js";
import type { ProcessReport } from "../telemetry/process-report.js";
import type { Stats } from "../telemetry/stats.js";
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

/** What the admin listener shows and does. */
export interface AdminSource {
  /** Prometheus text and its content type, freshly collected. */
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
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
  reload(): Promise<ReloadOutcome>;
  upgrade(): Promise<ReloadOutcome>;
  /** Serves `POST /sign` and `POST /policy`; `null`: they are off. */
  readonly issuer: AdminIssuer | null;
}
