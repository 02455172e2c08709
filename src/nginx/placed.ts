import { EVERYBODY } from "./access.js";
import type { Guard } from "./closing.js";
import type { Directive } from "./directive.js";
import type { Reach } from "./reach.js";
import type { RoutePlan } from "./routes.js";
import type { YamlMap } from "./yaml-text.js";

/** A route with the listeners that it has so far. */
export interface Placed extends RoutePlan {
  readonly listeners: Set<string>;
  readonly from: string;
  readonly directive: Directive;
  readonly server: Directive;
  readonly reach: Reach;
  readonly order: number;
  readonly within: readonly Directive[];
  /** An expression that must be found in its paths; `null`: it takes all below its prefix. */
  readonly pattern: string | null;
  /** It stands at the prefixes of other routes, and at none of its own. */
  readonly isTemplate: boolean;
  /** Expressions for paths that nobody may use by it. */
  readonly deniedPaths: readonly string[];
  /** Closed paths: what NGINX asked of them; `null` where it gave nobody the bucket's. */
  readonly guard?: YamlMap | null;
  /** Its location refused somebody something. */
  readonly isGuarded: boolean;
  /** It gives way to any other route of its prefix. */
  readonly isFiller: boolean;
  httpsRedirect: boolean;
  httpsPort: number | undefined;
}

/** A page for the path / alone. */
export interface Index extends Guard {
  readonly page: string;
  readonly proxyPass: Directive | undefined;
  readonly answer: Directive | undefined;
}

/** What is known of a location before it has a route. */
export type Site = Pick<Placed, "directive" | "server" | "listeners" | "from" | "reach" | "hosts" | "order" | "within">;

export const ANSWERED_ITSELF = "Closed: NGINX answered these paths itself, and they are not the bucket's.";

export const REFUSED = "Refused to everybody, as with NGINX.";

/** Paths for nobody, where no other route has their prefix. */
export function closedAt(site: Site, pathPrefix: string, guard: YamlMap | null = null, why = ANSWERED_ITSELF): Placed {
  const { directive, server, listeners, from, reach, hosts, order, within } = site;
  const path = { pathPrefix: pathPrefix === "" ? "/" : pathPrefix, literal: pathPrefix, difference: null };
  return {
    ...{ directive, server, from, reach, hosts, guard, order, within },
    listeners: new Set(listeners),
    pattern: null,
    isTemplate: false,
    deniedPaths: [],
    path: { ...path, kind: "prefix" },
    body: { methods: ["GET"], deny: { clients: EVERYBODY } },
    comments: [why],
    closedBelow: [],
    isGuarded: false,
    isFiller: true,
    httpsRedirect: false,
    httpsPort: undefined,
  };
}

/** The route, for nobody until somebody has looked at it. */
export function closedOf(route: Placed, why: string): Placed {
  const body = { ...route.body, allow: undefined, satisfy: undefined, deny: { clients: EVERYBODY } };
  return { ...route, comments: [...route.comments, why], body };
}

export const placeOf = ({ file, line }: Directive): string => `${file}:${line}`;

export const locationText = (route: Placed | undefined): string =>
  `${route?.directive.name} ${route?.directive.args.join(" ")}`;
