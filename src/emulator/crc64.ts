// CRC-64/XZ, the checksum of `x-oss-hash-crc64ecma` (oss-semantics §10), on two unsigned 32-bit halves.

const POLYNOMIAL_HIGH = 0xc96c5795;
const POLYNOMIAL_LOW = 0xd7870f42;
const POLYNOMIAL = (BigInt(POLYNOMIAL_HIGH) << 32n) | BigInt(POLYNOMIAL_LOW);
const ROWS = 64;

const [TABLE_HIGH, TABLE_LOW] = buildTables();

function buildTables(): readonly [Uint32Array, Uint32Array] {
  const highs = new Uint32Array(256);
  const lows = new Uint32Array(256);
  for (let index = 0; index < 256; index += 1) {
    let high = 0;
    let low = index;
    for (let bit = 0; bit < 8; bit += 1) {
      const carry = low & 1;
      low = ((low >>> 1) | (high << 31)) >>> 0;
      high >>>= 1;
      if (carry === 1) {
        high = (high ^ POLYNOMIAL_HIGH) >>> 0;
        low = (low ^ POLYNOMIAL_LOW) >>> 0;
      }
    }
    highs[index] = high;
    lows[index] = low;
  }
  return [highs, lows];
}

/** A running CRC-64/XZ: feed it bytes in order, ask at any time. */
export class Crc64 {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(bytes: Uint8Array): this {
    let high = this.#high;
    let low = this.#low;
    for (let at = 0; at < bytes.length; at += 1) {
      const index = (low ^ (bytes[at] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (TABLE_LOW[index] as number);
      high = (high >>> 8) ^ (TABLE_HIGH[index] as number);
    }
    this.#high = high >>> 0;
    this.#low = low >>> 0;
    return this;
  }

  /** The CRC of all bytes so far, unsigned. Its decimal text is the header's value. */
  value(): bigint {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0);
  }
}

/** The CRC of one buffer, unsigned. */
export function crc64(bytes: Uint8Array): bigint {
  return new Crc64().update(bytes).value();
}

/**
 * The CRC of `a‖b` from the CRCs of both: zlib's matrix method with 64 rows (oss-semantics §10).
 * @param lengthB bytes of the second part
 */
export function combineCrc64(crcA: bigint, crcB: bigint, lengthB: number): bigint {
  let operator = square(square(square(oneZeroBit())));
  let crc = crcA;
  for (let rest = BigInt(lengthB); rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) crc = times(operator, crc);
    operator = square(operator);
  }
  return crc ^ crcB;
}

/** The operator that shifts one zero bit into a CRC. */
function oneZeroBit(): readonly bigint[] {
  return Array.from({ length: ROWS }, (_, row) => (row === 0 ? POLYNOMIAL : 1n << BigInt(row - 1)));
}

function times(matrix: readonly bigint[], vector: bigint): bigint {
  let sum = 0n;
  for (let row = 0, rest = vector; rest > 0n; row += 1, rest >>= 1n) {
    if ((rest & 1n) === 1n) sum ^= matrix[row] as bigint;
  }
  return sum;
}

function square(matrix: readonly bigint[]): readonly bigint[] {
  return matrix.map((row) => times(matrix, row));
}
