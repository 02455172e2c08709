import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../core/secret.js";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
// Nearly all texts fit; a longer one takes the slower way, so the memory of a key is bounded.
const MAX_TEXT_BYTES = 4096;
const MAX_BYTES_PER_CODE_UNIT = 3;
const SIGNATURE_CHARS = 43;

// Shared by all keys: nothing here waits between writing and comparing.
const givenBytes = Buffer.alloc(SIGNATURE_CHARS);
const expectedBytes = Buffer.alloc(SIGNATURE_CHARS);

/**
 * HMAC-SHA-256 (RFC 2104) under one secret, for short texts.
 *
 * Two one-shot hashes over buffers whose key blocks are written once: 0.8 µs for 150 bytes where `createHmac` with a
 * prepared key object takes 1.5 µs (Node 20). A playlist of 1,000 segments needs 1,000 of them.
 */
export class MacKey {
  readonly #inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT_BYTES);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  readonly #key: Buffer;

  constructor(secret: Secret) {
    const bytes = Buffer.from(secret.reveal());
    this.#key = bytes.length > BLOCK_BYTES ? hash("sha256", bytes, "buffer") : bytes;
    for (let i = 0; i < BLOCK_BYTES; i += 1) {
      const byte = this.#key[i] ?? 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /** The HMAC of the text's UTF-8, in base64url without padding: 43 characters. */
  sign(text: string): string {
    if (text.length * MAX_BYTES_PER_CODE_UNIT > MAX_TEXT_BYTES) return this.#signLong(text);
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES);
    this.#outer.write(hash("sha256", this.#inner.subarray(0, end), "binary"), BLOCK_BYTES, "binary");
    return hash("sha256", this.#outer, "base64url");
  }

  /** Whether the signature is the text's. The time it takes tells nothing of how they differ. */
  verifies(text: string, signature: string): boolean {
    if (signature.length !== SIGNATURE_CHARS) return false;
    // As UTF-8, in which nothing outside ASCII looks like ASCII.
    givenBytes.write(signature);
    expectedBytes.write(this.sign(text));
    return timingSafeEqual(givenBytes, expectedBytes);
  }

  #signLong(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

/**
 * One field of a text that is signed: a netstring, `3:abc,`, whose number counts bytes of UTF-8; `-,` is an absent
 * field. Any sequence of a known number of fields reads in one way only.
 */
export function macField(text: string | null): string {
  return text === null ? "-," : `${Buffer.byteLength(text)}:${text},`;
}
