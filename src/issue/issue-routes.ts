import { isIPv6 } from "node:net";
import { bucketHosts } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig, ListenerConfig, RouteConfig } from "../config/gateway-config.js";
import type { Expression } from "../core/expression.js";
import { canonicalIpv6 } from "../core/host.js";
import { coversPath } from "../core/target.js";
import type { PathPatterns } from "../policy/path-patterns.js";
import { rulesOf } from "../route/signing-rules.js";
import { compileDeniedPaths, compilePattern, RouteTable } from "../route/table.js";
import type { CompiledRules } from "../signing/signed-request.js";
import { checkPath, type PublicUrl } from "./public-url.js";
import { IssueRefusal } from "./refusal.js";

/** A route as whoever issues for it sees it. */
export interface IssueRoute {
  readonly config: RouteConfig;
  /** Its place in the file, for the paths in messages. */
  readonly index: number;
  /** Decoded, without trailing slash; `""` covers all paths. */
  readonly pathPrefix: string;
  /** Must be found in the path; `null`: every path below the prefix. */
  readonly pathPattern: Expression | null;
  /** Paths that nobody may use; `null`: none. */
  readonly deniedPaths: PathPatterns | null;
  /** The buckets that it serves; empty for a callback route. */
  readonly buckets: readonly BucketConfig[];
  /** What clients may ask for where the gateway signs; `null` where it relays. */
  readonly rules: CompiledRules | null;
}

/** A URL and the route that answers it. */
export interface Located {
  readonly route: IssueRoute;
  readonly url: PublicUrl;
}

interface ListenerTable {
  readonly listener: ListenerConfig;
  readonly table: RouteTable<IssueRoute>;
}

/** Which route answers a public URL: what the gateway's own tables say, without a connection to go by. */
export class IssueRoutes {
  readonly #routes: readonly IssueRoute[];
  readonly #tables: readonly ListenerTable[];

  constructor(config: GatewayConfig) {
    this.#routes = config.routes.map((route, index) => compileRoute(route, index, config.buckets));
    this.#tables = config.listeners.map((listener) => {
      const here = this.#routes.filter((route) => isServedBy(route, listener));
      const entries = here.flatMap((route) => hostsOf(route).map((host) => ({ host, route })));
      return { listener, table: new RouteTable(entries) };
    });
  }

  /** The route that answers the URL. A port that no listener has may be a load balancer's: then every listener counts. */
  byUrl(url: PublicUrl): Located | IssueRefusal {
    const withPort = this.#tables.filter(({ listener }) => listener.address.port === url.port);
    for (const tables of [withPort, this.#tables]) {
      const found = new Set(
        tables.map(({ table }) => table.find(url.host, url.path)).filter((route) => route !== null),
      );
      const [route, ...others] = found;
      if (route !== undefined && others.length === 0) return { route, url };
      if (route !== undefined) return refuseSeveral(found);
    }
    return new IssueRefusal(404, `No route answers to ${url.host} with this path.`);
  }

  /**
   * A path on the address of a route that is known by name.
   * @param path decoded; absent: the beginning of the route
   */
  byName(name: string, path?: string): Located | IssueRefusal {
    const route = this.#routes.find(({ config }) => config.name === name);
    if (route === undefined) return new IssueRefusal(404, `There is no route ${name}.`);
    const checked = checkPath(path ?? (route.pathPrefix === "" ? "/" : route.pathPrefix));
    if (checked instanceof IssueRefusal) return checked;
    if (!coversPath(route.pathPrefix, checked)) {
      return new IssueRefusal(400, `The path must begin with ${route.pathPrefix}/, as those of route ${name} do.`);
    }
    const address = this.#addressOf(route);
    if (address instanceof IssueRefusal) return address;
    const located = this.byUrl({ ...address, path: checked, query: [] });
    if (located instanceof IssueRefusal || located.route === route) return located;
    return new IssueRefusal(400, `Route ${located.route.config.name} answers this path, not route ${name}.`);
  }

  #addressOf(route: IssueRoute): Pick<PublicUrl, "origin" | "host" | "port"> | IssueRefusal {
    const { name, match } = route.config;
    const host = match.hosts.find((candidate) => !candidate.startsWith("*."));
    const table = this.#tables.find(({ listener }) => isServedBy(route, listener));
    const port = table?.listener.address.port ?? 0;
    if (host === undefined || port === 0) {
      return new IssueRefusal(
        400,
        `The address of route ${name} cannot be told from the configuration. Write the URL.`,
      );
    }
    const bracketed = isIPv6(host) ? `[${host}]` : host;
    return { origin: `http://${bracketed}${port === 80 ? "" : `:${port}`}`, host: canonicalIpv6(host), port };
  }
}

function compileRoute(config: RouteConfig, index: number, buckets: ReadonlyMap<string, BucketConfig>): IssueRoute {
  const { target, match } = config;
  const aliases = target.kind === "bucket" ? [target.bucket] : target.kind === "buckets" ? target.buckets : [];
  const own = aliases.map((alias) => buckets.get(alias)).filter((bucket) => bucket !== undefined);
  return {
    config,
    index,
    pathPrefix: match.pathPrefix.replace(/\/+$/, ""),
    pathPattern: compilePattern(match.pathPattern),
    deniedPaths: compileDeniedPaths(
      config,
      own.map(({ bucket }) => bucket),
    ),
    buckets: own,
    rules: rulesOf(config),
  };
}

function isServedBy({ config: { match } }: IssueRoute, { name }: ListenerConfig): boolean {
  return match.listeners === null || match.listeners.includes(name);
}

/** As `route/compile.ts` has them: with `buckets`, their OSS host names too. */
function hostsOf({ config, buckets }: IssueRoute): readonly string[] {
  const implied = config.target.kind === "buckets" ? buckets.flatMap((bucket) => bucketHosts(bucket)) : [];
  return [...new Set([...config.match.hosts.map(canonicalIpv6), ...implied])];
}

function refuseSeveral(found: ReadonlySet<IssueRoute>): IssueRefusal {
  const names = [...found].map(({ config }) => config.name).join(" and ");
  return new IssueRefusal(
    400,
    `Routes ${names} answer this URL on different listeners. Write the listener's port too.`,
  );
}
