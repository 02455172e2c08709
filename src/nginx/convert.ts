import { coversPath } from "../core/target.js";
import { EVERYBODY, isGuarded } from "./access.js";
import { Buckets, freeName } from "./buckets.js";
import { conditionsOf } from "./conditions.js";
import { DATA_BLOCKS, type Directive } from "./directive.js";
import { type Finding, Findings } from "./findings.js";
import { readGlobals } from "./globals.js";
import { remarkOn } from "./known.js";
import { type Listen, readListens } from "./listen.js";
import { Listeners } from "./listeners.js";
import { type LocationPath, readLocation } from "./path.js";
import { type Redirect, readRedirect } from "./redirects.js";
import { type RouteParts, type RoutePlan, readRoutes } from "./routes.js";
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
}

/** In the place of a host that nobody has named. */
const UNKNOWN_HOST = "change-me.invalid";

/** Turns a parsed NGINX configuration into one of ossgate's. Never throws. */
export function convertConf(directives: readonly Directive[], options: ConvertOptions): Converted {
  const conversion = new Conversion(directives, options);
  return conversion.convert();
}

interface Server {
  readonly directive: Directive;
  readonly scope: Scope;
  readonly listens: readonly Listen[];
  readonly names: ServerNames;
  readonly hosts: readonly string[];
}

