import { parsePathPrefix } from "../config/values.js";
import { coversPath } from "../core/target.js";
import { denyOf, EVERYBODY, readAccess } from "./access.js";
import { findBackend, type Upstreams } from "./backend.js";
import { reportBackend } from "./backend-report.js";
import { type Buckets, readBucketSettings } from "./buckets.js";
import { conditionsOf, METHODS, returnedStatus } from "./conditions.js";
import { readCors } from "./cors.js";
import type { Directive } from "./directive.js";
import { Findings, reportBlock } from "./findings.js";
import { readAnswerHeaders, readRequestHeaders } from "./headers.js";
import { hostChoices, hostDirective } from "./host-header.js";
import { readLimits } from "./limits.js";
import { type KeyChange, type LocationPath, readRewrite, readUri } from "./path.js";
import { segmentOf, startsOf } from "./reach.js";
import { readReferer } from "./referer.js";
import type { Scope } from "./scope.js";
import { expand, hasVariables, type Maps, variablesIn } from "./variables.js";
import type { YamlMap } from "./yaml-text.js";

/** A route before it has its name and its listeners. */
export interface RoutePlan {
  readonly hosts: readonly string[];
  readonly path: LocationPath;
  /** All keys but `name` and `match`. */
  readonly body: YamlMap;
  readonly comments: readonly string[];
  /** Paths below that were sent elsewhere. */
  readonly closedBelow: readonly string[];
  /** Absent where nothing is passed on. */
  readonly proxyPass?: Directive;
}

/** A location that passes requests on. */
export interface ProxiedLocation {
  readonly scope: Scope;
  readonly path: LocationPath;
  readonly proxyPass: Directive;
  readonly hosts: readonly string[];
  /** The URL behind a location of the same server, for `auth_request`. */
  readonly findLocation: (uri: string) => string | null;
  /** The redirect to https that its routes do. */
  readonly redirect: Directive | null;
  /** All locations of the server pass to the same, and guard nothing: it makes no difference which of them a rewritten path comes to. */
  readonly isUniform: boolean;
}

export interface RouteParts {
  readonly maps: Maps;
  readonly upstreams: Upstreams;
  readonly buckets: Buckets;
  readonly findings: Findings;
  /** All proxies that any server believes. */
  readonly proxies: ReadonlySet<string>;
}

/** What a `proxy_pass` is for some hosts, its variables put in. */
interface Passed {
  readonly hosts: string[];
  readonly url: string;
  readonly hostHeader: string;
}

const HOST_VARIABLES: readonly string[] = ["host", "http_host", "server_name"];

/** The routes of one location: one for each bucket that its hosts lead to. */
export function readRoutes(location: ProxiedLocation, parts: RouteParts): readonly RoutePlan[] {
  const shared = readShared(location, parts);
  const groups = passedFor(location, parts);
  return groups.flatMap((passed) => plansOf(passed, location, shared, parts));
}

/** Who may use a location, as a route's body says it; nothing is reported. */
export function readGuard(location: ProxiedLocation, parts: RouteParts): YamlMap {
  return readShared(location, { ...parts, findings: new Findings() }).body;
}

