import { type CheckReferer, compileOssReferer, type OssRefererOptions } from "../policy/referer.js";

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

export function makeReferer(rules: RefererRules): CheckReferer {
  return compileOssReferer({ ...DEFAULTS, ...rules });
}
