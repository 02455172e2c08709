import { crossCheck } from "./cross-check.js";
import { salvage } from "./draft.js";
import type { GatewayConfig } from "./gateway-config.js";
import type { Problem } from "./problem.js";
import { Report } from "./report.js";
import { configSchema } from "./schema.js";
import { shapeProblems } from "./shape-check.js";
import { Source } from "./source.js";
import { toGatewayConfig } from "./to-config.js";

export type { Problem } from "./problem.js";
export { formatProblem } from "./problem.js";

/** A good file's configuration, or everything that is wrong with it. Warnings are no reason to refuse a file. */
type ReadResult =
  | { readonly ok: true; readonly config: GatewayConfig; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/**
 * Reads the text of a configuration file and reports all its problems at once, in the file's order. Never throws.
 * @param fileName for the messages only; nothing is read from the disk
 */
export function readConfig(text: string, fileName: string): ReadResult {
  const source = new Source(text, fileName);
  if (!source.isUsable) return { ok: false, problems: inOrder(source.problems), warnings: [] };
  if (source.value === undefined || source.value === null) {
    return { ok: false, problems: [emptyFile(source)], warnings: [] };
  }
  const parsed = configSchema.safeParse(source.value);
  const report = new Report(source);
  const draft = parsed.success ? parsed.data : salvage(configSchema, source.value);
  if (draft !== undefined) crossCheck(draft, report);
  const shape = parsed.success ? [] : shapeProblems(parsed.error.issues, source);
  const problems = [...source.problems, ...shape, ...report.problems];
  const warnings = inOrder(report.warnings);
  if (parsed.success && problems.length === 0) return { ok: true, config: toGatewayConfig(parsed.data), warnings };
  return { ok: false, problems: inOrder(problems), warnings };
}

function emptyFile(source: Source): Problem {
  const hint = "config/gateway.minimal.yaml is the smallest file that works.";
  return source.problem([], { expected: "listeners, buckets and routes", found: "an empty file", hint });
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.col - b.col);
}
