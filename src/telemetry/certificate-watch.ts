import { NEXT_OF_EVENTS } from "./error-lines.js";
import type { Logger } from "./log.js";
import type { CertificateGauges } from "./process-report.js";

const DAY_MS = 86_400_000;
/** Days before the end at which somebody is told, once each. */
const WARN_DAYS = [30, 7, 1];

/** Says in the log what an operator must know of certificates, once for each, whatever the number of processes. */
export class CertificateWatch {
  readonly #log: Logger;
  /** By file and end: the fewest days that were warned of; 0 when it was told that it has expired. */
  #warnedDays = new Map<string, number>();
  /** By file: the problem that was told. */
  #problems = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * @param certificates of all processes
   * @param nowMs Unix milliseconds
   */
  tick(certificates: readonly CertificateGauges[], nowMs: number): void {
    const warned = new Map<string, number>();
    const problems = new Map<string, string>();
    for (const certificate of certificates) {
      const { file, notAfterMs, problem } = certificate;
      const key = `${file} ${notAfterMs}`;
      const days = warned.get(key) ?? this.#warnOfEnd(certificate, this.#warnedDays.get(key), nowMs);
      if (days !== null) warned.set(key, days);
      if (problem === null || problems.has(file)) continue;
      problems.set(file, problem);
      if (this.#problems.get(file) === problem) continue;
      const fields = { file, cause: problem, next: NEXT_OF_EVENTS.certificateKept };
      this.#log.warn(fields, "a certificate is not renewed; the one before is shown on");
    }
    // What is shown no more is forgotten with this.
    this.#warnedDays = warned;
    this.#problems = problems;
  }

  /** @returns the fewest days that have been warned of; `null`: none */
  #warnOfEnd({ listener, names, file, notAfterMs }: CertificateGauges, before: number | undefined, nowMs: number) {
    const due = nowMs >= notAfterMs ? 0 : WARN_DAYS.findLast((days) => notAfterMs - nowMs <= days * DAY_MS);
    if (due === undefined || (before !== undefined && before <= due)) return before ?? null;
    const next = NEXT_OF_EVENTS.certificateEnds;
    const fields = { listener, file, names: names.slice(0, 5), ends: new Date(notAfterMs).toISOString(), next };
    if (due === 0) this.#log.error(fields, "a certificate has expired: clients refuse it");
    else this.#log.warn(fields, "a certificate ends soon");
    return due;
  }
}
