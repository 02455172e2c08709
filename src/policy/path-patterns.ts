import { compileExpression, type Expression } from "../core/expression.js";
import { decodePath } from "../core/target.js";

/** Decides by the path alone. */
export interface PathPatterns {
  /**
   * Whether an expression is found in the path, however OSS may read it: as it was decoded, with each raw `+` as a
   * space, with repeated slashes as one, and without the name of a bucket before the key. A path that is longer than any key counts as found.
   * @param path decoded once
   * @param rawPath as it was sent
   */
  has(path: string, rawPath: string): boolean;
}

/** Keys of OSS have at most 1023 bytes (oss-semantics §11); what a route takes off comes on top. */
export const LONGEST_PATH_CHARS = 4_096;

/** Where a route's paths may begin with the name of a bucket, which is no part of the key. */
export interface BucketInPath {
  readonly names: Pick<ReadonlySet<string>, "has">;
  /** Decoded, without trailing slash; it stands before the name where the route takes it off, else `""`. */
  readonly strippedPrefix: string;
}

/**
 * @param expressions without problems (`expressionProblem`); not empty
 * @param bucketInPath paths in path style are looked through without the bucket's name too: they are of the same key
 */
export function compilePathPatterns(
  expressions: readonly string[],
  bucketInPath: BucketInPath | null = null,
): PathPatterns {
  const compiled: readonly Expression[] = expressions.map((expression) => compileExpression(expression));
  const isFoundIn = (path: string): boolean => compiled.some((expression) => expression.test(path));
  const isFoundInKey = (path: string): boolean => {
    const ofKey = bucketInPath === null ? null : withoutBucketName(path, bucketInPath);
    return isFoundIn(path) || (ofKey !== null && isFoundIn(ofKey));
  };
  const isFoundInSlashes = (path: string): boolean =>
    isFoundInKey(path) || (path.includes("//") && isFoundInKey(path.replace(/\/{2,}/g, "/")));
  return {
    has(path, rawPath) {
      if (path.length > LONGEST_PATH_CHARS || isFoundInSlashes(path)) return true;
      return rawPath.includes("+") && isFoundInSlashes(decodePath(rawPath.replaceAll("+", "%20")));
    },
  };
}

/** `/a.txt` of `/examplebucket/a.txt`; `null`: its first segment names none. */
function withoutBucketName(path: string, { names, strippedPrefix }: BucketInPath): string | null {
  const begin = strippedPrefix.length + 1;
  const end = path.indexOf("/", begin);
  return end !== -1 && names.has(path.slice(begin, end)) ? path.slice(end) : null;
}
