import { hkdfSync, randomBytes } from "node:crypto";

/** What the keys of a period are made from, and those of later periods; none of earlier ones. */
export interface TicketSeed {
  /** 48 bytes. */
  readonly bytes: Uint8Array;
  /** Unix milliseconds at which others follow. */
  readonly untilMs: number;
}

/** Whoever learns the keys can read what resumed TLS 1.2 sessions said while they held, but no longer ago. */
const PERIOD_MS = 12 * 3_600_000;
const SEED_BYTES = 48;

/**
 * The keys that a server's TLS tickets are encrypted with, another each twelve hours. Each process that has one seed makes
 * the same keys at the same time, without a word between them; what they were before cannot be found from what they are.
 */
export class TicketKeys {
  #seed: TicketSeed;
  readonly #now: () => number;

  /**
   * @param seed of another process; absent: random
   * @param now Unix milliseconds
   */
  constructor(seed?: TicketSeed, now: () => number = Date.now) {
    this.#now = now;
    this.#seed = seed ?? { bytes: randomBytes(SEED_BYTES), untilMs: now() + PERIOD_MS };
  }

  /** As they are now. A clock that is set back changes nothing. */
  seed(): TicketSeed {
    const nowMs = this.#now();
    while (this.#seed.untilMs <= nowMs) this.#seed = followerOf(this.#seed);
    return this.#seed;
  }

  /** What OpenSSL takes, 48 bytes. @param purpose of others the keys are others */
  keysFor(purpose: Buffer): Buffer {
    return derive(this.seed().bytes, "ossgate tls tickets", purpose);
  }
}

function followerOf({ bytes, untilMs }: TicketSeed): TicketSeed {
  const next = derive(bytes, "ossgate tls tickets: the next period", Buffer.alloc(0));
  return { bytes: next, untilMs: untilMs + PERIOD_MS };
}

function derive(bytes: Uint8Array, salt: string, info: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", bytes, salt, info, SEED_BYTES));
}
