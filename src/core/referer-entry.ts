import { RE2JS, RE2JSSyntaxException } from "re2js";

/** Entries of NGINX's `valid_referers`: keywords, names of hosts, and `~` expressions. */

const LONGEST_EXPRESSION = 1_000;
/** Steps of a compiled expression; each may be taken once for each character of a referer. */
const MAX_EXPRESSION_STEPS = 400;

export const KEYWORDS: ReadonlySet<string> = new Set(["none", "blocked", "server_names"]);

export const isExpression = (entry: string): boolean => entry.startsWith("~");

export type RefererExpression = Pick<RE2JS, "test">;

/**
 * RE2 takes time in proportion to the text, whatever the expression: nothing that is sent can make it hang.
 * @param entry with its `~`, without {@link validRefererProblem}
 */
export function compileExpression(entry: string): RefererExpression {
  return RE2JS.compile(entry.slice(1), RE2JS.CASE_INSENSITIVE);
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
  if (expression.length > LONGEST_EXPRESSION) {
    return `An expression has ${expression.length} characters: at most ${LONGEST_EXPRESSION} are taken.`;
  }
  try {
    const steps = RE2JS.compile(expression).programSize();
    return steps <= MAX_EXPRESSION_STEPS ? null : `${entry} repeats too much: write smaller numbers in { }.`;
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    const reason = BACKTRACKING.test(error.input ?? "") ? `: ${NOT_TAKEN}` : "";
    return `${entry} is no RE2 expression (${essence(error)})${reason}.`;
  }
}

/** What RE2 complains about: `(?=`, `(?!`, `(?<=`, `(?<!`, `\1`, `\g1` and `\k<name>`. */
const BACKTRACKING = /^\(\?<?[=!]|^\\[1-9gk]/;
const NOT_TAKEN = "look-around and back-references are not taken, since they can make a match take for ever";

function essence({ message }: Error): string {
  return message.replace(/^error parsing regexp: /, "");
}
