// Property tests draw the same examples in every run, so that a run tells what was changed and not what was drawn.
// `OSSGATE_SEED=random` draws others, any number those of that seed.
import { readFileSync } from "node:fs";

const file = process.argv[1] ?? "";
const wanted = process.env.OSSGATE_SEED ?? "20261123";
if (wanted !== "random" && file.endsWith(".test.ts") && readFileSync(file, "utf8").includes('"fast-check"')) {
  const { configureGlobal } = await import("fast-check");
  configureGlobal({ seed: Number(wanted) });
}
