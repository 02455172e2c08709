import type { OnReadOpts, Socket } from "node:net";

/**
 * Where a connection's bytes are read into. Node gives each read a 64 KiB buffer of its own; a fast download makes tens
 * of thousands of them a second, and V8, which counts their memory, collects garbage over and over. In a bare proxy,
 * reading into the rest of a slab took 40 % less CPU for 100 MiB downloads. A slab belongs to one connection, and no part of it
 * is written twice, so no request can see bytes of another.
 */
const SMALL_SLAB_BYTES = 16 * 1024;
const LARGE_SLAB_BYTES = 256 * 1024;

/** The smallest rest that is worth a read, by slab. */
const SMALL_REST_BYTES = 4 * 1024;
const LARGE_REST_BYTES = 64 * 1024;

/** What a socket with an {@link OnReadOpts} of {@link slabReader} should have, so that one read does not stop it. */
export const SLAB_HIGH_WATER_MARK_BYTES = LARGE_SLAB_BYTES;

/** The `onread` option for one connection: small slabs while answers are small, large ones while reads fill them. */
export function slabReader(): OnReadOpts {
  let slab = Buffer.allocUnsafeSlow(SMALL_SLAB_BYTES);
  let used = 0;
  let lastReadBytes = 0;
  let wasFilled = false;
  return {
    buffer() {
      const rest = slab.length - used;
      if (wasFilled || rest < (slab.length === LARGE_SLAB_BYTES ? LARGE_REST_BYTES : SMALL_REST_BYTES)) {
        const isFast = wasFilled || lastReadBytes >= SMALL_SLAB_BYTES;
        slab = Buffer.allocUnsafeSlow(isFast ? LARGE_SLAB_BYTES : SMALL_SLAB_BYTES);
        used = 0;
      }
      return used === 0 ? slab : slab.subarray(used);
    },
    callback(this: Socket, byteCount: number, buffer: Uint8Array) {
      used += byteCount;
      lastReadBytes = byteCount;
      wasFilled = byteCount === buffer.length;
      return this.push(buffer.subarray(0, byteCount));
    },
  } as OnReadOpts;
}
