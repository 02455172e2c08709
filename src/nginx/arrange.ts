/** The routes of all locations, put together so that each path comes to the one that NGINX would have asked, or to nobody. */
import { byPrecedence, type Guard, isClosed, isStricter, longestOver, takersOf } from "./closing.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import { whyClosed, withPatterns } from "./patterns.js";
import { closedOf, type Index, locationText, type Placed, placeOf } from "./placed.js";

export interface Arrangement {
  readonly placed: readonly Placed[];
  /** Of locations that have no route. */
  readonly guards: readonly Guard[];
  readonly indexes: readonly Index[];
}

export function arrange({ placed, guards, indexes }: Arrangement, findings: Findings): readonly Placed[] {
  const templates = placed.filter(({ isTemplate }) => isTemplate);
  const exact = placed.filter(({ isTemplate, pattern }) => !isTemplate && pattern !== null);
  const prefixes = placed.filter(({ isTemplate, pattern }) => !isTemplate && pattern === null);
  const indexed = withIndexes(prefixes, indexes, findings);
  const known = [...guards, ...indexed.guards];
  const plain = withoutRivals(indexed.routes, findings);
  const { routes, settled } = withPatterns({ plain, templates, guards: known }, findings);
  const open = closeOpened(routes, known, settled, findings);
  return underRoutes([...withoutRivals(exact, findings), ...open]);
}

/** A page for the path / is put behind every path that ends at a slash. */
function withIndexes(
  routes: readonly Placed[],
  indexes: readonly Index[],
  findings: Findings,
): { readonly routes: readonly Placed[]; readonly guards: readonly Guard[] } {
  const changed = new Map<Placed, Placed>();
  const guards: Guard[] = [];
  for (const index of indexes) {
    const { directive, server, page, body, proxyPass, answer } = index;
    const roots = routes.filter((route) => route.server === server && route.path.pathPrefix === "/");
    const known = roots.filter((route) => hasSamePage(index, route));
    for (const route of known) changed.set(route, { ...route, body: { ...route.body, indexDocument: page } });
    for (const one of [directive, proxyPass, answer])
      if (known.length > 0)
        findings.approximated(
          one,
          `routes[].indexDocument ${page}, behind every path that ends at a slash; /?prefix= and other operations still ask the bucket itself`,
        );
      else findings.unsupported(one, "no route of / can have it as its index document: / is refused");
    if (known.length < roots.length || roots.length === 0)
      guards.push({ ...index, body: known.length === 0 ? null : body });
  }
  return { routes: routes.map((route) => changed.get(route) ?? route), guards };
}

function hasSamePage({ body, proxyPass }: Index, route: Placed): boolean {
  return (
    !(isStricter(body, route.body) && body !== null) &&
    (route.body.methods as readonly string[]).includes("GET") &&
    route.body.keyPrefix === undefined &&
    (proxyPass === undefined || isSamePlace(proxyPass, route.proxyPass))
  );
}

export const authorityOf = ({ args }: Directive): string =>
  (args[0] ?? "").replace(/^\w*:\/\//, "").replace(/[/$].*$/s, "");

const isSamePlace = (one: Directive, other: Directive | undefined): boolean =>
  other !== undefined && authorityOf(one) === authorityOf(other);

/** Of locations that come out with one prefix NGINX's choice for the paths below it stays, closed where another was stricter. */
function withoutRivals(routes: readonly Placed[], findings: Findings): readonly Placed[] {
  const kept: Placed[] = [];
  const closed = new Set<Placed>();
  // What gives way comes last, whatever its place.
  const sorted = [...routes].sort((a, b) => Number(a.isFiller) - Number(b.isFiller) || byPrecedence(a, b));
  for (const route of sorted) {
    const rivals = kept.filter((other) => areRivals(other, route));
    if (rivals.length === 0) kept.push(route);
    else if (!route.isFiller) for (const one of settle(route, rivals, findings)) closed.add(one);
  }
  return routes
    .filter((route) => kept.includes(route))
    .map((route) => (closed.has(route) ? closedOf(route, RIVAL) : route));
}

function areRivals(one: Placed, other: Placed): boolean {
  return (
    one.directive !== other.directive &&
    one.server === other.server &&
    one.path.pathPrefix === other.path.pathPrefix &&
    one.pattern === other.pattern &&
    one.hosts.some((host) => other.hosts.includes(host))
  );
}

/** @returns those that must be closed, for the route that gives way was stricter */
function settle(route: Placed, rivals: readonly Placed[], findings: Findings): readonly Placed[] {
  const isSame = rivals.every(({ body }) => JSON.stringify(body) === JSON.stringify(route.body));
  const [rival] = rivals;
  const isOwn = route.guard !== undefined && !route.isGuarded;
  const opened = isOwn ? [] : rivals.filter(({ body }) => isStricter(route.body, body));
  if (isSame) findings.taken(route.directive, `one route with ${locationText(rival)}`);
  else
    findings.unsupported(
      route.directive,
      `it has the same prefix as ${locationText(rival)}, and a prefix has one route: ${opened.length > 0 ? "that one is closed, for this one was stricter" : "that one serves its paths"}`,
    );
  return opened;
}

const RIVAL = "Closed: another location of NGINX guarded paths that this would serve; the report names it.";

/** Closes the routes by which something would still pass that a location of NGINX refused. */
function closeOpened(
  routes: readonly Placed[],
  known: readonly Guard[],
  settled: ReadonlyMap<Placed, ReadonlySet<Directive>>,
  findings: Findings,
): readonly Placed[] {
  const why = new Map<Placed, Directive>();
  const plain = routes.filter(({ pattern }) => pattern === null);
  for (const guard of [...known, ...plain.filter((route) => route.guard === undefined)]) {
    const opened = takersOf<Placed>(guard, plain).filter(
      (route) => isStricter(guard.body, route.body) && settled.get(route)?.has(guard.directive) !== true,
    );
    for (const route of opened) why.set(route, guard.directive);
    if (opened.length > 0) findings.unsupported(guard.directive, whyClosed(guard));
  }
  return routes.map((route) => {
    const guard = why.get(route);
    if (guard === undefined) return route;
    return closedOf(route, `Closed: ${placeOf(guard)} refused paths that this would serve.`);
  });
}

/** Closed paths are written where a route would serve them else; they belong to its bucket. */
function underRoutes(routes: readonly Placed[]): readonly Placed[] {
  const served = routes.filter(({ guard, reach }) => guard === undefined && reach.kind !== "exact");
  return routes.flatMap((route) => {
    const { guard } = route;
    if (guard === undefined) return [route];
    const over = longestOver(route.path.pathPrefix.replace(/\/$/, ""), served).filter(
      ({ body, hosts, listeners }) =>
        // Where a route is closed for another reason these stay closed when somebody opens it.
        (isClosed(body) || isStricter(guard, body)) &&
        hosts.some((host) => route.hosts.includes(host)) &&
        [...listeners].some((name) => route.listeners.has(name)),
    );
    const [first] = over;
    if (first === undefined) return [];
    const listeners = new Set(over.flatMap((one) => [...one.listeners]));
    const hosts = [...new Set(over.flatMap((one) => one.hosts))].filter((host) => route.hosts.includes(host));
    return [{ ...route, hosts, listeners, body: { bucket: first.body.bucket, ...route.body } }];
  });
}
