import { parsePathPrefix } from "../config/values.js";
import { isGuarded } from "./access.js";
import type { Guard } from "./closing.js";
import type { Directive } from "./directive.js";
import type { Findings } from "./findings.js";
import type { Listeners } from "./listeners.js";
import { BY_PATTERN, type LocationPath, readLocation } from "./path.js";
import { ANSWERED_ITSELF, closedAt, type Index, type Placed, placeOf, REFUSED } from "./placed.js";
import { escaped, isWholePrefix, type Reach, ROOT, segmentOf, WHOLE, widerPatternOf } from "./reach.js";
import { isRedirected, reportRedirect } from "./redirect-routes.js";
import { type Redirect, readPlainRedirect } from "./redirects.js";
import { type ProxiedLocation, type RouteParts, readGuard, readRoutes } from "./routes.js";
import { Scope } from "./scope.js";
import { type FoundLocation, locationsOf, type Server } from "./servers.js";
import { expand } from "./variables.js";
import type { YamlMap } from "./yaml-text.js";

type Proxied = ProxiedLocation & { readonly wanted: Redirect | null };

/** What the locations of all servers come to: routes, closed paths, and what must not be open by other routes. */
export class Locations {
  readonly placed: Placed[] = [];
  readonly closed: Placed[] = [];
  /** Of locations that have no route. */
  readonly guards: Guard[] = [];
  readonly indexes: Index[] = [];
  /** Locations that have neither a route nor closed paths. */
  readonly leftOut = new Set<Directive>();
  readonly #parts: RouteParts;
  readonly #listeners: Listeners;
  readonly #findings: Findings;
  #acme: string | undefined;

  constructor(parts: RouteParts, listeners: Listeners) {
    this.#parts = parts;
    this.#listeners = listeners;
    this.#findings = parts.findings;
  }

  /** Where ACME's challenges are; `undefined`: nowhere. */
  get acme(): string | undefined {
    return this.#acme;
  }

  add(server: Server): void {
    for (const found of server.locations) this.#addLocation(found, server);
    // What no location takes is guarded as the server is.
    const { directive, scope } = server;
    if (isGuarded(scope) && !server.locations.some(({ reaches }) => reaches.some(isWholePrefix)))
      this.guards.push({ directive, server: directive, reach: WHOLE, body: null, order: -1, within: [] });
  }

  /** A server that NGINX does not ask. */
  passOver({ locations }: Server): void {
    for (const { directive } of locations) {
      this.leftOut.add(directive);
      this.#findings.unsupported(directive, "its server is passed over, as by NGINX");
    }
  }

