import { createHmac, hash } from "node:crypto";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
// Nearly all texts fit; a longer one takes the slower way, so the memory of a key is bounded.
const MAX_TEXT_BYTES = 4096;
const MAX_BYTES_PER_CODE_UNIT = 3;

/**
 * HMAC-SHA-256 (RFC 2104) under one key, for short texts.
 *
 * Two one-shot hashes over buffers whose key blocks are written once: 0.8 µs for 150 bytes where `createHmac` with a
 * prepared key object takes 1.5 µs (Node 20) and leaves a native object to the garbage collector, which costs as much
 * again where every request and every segment of a playlist has one.
 */
export class HmacSha256 {
  readonly #inner = Buffer.alloc(BLOCK_BYTES + MAX_TEXT_BYTES);
  readonly #outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.length > BLOCK_BYTES ? hash("sha256", key, "buffer") : Uint8Array.from(key);
    for (let i = 0; i < BLOCK_BYTES; i += 1) {
      const byte = this.#key[i] ?? 0;
      this.#inner[i] = byte ^ 0x36;
      this.#outer[i] = byte ^ 0x5c;
    }
  }

  /** The HMAC of the text's UTF-8. */
  digest(text: string, encoding: "hex" | "base64url"): string {
    if (text.length * MAX_BYTES_PER_CODE_UNIT > MAX_TEXT_BYTES) {
      return createHmac("sha256", this.#key).update(text).digest(encoding);
    }
    const end = BLOCK_BYTES + this.#inner.write(text, BLOCK_BYTES);
    this.#outer.write(hash("sha256", this.#inner.subarray(0, end), "binary"), BLOCK_BYTES, "binary");
    return hash("sha256", this.#outer, encoding);
  }
}
