import t from "tap";
import { nearest } from "../../../src/config/nearest.js";

const KEYS = ["listeners", "admin", "log", "limits", "buckets", "routes"];

const ROWS: readonly [word: string, meant: string | null][] = [
  ["listners", "listeners"],
  ["Listeners", "listeners"],
  ["lsiteners", "listeners"],
  ["limit", "limits"],
  ["rotues", "routes"],
  ["lgo", "log"],
  ["bucket", "buckets"],
  ["buck", "buckets"],
  ["colour", null],
  ["x", null],
  ["", null],
];

for (const [word, meant] of ROWS) {
  t.test(`"${word}" most likely means ${meant}`, async (t) => {
    t.equal(nearest(word, KEYS), meant);
  });
}
