import { parsePathPrefix } from "../config/values.js";
import { isGuarded } from "./access.js";
import { arrange } from "./arrange.js";
import { Buckets, freeName } from "./buckets.js";
import { type Guard, isClosed } from "./closing.js";
import { conditionsOf } from "./conditions.js";
import { DATA_BLOCKS, type Directive } from "./directive.js";
import { type Finding, Findings } from "./findings.js";
import { readGlobals } from "./globals.js";
import { remarkOn } from "./known.js";
import { type Listen, readListens } from "./listen.js";
import { Listeners } from "./listeners.js";
import { BY_PATTERN, type LocationPath, readLocation } from "./path.js";
import { ANSWERED_ITSELF, closedAt, closedOf, type Index, type Placed, placeOf, REFUSED } from "./placed.js";
import { escaped, type Reach, readReach, segmentOf, within } from "./reach.js";
import { isSentToHttps, type Redirect, readPlainRedirect, readRedirect } from "./redirects.js";
import { type ProxiedLocation, type RouteParts, readGuard, readRoutes } from "./routes.js";
import { Scope } from "./scope.js";
import { readServerNames, type ServerNames } from "./server-names.js";
import { expand, hostsOfMap, variablesIn } from "./variables.js";
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

/** In the place of a host that nobody has named. */
const UNKNOWN_HOST = "change-me.invalid";

/** Turns a parsed NGINX configuration into one of ossgate's. Never throws. */
export function convertConf(directives: readonly Directive[], options: ConvertOptions): Converted {
  const conversion = new Conversion(directives, options);
  return conversion.convert();
}

const isLost = (route: YamlMap): boolean => route[COMMENTS]?.some((text) => text.startsWith("Closed: ")) === true;

interface Server {
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
interface FoundLocation {
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

type Proxied = ProxiedLocation & { readonly wanted: Redirect | null };

class Conversion {
  readonly #all: readonly Directive[];
  readonly #options: ConvertOptions;
  readonly #findings = new Findings();
  readonly #main: Scope;
  readonly #http: Scope;
  readonly #parts: RouteParts;
  readonly #listeners: Listeners;
  readonly #placed: Placed[] = [];
  readonly #closed: Placed[] = [];
  /** Of locations that have no route. */
  readonly #guards: Guard[] = [];
  readonly #indexes: Index[] = [];
  /** Locations that have neither a route nor closed paths. */
  readonly #leftOut = new Set<Directive>();
  readonly #proxies = new Set<string>();
  #acme: string | undefined;

  constructor(directives: readonly Directive[], options: ConvertOptions) {
    this.#all = directives;
    this.#options = options;
    this.#main = new Scope(directives, null);
    // A file of sites-available has no http around it.
    const inside = directives.filter(({ name }) => name === "http").flatMap(({ block }) => block ?? []);
    this.#http = new Scope(inside.length > 0 ? inside : directives, null);
    this.#listeners = new Listeners(this.#findings);
    this.#parts = {
      maps: new Map(this.#http.own("map").map((map) => [(map.args[1] ?? "").replace(/[${}]/g, "").toLowerCase(), map])),
      upstreams: new Map(
        this.#http.own("upstream").map((upstream) => [(upstream.args[0] ?? "").toLowerCase(), upstream]),
      ),
      buckets: new Buckets(),
      findings: this.#findings,
      proxies: this.#proxies,
    };
  }

