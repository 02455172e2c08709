/** OSS's hotlink protection in its own words (oss-semantics §5.1). */
export interface OssRefererOptions {
  readonly allowEmptyReferer: boolean;
  readonly refererList: readonly string[];
  readonly refererBlacklist: readonly string[];
  readonly allowTruncateQueryString: boolean;
  readonly truncatePath: boolean;
  /** A pattern that ends in a host ends at the host: `http://a.com` is no `http://a.com.evil.net`. OSS itself: false. */
  readonly strict: boolean;
}

/** Why a referer is refused, as labels of a metric: OSS's three cases, and NGINX's one. */
export const REFERER_REASONS = ["empty", "blacklisted", "not-listed", "invalid"] as const;
export type RefererReason = (typeof REFERER_REASONS)[number];

/** Decides about a `Referer` header; `undefined`: the request has none. `null`: it may pass. */
export type CheckReferer = (referer: string | undefined) => RefererReason | null;