/** A route with the listeners that it has so far. */
interface Placed extends RoutePlan {
  readonly listeners: Set<string>;
  readonly from: string;
  /** The server that it comes from; absent where it is closed already. */
  readonly server?: Directive;
  httpsRedirect: boolean;
  httpsPort: number | undefined;
}

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
  /** Servers with a location that guarded something, and could not be taken over. */
  readonly #guarded = new Set<Directive>();
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
    };
  }

  convert(): Converted {
    const servers = this.#http.own("server").map((directive) => this.#readServer(directive));
    this.#listeners.add(servers.flatMap(({ listens }) => listens));
    for (const server of servers) this.#listeners.addTls(server.listens, server.scope);
    for (const server of servers) this.#addRoutes(server);
    for (const server of servers) this.#addRedirects(server);
    const globals = readGlobals(
      this.#main,
      this.#http,
      servers.map(({ scope }) => scope),
      this.#findings,
    );
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
    return { yaml: yamlText(map), findings: this.#collect(), routeCount: routes.length };
  }

  #readServer(directive: Directive): Server {
    const scope = new Scope(directive.block ?? [], this.#http);
    const listens = readListens(scope.own("listen"), this.#findings);
    const names = readServerNames(scope.own("server_name"), this.#findings);
    return { directive, scope, listens, names, hosts: this.#hostsOf(names) };
  }

  /** A server for every host takes those that a `map` of hosts names, or those of the command line. */
  #hostsOf({ hosts, isCatchAll }: ServerNames): readonly string[] {
    if (!isCatchAll) return hosts;
    const mapped = [...this.#parts.maps.values()].flatMap(hostsOfMap);
    return [...new Set([...hosts, ...mapped, ...this.#options.hosts])];
  }

  #addRoutes(server: Server): void {
    for (const [directive, scope] of locationsOf(server.scope)) this.#addLocation(directive, scope, server);
  }

  #addLocation(directive: Directive, scope: Scope, server: Server): void {
    if (this.#isAcme(directive, scope) || this.#isRedirected(directive, scope, server)) return;
    const path = readLocation(directive.args);
    if (typeof path === "string") {
      this.#leaveOut(directive, scope, server, path);
      return;
    }
    const [proxyPass] = scope.own("proxy_pass");
    const isProxied = proxyPass !== undefined && scope.own("internal").length === 0;
    if (isProxied && this.#place({ directive, scope, server, path, proxyPass })) return;
    if (isProxied || this.#isOwn(directive, scope, server)) this.#close(directive, server, path);
  }

  /** @returns whether it has a route now */
  #place({ directive, scope, server, path, proxyPass }: Location): boolean {
    const findings = this.#findings;
    const hosts = server.hosts.length > 0 ? server.hosts : [UNKNOWN_HOST];
    if (server.hosts.length === 0)
      findings.unsupported(
        server.names.directive ?? server.directive,
        "no host is named: write those that are meant into match.hosts, or give --host",
      );
    const plans = readRoutes(
      { scope, path, proxyPass, hosts, findLocation: (uri) => this.#urlOf(uri, server) },
      this.#parts,
    );
    if (plans.length === 0) return false;
    findings.taken(directive, `routes[].match.pathPrefix ${path.pathPrefix}`);
    if (path.difference !== null) findings.approximated(directive, path.difference);
    const redirect = readRedirect(scope);
    const listens = server.listens.map(
      (listen) => [this.#listeners.nameOf(listen), this.#listeners.isTls(listen)] as const,
    );
    const redirects = redirect !== null && listens.some(([, isTls]) => isTls) && listens.some(([, isTls]) => !isTls);
    if (redirect !== null && redirects) this.#reportRedirect(redirect, scope);
    for (const plan of plans) {
      this.#placed.push({
        ...plan,
        listeners: new Set(listens.map(([name]) => name)),
        from: `${directive.file}:${directive.line}`,
        httpsRedirect: redirects,
        httpsPort: redirects ? redirect?.port : undefined,
        server: server.directive,
      });
    }
    return true;
  }

  /** `http://…` behind `location = /auth { proxy_pass …; }`; `null`: it cannot be known. */
  #urlOf(uri: string, { scope }: Server): string | null {
    const found = locationsOf(scope).find(([{ args }]) => args.at(-1) === uri);
    const [proxyPass] = found?.[1].own("proxy_pass") ?? [];
    if (found === undefined || proxyPass === undefined) return null;
    const url = expand(proxyPass.args[0] ?? "", { scope: found[1], maps: this.#parts.maps, host: null });
    const match = /^(https?:\/\/)([^/$]+)(\/[^$]*)?$/.exec(url);
    if (match === null) return null;
    const [, scheme = "", authority = "", path] = match;
    const upstream = this.#parts.upstreams.get(authority.toLowerCase());
    const server = upstream?.block?.find(({ name }) => name === "server")?.args[0] ?? authority;
    if (server.startsWith("unix:")) return null;
    for (const [directive, text] of [
      [found[0], "its proxy_pass is allow.forwardAuth.url"],
      [proxyPass, "allow.forwardAuth.url"],
    ] as const)
      this.#findings.taken(directive, text);
    for (const inner of found[0].block ?? [])
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

  /** Whether NGINX answered a location by itself, and not for its own use. */
  #isOwn(directive: Directive, scope: Scope, { scope: server }: Server): boolean {
    const name = directive.args.at(-1) ?? "";
    const isNested = scope.own("location").length > 0;
    const isForErrors = server.through("error_page").some(({ args }) => args.at(-1) === name);
    if (isForErrors) this.#findings.taken(directive, "nothing to write: errors have documents in OSS's own shape");
    return !(isNested || isForErrors || this.#findings.has(directive) || scope.own("internal").length > 0);
  }

  /** Requests for these paths went elsewhere, and must not reach the bucket by the route of a shorter prefix. */
  #close(directive: Directive, { listens, hosts }: Server, path: LocationPath): void {
    this.#findings.unsupported(
      directive,
      "it passes nothing on to a bucket: its paths are closed; keep NGINX for them",
    );
    this.#closed.push({
      hosts,
      path,
      body: { methods: ["GET"], deny: { clients: EVERYBODY } },
      comments: ["Closed: NGINX answered these paths itself, and they are not the bucket's."],
      listeners: new Set(listens.map((listen) => this.#listeners.nameOf(listen))),
      from: `${directive.file}:${directive.line}`,
      httpsRedirect: false,
      httpsPort: undefined,
    });
  }

  /** A location that no prefix stands for. What it guarded is open by no other route. */
  #leaveOut(directive: Directive, scope: Scope, server: Server, why: string): void {
    for (const one of [directive, ...scope.own("proxy_pass")]) this.#findings.unsupported(one, why);
    const pattern = directive.args.at(-1) ?? "";
    // Files such as .htaccess are nothing that a bucket has.
    if (pattern.startsWith("@") || /^\^?\/\\\./.test(pattern)) return;
    if (!isGuarded(scope)) return;
    this.#findings.unsupported(
      directive,
      "it guarded paths that other locations would serve: the server's routes are closed until it is clear who may have them",
    );
    this.#guarded.add(server.directive);
  }

  /** A server on plain HTTP that sends its clients to https has no other answer for them. */
  #isRedirected(directive: Directive, scope: Scope, { listens }: Server): boolean {
    if (readRedirect(scope) === null || listens.some((listen) => this.#listeners.isTls(listen))) return false;
    this.#findings.taken(directive, "its clients are sent to https");
    return true;
  }

  /** Servers on plain HTTP that only send clients to https: their hosts' routes take that over. */
  #addRedirects(server: Server): void {
    const scopes = [server.scope, ...locationsOf(server.scope).map(([, scope]) => scope)];
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

  /** `routes` of the file: one for each host, listener and prefix, as NGINX takes the first that names it. */
  #routes(): readonly YamlMap[] {
    const taken = new Set<string>();
    const names = new Set<string>();
    const all = this.#listeners.names;
    const placed = this.#placed.map((route) => {
      if (route.server !== undefined && this.#guarded.has(route.server)) return closedOf(route, GUARDED_ELSEWHERE);
      return this.#certificatesCanBeShown(route) ? route : closedOf(route, NO_CERTIFICATES);
    });
    return merged([...placed, ...this.#closedUnder(placed)]).flatMap((route) => {
      const { pathPrefix } = route.path;
      const hosts = route.hosts.filter(
        (host) => ![...route.listeners].some((name) => taken.has(`${name} ${host} ${pathPrefix}`)),
      );
      if (hosts.length === 0 || route.listeners.size === 0) return [];
      for (const name of route.listeners) for (const host of hosts) taken.add(`${name} ${host} ${pathPrefix}`);
      return [routeYaml(route, hosts, freeName(routeName(hosts[0] ?? "", pathPrefix), names), all)];
    });
  }

  #certificatesCanBeShown({ body, listeners }: Placed): boolean {
    const { certificates } = (body.allow ?? {}) as YamlMap;
    return certificates === undefined || [...listeners].every((name) => this.#listeners.asksForCertificates(name));
  }

  /** Closed paths that a route would serve else; they belong to its bucket. */
  #closedUnder(placed: readonly Placed[]): readonly Placed[] {
    return this.#closed.flatMap((closed) => {
      const { pathPrefix } = closed.path;
      const over = placed.filter(
        ({ path, hosts, listeners }) =>
          coversPath(path.pathPrefix.replace(/\/$/, ""), pathPrefix) &&
          hosts.some((host) => closed.hosts.includes(host)) &&
          [...listeners].some((name) => closed.listeners.has(name)),
      );
      const [first] = over;
      if (first === undefined) return [];
      const listeners = new Set(over.flatMap((route) => [...route.listeners]));
      const hosts = [...new Set(over.flatMap((route) => route.hosts))];
      return [{ ...closed, hosts, listeners, body: { bucket: first.body.bucket, ...closed.body } }];
    });
  }

  #collect(): readonly Finding[] {
    const found: Finding[] = [];
    const visit = (directives: readonly Directive[]): void => {
      for (const directive of directives) {
        const own = this.#findings.of(directive);
        const remark = this.#remark(directive);
        if (own.length > 0) found.push(...own);
        else found.push({ directive, ...remark });
        if (directive.block !== null && !DATA_BLOCKS.has(directive.name)) visit(directive.block);
      }
    };
    visit(this.#all);
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
    return scopes.some(([, scope]) =>
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

interface Location {
  readonly directive: Directive;
  readonly scope: Scope;
  readonly server: Server;
  readonly path: LocationPath;
  readonly proxyPass: Directive;
}

/** All locations of a server, nested ones too. */
function locationsOf(scope: Scope): readonly (readonly [Directive, Scope])[] {
  return scope.own("location").flatMap((directive) => {
    const inner = new Scope(directive.block ?? [], scope);
    return [[directive, inner] as const, ...locationsOf(inner)];
  });
}

const GUARDED_ELSEWHERE =
  "Closed: another location of the server guarded paths that this would serve; the report names it.";
const NO_CERTIFICATES =
  "Closed: NGINX asked for a client certificate here, and no authority of such is known on its listeners.";

/** The route, for nobody until somebody has looked at it. */
function closedOf(route: Placed, why: string): Placed {
  const body = { ...route.body, allow: undefined, satisfy: undefined, deny: { clients: EVERYBODY } };
  return { ...route, comments: [...route.comments, why], body };
}

/** The same route of two servers, port 80 and port 443 say, is one. */
function merged(routes: readonly Placed[]): readonly Placed[] {
  const byContent = new Map<string, Placed>();
  for (const route of routes) {
    const key = JSON.stringify([route.hosts, route.path.pathPrefix, route.body, route.httpsRedirect, route.httpsPort]);
    const same = byContent.get(key);
    if (same === undefined) byContent.set(key, route);
    else for (const name of route.listeners) same.listeners.add(name);
  }
  return [...byContent.values()];
}

function routeName(host: string, pathPrefix: string): string {
  const path = pathPrefix.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-|-$/g, "");
  const name = `${host.replace(/^\*\./, "all.").replace(/[^A-Za-z0-9_.-]+/g, "-")}${path === "" ? "" : `-${path}`}`;
  return /^[A-Za-z0-9]/.test(name) ? name : `r${name}`;
}

function routeYaml(route: Placed, hosts: readonly string[], name: string, all: readonly string[]): YamlMap {
  const { comments, from, path, listeners, body, httpsRedirect, httpsPort } = route;
  const isEverywhere = all.every((listener) => listeners.has(listener));
  return {
    [COMMENTS]: [`From ${from}.`, ...comments],
    name,
    match: {
      hosts,
      listeners: isEverywhere ? undefined : [...listeners],
      pathPrefix: path.pathPrefix === "/" ? undefined : path.pathPrefix,
    },
    httpsRedirect: httpsRedirect ? true : undefined,
    httpsPort: httpsRedirect ? httpsPort : undefined,
    ...body,
  };
}
