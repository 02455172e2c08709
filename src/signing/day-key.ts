import { createHmac } from "node:crypto";
import type { Secret } from "../core/secret.js";
import type { DayKeys, Scope } from "./types.js";
import { SCOPE_TERMINATOR } from "./v4.js";

/** kSign of V4, good for one day, region and product (oss-semantics §2.4): 32 bytes. */
export function deriveDayKey(accessKeySecret: Secret, scope: Scope): Uint8Array {
  const date = hmac(`aliyun_v4${accessKeySecret.reveal()}`, scope.date8);
  return hmac(hmac(hmac(date, scope.region), scope.product), SCOPE_TERMINATOR);
}

function hmac(key: string | Uint8Array, text: string): Uint8Array {
  return createHmac("sha256", key).update(text, "utf8").digest();
}

/**
 * Derived day keys at hand, because a derivation costs three times as much as the rest of a V4 signature.
 * Bounded: the entry that was not used for the longest time goes first. The caller owns it and its lifetime.
 */
export class DayKeyCache implements DayKeys {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, { readonly secret: string; readonly key: Uint8Array }>();

  /** @param maxEntries at least 1; one entry a key pair, day, region and product */
  constructor(maxEntries = 64) {
    this.#maxEntries = Math.max(1, maxEntries);
  }

  /** How many keys are held. */
  get size(): number {
    return this.#entries.size;
  }

  /** The day key of these credentials, from the cache or derived. A secret that was replaced under the same id is seen. */
  get(accessKeyId: string, accessKeySecret: Secret, scope: Scope): Uint8Array {
    const name = `${accessKeyId}/${scope.date8}/${scope.region}/${scope.product}`;
    const secret = accessKeySecret.reveal();
    const held = this.#entries.get(name);
    this.#entries.delete(name);
    const entry = held?.secret === secret ? held : { secret, key: deriveDayKey(accessKeySecret, scope) };
    this.#entries.set(name, entry);
    if (this.#entries.size > this.#maxEntries) this.#dropOldest();
    return entry.key;
  }

  #dropOldest(): void {
    for (const name of this.#entries.keys()) {
      this.#entries.delete(name);
      return;
    }
  }
}
