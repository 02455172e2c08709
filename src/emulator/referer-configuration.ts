import { type CheckReferer, compileOssReferer, type OssRefererOptions } from "../policy/referer.js";
import { container, element, xmlDocument } from "./xml.js";

/** A bucket's Referer configuration; what is absent is as PutBucketReferer has it by default (oss-semantics §5.1). */
export type RefererRules = Partial<Omit<OssRefererOptions, "strict">>;

const DEFAULTS: OssRefererOptions = {
  allowEmptyReferer: true,
  refererList: [],
  refererBlacklist: [],
  allowTruncateQueryString: true,
  truncatePath: false,
  strict: false,
};

/** GetBucketReferer (oss-semantics §5.1); a bucket without rules answers the defaults. */
export function renderReferer(rules: RefererRules | null): string {
  const { allowEmptyReferer, allowTruncateQueryString, truncatePath, refererList, refererBlacklist } = {
    ...DEFAULTS,
    ...rules,
  };
  const entries = (list: readonly string[]): string[] => list.map((entry) => element("Referer", entry));
  return xmlDocument(
    "RefererConfiguration",
    element("AllowEmptyReferer", allowEmptyReferer),
    element("AllowTruncateQueryString", allowTruncateQueryString),
    element("TruncatePath", truncatePath),
    container("RefererList", ...entries(refererList)),
    ...(refererBlacklist.length === 0 ? [] : [container("RefererBlacklist", ...entries(refererBlacklist))]),
  );
}

export function makeReferer(rules: RefererRules): CheckReferer {
  return compileOssReferer({ ...DEFAULTS, ...rules });
}
