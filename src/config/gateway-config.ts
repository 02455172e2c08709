/** The checked configuration: what the rest of the program sees of the file. Durations in ms, sizes in bytes. */
export interface GatewayConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly admin: {
    readonly address: SocketAddress;
    /** Guards `POST /sign` and `POST /policy`; `null`: they are off. */
    readonly bearerSecret: SecretRef | null;
  };
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

/** Where a secret is; the secret itself is never in the file. */
export type SecretRef =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string };

/** What signs for the gateway: where it comes from (oss-semantics §8). */
export type CredentialsConfig =
  | { readonly type: "env" }
  | { readonly type: "file"; readonly path: string }
  | {
      readonly type: "ecsRamRole";
      /** `null`: the role that the metadata service names. */
      readonly roleName: string | null;
      /** Base of the metadata service, without trailing slash. */
      readonly metadataUrl: string;
    }
  | {
      readonly type: "assumeRole";
      readonly roleArn: string;
      /** The credentials that ask STS, by name. */
      readonly from: string;
      readonly sessionName: string;
      readonly durationSeconds: number;
      readonly externalId: string | null;
      /** A session policy, JSON. */
      readonly policy: string | null;
      readonly stsEndpoint: string;
    }
  | {
      readonly type: "oidcRole";
      /** `null` in these three: ALIBABA_CLOUD_ROLE_ARN, _OIDC_PROVIDER_ARN, _OIDC_TOKEN_FILE. */
      readonly roleArn: string | null;
      readonly providerArn: string | null;
      readonly tokenFile: string | null;
      readonly sessionName: string;
      readonly durationSeconds: number;
      readonly stsEndpoint: string;
    }
  | { readonly type: "credentialsUri"; readonly url: string }
  | { readonly type: "default" };

export interface SocketAddress {
  /** IPv4 or IPv6 literal without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes any free port. */
  readonly port: number;
}

export interface ListenerConfig {
  readonly name: string;
  readonly address: SocketAddress;
  /** Connections from trusted proxies begin with a PROXY header, v1 or v2. */
  readonly proxyProtocol: boolean;
}

interface LogConfig {
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
  /** Counts and logs what would be refused or slowed down, and lets it pass. */
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
  readonly deny: { readonly clients: readonly string[] };
  readonly hls: HlsConfig | null;
  readonly limits: { readonly bodySizeBytes: number; readonly budget: BudgetConfig | null };
  /** The lowest is shed first. */
  readonly priority: number;
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

/** OSS's hotlink protection in its own words (oss-semantics §5), or NGINX's `valid_referers`. */
export interface RefererConfig {
  readonly mode: "enforce" | "report";
  readonly rules:
    | {
        readonly kind: "oss";
        readonly allowEmptyReferer: boolean;
        readonly refererList: readonly string[];
        readonly refererBlacklist: readonly string[];
        readonly allowTruncateQueryString: boolean;
        readonly truncatePath: boolean;
        readonly strict: boolean;
      }
    | { readonly kind: "nginx"; readonly validReferers: readonly string[] };
}

/** OSS's CORS rules (oss-semantics §6). */
export interface CorsConfig {
  readonly rules: readonly {
    readonly allowedOrigins: readonly string[];
    readonly allowedMethods: readonly string[];
    readonly allowedHeaders: readonly string[];
    readonly exposeHeaders: readonly string[];
    readonly maxAgeSeconds: number | null;
  }[];
  readonly allowCredentials: boolean;
  readonly allowPrivateNetwork: boolean;
  /** `Vary: Origin` also where no answer depends on it. */
  readonly responseVary: boolean;
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

/** Who may use a route. At least one member. */
export interface AllowConfig {
  /** Said out loud: everybody. Then it is the only member. */
  readonly anyone: boolean;
  /** CIDRs and single addresses; empty: no member. */
  readonly clients: readonly string[];
  readonly links: LinksConfig | null;
  /** Requests whose OSS signature was verified here; needs `clientSignatures: verify`. */
  readonly signatures: boolean;
  /** Names and passwords of a file. */
  readonly basic: { readonly file: string; readonly realm: string } | null;
  readonly forwardAuth: ForwardAuthConfig | null;
}

/** Asks an HTTP service whether a request may pass: 2xx says yes. */
export interface ForwardAuthConfig {
  /** http or https; path and query are used as they are. */
  readonly url: URL;
  /** Lower case names of the client's headers that the service is sent. */
  readonly requestHeaders: readonly string[];
  readonly timeoutMs: number;
  /** How long an answer holds; 0: it is asked each time. */
  readonly cacheMs: number;
  readonly caFile: string | null;
}

export interface LinksConfig {
  /** Signs and checks. */
  readonly secret: SecretRef;
  /** Only check: the secrets of before a rotation. */
  readonly previousSecrets: readonly SecretRef[];
  /** A link that expires later than this from now is refused. */
  readonly maxAgeMs: number;
  /** NGINX's `secure_link_md5`, for those who migrate. */
  readonly secureLink: {
    /** As in NGINX, `$secure_link_expires$uri$remote_addr $secret`; `$secret` stands for the secret. */
    readonly expression: string;
    readonly secret: SecretRef;
    /** Names of the query parameters: `md5`, `expires`. */
    readonly md5Parameter: string;
    readonly expiresParameter: string;
  } | null;
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
