import fc from "fast-check";
import t from "tap";
import { stringify } from "yaml";
import { formatProblem, readConfig } from "../../../src/config/read-config.js";
import { configSchema } from "../../../src/config/schema.js";
import { schemaKeys } from "../../../src/config/walk-schema.js";
import { GOOD, problemsOf, SIGNED, signedWith } from "./helpers.js";

const names = fc.constantFrom(...new Set(schemaKeys(configSchema).map((key) => key.name)), "media", "x", "__proto__");

/** Reads a text that may be anything; what comes back must be one line for each problem, with a place in the text. */
function readAnything(text: string): void {
  const result = readConfig(text, "g.yaml");
  if (result.ok) return;
  if (result.problems.length === 0) throw new Error("refused without a reason");
  for (const problem of result.problems) {
    if (!/^g\.yaml:[1-9]\d*:[1-9]\d*: \S.*: expected .+, found .+$/.test(formatProblem(problem))) {
      throw new Error(`not one clear line: ${formatProblem(problem)}`);
    }
  }
}

t.test("any text is read or refused with one line for each problem, and never throws", async () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), readAnything), { numRuns: 500 });
});

t.test("any text of YAML's own characters is read or refused", async () => {
  const piece = fc.constantFrom(
    "- ",
    ": ",
    "\n",
    "  ",
    "a",
    "&a ",
    "*a",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    "#",
    "|",
    ">",
    "!",
    "?",
    "---",
    ",",
    "\t",
    "%",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join("")),
      readAnything,
    ),
    { numRuns: 1500 },
  );
});

for (const good of [GOOD, SIGNED]) {
  t.test("a good file with a piece cut out or put in is read or refused", async () => {
    const cut = fc.tuple(fc.nat(good.length), fc.nat(20), fc.string({ maxLength: 5 }));
    fc.assert(
      fc.property(cut, ([at, length, put]) => readAnything(good.slice(0, at) + put + good.slice(at + length))),
      { numRuns: 1500 },
    );
  });
}

t.test("whatever stands before and behind a secret in its place, no problem repeats it", async (t) => {
  const around = fc.string({ unit: fc.constantFrom(..."*&!@%|>'\"#-?=.~+/\\$ ab1"), maxLength: 6 });
  fc.assert(
    fc.property(around, around, (before, behind) => {
      const line = `    allow: { links: { secret: ${before}Hunter2-Hunter2${behind} } }`;
      const problems = problemsOf(signedWith({ 13: line }));
      if (problems.length === 0 || /hunter2/i.test(problems.join("\n"))) throw new Error(problems.join("\n"));
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

t.test("any tree of the file's own keys with any values is read or refused", async () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double());
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.dictionary(names, tie("tree"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(names, tree), (value) =>
      readAnything(stringify(value, { aliasDuplicateObjects: false })),
    ),
    { numRuns: 500 },
  );
});