  convert(): Converted {
    const servers = this.#http.own("server").map((directive) => this.#readServer(directive));
    this.#listeners.add(servers.flatMap(({ listens }) => listens));
    for (const server of servers) this.#listeners.addTls(server.listens, server.scope);
    const globals = readGlobals(
      this.#main,
      this.#http,
      servers.map(({ scope }) => scope),
      this.#findings,
    );
    for (const network of globals.trustedProxies ?? []) this.#proxies.add(network);
    for (const server of servers) this.#addRoutes(server);
    for (const server of servers) this.#addRedirects(server);
    this.#warnAboutDefaults(servers);
    const routes = this.#routes();
    const map: YamlMap = {
      [COMMENTS]: ["Made from an NGINX configuration by 'ossgate import-nginx'; its report says what differs."],
      listeners: this.#listeners.yaml(),
      admin: this.#listeners.ports.includes(9180) ? { address: "127.0.0.1:9181" } : undefined,
      trustedProxies: globals.trustedProxies,
      workers: globals.workers,
      log: globals.log,
      acmeChallengeDirectory: this.#acme,
      limits: globals.limits,
      buckets: this.#parts.buckets.yaml(),
      routes,
    };
    return {
      yaml: yamlText(map),
      findings: this.#collect(),
      routeCount: routes.length,
      refusedCount: routes.filter((route) => isClosed(route) && !isLost(route)).length,
      closedCount: routes.filter((route) => isClosed(route) && isLost(route)).length,
    };
  }

