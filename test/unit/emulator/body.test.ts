import fc from "fast-check";
import t from "tap";
import { bytesSource, generatedSource, joinedSource, readAll } from "../../../src/emulator/body.js";

t.test("any slice of a generated body is that slice of the whole, in any chunk size", async (t) => {
  const size = 200_000;
  const source = generatedSource("seed", size);
  const whole = readAll(source);
  t.equal(whole.length, size);
  const offset = fc.integer({ min: 0, max: size });
  fc.assert(
    fc.property(offset, offset, fc.integer({ min: 1000, max: 100_000 }), (a, b, chunkBytes) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      const chunks = [...source.chunks(start, end, chunkBytes)];
      return (
        chunks.every((chunk) => chunk.length <= chunkBytes) && Buffer.concat(chunks).equals(whole.subarray(start, end))
      );
    }),
    { numRuns: 50 },
  );
});

t.test("every block of a generated body differs, and so do bodies of different seeds", async (t) => {
  const whole = readAll(generatedSource("seed", 4 * 65_536));
  const blocks = [0, 1, 2, 3].map((block) => whole.subarray(block * 65_536, (block + 1) * 65_536).toString("latin1"));
  t.equal(new Set(blocks).size, 4);
  t.notOk(readAll(generatedSource("other", 1000)).equals(whole.subarray(0, 1000)));
});

t.test("a joined body reads across its seams", async (t) => {
  const joined = joinedSource([
    bytesSource(Buffer.from("abc")),
    bytesSource(Buffer.alloc(0)),
    bytesSource(Buffer.from("defg")),
  ]);
  t.equal(joined.size, 7);
  t.equal(readAll(joined).toString(), "abcdefg");
  t.equal(Buffer.concat([...joined.chunks(2, 5, 2)]).toString(), "cde");
});

t.test("an empty body gives no chunks", async (t) => {
  t.same([...bytesSource(Buffer.alloc(0)).chunks(0, 0, 10)], []);
  t.equal(readAll(bytesSource(Buffer.alloc(0))).length, 0);
});
