// Counts the assertions in a TAP file: prints `passed failed`. A line that sums up a nested test is not an assertion.
import { readFileSync } from "node:fs";

let passed = 0;
let failed = 0;
let planIndent = -1;
for (const line of readFileSync(process.argv[2], "utf8").split("\n")) {
  const indent = line.length - line.trimStart().length;
  const text = line.trimStart();
  if (/^1\.\.\d+/.test(text)) {
    planIndent = indent;
    continue;
  }
  const result = /^(not )?ok \d+/.exec(text);
  if (result === null) continue;
  const sumsUp = planIndent > indent;
  planIndent = -1;
  if (sumsUp || /# (SKIP|TODO)/i.test(text)) continue;
  if (result[1] === undefined) passed += 1;
  else failed += 1;
}
console.log(passed, failed);
