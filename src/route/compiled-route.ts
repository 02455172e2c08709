import type { Denial } from "../core/errors.js";
import type { RouteStats } from "../telemetry/stats.js";
import type { Upstream } from "../transport/upstream.js";

/** A bucket with all that a request needs of it. */
export interface CompiledBucket {
  readonly alias: string;
  /** The name at OSS, which clients sign. */
  readonly ossName: string;
  readonly upstream: Upstream;
  /** The Host that is sent in `hostHeader: bucket`. */
  readonly hostHeader: string;
  /** Lower case: OSS's own host names of this bucket. */
  readonly endpointHosts: ReadonlySet<string>;
  /** `endpointHosts` and the bound domains. A client's Host may be kept only if it is one of them. */
  readonly ownHosts: ReadonlySet<string>;
}

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
  /** One bucket, or `null` where {@link choice} finds it. */
  readonly bucket: CompiledBucket | null;
  readonly choice: BucketChoice | null;
  readonly methods: ReadonlySet<string>;
  readonly methodDenied: Denial;
  readonly stripPrefix: boolean;
  /** Percent-encoded, put before the key; `""` for none. */
  readonly rawKeyPrefix: string;
  /** Whether a `.` or `..` segment is refused: where the gateway changes the key, it must not be led out of it. */
  readonly refusesDotSegments: boolean;
  /** `client` keeps the client's Host; otherwise the Host that is sent, `null` for the bucket's own. */
  readonly keepsClientHost: boolean;
  readonly hostHeader: string | null;
  readonly bodySizeBytes: number;
  /** Lower case names that are not sent upstream. */
  readonly removedRequestHeaders: ReadonlySet<string> | null;
  readonly stats: RouteStats;
}
