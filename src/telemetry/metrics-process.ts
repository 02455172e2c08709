import { counter, type Families, gauge } from "./metrics-kit.js";

/** What is shown of the processes and of their configuration. */
export interface FleetNumbers {
  readonly generation: number;
  readonly workersWanted: number;
  readonly workersServing: number;
  /** Those that accept nothing new and end what they serve; absent: not known. */
  readonly workersDraining?: number;
  readonly workerRestarts: number;
  readonly reloads: { readonly ok: number; readonly failed: number };
  readonly lastReload: { readonly ok: boolean } | null;
  /** Unix milliseconds of the configuration that is served. */
  readonly configLoadedAtMs: number;
}

/** Workers, and what became of reloads. */
export function registerFleet(families: Families, numbers: () => FleetNumbers): void {
  gauge(
    families,
    "ossgate_config_last_reload_successful",
    "1 unless the last reload that was asked for changed nothing.",
    [],
    (metric) => metric.set(numbers().lastReload?.ok === false ? 0 : 1),
  );
  gauge(
    families,
    "ossgate_config_last_reload_success_timestamp_seconds",
    "When the configuration that is served was loaded.",
    [],
    (metric) => metric.set(numbers().configLoadedAtMs / 1_000),
  );
  gauge(families, "ossgate_config_generation", "From 1, one more with each configuration.", [], (metric) =>
    metric.set(numbers().generation),
  );
  counter(families, "ossgate_config_reloads_total", "Reloads that were asked for.", ["outcome"], (metric) => {
    const { ok, failed } = numbers().reloads;
    metric.set({ outcome: "ok" }, ok);
    metric.set({ outcome: "failed" }, failed);
  });
  gauge(families, "ossgate_workers", "Processes that serve clients, and how many should.", ["state"], (metric) => {
    const { workersWanted, workersServing, workersDraining } = numbers();
    metric.set({ state: "wanted" }, workersWanted);
    metric.set({ state: "serving" }, workersServing);
    if (workersDraining !== undefined) metric.set({ state: "draining" }, workersDraining);
  });
  counter(
    families,
    "ossgate_worker_restarts_total",
    "Workers that ended without being told to, and were replaced.",
    [],
    (metric) => metric.set(numbers().workerRestarts),
  );
}
