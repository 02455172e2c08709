import type { AllowConfig } from "./gateway-config-access.js";
import type { CredentialsConfig, SecretRef } from "./gateway-config-credentials.js";
import type { AccountQuotaConfig, BudgetConfig, LimitsConfig, QuotaConfig } from "./gateway-config-limits.js";
import type { AdminConfig, ListenerConfig } from "./gateway-config-listeners.js";
import type { CorsConfig, RefererConfig } from "./gateway-config-policies.js";

export type * from "./gateway-config-access.js";
export type * from "./gateway-config-credentials.js";
export type * from "./gateway-config-limits.js";
export type * from "./gateway-config-listeners.js";
export type * from "./gateway-config-policies.js";

/** The checked configuration: what the rest of the program sees of the file. Durations in ms, sizes in bytes. */
export interface GatewayConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly admin: AdminConfig;
  /** Processes that serve clients; `auto`: one for each core. */
  readonly workers: number | "auto";
  readonly metrics: {
    /** Other exporters' names that are shown besides ours; `null`: none. */
    readonly compat: "vts" | null;
  };
  /** What ACME's HTTP challenges are answered from; `null`: they are requests like others. */
  readonly acmeChallengeDirectory: string | null;
  readonly log: LogConfig;
  readonly limits: LimitsConfig;
  /** CIDRs and single addresses whose X-Forwarded-For and PROXY header are believed. */
  readonly trustedProxies: readonly string[];
  /** Thresholds of OSS accounts, by a name of ours. */
  readonly quotas: ReadonlyMap<string, AccountQuotaConfig>;
  /** By name, in the file's order. */
  readonly credentials: ReadonlyMap<string, CredentialsConfig>;
  /** By alias, in the file's order. */
  readonly buckets: ReadonlyMap<string, BucketConfig>;
  readonly routes: readonly RouteConfig[];
}

interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error";
  /** `stderr`, `journald` (standard error with priorities) or the absolute path of a file. */
  readonly output: string;
  readonly access: {
    readonly format: "json" | "combined" | "off";
    /** `stdout`, `journald` (standard output with priorities) or the absolute path of a file. */
    readonly output: string;
    /** Whether signatures, security tokens and link tokens stand in it. */
    readonly unmasked: boolean;
  };
}

export type EndpointKind = "internal" | "public" | "accelerate" | "dualStack";

export interface BucketConfig {
  readonly alias: string;
  /** The name at OSS. */
  readonly bucket: string;
  /** Bare region id, `cn-beijing`; required unless `endpoint` is a URL or `accelerate`. */
  readonly region: string | null;
  /** Lower case, without port and trailing dot. */
  readonly domains: readonly string[];
  /** A kind of OSS endpoint, or the origin of a URL (scheme, host, port) to connect to. */
  readonly endpoint: EndpointKind | URL;
  readonly tls: boolean;
  readonly caFile: string | null;
  readonly dns: {
    readonly minTtlMs: number;
    readonly maxTtlMs: number;
    /** `ip` or `ip:port`; empty: the system's resolver. */
    readonly servers: readonly string[];
    /** Pinned addresses; not empty: no name is looked up. */
    readonly addresses: readonly string[];
  };
  /** Upstream connections per address. */
  readonly connections: number;
  readonly timeouts: { readonly connectMs: number; readonly headersMs: number; readonly idleMs: number };
  /** Holds over all routes to the bucket, for what is sent to OSS. */
  readonly limits: BudgetConfig | null;
  readonly quota: QuotaConfig | null;
}

