import fc from "fast-check";
import t from "tap";
import { partOf } from "../../../src/process/divided.js";

t.test("the parts of all processes are the whole, and differ by one at most", async (t) => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 64 }), (whole, processes) => {
      const parts = Array.from({ length: processes }, (_, index) => partOf(whole, processes, index + 1));
      const sum = parts.reduce((total, part) => total + part, 0);
      return sum === whole && Math.max(...parts) - Math.min(...parts) <= 1;
    }),
  );
  t.strictSame(
    [1, 2, 3].map((number) => partOf(11, 3, number)),
    [4, 4, 3],
  );
});
