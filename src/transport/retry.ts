import type { GatewayError } from "../core/errors.js";

const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Tries of one request, the first included. */
const MAX_ATTEMPTS = 3;

export type RetryDecision = "give-up" | "other-address" | "fresh-connection";

/** What is known when an exchange failed before a byte of the answer went downstream. */
export interface FailedAttempt {
  readonly method: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Whether part of the request's body may have been read, which can be done only once. */
  readonly bodyTaken: boolean;
  readonly error: GatewayError;
}

/**
 * The table of retries (architecture §6). A connection that had been idle and was just closed proves nothing about the
 * upstream's health, so it is tried once more on a fresh connection to the same address and costs no budget.
 */
export function decideRetry(failed: FailedAttempt): RetryDecision {
  const { method, attempt, bodyTaken, error } = failed;
  if (bodyTaken || attempt >= MAX_ATTEMPTS) return "give-up";
  if (error.code === "UPSTREAM_STALE_CONNECTION") {
    // DELETE is idempotent (RFC 9110 §9.2.2). Where versions are kept, a second one may leave a second delete marker.
    return IDEMPOTENT.has(method) || method === "DELETE" ? "fresh-connection" : "give-up";
  }
  if (error.retry === "safe") return "other-address";
  return error.retry === "idempotent" && IDEMPOTENT.has(method) ? "other-address" : "give-up";
}

/**
 * Bounds retries to a share of all requests, so that a failing upstream is not hit with multiples of its load.
 * Every request earns a fifth of a retry, up to 50 saved.
 */
export class RetryBudget {
  #saved = 10;

  earn(): void {
    if (this.#saved < 50) this.#saved += 0.2;
  }

  /** @returns whether a retry may be made; takes it off the budget */
  take(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}
