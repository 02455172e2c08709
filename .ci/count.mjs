// What TAP files say. `count.mjs count FILE…`: prints `passed failed`, summed; a line that sums up a nested test is not an
// assertion. `count.mjs files FILE`: the test files that failed. `count.mjs shown FILE`: the failed claims with what was
// expected, a few lines each.
import { readFileSync } from "node:fs";

const MAX_SHOWN_LINES = 40;

function linesOf(file) {
  return readFileSync(file, "utf8").split("\n");
}

function count(lines) {
  let passed = 0;
  let failed = 0;
  let planIndent = -1;
  for (const line of lines) {
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
  return [passed, failed];
}

/** At the left margin each line is a test file. */
function failedFiles(lines) {
  return lines.flatMap((line) => /^not ok \d+ - (test\/\S+\.test\.ts)/.exec(line)?.[1] ?? []);
}

function shown(lines) {
  const starts = lines.flatMap((line, index) => (/^ *not ok /.test(line) ? [index] : []));
  return starts.flatMap((start) => {
    const next = lines.slice(start + 1).findIndex((line) => /^ *(not )?ok /.test(line));
    return lines.slice(start, start + 1 + Math.min(next === -1 ? MAX_SHOWN_LINES : next, MAX_SHOWN_LINES));
  });
}

const [verb, ...files] = process.argv.slice(2);
if (verb === "count") {
  const counts = files.map((file) => count(linesOf(file)));
  console.log(...[0, 1].map((place) => counts.reduce((sum, pair) => sum + pair[place], 0)));
} else console.log((verb === "files" ? failedFiles : shown)(linesOf(files[0])).join("\n"));
