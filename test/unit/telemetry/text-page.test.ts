import * as fc from "fast-check";
import t from "tap";
import { TextPage } from "../../../src/telemetry/text-page.js";

t.test("a page is what was added, in UTF-8, however long the pieces are", async (t) => {
  const piece = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary", minLength: 1, maxLength: 5 }));
  fc.assert(
    fc.property(fc.array(piece), fc.integer({ min: 0, max: 40_000 }), (pieces, length) => {
      const page = new TextPage();
      for (const text of pieces) page.add(text);
      page.add("é".repeat(length));
      for (const text of pieces) page.add(text);
      const whole = [...pieces, "é".repeat(length), ...pieces].map((text) => Buffer.from(text));
      return page.bytes().equals(Buffer.concat(whole));
    }),
    { numRuns: 50 },
  );
  t.equal(new TextPage().bytes().length, 0);
});
