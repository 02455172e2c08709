import { compileExpression, type Expression } from "../core/expression.js";
import { decodePath } from "../core/target.js";

/** Decides by the path alone. */
export interface PathPatterns {
  /**
   * Whether an expression is found in the path, however OSS may read it: as it was decoded, with each raw `+` as a
   * space, and with repeated slashes as one. A path that is longer than any key counts as found.
   * @param path decoded once
   * @param rawPath as it was sent
   */
  has(path: string, rawPath: string): boolean;
}

/** Keys of OSS have at most 1023 bytes (oss-semantics §11); what a route takes off comes on top. */
export const LONGEST_PATH_CHARS = 4_096;

/** @param expressions without problems (`expressionProblem`); not empty */
export function compilePathPatterns(expressions: readonly string[]): PathPatterns {
  const compiled: readonly Expression[] = expressions.map((expression) => compileExpression(expression));
  const isFoundIn = (path: string): boolean => compiled.some((expression) => expression.test(path));
  return {
    has(path, rawPath) {
      if (path.length > LONGEST_PATH_CHARS || isFoundIn(path)) return true;
      if (path.includes("//") && isFoundIn(path.replace(/\/{2,}/g, "/"))) return true;
      return rawPath.includes("+") && isFoundIn(decodePath(rawPath.replaceAll("+", "%20")));
    },
  };
}
