import type { FleetNumbers } from "./metrics-process.js";
import type { ProcessReport } from "./process-report.js";
import type { RecentRates } from "./recent-rates.js";
import type { Stats } from "./stats.js";

/** What is read from the upstreams at a scrape. */
export interface UpstreamGauges {
  readonly id: string;
  readonly addresses: number;
  readonly setAside: number;
  readonly inFlight: number;
  /** OSS's clock less ours; `null` where nothing was signed. */
  readonly clockSkewMs: number | null;
  /** The addresses themselves; absent where nobody tells. */
  readonly pools?: readonly AddressGauges[];
}

/** One address of an upstream. */
export interface AddressGauges {
  readonly address: string;
  readonly isSetAside: boolean;
  readonly inFlight: number;
}

/** What is read from a source of credentials at a scrape. */
export interface CredentialsGauges {
  readonly name: string;
  /** Whether there are valid ones. */
  readonly isValid: boolean;
  /** Unix milliseconds; `null` for credentials that do not expire, and where there are none. */
  readonly expiresAtMs: number | null;
}

export interface MetricsSource {
  readonly stats: Stats;
  readonly version: string;
  upstreams(): readonly UpstreamGauges[];
  credentials(): readonly CredentialsGauges[];
  /** Whether the server of shared limits answers; `null` or absent: no limit is shared. */
  sharedUp?(): boolean | null;
  /** What each process that serves says of itself; absent: nothing is known. */
  processes?(): readonly ProcessReport[];
  /** How the whole stands; absent: not known. */
  fleet?(): FleetNumbers;
  /** What passes now; absent: nobody measures it. */
  readonly rates?: RecentRates;
  /** `limits.connections` of the whole; absent: not known. */
  connectionsLimit?(): number;
  /** Other exporters' names that are shown besides ours; `null` or absent: none. */
  compat?(): "vts" | null;
}
