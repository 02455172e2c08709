import { compileExpression as compileRe2, type Expression, expressionProblem as re2Problem } from "./expression.js";

/** Entries of NGINX's `valid_referers`: keywords, names of hosts, and `~` expressions. */

export const KEYWORDS: ReadonlySet<string> = new Set(["none", "blocked", "server_names"]);

export const isExpression = (entry: string): boolean => entry.startsWith("~");

export type RefererExpression = Expression;

/** @param entry with its `~`, without {@link validRefererProblem} */
export function compileExpression(entry: string): RefererExpression {
  return compileRe2(entry.slice(1), true);
}

const HOST = /^(?:\*?\.)?[^*.]+(?:\.[^*.]+)*(?:\.\*?)?$/;

/**
 * A sentence that says why an entry cannot be used, or never matches, and what to write; or `null`. It is stricter than
 * NGINX on what is a mistake there too, and on expressions that only a backtracking engine can do.
 */
export function validRefererProblem(entry: string): string | null {
  if (KEYWORDS.has(entry)) return null;
  if (entry === "") return "An entry is empty.";
  if (/[^!-~]/.test(entry)) return `${entry} has a space or a letter beyond ASCII: write a host name as xn--….`;
  return isExpression(entry) ? expressionProblem(entry) : nameProblem(entry);
}

function nameProblem(entry: string): string | null {
  if (/^https?:/i.test(entry)) return `${entry} has a scheme: write the host alone, both schemes are meant.`;
  const [host = ""] = entry.split("/", 1);
  if (host.includes(":")) return `${entry} has a port: leave it out, ports are not looked at.`;
  const isBoth = host.startsWith(".") && host.endsWith(".*");
  if (HOST.test(host) && !isBoth) return null;
  return `${entry} is no host name: a * stands before the first dot or behind the last one, as in *.example.com or example.*.`;
}

function expressionProblem(entry: string): string | null {
  const expression = entry.slice(1);
  if (expression === "") return "~ has no expression behind it.";
  if (expression.startsWith("*")) return `${entry} has a * too much: ~ alone leaves the case of letters out already.`;
  return re2Problem(expression, entry);
}
