/** What keeps closed what NGINX refused, where routes take other paths than its locations did. */
import { coversPath } from "../core/target.js";
import { EVERYBODY } from "./access.js";
import { METHODS } from "./conditions.js";
import type { Directive } from "./directive.js";
import { parentOf, type Reach, segmentOf } from "./reach.js";
import type { Yaml, YamlMap } from "./yaml-text.js";

/** A location of NGINX, as it is chosen among others. */
export interface Asked {
  readonly directive: Directive;
  readonly server: Directive;
  readonly reach: Reach;
  /** Of expressions the first that is found takes a path. */
  readonly order: number;
  /** The locations that it stands in, the outermost first. */
  readonly within: readonly Directive[];
}

/** A route, or paths that are closed, and the location of NGINX that it stands for. */
export interface Standing extends Asked {
  readonly path: { readonly pathPrefix: string };
  readonly hosts: readonly string[];
  readonly body: YamlMap;
}

/** Paths that NGINX gave to nobody, or to some. */
export interface Guard extends Asked {
  /** As a route's body says who may; `null`: nobody may, by any route. */
  readonly body: YamlMap | null;
}

const SAYS_WHO = ["allow", "satisfy", "deny", "referer"] as const;

export function isClosed({ deny }: YamlMap): boolean {
  const { clients } = (deny ?? {}) as { readonly clients?: Yaml };
  return Array.isArray(clients) && EVERYBODY.every((network) => clients.includes(network));
}

/** Whether one refuses, or may refuse, what another lets pass. */
export function isStricter(one: YamlMap | null, other: YamlMap): boolean {
  if (isClosed(other)) return false;
  if (one === null || isClosed(one)) return true;
  const methods = (one.methods ?? METHODS) as readonly Yaml[];
  const others = (other.methods ?? METHODS) as readonly Yaml[];
  // Preflights are the business of cors.
  if (others.some((method) => method !== "OPTIONS" && !methods.includes(method))) return true;
  if (SAYS_WHO.every((key) => one[key] === undefined)) return false;
  return SAYS_WHO.some((key) => JSON.stringify(one[key]) !== JSON.stringify(other[key]));
}

const rootless = ({ path }: Standing): string => path.pathPrefix.replace(/\/$/, "");

/**
 * The routes of prefixes that would take paths which NGINX gives to a location.
 * @param routes of prefixes alone, the location's own among them
 */
export function takersOf<S extends Standing>(location: Asked, routes: readonly S[]): readonly S[] {
  const { reach, server, directive } = location;
  const { start, isSharp, kind } = reach;
  const own = routes.filter((route) => route.server === server);
  const inside = own.filter((route) => kind !== "exact" && isInside(route, start));
  const over = kind === "exact" ? start : isSharp ? segmentOf(reach) : parentOf(start);
  const found = new Set([...inside, ...longestOver(over, own)]);
  return [...found].filter((route) => route.directive !== directive && !comesBefore(route, location));
}

function isInside(route: Standing, start: string): boolean {
  const prefix = rootless(route);
  return prefix.startsWith(start) || `${prefix}/`.startsWith(start);
}

/** Whether a location takes all that a route takes. */
export function coversWhole({ reach: { kind, start, pattern } }: Asked, route: Standing, plain: string): boolean {
  return kind !== "exact" && pattern === plain && `${rootless(route)}/`.startsWith(start);
}

/** Whether NGINX prefers the one to a location for all paths that both take. */
export function comesBefore(one: Asked, { reach, order, within }: Asked): boolean {
  const [a, b] = [one.reach.kind, reach.kind];
  if (a === "exact") return true;
  const innermost = within.at(-1);
  if (one.directive === innermost) return false;
  // What stands in another location is asked there alone, and before the expressions outside.
  if (innermost !== undefined && a !== "expression" && !one.within.includes(innermost)) return true;
  if (b === "exact") return false;
  if (b === "expression") return a === "preferred" || (a === "expression" && one.order < order);
  if (a === "expression") return b !== "preferred";
  return one.reach.start.length > reach.start.length;
}

/** For each host the route that a path goes to. */
export function longestOver<S extends Standing>(path: string, routes: readonly S[]): readonly S[] {
  const found = new Set<S>();
  const over = routes.filter((route) => coversPath(rootless(route), path));
  for (const host of new Set(over.flatMap(({ hosts }) => hosts))) {
    const of = over.filter(({ hosts }) => hosts.includes(host));
    const longest = Math.max(...of.map((route) => rootless(route).length));
    for (const route of of) if (rootless(route).length === longest) found.add(route);
  }
  return [...found];
}

/** The order in which NGINX's locations get what lies below a prefix that several of them have. */
export function byPrecedence(a: Asked, b: Asked): number {
  const rank = ({ reach: { kind } }: Asked): number => ["exact", "preferred", "expression", "prefix"].indexOf(kind);
  const ofKind = rank(a) - rank(b);
  if (ofKind !== 0) return ofKind;
  return a.reach.kind === "expression" ? a.order - b.order : b.reach.start.length - a.reach.start.length;
}
