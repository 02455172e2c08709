/** Never sooner after a success than this: an issuer of very short lives must not be asked without pause. */
const SHORTEST_PAUSE_MS = 1_000;
const LEAST_LEAD_MS = 5 * 60_000;
const LONGEST_RETRY_MS = 60_000;
/** How much earlier than needed a refresh may begin, so that gateways that started together do not ask together. */
const JITTER_SHARE = 0.25;

/**
 * How long before the end of a life the refresh begins: when 20 % of it remain, five minutes at least, half of it at most
 * (oss-semantics §8.3).
 */
export function leadMs(lifetimeMs: number): number {
  return Math.max(lifetimeMs * 0.2, Math.min(LEAST_LEAD_MS, lifetimeMs * 0.5));
}

/** What is known of the set in use when its next refresh is planned. Times in milliseconds since 1970. */
export interface SetLife {
  /** When this set was first seen. */
  readonly sinceMs: number;
  readonly expiresAtMs: number;
  readonly nowMs: number;
}

/**
 * Milliseconds until the next refresh after a good one.
 * An issuer that hands out the same set until shortly before its end (the ECS metadata service) is asked again every five
 * minutes, more often towards the end.
 * @param random from 0 to below 1
 */
export function refreshDelayMs({ sinceMs, expiresAtMs, nowMs }: SetLife, random: number): number {
  const lifetimeMs = expiresAtMs - sinceMs;
  const planMs = expiresAtMs - leadMs(lifetimeMs) * (1 + JITTER_SHARE * random) - nowMs;
  const delayMs = planMs > 0 ? planMs : Math.min(LEAST_LEAD_MS, (expiresAtMs - nowMs) / 2);
  return Math.max(delayMs, SHORTEST_PAUSE_MS);
}

/**
 * Milliseconds until the next try after failed ones: 1 to 2 s after the first, up to 1 to 60 s.
 * @param failures in a row, 1 at least
 * @param random from 0 to below 1
 */
export function retryDelayMs(failures: number, random: number): number {
  const longestMs = Math.min(LONGEST_RETRY_MS, SHORTEST_PAUSE_MS * 2 ** failures);
  return SHORTEST_PAUSE_MS + random * (longestMs - SHORTEST_PAUSE_MS);
}
