import type { Denial } from "../core/errors.js";
import { headerValues } from "../core/headers.js";
import { decodePath } from "../core/target.js";
import type { PathPatterns } from "../policy/path-patterns.js";
import type { CompiledRoute } from "../route/compiled-route.js";
import type { RequestContext } from "./request-context.js";

const PATH_NOT_ALLOWED: Denial = Object.freeze({
  code: "PATH_NOT_ALLOWED",
  reason: "Paths like this one are refused here.",
});

/** Still stage 3: `deny.paths`, of the path and of a key that a header names. */
export function checkPath({ route, path, rawPath, req }: RequestContext): Denial | null {
  const { deniedPaths } = route as CompiledRoute;
  if (deniedPaths === null) return null;
  if (deniedPaths.has(path, rawPath)) return PATH_NOT_ALLOWED;
  return req.method === "PUT" && namesDeniedKey(deniedPaths, req.rawHeaders) ? PATH_NOT_ALLOWED : null;
}

/** `/bucket/key?versionId=…`, percent-encoded as a whole or but for its slashes. */
const COPY_SOURCES: readonly string[] = ["x-oss-copy-source", "x-amz-copy-source"];

/** A copy would bring what is denied to where it is not. */
function namesDeniedKey(deniedPaths: PathPatterns, rawHeaders: readonly string[]): boolean {
  const sources = COPY_SOURCES.flatMap((name) => headerValues(rawHeaders, name));
  return (
    sources.some((source) =>
      isDenied(deniedPaths, source.replace(/\?.*$/, ""), (path) => path.replace(/^\/?[^/]*/, "")),
    ) ||
    headerValues(rawHeaders, "x-oss-symlink-target").some((target) => isDenied(deniedPaths, target, (key) => `/${key}`))
  );
}

/** What cannot be decoded is nobody's key, and is refused too. */
function isDenied(deniedPaths: PathPatterns, raw: string, pathOf: (decoded: string) => string): boolean {
  try {
    return [raw, raw.replaceAll("+", "%20")].some((each) => deniedPaths.has(pathOf(decodePath(each)), ""));
  } catch {
    return true;
  }
}