  #readServer(directive: Directive): Server {
    const scope = new Scope(directive.block ?? [], this.#http);
    const listens = readListens(scope.own("listen"), this.#findings);
    const names = readServerNames(scope.own("server_name"), this.#findings);
    const hosts = this.#hostsOf(names);
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
  #hostsOf({ hosts, isCatchAll }: ServerNames): readonly string[] {
    if (!isCatchAll) return hosts;
    const mapped = [...this.#parts.maps.values()].flatMap(hostsOfMap);
    return [...new Set([...hosts, ...mapped, ...this.#options.hosts])];
  }

  #addRoutes(server: Server): void {
    for (const found of server.locations) this.#addLocation(found, server);
    // What no location takes is guarded as the server is.
    const { directive, scope } = server;
    if (isGuarded(scope) && !server.locations.some(({ reaches }) => reaches.some(isWholePrefix)))
      this.#guards.push({ directive, server: directive, reach: WHOLE, body: null, order: -1, within: [] });
  }

  #addLocation(found: FoundLocation, server: Server): void {
    const { directive, scope } = found;
    if (this.#isAcme(directive, scope) || this.#isRedirected(found, server)) return;
    const path = readLocation(directive.args);
    const inner = this.#passedOn(found, server);
    const [proxyPass] = inner.own("proxy_pass");
    const isProxied = proxyPass !== undefined && inner.own("internal").length === 0;
    const location = isProxied ? this.#proxied({ ...found, scope: inner }, server, path, proxyPass) : null;
    const [reach] = found.reaches;
    if (reach !== undefined && inner.own("proxy_pass").length > 0) this.#guardRedirect(found, server, reach);
    if (reach !== undefined && !reach.isSharp && reach.kind !== "expression" && scope.own("location").length > 0)
      // What goes on in the middle of a name would pass by the locations inside.
      this.#guards.push({ ...found, server: server.directive, reach, body: null });
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
    this.#guards.push({ directive: { ...directive }, server: server.directive, reach, body: null, order, within });
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
    if (wanted !== null) this.#reportRedirect(wanted, scope);
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
      this.#placed.push(route);
      for (const below of plan.closedBelow)
        this.#closed.push(closedAt(route, below, null, "Closed: a rewrite sent these paths elsewhere."));
    }
    const left = server.hosts.filter((host) => !plans.some(({ hosts }) => hosts.includes(host)));
    const [first] = this.#placed.slice(-1);
    if (left.length > 0 && first !== undefined) this.#closed.push({ ...closedAt(first, path.pathPrefix), hosts: left });
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
      this.#indexes.push({ directive, server: server.directive, reach: ROOT, page, body, ...proxy, order, within });
      return;
    }
    const { order, within } = found;
    this.#guards.push({ directive, server: server.directive, reach: ROOT, body, order, within });
    this.#findings.unsupported(directive, "the path / has no route of its own here: it is refused");
    this.#leftOut.add(directive);
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
    this.#leftOut.add(directive);
    const { order, within } = found;
    if (isTold || reach.kind === "exact")
      this.#guards.push({ directive, server: server.directive, reach, body: null, order, within });
    if (reach.kind === "exact") return;
    const site = { ...this.#standing(found, server), reach, hosts: server.hosts };
    const closed = closedAt(site, path.pathPrefix, null, isRefusal(scope) ? REFUSED : ANSWERED_ITSELF);
    this.#closed.push({ ...closed, isFiller: false, isGuarded: isTold });
  }

  /** A location that no prefix stands for: a route with its expression, or what it guarded is open by no other route. */
  #leaveOut(found: FoundLocation, server: Server, location: Proxied | null, why: string): void {
    const { directive, scope, reaches } = found;
    if (reaches.length === 0) {
      // A named location whose requests come from one that has been taken over is reported with that.
      if (this.#findings.has(directive)) return;
      this.#leftOut.add(directive);
      this.#findings.unsupported(directive, why);
      return;
    }
    if (location !== null && this.#placePattern(found, server, location)) return;
    this.#leftOut.add(directive);
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
    this.#guards.push({ directive, server: server.directive, reach: known, body, order, within });
    if (reach.pattern !== null || !reach.isSharp || !isPrefix) return;
    const standing = { ...this.#standing(found, server), reach, hosts: server.hosts };
    this.#closed.push({ ...closedAt(standing, segment, body), isGuarded: true });
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
    if (location.wanted !== null) this.#reportRedirect(location.wanted, scope);
    for (const plan of plans) {
      for (const reach of reaches)
        this.#placed.push({
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

  /** A server on plain HTTP that sends its clients to https has no other answer for them. */
  #isRedirected({ directive, scope, reaches }: FoundLocation, { listens, scope: server, locations }: Server): boolean {
    if (!isSentToHttps(scope) || listens.some((listen) => this.#listeners.isTls(listen))) return false;
    const servesOthers = locations.some((one) => one.scope.own("proxy_pass").length > 0 && !isSentToHttps(one.scope));
    // One location among others: its paths must not come to the route of a shorter prefix.
    if (servesOthers && !isSentToHttps(server) && !reaches.some(isWholePrefix)) return false;
    this.#findings.taken(directive, "its clients are sent to https");
    return true;
  }

  /** Servers on plain HTTP that only send clients to https: their hosts' routes take that over. */
  #addRedirects(server: Server): void {
    const redirected = server.locations.filter((found) => this.#isRedirected(found, server));
    const scopes = [server.scope, ...redirected.map(({ scope }) => scope)];
    for (const scope of scopes) {
      if (scope !== server.scope && scope.own("proxy_pass").length > 0) continue;
      const redirect = readRedirect(new Scope(scope.directives, null));
      if (redirect === null || this.#findings.has(redirect.directive)) continue;
      const plain = server.listens
        .filter((listen) => !this.#listeners.isTls(listen))
        .map((listen) => this.#listeners.nameOf(listen));
      const secure = this.#placed.filter(
        (route) =>
          this.#isSecure(route) && route.hosts.some((host) => server.names.isCatchAll || server.hosts.includes(host)),
      );
      const isOwnHost = redirect.host === null || server.hosts.includes(redirect.host);
      if (plain.length === 0 || secure.length === 0 || !isOwnHost) {
        const why = isOwnHost
          ? "no route of its hosts has TLS"
          : "clients are sent to the host that they asked for alone";
        this.#findings.unsupported(redirect.directive, why);
        continue;
      }
      for (const route of secure) {
        for (const name of plain) route.listeners.add(name);
        route.httpsRedirect = true;
        route.httpsPort ??= redirect.port;
      }
      const left = server.hosts.filter((host) => !secure.some(({ hosts }) => hosts.includes(host)));
      if (left.length > 0) this.#findings.unsupported(redirect.directive, `for ${left.join(", ")} no route has TLS`);
      this.#reportRedirect(redirect, scope);
      for (const one of scope.own("return"))
        if (one !== redirect.directive) this.#findings.taken(one, "nothing to write: other hosts are not served");
    }
  }

  #reportRedirect(redirect: Redirect, scope: Scope): void {
    if (redirect.isPermanent) this.#findings.taken(redirect.directive, "routes[].httpsRedirect");
    else this.#findings.approximated(redirect.directive, "routes[].httpsRedirect, with the status that it has");
    for (const [guard, { kind }] of conditionsOf(scope))
      if (kind === "plain-http" || kind === "host") this.#findings.taken(guard, "routes[].httpsRedirect");
  }

  #isSecure({ listeners }: Placed): boolean {
    return [...listeners].some((name) => name.startsWith("https-"));
  }

  /** The first server of an address, or the one that says so, answered hosts that no server names. */
  #warnAboutDefaults(servers: readonly Server[]): void {
    const seen = new Set<string>();
    for (const { directive, listens, names } of servers) {
      for (const { address } of listens) {
        if (seen.has(address)) continue;
        seen.add(address);
        const hasDefault = servers.some((other) =>
          other.listens.some((listen) => listen.address === address && listen.isDefault),
        );
        if (!hasDefault && !names.isCatchAll)
          this.#findings.dangerous(
            directive,
            `as the first server of ${address} it answered every unknown host; ossgate answers those 404`,
          );
      }
    }
  }

  /** `routes` of the file: one for each host, listener, prefix and pattern, as NGINX takes the first that names it. */
  #routes(): readonly YamlMap[] {
    const taken = new Set<string>();
    const names = new Set<string>();
    const all = this.#listeners.names;
    const placed = this.#placed.map((route) =>
      this.#certificatesCanBeShown(route) ? route : closedOf(route, NO_CERTIFICATES),
    );
    const arrangement = { placed: [...placed, ...this.#closed], guards: this.#guards, indexes: this.#indexes };
    return merged(arrange(arrangement, this.#findings)).flatMap((route) => {
      const paths = `${route.path.pathPrefix} ${route.pattern ?? ""}`;
      const hosts = route.hosts.filter(
        (host) => ![...route.listeners].some((name) => taken.has(`${name} ${host} ${paths}`)),
      );
      if (hosts.length === 0 || route.listeners.size === 0) return [];
      for (const name of route.listeners) for (const host of hosts) taken.add(`${name} ${host} ${paths}`);
      return [routeYaml(route, hosts, freeName(routeName(hosts[0] ?? "", route), names), all)];
    });
  }

  #certificatesCanBeShown({ body, listeners }: Placed): boolean {
    const { certificates } = (body.allow ?? {}) as YamlMap;
    return certificates === undefined || [...listeners].every((name) => this.#listeners.asksForCertificates(name));
  }

  #collect(): readonly Finding[] {
    const found: Finding[] = [];
    const visit = (directives: readonly Directive[], isLeftOut: boolean): void => {
      for (const directive of directives) {
        const own = this.#findings.of(directive);
        if (own.length > 0) found.push(...own);
        else found.push({ directive, ...(isLeftOut ? LEFT_OUT : this.#remark(directive)) });
        if (directive.block !== null && !DATA_BLOCKS.has(directive.name))
          visit(directive.block, (isLeftOut && directive.name !== "location") || this.#leftOut.has(directive));
      }
    };
    visit(this.#all, false);
    return found;
  }

  #remark(directive: Directive): { readonly verdict: Finding["verdict"]; readonly text: string } {
    if (directive.name === "include" && directive.args[1] !== undefined) {
      const isNeedless = /mime\.types$|modules-enabled/.test(directive.args[0] ?? "");
      return isNeedless ? remarkOn("include") : { verdict: "not supported", text: directive.args[1] };
    }
    const variable = { map: directive.args[1], set: directive.args[0] }[directive.name as "map" | "set"];
    if (variable !== undefined && this.#isUsed(variable.replace(/[${}]/g, "").toLowerCase()))
      return { verdict: "taken over", text: "its values are put in where it is used" };
    if (directive.name === "upstream" || directive.name === "return" || directive.name === "if")
      return OUT_OF_PLACE[directive.name] ?? remarkOn(directive.name);
    return remarkOn(directive.name);
  }

  /** Whether a variable decides where requests go. */
  #isUsed(variable: string): boolean {
    const scopes = this.#http.own("server").flatMap(({ block }) => locationsOf(new Scope(block ?? [], this.#http)));
    return scopes.some(({ scope }) =>
      [...scope.own("proxy_pass"), ...scope.all("proxy_set_header")].some(({ args }) =>
        variablesIn(args.join(" "), { scope, maps: this.#parts.maps, host: null }).has(variable),
      ),
    );
  }
}

const OUT_OF_PLACE: Readonly<Record<string, Pick<Finding, "verdict" | "text">>> = {
  upstream: { verdict: "taken over", text: "its servers are the bucket's endpoint where a proxy_pass names it" },
  return: {
    verdict: "not supported",
    text: "answers of the gateway's own are not written; /healthz is on the admin listener",
  },
  if: { verdict: "not supported", text: "nothing is decided by such conditions: see referer, methods, allow and deny" },
};

const WHOLE: Reach = { kind: "prefix", start: "/", isSharp: true, pattern: "^/" };
const ROOT: Reach = { kind: "exact", start: "/", isSharp: true, pattern: "^/$" };

const isWholePrefix = ({ kind, start }: Reach): boolean => start === "/" && (kind === "prefix" || kind === "preferred");

/** Whether NGINX refused all of a location's requests by itself. */
function isRefusal(scope: Scope): boolean {
  const [answer] = scope.own("return");
  const denies = scope.own("deny").some(({ args }) => args[0] === "all") && scope.own("allow").length === 0;
  const isRefused = answer === undefined ? denies : /^4\d\d$/.test(answer.args[0] ?? "");
  return isRefused && scope.own("proxy_pass").length === 0;
}

const KEEP_NGINX = "it passes nothing on to a bucket: its paths are refused (routes[].deny); keep NGINX for them";

const LEFT_OUT = { verdict: "not supported", text: "its location is not taken over" } as const;

/** All locations of a server, nested ones too. */
function locationsOf(scope: Scope): readonly FoundLocation[] {
  const found = nestedIn(scope, [], []);
  // The innermost are asked first.
  const asked = found.toSorted((a, b) => b.within.length - a.within.length);
  return found.map((location) => ({ ...location, order: asked.indexOf(location) }));
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

const NO_CERTIFICATES =
  "Closed: NGINX asked for a client certificate here, and no authority of such is known on its listeners.";

/** The same route of two servers, port 80 and port 443 say, is one. */
function merged(routes: readonly Placed[]): readonly Placed[] {
  const byContent = new Map<string, Placed>();
  for (const route of routes) {
    const key = JSON.stringify([
      ...[route.hosts, route.path.pathPrefix, route.pattern, route.deniedPaths],
      ...[route.body, route.httpsRedirect, route.httpsPort],
    ]);
    const same = byContent.get(key);
    if (same === undefined) byContent.set(key, route);
    else for (const name of route.listeners) same.listeners.add(name);
  }
  return [...byContent.values()];
}

function routeName(host: string, { path: { pathPrefix }, pattern, reach }: Placed): string {
  const text =
    pattern === null || reach.kind === "exact" ? pathPrefix : `${pathPrefix}-${pattern.replace(/^\(\?i\)/, "")}`;
  const path = text
    .slice(0, 40)
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/-{2,}/g, "-")
    .replace(/^-|-$/g, "");
  const name = `${host.replace(/^\*\./, "all.").replace(/[^A-Za-z0-9_.-]+/g, "-")}${path === "" ? "" : `-${path}`}`;
  return /^[A-Za-z0-9]/.test(name) ? name : `r${name}`;
}

function routeYaml(route: Placed, hosts: readonly string[], name: string, all: readonly string[]): YamlMap {
  const { comments, from, path, pattern, deniedPaths, listeners, body, httpsRedirect, httpsPort } = route;
  const isEverywhere = all.every((listener) => listeners.has(listener));
  return {
    [COMMENTS]: [`From ${from}.`, ...comments],
    name,
    match: {
      hosts,
      listeners: isEverywhere ? undefined : [...listeners],
      pathPrefix: path.pathPrefix === "/" ? undefined : path.pathPrefix,
      pathPattern: pattern ?? undefined,
    },
    httpsRedirect: httpsRedirect ? true : undefined,
    httpsPort: httpsRedirect ? httpsPort : undefined,
    ...body,
    deny: deniedPaths.length === 0 ? body.deny : { ...(body.deny as YamlMap | undefined), paths: deniedPaths },
  };
}
