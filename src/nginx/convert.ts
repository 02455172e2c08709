import { Buckets } from "./buckets.js";
import { withoutRivals } from "./claims.js";
import { isClosed } from "./closing.js";
import { collectFindings } from "./collect.js";
import type { Directive } from "./directive.js";
import { type Finding, Findings } from "./findings.js";
import { readGlobals } from "./globals.js";
import { Listeners } from "./listeners.js";
import { Locations } from "./locations.js";
import { addRedirects } from "./redirect-routes.js";
import type { RouteParts } from "./routes.js";
import { Scope } from "./scope.js";
import { readServer, type Server } from "./servers.js";
import { writeRoutes } from "./write-routes.js";
import { COMMENTS, type YamlMap, yamlText } from "./yaml-text.js";

export interface ConvertOptions {
  /** Hosts for servers that name none. */
  readonly hosts: readonly string[];
}

/** The text of a configuration file, and what became of each directive. */
export interface Converted {
  readonly yaml: string;
  /** In the order of the directives, an included file's where it is included. */
  readonly findings: readonly Finding[];
  readonly routeCount: number;
  /** Routes that nobody may use, as nobody might with NGINX. */
  readonly refusedCount: number;
  /** Routes that nobody may use until somebody has looked at them. */
  readonly closedCount: number;
}

/** Turns a parsed NGINX configuration into one of ossgate's. Never throws. */
export function convertConf(directives: readonly Directive[], { hosts }: ConvertOptions): Converted {
  const findings = new Findings();
  // A file of sites-available has no http around it.
  const inside = directives.filter(({ name }) => name === "http").flatMap(({ block }) => block ?? []);
  const http = new Scope(inside.length > 0 ? inside : directives, null);
  const proxies = new Set<string>();
  const parts = partsOf(http, findings, proxies);
  const all = http.own("server").map((one) => readServer(one, { http, maps: parts.maps, hosts, findings }));
  const { servers, passedOver } = withoutRivals(all, findings);
  const listeners = new Listeners(findings);
  listeners.add(all.flatMap(({ listens }) => listens));
  for (const server of servers) listeners.addTls(server.listens, server.scope);
  const scopes = all.map(({ scope }) => scope);
  const { trustedProxies, ...globals } = readGlobals(new Scope(directives, null), http, scopes, findings);
  for (const network of trustedProxies ?? []) proxies.add(network);
  const locations = new Locations(parts, listeners);
  for (const server of servers) locations.add(server);
  for (const server of passedOver) locations.passOver(server);
  const { placed, closed, guards, indexes, leftOut } = locations;
  for (const server of servers) addRedirects(server, { findings, listeners, placed });
  warnAboutDefaults(all, findings);
  const routes = writeRoutes({ placed: [...placed, ...closed], guards, indexes }, servers, listeners, findings);
  const yaml = yamlText({
    [COMMENTS]: ["Made from an NGINX configuration by 'ossgate import-nginx'; its report says what differs."],
    listeners: listeners.yaml(),
    admin: listeners.ports.includes(9180) ? { address: "127.0.0.1:9181" } : undefined,
    trustedProxies,
    workers: globals.workers,
    log: globals.log,
    acmeChallengeDirectory: locations.acme,
    limits: globals.limits,
    buckets: parts.buckets.yaml(),
    routes,
  });
  return {
    yaml,
    findings: collectFindings(directives, { findings, http, maps: parts.maps, leftOut }),
    routeCount: routes.length,
    refusedCount: routes.filter((route) => isClosed(route) && !isLost(route)).length,
    closedCount: routes.filter((route) => isClosed(route) && isLost(route)).length,
  };
}

const isLost = (route: YamlMap): boolean => route[COMMENTS]?.some((text) => text.startsWith("Closed: ")) === true;

/** What several parts read of one configuration. */
function partsOf(http: Scope, findings: Findings, proxies: ReadonlySet<string>): RouteParts {
  const nameOf = (text = ""): string => text.replace(/[${}]/g, "").toLowerCase();
  return {
    maps: new Map(http.own("map").map((map) => [nameOf(map.args[1]), map])),
    upstreams: new Map(http.own("upstream").map((upstream) => [(upstream.args[0] ?? "").toLowerCase(), upstream])),
    buckets: new Buckets(),
    findings,
    proxies,
  };
}

/** The first server of an address, or the one that says so, answered hosts that no server names. */
function warnAboutDefaults(servers: readonly Server[], findings: Findings): void {
  const seen = new Set<string>();
  for (const { directive, listens, names } of servers) {
    for (const { address } of listens) {
      if (seen.has(address)) continue;
      seen.add(address);
      const hasDefault = servers.some((other) =>
        other.listens.some((listen) => listen.address === address && listen.isDefault),
      );
      if (!hasDefault && !names.isCatchAll)
        findings.dangerous(
          directive,
          `as the first server of ${address} it answered every unknown host; ossgate answers those 404`,
        );
    }
  }
}
