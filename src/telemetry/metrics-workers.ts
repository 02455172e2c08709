import { counter, type Families, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import type { ProcessReport } from "./process-report.js";

const GAUGES: readonly (readonly [name: string, help: string, pick: (report: ProcessReport) => number])[] = [
  [
    "ossgate_worker_event_loop_lag_p99_seconds",
    "How late the event loop was lately, for 99 of 100 looks at it.",
    ({ eventLoopLagMs }) => eventLoopLagMs.p99 / 1_000,
  ],
  [
    "ossgate_worker_event_loop_lag_max_seconds",
    "How late the event loop was lately, at worst.",
    ({ eventLoopLagMs }) => eventLoopLagMs.max / 1_000,
  ],
  ["ossgate_worker_resident_memory_bytes", "Memory of the process.", ({ rssBytes }) => rssBytes],
  ["ossgate_worker_heap_used_bytes", "Of that, JavaScript's heap in use.", ({ heapUsedBytes }) => heapUsedBytes],
];

/** The processes that serve clients; what is called `process_` is of the one that is scraped. */
export function registerWorkers(families: Families, { processes, workerCpu }: MetricsSource): void {
  for (const [name, help, pick] of GAUGES) {
    gauge(families, name, help, ["worker"], (metric) => {
      for (const report of processes?.() ?? []) metric.set({ worker: report.worker }, pick(report));
    });
  }
  const versionHelp =
    "1, labelled with the version that the worker runs: in an upgrade another than the main process's.";
  gauge(families, "ossgate_worker_build_info", versionHelp, ["worker", "version", "node"], (metric) => {
    for (const { worker, version, node } of processes?.() ?? []) {
      if (version !== undefined) metric.set({ worker, version, node: node ?? "" }, 1);
    }
  });
  const cpuHelp = "CPU time of the worker, of all processes that it was one after the other.";
  counter(families, "ossgate_worker_cpu_seconds_total", cpuHelp, ["worker"], (metric) => {
    for (const [worker, seconds] of workerCpu?.() ?? []) metric.set({ worker }, seconds);
  });
}
