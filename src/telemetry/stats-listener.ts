import { increment, indexOf } from "./stats-map.js";

/** Why a TLS handshake with a client failed, as a closed set of labels. */
export const TLS_FAILURES = [
  "protocol",
  "cipher",
  "noCertificate",
  "badCertificate",
  "refusedByClient",
  "notTls",
  "timeout",
  "closed",
  "other",
] as const;
export type TlsFailure = (typeof TLS_FAILURES)[number];

const FAILURE_INDEX = indexOf(TLS_FAILURES);

/** Counters of one listener. */
export class ListenerStats {
  /** Handshakes that succeeded, and those of them that resumed a session. */
  tlsHandshakes = 0;
  tlsResumed = 0;
  /** By the place of the cause in {@link TLS_FAILURES}. */
  readonly tlsFailures = new Float64Array(TLS_FAILURES.length);

  countTlsFailure(cause: TlsFailure): void {
    increment(this.tlsFailures, FAILURE_INDEX.get(cause) as number);
  }
}
