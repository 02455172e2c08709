import type { Denial } from "../core/errors.js";
import { REFERER_REASONS, type RefererReason } from "./referer.js";

interface ReasonRow {
  /** oss-semantics §5.2; `null`: OSS does not know the case. */
  readonly ec: string | null;
  readonly advice: string;
}

const ROWS: Readonly<Record<RefererReason, ReasonRow>> = {
  empty: {
    ec: "0003-00000501",
    advice: "The request has no Referer, and one is needed here: open it from a page of an allowed site.",
  },
  blacklisted: { ec: "0003-00000502", advice: "The site in its Referer is on the blacklist." },
  "not-listed": {
    ec: "0003-00000503",
    advice: "The site in its Referer is not among the allowed ones: its operator can ask to be listed.",
  },
  invalid: {
    ec: null,
    advice: "Its Referer is none of those that are valid here: open it from a page of a valid site.",
  },
};

const OSS_MESSAGE = "You are denied by bucket referer policy.";

/** The refusals of one bucket, made once. */
export type RefererDenials = Readonly<Record<RefererReason, Denial>>;

/** @param bucketName the name at OSS, told as OSS tells it; `null`: none is told */
export function refererDenials(bucketName: string | null): RefererDenials {
  const rows = REFERER_REASONS.map((reason) => [reason, refererDenial(reason, bucketName)] as const);
  return Object.freeze(Object.fromEntries(rows) as Record<RefererReason, Denial>);
}

/** One refusal: 403 as OSS answers it (oss-semantics §5.2), its message first and then what to do. */
export function refererDenial(reason: RefererReason, bucketName: string | null): Denial {
  const { ec, advice } = ROWS[reason];
  const elements = bucketName === null ? [] : [["BucketName", bucketName] as const];
  const oss = Object.freeze({ status: 403, code: "AccessDenied", ec, elements: Object.freeze(elements) });
  return Object.freeze({ code: "REFERER_DENIED", reason: `${OSS_MESSAGE} ${advice}`, oss });
}
