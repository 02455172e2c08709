import { parseValidReferer } from "../config/values-policies.js";
import { validRefererProblem } from "../core/referer-entry.js";
import { conditionsOf, returnedStatus } from "./conditions.js";
import { type Findings, reportBlock } from "./findings.js";
import type { Scope } from "./scope.js";
import type { YamlMap } from "./yaml-text.js";

/**
 * `valid_referers` and the `if` that asks for its result.
 * @param lost told when the check cannot be made here
 */
export function readReferer(scope: Scope, findings: Findings, lost: string[]): YamlMap | undefined {
  const directives = scope.all("valid_referers");
  const guards = conditionsOf(scope).filter(([, { kind }]) => kind === "referer");
  if (directives.length === 0 || guards.length === 0) {
    for (const directive of directives) findings.taken(directive, "nothing to write: no if asks for its result");
    for (const [guard] of guards)
      reportBlock(guard, findings, "nothing to write: without valid_referers every Referer is valid");
    return undefined;
  }
  const entries = new Set<string>();
  for (const directive of directives) {
    for (const entry of directive.args) {
      const problem = typeof parseValidReferer(entry) === "string" ? validRefererProblem(entry) : "it cannot be one";
      if (problem === null) entries.add(entry);
      else findings.unsupported(directive, `${entry}: ${problem}`);
    }
    if (!findings.has(directive)) findings.taken(directive, "routes[].referer.validReferers");
  }
  for (const [guard] of guards) {
    if (returnedStatus(guard) === 403) reportBlock(guard, findings, "routes[].referer");
    else {
      findings.approximated(guard, "routes[].referer, answered 403");
      for (const inner of guard.block ?? []) findings.approximated(inner, "answered 403");
    }
  }
  if (entries.size > 0) return { validReferers: [...entries] };
  lost.push("valid_referers");
  return undefined;
}
