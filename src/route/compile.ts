import { bucketHosts, hostHeaderFor } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig, RouteConfig } from "../config/gateway-config.js";
import type { Denial } from "../core/errors.js";
import { canonicalIpv6 } from "../core/host.js";
import { encodePath } from "../core/target.js";
import type { CredentialsSource } from "../credentials/source.js";
import type { Budgets } from "../limits/budget.js";
import { compileCorsPolicy } from "../policy/cors-policy.js";
import type { Stats } from "../telemetry/stats.js";
import type { PublicKeys } from "../transport/public-keys.js";
import type { Upstream } from "../transport/upstream.js";
import { compileCallback } from "./callback.js";
import { compileRouteAccess, compileRouteLinks, type ReadSecret } from "./compile-access.js";
import { type BandwidthOfRoute, compileBandwidths, type Lanes } from "./compile-bandwidth.js";
import { compileReferer, compileRouteResponse, compileSite } from "./compile-policies.js";
import { compileLimits, compileSheds, type ShedsOfRoute } from "./compile-request-limits.js";
import { compileSigning } from "./compile-signing.js";
import type { BucketChoice, CompiledBucket, CompiledRoute } from "./compiled-route.js";
import type { Logins } from "./logins.js";
import { compileDeniedPaths, compilePattern, RouteTable } from "./table.js";
import type { UpstreamClock } from "./upstream-clock.js";

/** What routes are made of besides the configuration. */
export interface Parts {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly clocks: ReadonlyMap<string, UpstreamClock>;
  readonly credentials: ReadonlyMap<string, CredentialsSource>;
  readonly publicKeys: PublicKeys;
  readonly readSecret: ReadSecret;
  readonly logins: Logins;
  readonly budgets: Budgets;
  /** Absent: of this configuration alone. */
  readonly lanes?: Lanes;
  readonly stats: Stats;
}

/**
 * What joins the configuration's values into routes: one table for each listener, by its name.
 * @throws Error in one sentence when a secret cannot be read
 */
export function compileRoutes(config: GatewayConfig, parts: Parts): ReadonlyMap<string, RouteTable<CompiledRoute>> {
  const buckets = new Map<string, CompiledBucket>();
  for (const [alias, bucket] of config.buckets) {
    buckets.set(alias, compileBucket(bucket, parts));
  }
  const sheds = compileSheds(config, parts.budgets);
  const bandwidths = compileBandwidths(config, parts.budgets, parts.stats, parts.lanes);
  const routes = config.routes.map((route, index) => ({
    config: route,
    compiled: compileRoute({ route, where: `routes[${index}]`, buckets, parts, sheds, bandwidths }),
  }));
  return new Map(
    config.listeners.map(({ name }) => {
      const here = routes.filter(({ config: { match } }) => match.listeners === null || match.listeners.includes(name));
      return [name, new RouteTable(here.flatMap(({ config: route, compiled }) => entriesOf(route, compiled)))];
    }),
  );
}

function entriesOf(route: RouteConfig, compiled: CompiledRoute): { host: string; route: CompiledRoute }[] {
  // SDKs whose endpoint is an address may still send the bucket's own host name in Host.
  const hosts = new Set([...route.match.hosts.map(canonicalIpv6), ...(compiled.choice?.byHost.keys() ?? [])]);
  return [...hosts].map((host) => ({ host, route: compiled }));
}

function compileBucket(bucket: BucketConfig, { upstreams, clocks, stats, budgets }: Parts): CompiledBucket {
  return {
    alias: bucket.alias,
    ossName: bucket.bucket,
    upstream: mustGet(upstreams, bucket.alias),
    stats: stats.upstream(bucket.alias),
    limits: compileLimits(`bucket/${bucket.alias}`, bucket.limits, budgets),
    region: bucket.region,
    clock: mustGet(clocks, bucket.alias),
    hostHeader: hostHeaderFor(bucket),
    endpointHosts: new Set(bucketHosts(bucket)),
    ownHosts: new Set([...bucketHosts(bucket), ...bucket.domains]),
  };
}

