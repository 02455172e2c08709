import { formatProblem, type Problem } from "../config/problem.js";
import { Source } from "../config/source.js";
import type { Inspected } from "../doctor/inspected.js";
import { inspectFiles } from "../doctor/named-files.js";
import type { ReadConfigText } from "./config-file.js";

export interface NamedFilesOptions {
  /** For messages. */
  readonly file: string;
  /** Whether what only the service's unit provides has to be there. */
  readonly isService: boolean;
}

/** What is wrong with the files and variables that a configuration names, as lines for a terminal. */
export interface NamedFilesReport {
  /** With these the gateway does not start. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Opens what a good configuration names; the lines are in the file's order. */
export async function checkNamedFiles(
  { text, config }: ReadConfigText,
  { file, isService }: NamedFilesOptions,
): Promise<NamedFilesReport> {
  const inspected = await inspectFiles(config, { env: process.env, nowMs: Date.now(), isService });
  const source = new Source(text, file);
  const placed = inspected
    .filter(({ level }) => level !== "ok")
    .map((one) => ({ level: one.level, problem: toProblem(one, source) }))
    .toSorted(({ problem: a }, { problem: b }) => a.line - b.line || a.col - b.col);
  return {
    problems: placed.filter(({ level }) => level === "broken").map(({ problem }) => formatProblem(problem)),
    warnings: placed
      .filter(({ level }) => level !== "broken")
      .map(({ level, problem }) => (level === "warn" ? formatProblem(problem, "warning") : formatUnseen(problem))),
  };
}

/** What `quote` makes of a place of secrets tells nothing here. */
const HIDDEN = "a text";

function toProblem({ path, expected, result, next }: Inspected, source: Source): Problem {
  const hint = `${result.charAt(0).toUpperCase()}${result.slice(1)}.${next === null ? "" : ` ${next}`}`;
  const problem = source.problem(path, { expected, hint });
  return problem.found === HIDDEN ? { ...problem, found: "none that is good" } : problem;
}

function formatUnseen({ file, line, col, path, hint }: Problem): string {
  return `${file}:${line}:${col}: ${path}: warning: not looked at. ${hint}`;
}

/** Whether systemd started this for a unit, which the service's own processes are. */
export function isInUnit(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env.INVOCATION_ID);
}
