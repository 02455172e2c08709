import type { RouteConfig } from "../config/gateway-config.js";
import { compileExpression, type Expression } from "../core/expression.js";
import { coversPath } from "../core/target.js";
import { compilePathPatterns, LONGEST_PATH_CHARS, type PathPatterns } from "../policy/path-patterns.js";

/** What the table needs of a route. */
export interface TableRoute {
  /** Decoded, without trailing slash; `""` covers all paths. */
  readonly pathPrefix: string;
  /** Must be found in the path; `null`: every path below the prefix. */
  readonly pathPattern: Expression | null;
}

/**
 * Finds the route of a request: listener, then host (exact, then the longest wildcard), then the longest path prefix, and
 * of several of the same prefix the first whose pattern is found, before the one without.
 */
export class RouteTable<R extends TableRoute> {
  readonly #exact: ReadonlyMap<string, readonly R[]>;
  /** By what follows `*.`. */
  readonly #wildcard: ReadonlyMap<string, readonly R[]>;

  constructor(routes: readonly { readonly host: string; readonly route: R }[]) {
    const exact = new Map<string, R[]>();
    const wildcard = new Map<string, R[]>();
    for (const { host, route } of routes) {
      const isWildcard = host.startsWith("*.");
      const map = isWildcard ? wildcard : exact;
      const key = isWildcard ? host.slice(2) : host;
      const list = map.get(key);
      if (list === undefined) map.set(key, [route]);
      else list.push(route);
    }
    for (const list of [...exact.values(), ...wildcard.values()]) {
      list.sort(
        (a, b) =>
          b.pathPrefix.length - a.pathPrefix.length || Number(a.pathPattern === null) - Number(b.pathPattern === null),
      );
    }
    this.#exact = exact;
    this.#wildcard = wildcard;
  }

  /**
   * @param host lower case, without port, brackets and trailing dot
   * @param path decoded once
   * @returns the route, or `null`: an unknown host is never proxied
   */
  find(host: string, path: string): R | null {
    const exact = this.#exact.get(host);
    if (exact !== undefined) return longestPrefix(exact, path);
    if (this.#wildcard.size === 0) return null;
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
      const routes = this.#wildcard.get(host.slice(dot + 1));
      if (routes !== undefined) return longestPrefix(routes, path);
    }
    return null;
  }
}

function longestPrefix<R extends TableRoute>(routes: readonly R[], path: string): R | null {
  for (const route of routes) if (coversPath(route.pathPrefix, path) && hasPattern(route, path)) return route;
  return null;
}

const hasPattern = ({ pathPattern }: TableRoute, path: string): boolean =>
  pathPattern === null || (path.length <= LONGEST_PATH_CHARS && pathPattern.test(path));

/** @param expression of a checked configuration */
export function compilePattern(expression: string | null): Expression | null {
  return expression === null ? null : compileExpression(expression);
}

/**
 * Paths that nobody may use by a route; `null`: none.
 * @param ossNames of the route's buckets
 */
export function compileDeniedPaths(
  { deny, target, stripPrefix, match }: Pick<RouteConfig, "deny" | "target" | "stripPrefix" | "match">,
  ossNames: readonly string[],
): PathPatterns | null {
  if (deny.paths.length === 0) return null;
  if (target.kind !== "buckets") return compilePathPatterns(deny.paths);
  const strippedPrefix = stripPrefix ? match.pathPrefix.replace(/\/+$/, "") : "";
  return compilePathPatterns(deny.paths, { names: new Set(ossNames), strippedPrefix });
}
