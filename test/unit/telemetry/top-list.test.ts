import fc from "fast-check";
import t from "tap";
import { TopList } from "../../../src/telemetry/top-list.js";

function listOf(capacity: number, keys: Iterable<string>): TopList {
  const list = new TopList(capacity);
  for (const key of keys) list.note(key);
  return list;
}

t.test("while there is room the counts are exact, the most frequent first", (t) => {
  const list = listOf(3, ["a", "b", "a", "c", "a", "b"]);
  t.strictSame(list.top(10), [
    { key: "a", count: 3, atLeast: 3 },
    { key: "b", count: 2, atLeast: 2 },
    { key: "c", count: 1, atLeast: 1 },
  ]);
  t.strictSame(
    list.top(1).map(({ key }) => key),
    ["a"],
  );
  t.strictSame(new TopList().top(5), []);
  t.end();
});

t.test("a new key takes the place of the rarest, and says what it may owe to it", (t) => {
  const list = listOf(2, ["a", "a", "b", "c"]);
  t.strictSame(list.top(10), [
    { key: "a", count: 2, atLeast: 2 },
    { key: "c", count: 2, atLeast: 1 },
  ]);
  t.end();
});

t.test("a flood of other keys does not hide the frequent ones, and the list stays as short as it is", (t) => {
  const list = new TopList(64);
  for (let i = 0; i < 100_000; i += 1) {
    list.note(`random-${i}`);
    if (i % 20 === 0) list.note("greedy.example");
  }
  t.equal(list.top(1_000).length, 64);
  const [first] = list.top(1);
  t.match(first, { key: "greedy.example" });
  t.ok((first?.count ?? 0) >= 5_000 && (first?.atLeast ?? 0) > 3_000, `${first?.atLeast} to ${first?.count}`);
  t.end();
});

t.test("keys are cut to a bounded length", (t) => {
  const list = listOf(4, ["x".repeat(5_000), `${"x".repeat(256)}y`]);
  t.strictSame(list.top(4), [{ key: "x".repeat(256), count: 2, atLeast: 2 }]);
  t.end();
});

t.test("each count holds between its bounds, and whoever has more than a share of one is on the list", (t) => {
  const keys = fc.array(fc.constantFrom(..."abcdefgh"), { maxLength: 200 });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 6 }), (seen, capacity) => {
      const entries = new Map(
        listOf(capacity, seen)
          .top(100)
          .map((entry) => [entry.key, entry]),
      );
      const total = [...entries.values()].reduce((sum, { count }) => sum + count, 0);
      if (entries.size > capacity || total !== seen.length) return false;
      return [...new Set(seen)].every((key) => {
        const truth = seen.filter((other) => other === key).length;
        const entry = entries.get(key);
        if (entry === undefined) return truth <= seen.length / capacity;
        return entry.atLeast <= truth && truth <= entry.count;
      });
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
