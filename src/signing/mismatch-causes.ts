/** Why a signature and a request do not belong together; a closed set, so that it can be counted. */
export const MISMATCH_CAUSES = [
  "method-changed",
  "host-signed",
  "content-type-added",
  "header-added-by-hop",
  "header-changed",
  "header-removed",
  "date-changed",
  "key-encoded-twice",
  "key-decoded",
  "key-changed",
  "bucket-changed",
  "plus-as-space",
  "query-changed",
  "region-mismatch",
  "signature-cut",
  "signature-changed",
  "wrong-secret",
  "changed-before-or-wrong-secret",
] as const;

export type MismatchCause = (typeof MISMATCH_CAUSES)[number];

/** Where on its way a request became another: before it reached the gateway, in the gateway, or between it and OSS. */
export type Place = "before" | "gateway" | "behind";

export interface Mismatch {
  readonly cause: MismatchCause;
  /** The header or the parameter that it is about, `HEAD` of `HEAD became GET`; `null`: none. */
  readonly name: string | null;
  readonly place: Place;
  /** Of `changed-before-or-wrong-secret`: what is signed besides method, path and date, `?` before parameters; else none. */
  readonly suspects: readonly string[];
  /** Two texts differ, or the secret is known and the signature agrees with what was concluded. Otherwise it is likely. */
  readonly isProven: boolean;
}
