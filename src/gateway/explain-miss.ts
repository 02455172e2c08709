import type { GatewayConfig, RouteConfig } from "../config/gateway-config.js";
import { compileExpression } from "../core/expression.js";
import { coversPath } from "../core/target.js";
import type { RequestContext } from "./request-context.js";

const MAX_NAMED = 8;

/**
 * Why no route was found, or which others serve the same host.
 * @param found the route that was found
 */
export function explainMiss(
  { host, path }: RequestContext,
  config: GatewayConfig,
  listener: string,
  found: RouteConfig | null,
): readonly string[] {
  if (host === "") return [];
  const ofHost = config.routes.filter((route) => servesHost(route, host));
  if (found !== null) return nearRoutes(ofHost, found, listener, path);
  if (ofHost.length === 0) return [`No route has the host ${host} in match.hosts.${nearHosts(config, host)}`];
  return ofHost
    .slice(0, MAX_NAMED)
    .map((route) => whyNot(route, listener, path) ?? `Route ${route.name} would be next, but the request ends before.`);
}

function nearRoutes(ofHost: readonly RouteConfig[], found: RouteConfig, listener: string, path: string): string[] {
  return ofHost
    .filter((route) => route !== found)
    .slice(0, MAX_NAMED)
    .map(
      (route) =>
        whyNot(route, listener, path) ??
        `Route ${route.name} would take it too, but another host, a longer prefix or a pattern goes first.`,
    );
}

/** @returns `null` when the route serves it */
function whyNot(route: RouteConfig, listener: string, path: string): string | null {
  const { listeners, pathPrefix, pathPattern } = route.match;
  if (listeners !== null && !listeners.includes(listener)) {
    return `Route ${route.name} has the host, but is for ${listeners.length === 1 ? "listener" : "listeners"} ${listeners.join(", ")}, not for ${listener}.`;
  }
  if (!coversPath(pathPrefix.replace(/\/+$/, ""), path)) {
    return `Route ${route.name} has the host, but its pathPrefix ${pathPrefix} does not cover the path.`;
  }
  if (pathPattern !== null && !compileExpression(pathPattern).test(path)) {
    return `Route ${route.name} has the host, but its pathPattern ${pathPattern} is not found in the path.`;
  }
  return null;
}

function servesHost({ match }: RouteConfig, host: string): boolean {
  return match.hosts.some((own) => own === host || (own.startsWith("*.") && host.endsWith(own.slice(1))));
}

/** Hosts that share a label with the one that was asked for, for those who look for a slip. */
function nearHosts({ routes }: GatewayConfig, host: string): string {
  const labels = new Set(host.split(".").filter((label) => label.length > 3));
  const near = new Set<string>();
  for (const { match } of routes) {
    for (const own of match.hosts) if (own.split(".").some((label) => labels.has(label))) near.add(own);
  }
  return near.size === 0 ? "" : ` Near are ${[...near].slice(0, MAX_NAMED).join(", ")}.`;
}
