/** Redirects to https: servers on plain HTTP that only make them are no routes, but keys of others. */
import { conditionsOf } from "./conditions.js";
import type { Findings } from "./findings.js";
import type { Listeners } from "./listeners.js";
import type { Placed } from "./placed.js";
import { isWholePrefix } from "./reach.js";
import { isSentToHttps, type Redirect, readRedirect } from "./redirects.js";
import { Scope } from "./scope.js";
import type { FoundLocation, Server } from "./servers.js";

export interface RedirectParts {
  readonly findings: Findings;
  readonly listeners: Listeners;
  readonly placed: readonly Placed[];
}

/** A server on plain HTTP that sends its clients to https has no other answer for them. */
export function isRedirected(
  { directive, scope, reaches }: FoundLocation,
  { listens, scope: server, locations }: Server,
  { findings, listeners }: Omit<RedirectParts, "placed">,
): boolean {
  if (!isSentToHttps(scope) || listens.some((listen) => listeners.isTls(listen))) return false;
  const servesOthers = locations.some((one) => one.scope.own("proxy_pass").length > 0 && !isSentToHttps(one.scope));
  // One location among others: its paths must not come to the route of a shorter prefix.
  if (servesOthers && !isSentToHttps(server) && !reaches.some(isWholePrefix)) return false;
  findings.taken(directive, "its clients are sent to https");
  return true;
}

/** Servers on plain HTTP that only send clients to https: their hosts' routes take that over. */
export function addRedirects(server: Server, parts: RedirectParts): void {
  const { findings, listeners, placed } = parts;
  const redirected = server.locations.filter((found) => isRedirected(found, server, parts));
  const scopes = [server.scope, ...redirected.map(({ scope }) => scope)];
  for (const scope of scopes) {
    if (scope !== server.scope && scope.own("proxy_pass").length > 0) continue;
    const redirect = readRedirect(new Scope(scope.directives, null));
    if (redirect === null || findings.has(redirect.directive)) continue;
    const plain = server.listens.filter((listen) => !listeners.isTls(listen)).map((listen) => listeners.nameOf(listen));
    const secure = placed.filter(
      (route) => isSecure(route) && route.hosts.some((host) => server.names.isCatchAll || server.hosts.includes(host)),
    );
    const isOwnHost = redirect.host === null || server.hosts.includes(redirect.host);
    if (plain.length === 0 || secure.length === 0 || !isOwnHost) {
      const why = isOwnHost
        ? "no route of its hosts has TLS"
        : "clients are sent to the host that they asked for alone";
      findings.unsupported(redirect.directive, why);
      continue;
    }
    for (const route of secure) {
      for (const name of plain) route.listeners.add(name);
      route.httpsRedirect = true;
      route.httpsPort ??= redirect.port;
    }
    const left = server.hosts.filter((host) => !secure.some(({ hosts }) => hosts.includes(host)));
    if (left.length > 0) findings.unsupported(redirect.directive, `for ${left.join(", ")} no route has TLS`);
    reportRedirect(redirect, scope, findings);
    for (const one of scope.own("return"))
      if (one !== redirect.directive) findings.taken(one, "nothing to write: other hosts are not served");
  }
}

export function reportRedirect(redirect: Redirect, scope: Scope, findings: Findings): void {
  if (redirect.isPermanent) findings.taken(redirect.directive, "routes[].httpsRedirect");
  else findings.approximated(redirect.directive, "routes[].httpsRedirect, with the status that it has");
  for (const [guard, { kind }] of conditionsOf(scope))
    if (kind === "plain-http" || kind === "host") findings.taken(guard, "routes[].httpsRedirect");
}

function isSecure({ listeners }: Placed): boolean {
  return [...listeners].some((name) => name.startsWith("https-"));
}
