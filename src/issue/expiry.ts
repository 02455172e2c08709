import type { OssCredentials } from "../core/secret.js";
import { IssueRefusal } from "./refusal.js";

/** When something that is issued ends: one of the two, or neither for a default. */
export interface ExpiryRequest {
  readonly expiresInSeconds?: number | undefined;
  /** Unix seconds. */
  readonly expiresAtSeconds?: number | undefined;
}

interface ExpiryLimits {
  readonly defaultSeconds: number;
  readonly maxSeconds: number;
  /** Whose limit it is: `allow.links.maxAge of route vod`. */
  readonly limitName: string;
}

export interface Expiry {
  /** Unix seconds. */
  readonly atSeconds: number;
  /** The credentials end before what was asked for, and nothing that they signed outlives them (oss-semantics §8.3). */
  readonly isCapped: boolean;
}

/** Settles when something ends, in Unix seconds. What is beyond the limit is refused, not shortened. */
export function settleExpiry(
  { expiresInSeconds, expiresAtSeconds }: ExpiryRequest,
  { defaultSeconds, maxSeconds, limitName }: ExpiryLimits,
  nowMs: number,
): number | IssueRefusal {
  if (expiresInSeconds !== undefined && expiresAtSeconds !== undefined) {
    return new IssueRefusal(400, "Say either expires or expiresAt, not both.");
  }
  const nowSeconds = Math.floor(nowMs / 1_000);
  const lifetime =
    expiresAtSeconds === undefined
      ? (expiresInSeconds ?? Math.min(defaultSeconds, maxSeconds))
      : expiresAtSeconds - nowSeconds;
  if (!Number.isSafeInteger(lifetime) || lifetime < 1) {
    return new IssueRefusal(400, "The expiry must be at least one second ahead, in whole seconds.");
  }
  if (lifetime <= maxSeconds) return nowSeconds + lifetime;
  return new IssueRefusal(400, `The expiry is too far ahead: ${limitName} allows ${durationText(maxSeconds)}.`);
}

/** Cuts an expiry down to that of the credentials; refuses when they end within the second. */
export function capByCredentials(
  atSeconds: number,
  { expiresAtMs }: OssCredentials,
  nowMs: number,
): Expiry | IssueRefusal {
  const endSeconds = expiresAtMs === undefined ? Number.POSITIVE_INFINITY : Math.floor(expiresAtMs / 1_000);
  if (endSeconds >= atSeconds) return { atSeconds, isCapped: false };
  if (endSeconds > Math.floor(nowMs / 1_000)) return { atSeconds: endSeconds, isCapped: true };
  return new IssueRefusal(503, "The credentials expire now, and what they sign would too. Try again soon.");
}

/** `12h`, `7d`, `90s`: the largest unit that says it exactly. */
function durationText(seconds: number): string {
  for (const [unit, size] of UNITS) if (seconds % size === 0 && seconds >= size) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
] as const;
