/** What a standard OSS host name says. */
interface OssHost {
  /** `null`: the name of an endpoint, without a bucket. */
  readonly bucket: string | null;
  /** `null`: an endpoint of all regions. Not always the region's id: see region-names. */
  readonly region: string | null;
}

/** In this order, because "accelerate" would otherwise be taken for a region (oss-semantics §1.3). */
const PATTERNS: readonly RegExp[] = [
  /^(?:(?!s3\.)(?<bucket>[^.]+)\.)?(?:s3\.)?oss-accelerate(?:-overseas)?\.aliyuncs\.com$/,
  /^(?:(?!s3\.)(?<bucket>[^.]+)\.)?(?:s3\.|vpc100-)?oss-(?<region>[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$/,
  /^(?:(?!s3\.)(?<bucket>[^.]+)\.)?(?<region>[a-z]{2}-[a-z0-9-]+)\.oss\.aliyuncs\.com$/,
  /^(?:(?!s3\.)(?<bucket>[^.]+)\.)?oss(?:-internal)?\.aliyuncs\.com$/,
];

/**
 * Takes a lower-case host name without port apart; `null` when it is not one of OSS's own.
 * `my-bucket.oss.aliyuncs.com` (an old name) looks like a dual-stack endpoint and is taken for one.
 */
export function parseOssHost(host: string): OssHost | null {
  for (const pattern of PATTERNS) {
    const groups = pattern.exec(host)?.groups;
    if (groups !== undefined) return { bucket: groups.bucket ?? null, region: groups.region ?? null };
  }
  return null;
}
