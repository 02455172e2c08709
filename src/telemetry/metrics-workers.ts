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
export function registerWorkers(families: Families, { processes }: MetricsSource): void {
  for (const [name, help, pick] of GAUGES) {
    gauge(families, name, help, ["worker"], (metric) => {
      for (const report of processes?.() ?? []) metric.set({ worker: report.worker }, pick(report));
    });
  }
  counter(families, "ossgate_worker_cpu_seconds_total", "CPU time of the process.", ["worker"], (metric) => {
    for (const { worker, cpuSeconds } of processes?.() ?? []) metric.set({ worker }, cpuSeconds);
  });
}
