import type { CredentialsGauges, UpstreamGauges } from "./metrics-gauges.js";
import type { FleetNumbers } from "./metrics-process.js";
import type { ProcessReport } from "./process-report.js";
import type { RecentRates } from "./recent-rates.js";
import type { Stats } from "./stats.js";

export type { AddressGauges, CredentialsGauges, UpstreamGauges } from "./metrics-gauges.js";

/** Where the metrics page has its numbers from. */
export interface MetricsSource {
  readonly stats: Stats;
  readonly version: string;
  upstreams(): readonly UpstreamGauges[];
  credentials(): readonly CredentialsGauges[];
  /** Whether the server of shared limits answers; `null` or absent: no limit is shared. */
  sharedUp?(): boolean | null;
  /** What each process that serves says of itself; absent: nothing is known. */
  processes?(): readonly ProcessReport[];
  /** Seconds of CPU by worker, which never fall; absent: not known. */
  workerCpu?(): ReadonlyMap<number, number>;
  /** How the whole stands; absent: not known. */
  fleet?(): FleetNumbers;
  /** What passes now; absent: nobody measures it. */
  readonly rates?: RecentRates;
  /** `limits.connections` of the whole; absent: not known. */
  connectionsLimit?(): number;
  /** Other exporters' names that are shown besides ours; `null` or absent: none. */
  compat?(): "vts" | null;
}