export interface RouteConfig {
  readonly name: string;
  readonly match: {
    /** Lower case: names, `*.` wildcards, addresses without brackets. */
    readonly hosts: readonly string[];
    /** Listener names; `null`: all. */
    readonly listeners: readonly string[] | null;
    /** Begins with `/`. */
    readonly pathPrefix: string;
    /** An RE2 expression; `null`: every path below the prefix. */
    readonly pathPattern: string | null;
  };
  /**
   * One bucket, virtual-hosted; or several, whose first path segment chooses. Aliases.
   * `callback`: no bucket; upload callbacks of OSS are checked here and handed to an application.
   */
  readonly target:
    | { readonly kind: "bucket"; readonly bucket: string }
    | { readonly kind: "buckets"; readonly buckets: readonly string[] }
    | ({ readonly kind: "callback" } & CallbackConfig);
  readonly stripPrefix: boolean;
  readonly keyPrefix: string;
  /** `bucket`, `client`, or a domain that is bound to the bucket. */
  readonly hostHeader: string;
  /** Upper case, without OPTIONS unless it was written. */
  readonly methods: readonly string[];
  readonly auth: "relay" | "sign";
  /** `null` with `auth: relay`. */
  readonly sign: SignConfig | null;
  /** What becomes of a request that the client signed, on a route that signs. */
  readonly clientSignatures: "refuse" | "relay" | "verify";
  /** Names of OPERATIONS in `core/operations.ts`. */
  readonly operations: readonly string[];
  /** `null`: the file says nothing, which `auth: relay` alone may. */
  readonly allow: AllowConfig | null;
  /** Counts only when `allow` has more than one member. */
  readonly satisfy: "any" | "all";
  readonly deny: {
    readonly clients: readonly string[];
    /** RE2 expressions. */
    readonly paths: readonly string[];
  };
  readonly hls: HlsConfig | null;
  readonly limits: { readonly bodySizeBytes: number; readonly budget: BudgetConfig | null };
  /** The lowest is shed first. */
  readonly priority: number;
  /** Plain HTTP is answered with a redirect to https. */
  readonly httpsRedirect: boolean;
  readonly httpsPort: number;
  /** The value of `Strict-Transport-Security` over TLS; `null`: none. */
  readonly hsts: string | null;
  /** Lower case names that are not sent upstream. */
  readonly requestHeaders: { readonly remove: readonly string[] };
  readonly responseHeaders: {
    /** Names as they are written. */
    readonly set: readonly (readonly [name: string, value: string])[];
    /** Whether `set` is for every status, the gateway's own errors included. */
    readonly always: boolean;
    /** Lower case. */
    readonly remove: readonly string[];
  };
  /** Takes OSS's forced download back (oss-semantics §1.4). */
  readonly preview: boolean;
  /** The bucket's HTML, SVG and XML may run script on this host. */
  readonly trusted: boolean;
  /** Put behind a path that ends at a slash, `index.html`; `null`: none. */
  readonly indexDocument: string | null;
  /** The key, below `keyPrefix`, of what a 404 shows; `null`: OSS's own. */
  readonly errorDocument: string | null;
  readonly referer: RefererConfig | null;
  /** `null`: the bucket's own rules are relayed. */
  readonly cors: CorsConfig | null;
}

interface SignConfig {
  /** By name. */
  readonly credentials: string;
  readonly version: "v4" | "v1";
  /** What a raw `+` in a client's path means. */
  readonly plusInPath: "space" | "literal";
  /** Values of `x-oss-process` that clients may ask for; a `*` at the end stands for letters, digits and `_,.-`. */
  readonly process: readonly string[];
  /** The `response-*` parameters that clients may send, full names, `response-content-type` say. */
  readonly responseOverrides: readonly string[];
  /** Bits per second of one transfer, which OSS holds to (`x-oss-traffic-limit`, oss-semantics §11.6); `null`: none. */
  readonly trafficLimitBitsPerSecond: number | null;
}

export interface HlsConfig {
  readonly mode: "rewrite" | "ossSign";
  /** Of segment links, from each load of the playlist. */
  readonly ttlMs: number;
  /** Of playlist links where no link admitted the playlist. */
  readonly sessionTtlMs: number;
  /** Decoded path below which a playlist may mint links when no link admitted it, `/vod/`; `null`: the playlist's directory. */
  readonly root: string | null;
  /** Whether links in playlists hold for the client's address alone. */
  readonly bindClient: boolean;
}

/** Upload callbacks of OSS (oss-semantics §9.2, §9.3). */
export interface CallbackConfig {
  /** The application: http or https URL, path included; the callback is posted there. */
  readonly forward: URL;
  /** Aliases of the buckets whose uploads may call. */
  readonly buckets: readonly string[];
  /** Signs the tokens of `POST /policy`. */
  readonly secret: SecretRef;
  /** How long the application may take; OSS itself waits 5 s. */
  readonly timeoutMs: number;
}
