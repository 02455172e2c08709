import t from "tap";
import { Silence } from "../../../src/process/silence.js";

const LIMIT_MS = 20_000;

/** Misses that many questions in so many milliseconds, and looks behind each. */
function missed(count: number, spanMs: number): { readonly silence: Silence; readonly isTooLong: boolean } {
  const silence = new Silence();
  let isTooLong = false;
  for (let i = 0; i < count; i += 1) {
    silence.missed();
    isTooLong = silence.lasts(LIMIT_MS, 5_000 + (spanMs * i) / (count - 1));
  }
  return { silence, isTooLong };
}

t.test("a silence is too long when many questions were missed over all of that time", async (t) => {
  t.equal(missed(21, LIMIT_MS).isTooLong, true, "asked each second");
  t.equal(missed(21, LIMIT_MS - 1).isTooLong, false);
  t.equal(missed(1_000, 2_000).isTooLong, false, "asked by many at once");
  t.equal(missed(3, 10 * LIMIT_MS).isTooLong, false, "who asked was stopped itself");
});

t.test("one word ends a silence, and the next begins at the next question", async (t) => {
  const { silence } = missed(20, LIMIT_MS - 1);
  silence.heard();
  t.equal(silence.lasts(LIMIT_MS, 10 * LIMIT_MS), false);
  for (let i = 0; i < 20; i += 1) silence.missed();
  t.equal(silence.lasts(LIMIT_MS, 20 * LIMIT_MS), false, "it begins now");
  t.equal(silence.lasts(LIMIT_MS, 21 * LIMIT_MS), true);
});
