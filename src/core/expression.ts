import { RE2JS, RE2JSSyntaxException } from "re2js";

/** Expressions in configurations, all of them RE2's: nothing that is sent can make one hang. */

const LONGEST_EXPRESSION = 1_000;
/** Steps of a compiled expression; each may be taken once for each character of a text. */
const MAX_EXPRESSION_STEPS = 400;

export type Expression = Pick<RE2JS, "test">;

/**
 * RE2 takes time in proportion to the text, whatever the expression.
 * @param expression without {@link expressionProblem}
 */
export function compileExpression(expression: string, ignoresCase = false): Expression {
  return RE2JS.compile(expression, ignoresCase ? RE2JS.CASE_INSENSITIVE : 0);
}

/**
 * A sentence that says why an expression cannot be used, and what to write; or `null`.
 * @param entry as it is written where it is found, for the sentence
 */
export function expressionProblem(expression: string, entry = expression): string | null {
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
