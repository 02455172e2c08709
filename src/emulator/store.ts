import type { HeaderList } from "../core/headers.js";
import type { CorsRule } from "../policy/cors.js";
import type { CheckReferer } from "../policy/referer.js";
import type { BodySource } from "./body.js";
import { type CorsConfiguration, makeCors } from "./cors-configuration.js";
import { makeReferer, type RefererRules } from "./referer-configuration.js";

export const BUCKET_ACLS = ["private", "public-read", "public-read-write"] as const;
export const OBJECT_ACLS = ["default", ...BUCKET_ACLS] as const;
export type BucketAcl = (typeof BUCKET_ACLS)[number];
export type ObjectAcl = (typeof OBJECT_ACLS)[number];

export type ObjectType = "Normal" | "Multipart" | "Appendable";

/** One object. Replaced as a whole when it changes. */
export interface StoredObject {
  readonly key: string;
  /** `null` when the bucket drops bodies: size and digests are known, the bytes are gone. */
  readonly body: BodySource | null;
  readonly size: number;
  /** With its quotes. */
  readonly etag: string;
  readonly type: ObjectType;
  /** `null` when it was not computed; the header is then absent (oss-semantics §10). */
  readonly crc64: bigint | null;
  readonly lastModifiedMs: number;
  /** `Content-Type` and the other stored headers with their values, and `x-oss-meta-*`. */
  readonly metadata: HeaderList;
  readonly acl: ObjectAcl;
  readonly storageClass: string;
}

/** One part of a multipart upload. */
export interface StoredPart {
  readonly number: number;
  readonly body: BodySource | null;
  readonly size: number;
  readonly md5: Buffer;
  readonly crc64: bigint;
  readonly lastModifiedMs: number;
}

/** A multipart upload that is under way. */
export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly initiatedMs: number;
  readonly metadata: HeaderList;
  readonly acl: ObjectAcl;
  readonly storageClass: string;
  readonly mayOverwrite: boolean;
  readonly parts: Map<number, StoredPart>;
}

/** What a test says about a bucket. */
export interface BucketOptions {
  readonly name: string;
  /** Bare region id; `cn-hangzhou` when absent. */
  readonly region?: string;
  readonly acl?: BucketAcl;
  /** Bound custom domains, without port. */
  readonly domains?: readonly string[];
  /** Whether `oss-accelerate` hosts serve this bucket (oss-semantics §1.1); they do not when absent. */
  readonly hasAcceleration?: boolean;
  /** Decides on forced download (oss-semantics §1.4); the time of the call when absent. */
  readonly createdAtMs?: number;
  /** Uploads are counted and hashed and their bytes dropped: for all keys, or for those with one of the prefixes. */
  readonly discardBodies?: boolean | readonly string[];
  /** CORS rules (oss-semantics §6); no CORS configuration when absent. */
  readonly corsRules?: readonly CorsRule[];
  /** `ResponseVary` of the CORS configuration. */
  readonly corsResponseVary?: boolean;
  /** Referer rules (oss-semantics §5); nobody's referer is asked about when absent. */
  readonly referer?: RefererRules;
  /** Whether the account may not use public endpoints (oss-semantics §1.3, last rule); it may when absent. */
  readonly forbidsPublicEndpoint?: boolean;
}

export interface Bucket {
  readonly name: string;
  readonly region: string;
  acl: BucketAcl;
  cors: CorsConfiguration | null;
  referer: CheckReferer | null;
  /** As they were set. */
  refererRules: RefererRules | null;
  readonly forbidsPublicEndpoint: boolean;
  readonly domains: ReadonlySet<string>;
  readonly hasAcceleration: boolean;
  readonly createdAtMs: number;
  readonly discardBodies: boolean | readonly string[];
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
}

/** All buckets of the emulator. One domain belongs to one bucket (oss-semantics §1.3). */
export class Store {
  readonly #buckets = new Map<string, Bucket>();
  readonly #domains = new Map<string, Bucket>();

  /** @throws Error when the name or a domain is taken, or a domain or a CORS rule would be refused by OSS */
  addBucket(options: BucketOptions, nowMs: number): Bucket {
    const domains = (options.domains ?? []).map((domain) => domain.toLowerCase());
    if (this.#buckets.has(options.name)) throw new Error(`bucket ${options.name} exists already`);
    for (const domain of domains) this.#checkDomain(domain);
    const bucket: Bucket = {
      name: options.name,
      region: options.region ?? "cn-hangzhou",
      acl: options.acl ?? "private",
      cors: options.corsRules === undefined ? null : makeCors(options.corsRules, options.corsResponseVary ?? false),
      referer: options.referer === undefined ? null : makeReferer(options.referer),
      refererRules: options.referer ?? null,
      forbidsPublicEndpoint: options.forbidsPublicEndpoint ?? false,
      domains: new Set(domains),
      hasAcceleration: options.hasAcceleration ?? false,
      createdAtMs: options.createdAtMs ?? nowMs,
      discardBodies: options.discardBodies ?? false,
      objects: new Map(),
      uploads: new Map(),
    };
    this.#buckets.set(bucket.name, bucket);
    for (const domain of domains) this.#domains.set(domain, bucket);
    return bucket;
  }

  #checkDomain(domain: string): void {
    if (this.#domains.has(domain)) throw new Error(`domain ${domain} is bound already`);
    if (domain === "aliyuncs.com" || domain.endsWith(".aliyuncs.com")) {
      throw new Error(`domain ${domain} cannot be bound: it is under aliyuncs.com`);
    }
  }

  findBucket(name: string): Bucket | undefined {
    return this.#buckets.get(name);
  }

  findByDomain(domain: string): Bucket | undefined {
    return this.#domains.get(domain);
  }

  /** All buckets by name. */
  buckets(): readonly Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Whether uploads to this key are hashed and dropped. */
export function discardsBody(bucket: Bucket, key: string): boolean {
  const rule = bucket.discardBodies;
  return typeof rule === "boolean" ? rule : rule.some((prefix) => key.startsWith(prefix));
}

/** The ACL that holds for an object: its own, or the bucket's (oss-semantics §13.5). */
export function effectiveAcl(bucket: Bucket, object: StoredObject | undefined): BucketAcl {
  return object === undefined || object.acl === "default" ? bucket.acl : object.acl;
}
