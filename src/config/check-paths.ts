import { expressionProblem } from "../core/expression.js";
import type { Path } from "./problem.js";
import type { Report, RouteDraft } from "./report.js";

const MAX_DENIED = 100;

/** Expressions over paths: `match.pathPattern` and `deny.paths`. */
export function checkPaths({ match, deny, hls }: RouteDraft, index: number, report: Report): void {
  const path = ["routes", index] as const;
  report.repeats([...path, "deny", "paths"], deny?.paths);
  checkExpression(match?.pathPattern, [...path, "match", "pathPattern"], report);
  for (const [place, expression] of deny?.paths?.entries() ?? [])
    checkExpression(expression, [...path, "deny", "paths", place], report);
  if ((deny?.paths?.length ?? 0) > MAX_DENIED) {
    const hint = "Each is searched for in every path: write several as one, /(a|b)/ say.";
    report.problem([...path, "deny", "paths"], { expected: `at most ${MAX_DENIED} expressions`, hint });
  }
  if (hls !== undefined && match?.pathPattern !== undefined) {
    const hint = "A playlist and its segments must come to one route: write a pathPrefix that both have.";
    report.problem([...path, "match", "pathPattern"], { expected: "no pathPattern with hls", hint });
  }
}

function checkExpression(expression: string | undefined, path: Path, report: Report): void {
  const problem = expression === undefined ? null : expressionProblem(expression);
  if (problem !== null) report.problem(path, { expected: "an RE2 expression", hint: problem });
}