/** Hosts whose variables come out the same go together. */
function passedFor({ scope, proxyPass, hosts }: ProxiedLocation, { maps }: RouteParts): readonly Passed[] {
  const text = proxyPass.args[0] ?? "";
  const header = hostDirective(scope)?.args[1] ?? "$proxy_host";
  const isClient = /^\$\{?(?:host|http_host)\}?(?::\$\{?(?:server_port|proxy_port)\}?)?$/.test(header);
  const names = variablesIn(isClient ? text : `${text} ${header}`, { scope, maps, host: null });
  const depends = HOST_VARIABLES.some((name) => names.has(name));
  const groups = new Map<string, Passed>();
  for (const host of hosts) {
    const known = { scope, maps, host: depends ? host : null };
    const url = expand(text, known);
    const hostHeader = isClient ? "$host" : expand(header, known);
    const key = `${url} ${hostHeader}`;
    const group = groups.get(key) ?? { hosts: [], url, hostHeader };
    group.hosts.push(host);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const URL_PARTS = /^(https?|\$scheme):\/\/(\[[0-9a-f:]+\](?::\d+)?|[^/$?]*)(.*)$/is;

function plansOf(passed: Passed, location: ProxiedLocation, shared: Shared, parts: RouteParts): readonly RoutePlan[] {
  const { proxyPass, scope, path } = location;
  const { findings, buckets, upstreams } = parts;
  const [, scheme = "", authority = "", uri = ""] = URL_PARTS.exec(passed.url) ?? [];
  if (authority === "" || authority.includes("*") || (uri.startsWith("$") && !/^\$(?:request_uri|uri|1)/.test(uri))) {
    findings.unsupported(
      proxyPass,
      `for ${passed.hosts.join(", ")} its variables cannot be known: write a route for each bucket`,
    );
    return [];
  }
  if (scheme === "$scheme") findings.approximated(proxyPass, "https to OSS, whatever the client speaks");
  const hostLiteral = hasVariables(passed.hostHeader) ? null : passed.hostHeader.toLowerCase();
  const target = {
    scheme: scheme === "http" ? "http" : "https",
    authority: authority.toLowerCase(),
    hostLiteral,
  } as const;
  const backend = findBackend(target, upstreams, findings);
  if (typeof backend === "string") {
    findings.unsupported(proxyPass, backend);
    return [];
  }
  const isVariable = hasVariables(proxyPass.args[0] ?? "");
  const changed = keyChange({ uri, isVariable, location }, findings);
  if (changed === null) return [];
  const { change, isLost, closedBelow } = changed;
  const why = isLost ? [REWRITTEN] : [];
  const settings = readBucketSettings(scope, target.scheme === "https", isVariable, findings);
  const alias = buckets.add(backend, settings);
  reportBackend({ proxyPass, backend, target, isVariable, scope, upstreams }, alias, findings);
  return hostChoices({ hosts: passed.hosts, hostHeader: passed.hostHeader, scope, alias, backend, target }, parts).map(
    ({ hosts, hostHeader }) => ({
      hosts,
      path,
      closedBelow,
      proxyPass,
      comments: [...shared.comments, ...why, ...(hostHeader === "bucket" ? [] : [SCRIPTS])],
      body: {
        bucket: alias,
        stripPrefix: change.stripPrefix && path.pathPrefix !== "/" ? true : undefined,
        keyPrefix: change.keyPrefix === "" ? undefined : change.keyPrefix,
        hostHeader: hostHeader === "bucket" ? undefined : hostHeader,
        trusted: hostHeader === "bucket" ? undefined : true,
        ...shared.body,
        deny: isLost ? { clients: EVERYBODY } : shared.body.deny,
      },
    }),
  );
}

const REWRITTEN = "Closed: a rewrite sent requests elsewhere, and is not taken over; the report names it.";
const SCRIPTS =
  "As with NGINX, pages of the bucket run script on this host: take trusted out where others write to it.";
interface UriInput {
  readonly uri: string;
  readonly isVariable: boolean;
  readonly location: ProxiedLocation;
}

/** `null`: it cannot be said, and has been reported. */
function keyChange({ uri, isVariable, location }: UriInput, findings: Findings): Changed | null {
  const { scope, path, proxyPass, redirect, isUniform } = location;
  const change = readUri(uri, path, isVariable);
  if (typeof change === "string") {
    findings.unsupported(proxyPass, change);
    return null;
  }
  if (change.difference !== null) findings.approximated(proxyPass, change.difference);
  let found: KeyChange = change;
  const closedBelow: string[] = [];
  let isLost = false;
  for (const rewrite of scope.through("rewrite")) {
    if (isIndexRewrite(rewrite) || rewrite === redirect) continue;
    // What does not end here looks for a location anew.
    const endsHere = rewrite.args[2] === "break" && scope.own("rewrite").includes(rewrite);
    const one = uri === "" && (endsHere || isUniform) ? readRewrite(rewrite.args, path) : null;
    if (one === null || found.stripPrefix || found.keyPrefix !== "") {
      const below = rewrittenBelow(rewrite, path);
      if (below === null) isLost = true;
      else closedBelow.push(...below);
      if (below?.length === 0) continue;
      findings.unsupported(
        rewrite,
        below === null
          ? "what it sent elsewhere is closed, with the whole route: write stripPrefix or keyPrefix, or a route for its paths"
          : `what it sent elsewhere is closed (${below.join(", ")}): write a route for these paths`,
      );
    } else {
      found = one;
      findings.taken(rewrite, "routes[].stripPrefix and keyPrefix");
    }
  }
  return { change: found, isLost, closedBelow };
}

interface Changed {
  readonly change: KeyChange;
  /** A rewrite sent paths elsewhere that cannot be told from the others. */
  readonly isLost: boolean;
  readonly closedBelow: readonly string[];
}

/** The paths below a location that a rewrite takes; `null`: it may take any. */
function rewrittenBelow({ args }: Directive, { pathPrefix, literal }: LocationPath): readonly string[] | null {
  const own = pathPrefix.replace(/\/$/, "");
  const below: string[] = [];
  for (const reach of startsOf(args[0] ?? "", false)) {
    if (!reach.start.startsWith(literal) && !literal.startsWith(reach.start)) continue;
    const segment = segmentOf(reach);
    if (segment === own || !coversPath(own, segment) || parsePathPrefix(segment) !== segment) return null;
    below.push(segment);
  }
  return below;
}

const isIndexRewrite = ({ args }: Directive): boolean =>
  /^\^?(?:\(\.\*\))?\/\$$/.test(args[0] ?? "") && /^(?:\$1)?\/[\w.-]+$/.test(args[1] ?? "");

interface Shared {
  readonly body: YamlMap;
  readonly comments: readonly string[];
}

/** What the routes of one location have in common. */
function readShared(location: ProxiedLocation, { findings, maps, proxies }: RouteParts): Shared {
  const { scope, proxyPass } = location;
  const deciding = [proxyPass, hostDirective(scope)].flatMap((one) => one?.args ?? []).join(" ");
  const used = variablesIn(deciding, { scope, maps, host: null });
  const access = readAccess({ ...location, proxies, isUsed: (variable) => used.has(variable) }, findings);
  const lost = [...access.lost];
  const referer = readReferer(scope, findings, lost);
  const cors = readCors(scope, findings);
  const methods = readMethods(scope, findings, lost).filter((method) => cors === undefined || method !== "OPTIONS");
  const { responseHeaders, hsts } = readAnswerHeaders(scope, findings);
  const removed = readRequestHeaders(scope, findings);
  const index = scope.through("rewrite").find(isIndexRewrite);
  findings.approximated(index, "routes[].indexDocument, behind every path that ends at a slash");
  const why = [...new Set(lost)].join(", ");
  return {
    comments:
      lost.length === 0
        ? []
        : [
            `Closed: NGINX asked for more here than is taken over (${why}).`,
            "Say in allow who may use it, and take deny out.",
          ],
    body: {
      methods,
      auth: "relay",
      allow: access.allow,
      satisfy: access.satisfy,
      deny: denyOf({ ...access, lost }),
      referer,
      cors,
      indexDocument: !methods.includes("GET") ? undefined : index?.args[1]?.replace(/^(?:\$1)?\//, ""),
      limits: readLimits({ scope, proxies }, findings),
      responseHeaders,
      hsts,
      requestHeaders: removed.length === 0 ? undefined : { remove: removed },
    },
  };
}

/** NGINX passes every method on; `limit_except` and `if`s take some away. */
function readMethods(scope: Scope, findings: Findings, lost: string[]): readonly string[] {
  const refused = new Set<string>();
  const except = scope.one("limit_except");
  if (except !== undefined) {
    const isDenied = (except.block ?? []).some(({ name, args }) => name === "deny" && args[0] === "all");
    const named = except.args.map((method) => method.toUpperCase());
    const isPlain = isDenied && (except.block ?? []).length === 1;
    reportBlock(except, findings, isPlain ? "routes[].methods" : null, "the other methods are refused to everybody");
    for (const method of METHODS)
      if (!named.includes(method) && !(method === "HEAD" && named.includes("GET"))) refused.add(method);
  }
  for (const [guard, condition] of conditionsOf(scope)) {
    if (condition.kind !== "methods" && condition.kind !== "preflight") continue;
    const status = returnedStatus(guard);
    if (status === null || status < 400) continue;
    reportBlock(guard, findings, "routes[].methods, answered 405");
    for (const method of condition.kind === "methods" ? condition.refused : ["OPTIONS"]) refused.add(method);
  }
  const methods = METHODS.filter((method) => !refused.has(method));
  if (methods.length === 0) lost.push("methods");
  return methods.length === 0 ? ["GET"] : methods;
}
