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
  readonly limits: { readonly bodySizeBytes: number };
  /** Lower case names that are not sent upstream. */
  readonly requestHeaders: { readonly remove: readonly string[] };
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
