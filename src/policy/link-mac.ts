import { timingSafeEqual } from "node:crypto";
import { HmacSha256 } from "../core/hmac.js";
import type { Secret } from "../core/secret.js";

const SIGNATURE_CHARS = 43;
const SIGNATURE = /^[A-Za-z0-9_-]{43}$/;

// Shared by all keys: nothing here waits between writing and comparing.
const givenBytes = Buffer.alloc(SIGNATURE_CHARS);
const expectedBytes = Buffer.alloc(SIGNATURE_CHARS);

/** Signs and checks texts under one secret. */
export class MacKey {
  readonly #hmac: HmacSha256;

  constructor(secret: Secret) {
    this.#hmac = new HmacSha256(Buffer.from(secret.reveal()));
  }

  /** The HMAC-SHA-256 of the text's UTF-8, in base64url without padding: 43 characters. */
  sign(text: string): string {
    return this.#hmac.digest(text, "base64url");
  }

  /** Whether the signature is the text's. The time it takes tells nothing of how they differ. */
  verifies(text: string, signature: string): boolean {
    if (!SIGNATURE.test(signature)) return false;
    givenBytes.write(signature);
    expectedBytes.write(this.sign(text));
    return timingSafeEqual(givenBytes, expectedBytes);
  }
}

/**
 * One field of a text that is signed: a netstring, `3:abc,`, whose number counts bytes of UTF-8; `-,` is an absent
 * field. Any sequence of a known number of fields reads in one way only.
 */
export function macField(text: string | null): string {
  return text === null ? "-," : `${Buffer.byteLength(text)}:${text},`;
}
