import { isGuarded } from "./access.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import { type Listen, readListens } from "./listen.js";
import { type Reach, readReach, within } from "./reach.js";
import { Scope } from "./scope.js";
import { readServerNames, type ServerNames } from "./server-names.js";
import { hostsOfMap, type Maps } from "./variables.js";

/** A `server` as it is read. */
export interface Server {
  readonly directive: Directive;
  readonly scope: Scope;
  readonly listens: readonly Listen[];
  readonly names: ServerNames;
  /** Never empty. */
  readonly hosts: readonly string[];
  readonly isHostKnown: boolean;
  readonly locations: readonly FoundLocation[];
  readonly isUniform: boolean;
}

/** A location, nested ones too. */
export interface FoundLocation {
  readonly directive: Directive;
  readonly scope: Scope;
  readonly reaches: readonly Reach[];
  /** Those that it stands in, the outermost first. */
  readonly within: readonly Directive[];
  /** Its expression says more than its paths. */
  readonly isInExpression: boolean;
  /** Expressions are asked in this order. */
  readonly order: number;
}

/** In the place of a host that nobody has named. */
const UNKNOWN_HOST = "change-me.invalid";

export interface ServerParts {
  readonly http: Scope;
  readonly maps: Maps;
  /** Hosts for servers that name none. */
  readonly hosts: readonly string[];
  readonly findings: Findings;
}

export function readServer(directive: Directive, parts: ServerParts): Server {
  const scope = new Scope(directive.block ?? [], parts.http);
  const listens = readListens(scope.own("listen"), parts.findings);
  const names = readServerNames(scope.own("server_name"), parts.findings);
  const hosts = hostsOf(names, parts);
  const locations = locationsOf(scope);
  return {
    directive,
    scope,
    listens,
    names,
    hosts: hosts.length > 0 ? hosts : [UNKNOWN_HOST],
    isHostKnown: hosts.length > 0,
    locations,
    isUniform: isUniform(locations),
  };
}

/** A server for every host takes those that a `map` of hosts names, or those of the command line. */
function hostsOf({ hosts, isCatchAll }: ServerNames, parts: ServerParts): readonly string[] {
  if (!isCatchAll) return hosts;
  const mapped = [...parts.maps.values()].flatMap(hostsOfMap);
  return [...new Set([...hosts, ...mapped, ...parts.hosts])];
}

/** All locations of a server, nested ones too. */
export function locationsOf(scope: Scope): readonly FoundLocation[] {
  const found = nestedIn(scope, [], []);
  // The innermost are asked first.
  const asked = found.toSorted((a, b) => b.within.length - a.within.length);
  const orders = new Map(asked.map((location, order) => [location, order]));
  return found.map((location) => ({ ...location, order: orders.get(location) ?? 0 }));
}

function nestedIn(
  scope: Scope,
  outer: readonly Reach[],
  around: readonly Directive[],
): readonly Omit<FoundLocation, "order">[] {
  return scope.own("location").flatMap((directive) => {
    const inner = new Scope(directive.block ?? [], scope);
    const isInExpression = outer.some(({ kind }) => kind === "expression");
    const reaches = readReach(directive.args)
      .map((reach) => within(reach, outer))
      // Both would have to be found.
      .map((reach) => (isInExpression ? { ...reach, pattern: outer[0]?.pattern ?? null } : reach));
    return [
      { directive, scope: inner, reaches, within: around, isInExpression },
      ...nestedIn(inner, reaches, [...around, directive]),
    ];
  });
}

/** Whether all locations pass to the same bucket, the path as it is, and guard nothing. */
function isUniform(locations: readonly FoundLocation[]): boolean {
  const urls = new Set(locations.map(({ scope }) => scope.own("proxy_pass")[0]?.args[0]));
  const [url] = urls;
  const isPlain = urls.size === 1 && url !== undefined && /^https?:\/\/[^/]+$/.test(url);
  return isPlain && locations.every(({ scope }) => !isGuarded(new Scope(withoutRewrites(scope), null)));
}

const withoutRewrites = ({ directives }: Scope): readonly Directive[] =>
  directives.filter(({ name }) => name !== "rewrite");
