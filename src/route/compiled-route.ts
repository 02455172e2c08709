import type { Denial } from "../core/errors.js";
import type { Expression } from "../core/expression.js";
import type { PasswordFile } from "../credentials/password-file.js";
import type { CredentialsSource } from "../credentials/source.js";
import type { RequestLimits } from "../limits/request-limits.js";
import type { Shed } from "../limits/shed.js";
import type { AccessPolicy } from "../policy/access.js";
import type { CorsPolicy } from "../policy/cors-policy.js";
import type { LinkKeys } from "../policy/link-check.js";
import type { SecureLinkNames } from "../policy/link-query.js";
import type { LinkSigner } from "../policy/link-token.js";
import type { PathPatterns } from "../policy/path-patterns.js";
import type { CheckReferer, RefererReason } from "../policy/referer.js";
import type { ResponseRules } from "../policy/response-rules.js";
import type { HeaderSigner } from "../signing/header-signer.js";
import type { CompiledRules } from "../signing/signed-request.js";
import type { DayKeys } from "../signing/types.js";
import type { RouteStats } from "../telemetry/stats.js";
import type { ForwardAuth } from "../transport/forward-auth.js";
import type { CompiledCallback } from "./callback.js";
import type { CompiledBandwidth } from "./compile-bandwidth.js";
import type { CompiledBucket } from "./compiled-bucket.js";

export type { CompiledBucket } from "./compiled-bucket.js";

/** Where the first path segment names the bucket (path style), and where the Host does. */
export interface BucketChoice {
  readonly byOssName: ReadonlyMap<string, CompiledBucket>;
  /** By the buckets' OSS host names, lower case. */
  readonly byHost: ReadonlyMap<string, CompiledBucket>;
}

export interface CompiledRoute {
  readonly name: string;
  /** Decoded, without trailing slash; `""` covers all paths. */
  readonly pathPrefix: string;
  /** Must be found in the decoded path; `null`: every path below the prefix. */
  readonly pathPattern: Expression | null;
  /** One bucket, or `null` where {@link choice} finds it. */
  readonly bucket: CompiledBucket | null;
  readonly choice: BucketChoice | null;
  readonly methods: ReadonlySet<string>;
  readonly methodDenied: Denial;
  readonly stripPrefix: boolean;
  /** Decoded, put before the key; `""` for none. */
  readonly keyPrefix: string;
  /** Percent-encoded. */
  readonly rawKeyPrefix: string;
  /** Whether a `.` or `..` segment is refused: where the gateway changes the key, it must not be led out of it. */
  readonly refusesDotSegments: boolean;
  /** `client` keeps the client's Host; otherwise the Host that is sent, `null` for the bucket's own. */
  readonly keepsClientHost: boolean;
  readonly hostHeader: string | null;
  readonly bodySizeBytes: number;
  /** Where plain HTTP is sent; `null`: it is served. */
  readonly httpsPort: number | null;
  /** The value of `Strict-Transport-Security` over TLS; `null`: none. */
  readonly hsts: string | null;
  /** Lower case names that are not sent upstream. */
  readonly removedRequestHeaders: ReadonlySet<string> | null;
  /** Who may use the route; `null`: everybody. */
  readonly access: AccessPolicy | null;
  /** Paths that nobody may use; `null`: none. */
  readonly deniedPaths: PathPatterns | null;
  readonly links: CompiledLinks | null;
  /** Who of `access` must be asked; `null`: nobody. */
  readonly login: CompiledLogin | null;
  /** `null`: what the client signed is relayed. */
  readonly signing: CompiledSigning | null;
  readonly hls: CompiledHls | null;
  /** Checks upload callbacks and hands them on, instead of serving a bucket. */
  readonly callback: CompiledCallback | null;
  /** `null`: nobody's referer is asked about. */
  readonly referer: CompiledReferer | null;
  /** `null`: the bucket's own CORS rules are relayed. */
  readonly cors: CorsPolicy | null;
  /** Documents of a static site; `null`: none. */
  readonly site: { readonly indexDocument: string | null; readonly errorDocument: string | null } | null;
  /** `null`: headers of answers are relayed as they are. */
  readonly responseRules: ResponseRules | null;
  /** `null`: as many requests as come. */
  readonly limits: RequestLimits | null;
  /** How fast bodies pass, by the bucket's alias; `null`: as fast as they can. */
  readonly bandwidth: ReadonlyMap<string, CompiledBandwidth> | null;
  /** What OSS's quotas leave to this route of a bucket, by alias; `null`: nothing is shed. */
  readonly shedOf: ((alias: string) => Shed | null) | null;
  readonly stats: RouteStats;
}

export interface CompiledReferer {
  readonly check: CheckReferer;
  /** Otherwise refusals are only counted. */
  readonly isEnforced: boolean;
  readonly denials: Readonly<Record<RefererReason, Denial>>;
}

/** The members of `allow` whose answer is waited for. At least one. */
export interface CompiledLogin {
  readonly basic: {
    readonly file: PasswordFile;
    /** Asks for a name and a password. */
    readonly denial: Denial;
  } | null;
  readonly forwardAuth: {
    readonly service: ForwardAuth;
    /** Lower case: which of the client's headers the service is sent. */
    readonly requestHeaders: ReadonlySet<string>;
  } | null;
}

/** The links that admit to a route. */
export interface CompiledLinks {
  readonly keys: LinkKeys;
  readonly signer: LinkSigner;
  /** Where NGINX's md5 links are taken too. */
  readonly secureLinkNames: SecureLinkNames | null;
}

export interface CompiledSigning {
  readonly source: CredentialsSource;
  readonly rules: CompiledRules;
  readonly clientSignatures: "refuse" | "relay" | "verify";
  /** A raw `+` in a path means a space. */
  readonly plusIsSpace: boolean;
  /** For verifying what clients signed. */
  readonly dayKeys: DayKeys;
  signerOf(bucket: CompiledBucket): HeaderSigner;
}

export interface CompiledHls {
  readonly mode: "rewrite" | "ossSign";
  readonly ttlMs: number;
  readonly sessionTtlMs: number;
  /** Decoded, ends at `/`; `null`: the playlist's directory. */
  readonly root: string | null;
  readonly bindClient: boolean;
}
