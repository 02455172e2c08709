import t from "tap";
import { type RangeOutcome, resolveRange } from "../../../src/emulator/range.js";

const whole: RangeOutcome = { kind: "whole" };
const unsatisfiable: RangeOutcome = { kind: "unsatisfiable" };
const part = (start: number, end: number): RangeOutcome => ({ kind: "part", start, end });

// Header, size, what is answered by default, what with `x-oss-range-behavior: standard`.
const TABLE: readonly (readonly [string | undefined, number, RangeOutcome, RangeOutcome])[] = [
  [undefined, 1000, whole, whole],
  ["bytes=0-499", 1000, part(0, 500), part(0, 500)],
  ["bytes=500-", 1000, part(500, 1000), part(500, 1000)],
  ["bytes=-500", 1000, part(500, 1000), part(500, 1000)],
  ["bytes=0-0", 1000, part(0, 1), part(0, 1)],
  ["bytes=999-999", 1000, part(999, 1000), part(999, 1000)],
  ["bytes=0-999", 1000, part(0, 1000), part(0, 1000)],
  ["bytes=500-2000", 1000, whole, part(500, 1000)],
  ["bytes=1000-2000", 1000, whole, unsatisfiable],
  ["bytes=1000-", 1000, whole, unsatisfiable],
  ["bytes=-2000", 1000, whole, part(0, 1000)],
  ["bytes=-0", 1000, whole, unsatisfiable],
  ["bytes=0-", 0, whole, unsatisfiable],
  ["bytes=500-400", 1000, whole, whole],
  ["bytes=-", 1000, whole, whole],
  ["bytes=0-1,5-6", 1000, whole, whole],
  ["bytes=a-b", 1000, whole, whole],
  ["octets=0-1", 1000, whole, whole],
];

for (const [header, size, byDefault, standard] of TABLE) {
  t.test(
    `the range ${header} of ${size} bytes is ${byDefault.kind} by default and ${standard.kind} as standard`,
    async (t) => {
      t.same(resolveRange(header, size, false), byDefault);
      t.same(resolveRange(header, size, true), standard);
    },
  );
}
