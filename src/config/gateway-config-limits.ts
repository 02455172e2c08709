import type { SecretRef } from "./gateway-config-credentials.js";

export interface LimitsConfig {
  /** All header bytes of a request, its request line included. Default 32 KiB. */
  readonly headerSizeBytes: number;
  /** Header lines of a request. Default 200. */
  readonly headerCount: number;
  /** The request target; below `headerSizeBytes`. Default 16 KiB. */
  readonly targetSizeBytes: number;
  readonly headerTimeoutMs: number;
  /** Between two requests, two reads of a body or two writes of an answer. */
  readonly clientIdleTimeoutMs: number;
  /** Open client connections of the whole gateway. */
  readonly connections: number;
  readonly shutdownTimeoutMs: number;
  /** The Redis or Valkey server that holds the rates of several machines together; `null`: each machine for itself. */
  readonly shared: SharedLimitsConfig | null;
}

export interface SharedLimitsConfig {
  /** `redis:` or `rediss:`, without user and password. */
  readonly url: URL;
  readonly password: SecretRef | null;
}

/** Rates and counts; `null`: without limit. */
export interface RatesConfig {
  readonly requestsPerSecond: number | null;
  /** Requests that may come at once; where `requestsPerSecond` is set. */
  readonly burst: number | null;
  /** Requests that run at once. */
  readonly connections: number | null;
  readonly egressBytesPerSecond: number | null;
  readonly ingressBytesPerSecond: number | null;
}

/** What a route or a bucket may take, all clients together and each. */
export interface BudgetConfig extends RatesConfig {
  readonly perClient: RatesConfig | null;
  /** Of refusals. */
  readonly status: 429 | 503;
  /** Counts what would be refused or slowed down (and logs refusals), and lets it pass. */
  readonly dryRun: boolean;
}

/** OSS's throttling thresholds (oss-semantics §12.2); `null`: not watched. */
export interface QuotaConfig {
  readonly requestsPerSecond: number | null;
  readonly egressBytesPerSecond: number | null;
  readonly ingressBytesPerSecond: number | null;
  /** Answers 503 here, routes of lowest priority first, before OSS throws requests away. */
  readonly shed: boolean;
}

export interface AccountQuotaConfig extends QuotaConfig {
  /** Aliases of the account's buckets. */
  readonly buckets: readonly string[];
}
