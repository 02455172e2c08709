import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { Crc64, combineCrc64, crc64 } from "../../../src/emulator/crc64.js";

interface Vector {
  readonly kind: string;
  readonly name: string;
  readonly [field: string]: unknown;
}

const vectors = JSON.parse(readFileSync("test/vectors/extra.json", "utf8")) as readonly Vector[];

const named = (name: string): Vector => {
  const vector = vectors.find((candidate) => candidate.name === name);
  if (vector === undefined) throw new Error(`no vector ${name}`);
  return vector;
};

for (const vector of vectors.filter(({ kind, inputUtf8 }) => kind === "crc64" && inputUtf8 !== undefined)) {
  t.test(`the CRC of ${vector.name} is the published one`, async (t) => {
    t.equal(String(crc64(Buffer.from(String(vector.inputUtf8)))), vector.expected);
  });
}

t.test("the CRC of 1024 zero bytes is the published one", async (t) => {
  t.equal(String(crc64(Buffer.alloc(1024))), named("crc64-zero1024").expected);
});

for (const vector of vectors.filter(({ kind }) => kind === "crc64-combine")) {
  t.test(`the combination of ${vector.name} is the published one`, async (t) => {
    const combined = combineCrc64(BigInt(String(vector.crcA)), BigInt(String(vector.crcB)), Number(vector.lenB));
    t.equal(String(combined), vector.expected);
  });
}

t.test("a CRC fed in pieces, or combined from two, is that of the whole", async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
      const whole = crc64(Buffer.concat([a, b]));
      const fed = new Crc64().update(a).update(b).value();
      return fed === whole && combineCrc64(crc64(a), crc64(b), b.length) === whole;
    }),
  );
  t.pass("for all splits");
});
