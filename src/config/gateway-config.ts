/** The checked configuration: what the rest of the program sees of the file. Durations in ms, sizes in bytes. */
export interface GatewayConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly admin: { readonly address: SocketAddress };
  readonly log: LogConfig;
  readonly limits: LimitsConfig;
  /** By alias, in the file's order. */
  readonly buckets: ReadonlyMap<string, BucketConfig>;
  readonly routes: readonly RouteConfig[];
}

export interface SocketAddress {
  /** IPv4 or IPv6 literal without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes any free port. */
  readonly port: number;
}

export interface ListenerConfig {
  readonly name: string;
  readonly address: SocketAddress;
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly access: { readonly format: "json" | "off" };
}

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
  };
  /** One bucket, virtual-hosted; or several, whose first path segment chooses. Aliases. */
  readonly target:
    | { readonly kind: "bucket"; readonly bucket: string }
    | { readonly kind: "buckets"; readonly buckets: readonly string[] };
  readonly stripPrefix: boolean;
  readonly keyPrefix: string;
  /** `bucket`, `client`, or a domain that is bound to the bucket. */
  readonly hostHeader: string;
  /** Upper case, without OPTIONS unless it was written. */
  readonly methods: readonly string[];
  readonly auth: "relay";
  readonly limits: { readonly bodySizeBytes: number };
  /** Lower case names that are not sent upstream. */
  readonly requestHeaders: { readonly remove: readonly string[] };
}
