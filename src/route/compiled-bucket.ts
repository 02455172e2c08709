import type { RequestLimits } from "../limits/request-limits.js";
import type { UpstreamStats } from "../telemetry/stats.js";
import type { Upstream } from "../transport/upstream.js";
import type { UpstreamClock } from "./upstream-clock.js";

/** A bucket with all that a request needs of it. */
export interface CompiledBucket {
  readonly alias: string;
  /** The name at OSS, which clients sign. */
  readonly ossName: string;
  readonly upstream: Upstream;
  readonly stats: UpstreamStats;
  /** Of what is sent to OSS, over all routes; `null`: as many requests as come. */
  readonly limits: RequestLimits | null;
  /** Bare region id; `null` where none is known. */
  readonly region: string | null;
  readonly clock: UpstreamClock;
  /** The Host that is sent in `hostHeader: bucket`. */
  readonly hostHeader: string;
  /** Lower case: OSS's own host names of this bucket. */
  readonly endpointHosts: ReadonlySet<string>;
  /** `endpointHosts` and the bound domains. A client's Host may be kept only if it is one of them. */
  readonly ownHosts: ReadonlySet<string>;
}
