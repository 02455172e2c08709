import { createHash } from "node:crypto";

/** Bytes that can be read from any place, in chunks, without being in memory as a whole. */
export interface BodySource {
  readonly size: number;
  /** The bytes `[start, end)` in order; no chunk is longer than `maxChunkBytes`. */
  chunks(start: number, end: number, maxChunkBytes: number): Iterable<Buffer>;
}

/** A source over bytes in memory. */
export function bytesSource(bytes: Buffer): BodySource {
  return {
    size: bytes.length,
    *chunks(start, end, maxChunkBytes) {
      for (let at = start; at < end; at += maxChunkBytes) yield bytes.subarray(at, Math.min(end, at + maxChunkBytes));
    },
  };
}

/** A source over other sources, one after the other. */
export function joinedSource(sources: readonly BodySource[]): BodySource {
  return {
    size: sources.reduce((sum, source) => sum + source.size, 0),
    *chunks(start, end, maxChunkBytes) {
      let offset = 0;
      for (const source of sources) {
        const from = Math.max(start - offset, 0);
        const to = Math.min(end - offset, source.size);
        if (from < to) yield* source.chunks(from, to, maxChunkBytes);
        offset += source.size;
      }
    },
  };
}

const BLOCK_BYTES = 64 * 1024;

/**
 * A source of `size` deterministic bytes that are made when they are read. Every block of 64 KiB begins with its own
 * number, so a block that is lost, repeated or out of order shows. The same seed gives the same bytes.
 */
export function generatedSource(seed: string, size: number): BodySource {
  const template = makeTemplate(seed);
  return {
    size,
    *chunks(start, end, maxChunkBytes) {
      for (let at = start; at < end; ) {
        const block = Math.floor(at / BLOCK_BYTES);
        const to = Math.min(end, (block + 1) * BLOCK_BYTES, at + maxChunkBytes);
        yield makeBlock(template, block).subarray(at - block * BLOCK_BYTES, to - block * BLOCK_BYTES);
        at = to;
      }
    },
  };
}

function makeTemplate(seed: string): Buffer {
  const digest = createHash("sha256").update(seed).digest();
  const template = Buffer.alloc(BLOCK_BYTES);
  for (let at = 0; at < BLOCK_BYTES; at += 1)
    template[at] = (digest[at % digest.length] as number) ^ ((at >>> 5) & 0xff);
  return template;
}

// Allocates: one block per chunk, so that a consumer may keep it.
function makeBlock(template: Buffer, block: number): Buffer {
  const bytes = Buffer.from(template);
  bytes.writeBigUInt64BE(BigInt(block), 0);
  return bytes;
}

/** The whole of a source as one buffer. */
export function readAll(source: BodySource): Buffer {
  return Buffer.concat([...source.chunks(0, source.size, source.size === 0 ? 1 : source.size)]);
}
