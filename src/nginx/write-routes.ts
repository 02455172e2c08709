import { type Arrangement, arrange } from "./arrange.js";
import { freeName } from "./buckets.js";
import { withNamedHosts } from "./claims.js";
import type { Findings } from "./findings.js";
import type { Listeners } from "./listeners.js";
import { closedOf, type Placed } from "./placed.js";
import type { Server } from "./servers.js";
import { COMMENTS, type YamlMap } from "./yaml-text.js";

/** `routes` of the file: one for each host, listener, prefix and pattern, as NGINX takes the first that names it. */
export function writeRoutes(
  arrangement: Arrangement,
  servers: readonly Server[],
  listeners: Listeners,
  findings: Findings,
): readonly YamlMap[] {
  const taken = new Set<string>();
  const names = new Set<string>();
  const all = listeners.names;
  const lax = new Set(
    servers.filter(({ listens, scope }) => listeners.asksForLess(listens, scope)).map((one) => one.directive),
  );
  const placed = arrangement.placed.map((route) => {
    if (lax.has(route.server)) return closedOf(route, LAX_CERTIFICATES);
    return certificatesCanBeShown(route, listeners) ? route : closedOf(route, NO_CERTIFICATES);
  });
  const arranged = withNamedHosts(arrange({ ...arrangement, placed }, findings), servers, listeners);
  return merged(arranged).flatMap((route) => {
    const paths = `${route.path.pathPrefix} ${route.pattern ?? ""}`;
    const hosts = route.hosts.filter(
      (host) => ![...route.listeners].some((name) => taken.has(`${name} ${host} ${paths}`)),
    );
    if (hosts.length === 0 || route.listeners.size === 0) return [];
    for (const name of route.listeners) for (const host of hosts) taken.add(`${name} ${host} ${paths}`);
    return [routeYaml(route, hosts, freeName(routeName(hosts[0] ?? "", route), names), all)];
  });
}

function certificatesCanBeShown({ body, listeners: names }: Placed, listeners: Listeners): boolean {
  const { certificates } = (body.allow ?? {}) as YamlMap;
  return certificates === undefined || [...names].every((name) => listeners.asksForCertificates(name));
}

const NO_CERTIFICATES =
  "Closed: NGINX asked for a client certificate here, and no authority of such is known on its listeners.";

const LAX_CERTIFICATES =
  "Closed: NGINX demanded a client certificate of its own authority here, other servers of the address did not: give it a listener of its own, or say it in allow.certificates.";

/** The same route of two servers, port 80 and port 443 say, is one. */
function merged(routes: readonly Placed[]): readonly Placed[] {
  const byContent = new Map<string, Placed>();
  for (const route of routes) {
    const key = JSON.stringify([
      ...[route.hosts, route.path.pathPrefix, route.pattern, route.deniedPaths],
      ...[route.body, route.httpsRedirect, route.httpsPort],
    ]);
    const same = byContent.get(key);
    if (same === undefined) byContent.set(key, route);
    else for (const name of route.listeners) same.listeners.add(name);
  }
  return [...byContent.values()];
}

function routeName(host: string, { path: { pathPrefix }, pattern, reach }: Placed): string {
  const text =
    pattern === null || reach.kind === "exact" ? pathPrefix : `${pathPrefix}-${pattern.replace(/^\(\?i\)/, "")}`;
  const path = text
    .slice(0, 40)
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/-{2,}/g, "-")
    .replace(/^-|-$/g, "");
  const name = `${host.replace(/^\*\./, "all.").replace(/[^A-Za-z0-9_.-]+/g, "-")}${path === "" ? "" : `-${path}`}`;
  return /^[A-Za-z0-9]/.test(name) ? name : `r${name}`;
}

function routeYaml(route: Placed, hosts: readonly string[], name: string, all: readonly string[]): YamlMap {
  const { comments, from, path, pattern, deniedPaths, listeners, body, httpsRedirect, httpsPort } = route;
  const isEverywhere = all.every((listener) => listeners.has(listener));
  return {
    [COMMENTS]: [`From ${from}.`, ...comments],
    name,
    match: {
      hosts,
      listeners: isEverywhere ? undefined : [...listeners],
      pathPrefix: path.pathPrefix === "/" ? undefined : path.pathPrefix,
      pathPattern: pattern ?? undefined,
    },
    httpsRedirect: httpsRedirect ? true : undefined,
    httpsPort: httpsRedirect ? httpsPort : undefined,
    ...body,
    deny: deniedPaths.length === 0 ? body.deny : { ...(body.deny as YamlMap | undefined), paths: deniedPaths },
  };
}
