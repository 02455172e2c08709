import type { Denial } from "../core/errors.js";
import type { QueryParameters } from "./link-token.js";

/** What a link is checked against. */
export interface LinkRequest {
  /** Decoded once. */
  readonly path: string;
  readonly method: string;
  /** Of the `Host` header: lower case, without port. */
  readonly host: string;
  /** The client's address, canonical (see `canonicalClient`); `""` when it is not known. */
  readonly client: string;
  /** Decoded parameters that go upstream: they must be signed. */
  readonly parameters: QueryParameters;
}

/** What a link allows, or why it does not. */
export type LinkVerdict =
  | {
      readonly ok: true;
      /** Nothing that this link admits may outlive it. */
      readonly expiresSeconds: number;
      readonly isPrefix: boolean;
      /** The exact path, or the prefix that ends at `/`; decoded. */
      readonly path: string;
      /** Where a playlist that it admits may mint links; `null`: see `isPrefix`, then the playlist's directory. */
      readonly scope: string | null;
      /** The address that the link is bound to; `null`: any. */
      readonly client: string | null;
    }
  | { readonly ok: false; readonly denial: Denial };

type Refusal = Extract<LinkVerdict, { ok: false }>;

function refusal(code: Denial["code"], reason: string): Refusal {
  return Object.freeze({ ok: false, denial: Object.freeze({ code, reason }) });
}

/** One text for all that an unsigned link can be: it must not tell a forger how far he came. */
export const INVALID: Refusal = refusal(
  "LINK_INVALID",
  "This link is not valid for this request. Use it exactly as it was issued, or ask for a new one.",
);

// These two are told only about a link that is ours.
export const EXPIRED: Refusal = refusal("LINK_EXPIRED", "This link has expired. Ask for a new one.");
export const TOO_LONG_LIVED: Refusal = refusal(
  "LINK_INVALID",
  "This link expires later than the route's maxAge allows. Ask for one that expires sooner.",
);

/**
 * The last step of every check, for a link that is ours.
 * @param expiresSeconds the first second in which the link is no longer good
 * @returns what is wrong with the expiry, or `null`
 */
export function checkExpiry(expiresSeconds: number, maxAgeMs: number, nowMs: number): Refusal | null {
  const remainingMs = expiresSeconds * 1000 - nowMs;
  if (remainingMs <= 0) return EXPIRED;
  return remainingMs > maxAgeMs ? TOO_LONG_LIVED : null;
}