interface RouteInput {
  readonly route: RouteConfig;
  /** `routes[2]`. */
  readonly where: string;
  readonly buckets: ReadonlyMap<string, CompiledBucket>;
  readonly parts: Parts;
  readonly sheds: ShedsOfRoute;
  readonly bandwidths: BandwidthOfRoute;
}

function compileRoute(input: RouteInput): CompiledRoute {
  const { route, where, buckets, parts, sheds, bandwidths } = input;
  const bucket = route.target.kind === "bucket" ? mustGet(buckets, route.target.bucket) : null;
  const choice = route.target.kind === "buckets" ? compileChoice(route.target.buckets, buckets) : null;
  const removed = route.requestHeaders.remove;
  const links = compileRouteLinks(route, where, parts.readSecret);
  const own = bucket === null ? [...(choice?.byOssName.values() ?? [])] : [bucket];
  return Object.freeze({
    name: route.name,
    pathPrefix: route.match.pathPrefix.replace(/\/+$/, ""),
    pathPattern: compilePattern(route.match.pathPattern),
    bucket,
    choice,
    methods: new Set(route.methods),
    methodDenied: methodDenial(route.methods),
    stripPrefix: route.stripPrefix,
    keyPrefix: route.keyPrefix,
    rawKeyPrefix: encodePath(route.keyPrefix),
    refusesDotSegments: route.keyPrefix !== "" || route.stripPrefix || links !== null,
    keepsClientHost: route.hostHeader === "client",
    hostHeader: route.hostHeader === "bucket" || route.hostHeader === "client" ? null : route.hostHeader,
    bodySizeBytes: route.limits.bodySizeBytes,
    httpsPort: route.httpsRedirect ? route.httpsPort : null,
    hsts: route.hsts,
    removedRequestHeaders: removed.length === 0 ? null : new Set(removed),
    access: compileRouteAccess(route),
    deniedPaths: compileDeniedPaths(
      route,
      own.map(({ ossName }) => ossName),
    ),
    links,
    login: parts.logins.compile(route, where),
    signing: compileSigning(route, own, parts.credentials),
    hls: route.hls,
    callback: compileRouteCallback(input),
    referer: compileReferer(route, bucket?.ossName ?? null),
    cors: compileCorsPolicy(route.cors),
    site: compileSite(route),
    responseRules: compileRouteResponse(
      route,
      own.map(({ hostHeader }) => hostHeader),
    ),
    limits: compileLimits(`route/${route.name}`, route.limits.budget, parts.budgets),
    bandwidth: bandwidths(
      route,
      own.map(({ alias }) => alias),
    ),
    shedOf: sheds(route.name),
    stats: parts.stats.route(route.name),
  });
}

function compileRouteCallback({ route, where, buckets, parts }: RouteInput): CompiledRoute["callback"] {
  const { target } = route;
  if (target.kind !== "callback") return null;
  const secret = parts.readSecret(target.secret, `${where}.callback.secret`);
  const { bodySizeBytes } = route.limits;
  return compileCallback({ config: target, secret, bodySizeBytes, buckets, keys: parts.publicKeys });
}

function compileChoice(aliases: readonly string[], buckets: ReadonlyMap<string, CompiledBucket>): BucketChoice {
  const byOssName = new Map<string, CompiledBucket>();
  const byHost = new Map<string, CompiledBucket>();
  for (const alias of aliases) {
    const bucket = mustGet(buckets, alias);
    byOssName.set(bucket.ossName, bucket);
    for (const host of bucket.endpointHosts) byHost.set(host, bucket);
  }
  return { byOssName, byHost };
}

function methodDenial(methods: readonly string[]): Denial {
  return Object.freeze({
    code: "METHOD_NOT_ALLOWED",
    reason: `This route allows ${methods.join(", ")}. Add the method to the route's methods if clients should have it.`,
    headers: ["Allow", methods.join(", ")],
  });
}

/** The configuration was cross-checked, so a name that is not there is a bug. */
function mustGet<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`no ${name} in the checked configuration`);
  return value;
}
