import { compileOpenList, compileStrictList, type MatchList } from "./referer-list.js";
import { splitReferer } from "./referer-parts.js";

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

/**
 * Decides about a `Referer` header; `undefined`: the request has none. `null`: it may pass. Where a request has several,
 * which no browser sends, its first counts, as in NGINX.
 */
export type CheckReferer = (referer: string | undefined) => RefererReason | null;

/**
 * Makes OSS's check (oss-semantics §5.2): an empty referer first, then the blacklist, then the whitelist. Entries that
 * are empty text count as absent. `strict` is {@link compileStrictList}; there, a referer without a host that can be
 * read is on no whitelist, and on the blacklist as OSS would find it.
 */
export function compileOssReferer(options: OssRefererOptions): CheckReferer {
  const allowed = options.refererList.filter(isWritten);
  const forbidden = options.refererBlacklist.filter(isWritten);
  const isAllowed = options.strict ? compileStrictList(allowed, nothing) : compileOpenList(allowed);
  const isForbidden = compileBlacklist(forbidden, options.strict);
  // With no whitelist AllowEmptyReferer has no effect (R1).
  const ofEmpty: RefererReason | null = options.allowEmptyReferer || allowed.length === 0 ? null : "empty";
  return (referer) => {
    if (referer === undefined || referer === "") return ofEmpty;
    const parts = splitReferer(truncate(referer, options));
    if (forbidden.length > 0 && isForbidden(parts)) return "blacklisted";
    return allowed.length === 0 || isAllowed(parts) ? null : "not-listed";
  };
}

const isWritten = (pattern: string): boolean => pattern !== "";
const nothing: MatchList = () => false;

function compileBlacklist(patterns: readonly string[], strict: boolean): MatchList {
  const asOss = compileOpenList(patterns);
  return strict ? compileStrictList(patterns, asOss) : asOss;
}

type Truncation = Pick<OssRefererOptions, "truncatePath" | "allowTruncateQueryString">;

function truncate(referer: string, { truncatePath, allowTruncateQueryString }: Truncation): string {
  if (truncatePath) return referer.slice(0, splitReferer(referer).headEnd);
  if (!allowTruncateQueryString) return referer;
  const end = referer.search(/[?#]/);
  return end === -1 ? referer : referer.slice(0, end);
}
