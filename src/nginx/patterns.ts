/** Routes and refusals by expressions, at each prefix where NGINX would ask their locations first. */
import { byPrecedence, coversWhole, type Guard, isClosed, isStricter, takersOf } from "./closing.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import { closedAt, closedOf, locationText, type Placed, placeOf } from "./placed.js";
import { escaped, parentOf } from "./reach.js";

interface Parts {
  /** Routes of prefixes, closed ones too. */
  readonly plain: readonly Placed[];
  /** Routes that only an expression says. */
  readonly templates: readonly Placed[];
  readonly guards: readonly Guard[];
}

interface Arranged {
  readonly routes: readonly Placed[];
  /** For each route of a prefix the locations that no longer come out open by it. */
  readonly settled: ReadonlyMap<Placed, ReadonlySet<Directive>>;
}

/** What stands before a route of a prefix, in the order in which NGINX asks. */
type Entry = { readonly route: Placed } | { readonly guard: Guard };

const askedOf = (entry: Entry): Placed | Guard => ("route" in entry ? entry.route : entry.guard);

/** Puts expressions before the routes of prefixes. */
export function withPatterns({ plain, templates, guards }: Parts, findings: Findings): Arranged {
  const roots = templates.flatMap((template) => rootOf(template, plain));
  const bases = [...plain, ...new Map(roots.map((root) => [root.server, root])).values()];
  const entries = new Map<Placed, Entry[]>(bases.map((base) => [base, []]));
  const ofPrefixes = [...templates, ...plain.filter(isStanding)];
  for (const route of ofPrefixes)
    for (const base of takersOf(route, bases))
      if (mayStandAt(route, base, templates)) entries.get(base)?.push(entryOf(route, base));
  for (const [base, own] of entries) reportBypasses(base, own, findings);
  for (const guard of guards) for (const base of takersOf(guard, bases)) entries.get(base)?.push({ guard });
  const settled = new Map<Placed, ReadonlySet<Directive>>();
  const routes = bases.flatMap((base) => {
    const own = (entries.get(base) ?? []).toSorted((a, b) => byPrecedence(askedOf(a), askedOf(b)));
    const made = standing(base, own);
    const last = made.at(-1);
    if (last !== undefined) settled.set(last, new Set(own.map((entry) => askedOf(entry).directive)));
    return roots.includes(base) ? made.slice(0, -1) : made;
  });
  return { routes, settled };
}

/** A route of a prefix that goes on in the middle of a name. */
const isStanding = ({ reach, guard }: Placed): boolean =>
  guard === undefined && !reach.isSharp && (reach.kind === "prefix" || reach.kind === "preferred");

/** Those who wrote a guarded folder may not know that an expression goes by it. */
function reportBypasses(base: Placed, entries: readonly Entry[], findings: Findings): void {
  for (const entry of entries) {
    const route = "route" in entry && entry.route.isTemplate ? entry.route : null;
    // Some paths alone, and no others, is meant.
    const isAll = base.path.pathPrefix === "/" && isClosed(base.body);
    const isGuard = !isAll && (base.guard === undefined || base.isGuarded);
    if (route !== null && isGuard && isStricter(base.body, route.body))
      findings.dangerous(
        route.directive,
        `it comes before ${locationText(base)}, which refuses more: what it matches there is open, here as with NGINX; write ^~ there and import it again if it should not be`,
      );
  }
}

/** What goes on in the middle of a name stands at a folder where it is stricter, or where expressions would take it. */
function mayStandAt(route: Placed, base: Placed, templates: readonly Placed[]): boolean {
  const isStrict = route.isTemplate || isStricter(route.body, base.body);
  return isStrict || templates.some(({ server }) => server === route.server);
}

/** What takes off its own prefix cannot stand at another one, and what is refused to everybody needs no route. */
function entryOf(route: Placed, base: Placed): Entry {
  const { directive, server, reach, order, within, body, comments, isTemplate } = route;
  const isRefused = isClosed(body) && (!isTemplate || comments.length === 0);
  const innermost = within.at(-1);
  // It must not take what lies outside of the location that it stands in.
  const isOutside = innermost !== undefined && base.directive !== innermost && !base.within.includes(innermost);
  const isGuard = body.stripPrefix === true || isRefused || isOutside;
  return isGuard ? { guard: { directive, server, reach, order, within, body } } : { route };
}

/** For hosts that have no route of /: what stands there is not written. */
function rootOf(template: Placed, plain: readonly Placed[]): readonly Placed[] {
  const own = plain.filter(({ server, path }) => server === template.server && path.pathPrefix === "/");
  const hosts = template.hosts.filter((host) => !own.some((route) => route.hosts.includes(host)));
  if (hosts.length === 0) return [];
  const reach = { kind: "prefix", start: "/", isSharp: true, pattern: "^/" } as const;
  return [closedAt({ ...template, directive: template.server, within: [], reach, hosts }, "/")];
}

/** A route of a prefix behind what stands before it. */
function standing(base: Placed, entries: readonly Entry[]): readonly Placed[] {
  const made: Placed[] = [];
  const denied: string[] = [];
  let closing: string | null = null;
  const behind = (route: Placed): Placed => {
    if (isClosed(route.body)) return route;
    const open = { ...route, deniedPaths: [...new Set([...route.deniedPaths, ...denied])] };
    return closing === null ? open : closedOf(open, closing);
  };
  for (const entry of entries) {
    if ("route" in entry) {
      const copy = copyAt(entry.route, base);
      if (copy !== null) made.push(behind(copy));
      continue;
    }
    const { reach, directive } = entry.guard;
    const isWhole = coversWhole(entry.guard, base, `^${escaped(reach.start)}`);
    if (reach.pattern === null || isWhole || denied.length >= MAX_DENIED)
      closing ??= `Closed: ${placeOf(directive)} refused paths that this would serve.`;
    else denied.push(reach.pattern);
  }
  made.push(behind(base));
  return made;
}

const MAX_DENIED = 100;

function copyAt(route: Placed, base: Placed): Placed | null {
  const hosts = route.hosts.filter((host) => base.hosts.includes(host));
  if (hosts.length === 0) return null;
  const path = { ...route.path, pathPrefix: base.path.pathPrefix };
  return { ...route, hosts, path, pattern: route.reach.pattern, isTemplate: false };
}

/** Why a route is closed where a guard has no expression. */
export function whyClosed({ reach }: Guard): string {
  return reach.isSharp
    ? "it refused paths that other routes would serve: these are closed until it is clear who may have what"
    : `it guards all that begins with ${reach.start}, and its expression is none of RE2's: the route of ${parentOf(reach.start) || "/"} is closed`;
}