  #addLocation(found: FoundLocation, server: Server): void {
    const { directive, scope } = found;
    if (
      this.#isAcme(directive, scope) ||
      isRedirected(found, server, { findings: this.#findings, listeners: this.#listeners })
    )
      return;
    const path = readLocation(directive.args);
    const inner = this.#passedOn(found, server);
    const [proxyPass] = inner.own("proxy_pass");
    const isProxied = proxyPass !== undefined && inner.own("internal").length === 0;
    const location = isProxied ? this.#proxied({ ...found, scope: inner }, server, path, proxyPass) : null;
    const [reach] = found.reaches;
    if (reach !== undefined && inner.own("proxy_pass").length > 0) this.#guardRedirect(found, server, reach);
    if (reach !== undefined && !reach.isSharp && reach.kind !== "expression" && scope.own("location").length > 0)
      // What goes on in the middle of a name would pass by the locations inside.
      this.guards.push({ ...found, server: server.directive, reach, body: null });
    if (typeof path === "string" || reach === undefined) {
      this.#leaveOut(found, server, location, typeof path === "string" ? path : "");
      return;
    }
    if (reach.kind === "exact" && reach.start === "/") {
      this.#addRoot(found, server, location);
      return;
    }
    if (location !== null && this.#place(found, server, location, reach)) return;
    if (isProxied || this.#isOwn(directive, scope, server)) this.#close(found, server, path, reach);
  }

  /** NGINX redirects the path without the slash, whatever else would take it, but for a location of just this path. */
  #guardRedirect({ directive, order, within }: FoundLocation, server: Server, { kind, start }: Reach): void {
    if (kind === "expression" || !start.endsWith("/") || start === "/") return;
    const path = start.slice(0, -1);
    const reach = { kind: "exact", start: path, isSharp: true, pattern: `^${escaped(path)}$` } as const;
    // It is no part of its location.
    this.guards.push({ directive: { ...directive }, server: server.directive, reach, body: null, order, within });
  }

  /** Where the files of a machine come first, and then those of a named location: its directives, and the guards before it. */
  #passedOn({ directive, scope }: FoundLocation, { scope: server }: Server): Scope {
    const tried = scope.own("try_files")[0];
    const name = tried?.args.at(-1) ?? "";
    const named = server.own("location").find(({ args }) => args.at(-1) === name);
    if (tried === undefined || !name.startsWith("@") || named === undefined || scope.own("proxy_pass").length > 0)
      return scope;
    const inner = new Scope(named.block ?? [], server);
    // Which of two guards of the same name holds, and that both do, cannot be said of one route.
    if (isGuarded(scope) && isGuarded(inner)) return scope;
    this.#findings.approximated(tried, `${name} alone: everything comes from the bucket, and no file of this machine`);
    this.#findings.taken(named, `as what location ${directive.args.join(" ")} passes requests on to`);
    return new Scope([...scope.directives.filter((one) => one !== tried), ...inner.directives], server);
  }

  #proxied({ scope }: FoundLocation, server: Server, path: LocationPath | string, proxyPass: Directive): Proxied {
    const isMixed =
      server.listens.some((listen) => this.#listeners.isTls(listen)) &&
      server.listens.some((listen) => !this.#listeners.isTls(listen));
    const wanted = isMixed ? readPlainRedirect(scope, server.hosts) : null;
    return {
      scope,
      path: typeof path === "string" ? BY_PATTERN : path,
      proxyPass,
      hosts: server.hosts,
      findLocation: (uri) => this.#urlOf(uri, server),
      redirect: wanted?.directive ?? null,
      wanted,
      isUniform: server.isUniform,
    };
  }

  /** @returns whether it has a route now */
  #place(found: FoundLocation, server: Server, location: Proxied, reach: Reach): boolean {
    const { directive, scope } = found;
    const { path, wanted } = location;
    if (!server.isHostKnown)
      this.#findings.unsupported(
        server.names.directive ?? server.directive,
        "no host is named: write those that are meant into match.hosts, or give --host",
      );
    const plans = readRoutes(location, this.#parts);
    if (plans.length === 0) return false;
    this.#findings.taken(directive, `routes[].match.pathPrefix ${path.pathPrefix}`);
    if (path.difference !== null) this.#findings.approximated(directive, path.difference);
    if (wanted !== null) reportRedirect(wanted, scope, this.#findings);
    const isTold = isGuarded(scope);
    for (const plan of plans) {
      const route = {
        ...plan,
        ...this.#standing(found, server),
        reach,
        isGuarded: isTold,
        pattern: reach.kind === "exact" ? reach.pattern : null,
        isTemplate: false,
        // NGINX has the path without the slash elsewhere.
        deniedPaths: reach.kind === "expression" && path.pathPrefix !== "/" ? [`^${escaped(path.pathPrefix)}$`] : [],
        httpsRedirect: wanted !== null,
        httpsPort: wanted?.port,
      };
      this.placed.push(route);
      for (const below of plan.closedBelow)
        this.closed.push(closedAt(route, below, null, "Closed: a rewrite sent these paths elsewhere."));
    }
    const left = server.hosts.filter((host) => !plans.some(({ hosts }) => hosts.includes(host)));
    const [first] = this.placed.slice(-1);
    if (left.length > 0 && first !== undefined) this.closed.push({ ...closedAt(first, path.pathPrefix), hosts: left });
    return true;
  }

  #standing({ directive, order, within }: FoundLocation, server: Server) {
    return {
      directive,
      order,
      within,
      server: server.directive,
      listeners: new Set(server.listens.map((listen) => this.#listeners.nameOf(listen))),
      from: placeOf(directive),
      isFiller: false,
    };
  }

  /** `location = /`: a page of the bucket is the route's index document; nothing else has a place of its own. */
  #addRoot(found: FoundLocation, server: Server, location: ProxiedLocation | null): void {
    const { directive, scope } = found;
    const [answer] = scope.own("return");
    const text =
      location?.proxyPass.args[0] ?? (/^30\d$/.test(answer?.args[0] ?? "") ? answer?.args[1] : undefined) ?? "";
    const page = /^(?:https?:\/\/[^/$]+)?\/([\w.-]+)$/.exec(text)?.[1];
    const body = location === null ? null : readGuard(location, this.#parts);
    if (page !== undefined) {
      const { order, within } = found;
      const proxy = { proxyPass: location?.proxyPass, answer };
      this.indexes.push({ directive, server: server.directive, reach: ROOT, page, body, ...proxy, order, within });
      return;
    }
    const { order, within } = found;
    this.guards.push({ directive, server: server.directive, reach: ROOT, body, order, within });
    this.#findings.unsupported(directive, "the path / has no route of its own here: it is refused");
    this.leftOut.add(directive);
  }

  /** `http://…` behind `location = /auth { proxy_pass …; }`; `null`: it cannot be known. */
  #urlOf(uri: string, { scope }: Server): string | null {
    const found = locationsOf(scope).find(({ directive: { args } }) => args.at(-1) === uri);
    const [proxyPass] = found?.scope.own("proxy_pass") ?? [];
    if (found === undefined || proxyPass === undefined) return null;
    const url = expand(proxyPass.args[0] ?? "", { scope: found.scope, maps: this.#parts.maps, host: null });
    const match = /^(https?:\/\/)([^/$]+)(\/[^$]*)?$/.exec(url);
    if (match === null) return null;
    const [, scheme = "", authority = "", path] = match;
    const upstream = this.#parts.upstreams.get(authority.toLowerCase());
    const server = upstream?.block?.find(({ name }) => name === "server")?.args[0] ?? authority;
    if (server.startsWith("unix:")) return null;
    for (const [directive, text] of [
      [found.directive, "its proxy_pass is allow.forwardAuth.url"],
      [proxyPass, "allow.forwardAuth.url"],
    ] as const)
      this.#findings.taken(directive, text);
    for (const inner of found.directive.block ?? [])
      if (inner !== proxyPass) this.#findings.approximated(inner, "the service is asked as allow.forwardAuth says");
    return `${scheme}${server}${path ?? uri}`;
  }

  /** certbot's and acme.sh's webroot. */
  #isAcme(directive: Directive, scope: Scope): boolean {
    const path = directive.args.at(-1) ?? "";
    if (!/^\/\.well-known(?:\/acme-challenge)?\/?$/.test(path)) return false;
    const [root] = [scope.own("alias")[0], scope.one("root")].filter((one) => one !== undefined);
    const folder = root?.args[0]?.replace(/\/$/, "");
    if (root === undefined || folder === undefined || folder.includes("$")) return false;
    const challenge = "/.well-known/acme-challenge";
    this.#acme ??=
      root.name === "root" ? `${folder}${challenge}` : path.includes("acme") ? folder : `${folder}/acme-challenge`;
    for (const one of [directive, root, ...(directive.block ?? [])])
      this.#findings.taken(one, "acmeChallengeDirectory");
    return true;
  }

  /** Whether paths of a location that passes nothing on must not be the bucket's. */
  #isOwn(directive: Directive, scope: Scope, { scope: server }: Server): boolean {
    if (isGuarded(scope)) return true;
    const name = directive.args.at(-1) ?? "";
    const isForErrors = server.through("error_page").some(({ args }) => args.at(-1) === name);
    if (isForErrors) this.#findings.taken(directive, "nothing to write: errors have documents in OSS's own shape");
    return !isForErrors;
  }

  /** Requests for these paths went elsewhere, and must not reach the bucket by the route of a shorter prefix. */
  #close(found: FoundLocation, server: Server, path: LocationPath, reach: Reach): void {
    const { directive, scope } = found;
    if (scope.own("internal").length > 0) this.#findings.taken(directive, "closed: NGINX alone asked for it");
    else this.#reportRefused(found);
    const isTold = isGuarded(scope) || scope.own("proxy_pass").length > 0;
    this.leftOut.add(directive);
    const { order, within } = found;
    if (isTold || reach.kind === "exact")
      this.guards.push({ directive, server: server.directive, reach, body: null, order, within });
    if (reach.kind === "exact") return;
    const site = { ...this.#standing(found, server), reach, hosts: server.hosts };
    const closed = closedAt(site, path.pathPrefix, null, isRefusal(scope) ? REFUSED : ANSWERED_ITSELF);
    this.closed.push({ ...closed, isFiller: false, isGuarded: isTold });
  }

  /** A location that no prefix stands for: a route with its expression, or what it guarded is open by no other route. */
  #leaveOut(found: FoundLocation, server: Server, location: Proxied | null, why: string): void {
    const { directive, scope, reaches } = found;
    if (reaches.length === 0) {
      // A named location whose requests come from one that has been taken over is reported with that.
      if (this.#findings.has(directive)) return;
      this.leftOut.add(directive);
      this.#findings.unsupported(directive, why);
      return;
    }
    if (location !== null && this.#placePattern(found, server, location)) return;
    this.leftOut.add(directive);
    const wider = location === null && !found.isInExpression ? widerPatternOf(directive.args) : null;
    if (wider !== null && reaches.every(({ pattern }) => pattern === null)) {
      this.#findings.approximated(
        directive,
        `more is refused: all paths with ${wider} (deny.paths); RE2 looks at nothing around it`,
      );
      for (const inner of directive.block ?? []) this.#findings.taken(inner, "its location's paths are refused");
      for (const reach of reaches) this.#guard(found, server, { ...reach, pattern: wider }, null);
      return;
    }
    const isClosable = reaches.every(({ pattern }) => pattern !== null);
    if (location !== null || !isClosable)
      for (const one of [directive, ...scope.own("proxy_pass")])
        this.#findings.unsupported(one, isClosable ? "its paths are closed: keep NGINX for them" : why);
    else this.#reportRefused(found);
    for (const reach of reaches) this.#guard(found, server, reach, null);
  }

  /** NGINX answered its requests itself: they are refused, as they were or nearly so. */
  #reportRefused({ directive, scope }: FoundLocation): void {
    const [answer] = scope.own("return");
    if (!isRefusal(scope)) {
      if (!this.#findings.has(directive)) this.#findings.unsupported(directive, KEEP_NGINX);
      return;
    }
    const status = answer?.args[0] ?? "403";
    if (status === "403") this.#findings.taken(directive, "its paths are refused: routes[].deny");
    else
      this.#findings.approximated(directive, `its paths are refused with 403, and not with ${status}: routes[].deny`);
    for (const inner of directive.block ?? []) this.#findings.taken(inner, "its location's paths are refused");
  }

  #guard(found: FoundLocation, server: Server, reach: Reach, body: YamlMap | null): void {
    const { directive, order, within } = found;
    const segment = segmentOf(reach);
    const isPrefix = parsePathPrefix(segment) === segment;
    const known: Reach = isPrefix || segment === "" ? reach : { ...reach, start: "/", isSharp: true };
    this.guards.push({ directive, server: server.directive, reach: known, body, order, within });
    if (reach.pattern !== null || !reach.isSharp || !isPrefix) return;
    const standing = { ...this.#standing(found, server), reach, hosts: server.hosts };
    this.closed.push({ ...closedAt(standing, segment, body), isGuarded: true });
  }

  /** @returns whether its routes are made: they stand wherever other routes would take its paths */
  #placePattern(found: FoundLocation, server: Server, location: Proxied): boolean {
    const { reaches, directive, scope } = found;
    const [first] = reaches;
    if (first === undefined || first.pattern === null || found.isInExpression) return false;
    // What stands in it would have to come before it wherever it stands.
    if (scope.own("location").length > 0) return false;
    const plans = readRoutes(location, this.#parts);
    if (plans.length === 0 || plans.some(({ closedBelow }) => closedBelow.length > 0)) return false;
    this.#findings.taken(directive, `routes[].match.pathPattern ${first.pattern}`);
    if (location.wanted !== null) reportRedirect(location.wanted, scope, this.#findings);
    for (const plan of plans) {
      for (const reach of reaches)
        this.placed.push({
          ...plan,
          ...this.#standing(found, server),
          reach,
          isGuarded: isGuarded(scope),
          pattern: reach.pattern,
          isTemplate: true,
          deniedPaths: [],
          httpsRedirect: location.wanted !== null,
          httpsPort: location.wanted?.port,
        });
    }
    const left = server.hosts.filter((host) => !plans.some(({ hosts }) => hosts.includes(host)));
    if (left.length > 0) for (const reach of reaches) this.#guard(found, server, reach, null);
    return true;
  }
}

/** Whether NGINX refused all of a location's requests by itself. */
function isRefusal(scope: Scope): boolean {
  const [answer] = scope.own("return");
  const denies = scope.own("deny").some(({ args }) => args[0] === "all") && scope.own("allow").length === 0;
  const isRefused = answer === undefined ? denies : /^4\d\d$/.test(answer.args[0] ?? "");
  return isRefused && scope.own("proxy_pass").length === 0;
}

const KEEP_NGINX = "it passes nothing on to a bucket: its paths are refused (routes[].deny); keep NGINX for them";
