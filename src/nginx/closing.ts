/** What keeps closed what NGINX refused, where routes take other paths than its locations did. */
import { coversPath } from "../core/target.js";
import { EVERYBODY } from "./access.js";
import { METHODS } from "./conditions.js";
import type { Directive } from "./directive.js";
import { parentOf, type Reach } from "./reach.js";
import type { Yaml, YamlMap } from "./yaml-text.js";

/** A route, or paths that are closed, and the location of NGINX that it stands for. */
export interface Standing {
  readonly directive: Directive;
  readonly server: Directive;
  readonly path: { readonly pathPrefix: string };
  readonly hosts: readonly string[];
  readonly reach: Reach;
  readonly body: YamlMap;
}

/** Paths that NGINX gave to nobody, or to some. */
export interface Guard {
  readonly directive: Directive;
  readonly server: Directive;
  readonly reach: Reach;
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

/** Routes that would let pass what a guard refused. */
export function openedBy<S extends Standing>(guard: Guard, routes: readonly S[]): readonly S[] {
  const others = routes.filter(({ server, directive }) => server === guard.server && directive !== guard.directive);
  const { start, isSharp, kind } = guard.reach;
  const inside = others.filter((route) => {
    const prefix = rootless(route);
    if (kind === "exact") return prefix === start.replace(/\/$/, "");
    return (prefix.startsWith(start) || `${prefix}/`.startsWith(start)) && !comesBefore(route.reach, guard.reach);
  });
  // `location /private` takes /private.zip, which a prefix of segments leaves to what covers the folder.
  const beside = isSharp ? [] : longestOver(parentOf(start), others);
  return [...new Set([...inside, ...beside])].filter(({ body }) => isStricter(guard.body, body));
}

/** Whether NGINX prefers one location to another for all paths that both take. */
function comesBefore(one: Reach, guard: Reach): boolean {
  if (one.kind === "exact") return true;
  if (guard.kind === "expression") return one.kind === "preferred";
  if (one.kind === "expression") return guard.kind !== "preferred";
  return one.start.length > guard.start.length;
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
export function byPrecedence(a: Standing, b: Standing): number {
  const rank = ({ reach: { kind } }: Standing): number => ["preferred", "expression", "prefix", "exact"].indexOf(kind);
  return rank(a) - rank(b) || b.reach.start.length - a.reach.start.length;
}

/** What NGINX gave the paths below an exact location to: the longest of the prefixes. */
export function guardBelow({ reach, server }: Standing, guards: readonly Guard[]): readonly Guard[] {
  const below = `${reach.start.replace(/\/$/, "")}/`;
  const own = guards.filter((guard) => guard.server === server && guard.reach.kind !== "exact");
  const expressions = own.filter(
    ({ reach: { kind, start } }) => kind === "expression" && (below.startsWith(start) || start.startsWith(below)),
  );
  const [longest] = own
    .filter(({ reach: { kind, start } }) => kind !== "expression" && below.startsWith(start))
    .toSorted((a, b) => b.reach.start.length - a.reach.start.length);
  return longest === undefined ? expressions : [longest, ...expressions];
}
