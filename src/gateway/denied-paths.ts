import type { Denial } from "../core/errors.js";
import { headerValue } from "../core/headers.js";
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

/** A copy would bring what is denied to where it is not. */
function namesDeniedKey(deniedPaths: PathPatterns, rawHeaders: readonly string[]): boolean {
  const source = headerValue(rawHeaders, "x-oss-copy-source") ?? headerValue(rawHeaders, "x-amz-copy-source");
  if (source !== undefined && isDenied(deniedPaths, source.replace(/^\/?[^/]*|\?.*$/g, ""))) return true;
  const target = headerValue(rawHeaders, "x-oss-symlink-target");
  return target !== undefined && isDenied(deniedPaths, `/${target}`);
}

/** What cannot be decoded is nobody's key, and is refused too. */
function isDenied(deniedPaths: PathPatterns, rawKey: string): boolean {
  try {
    return deniedPaths.has(decodePath(rawKey), rawKey);
  } catch {
    return true;
  }
}
