import type {
  AllowConfig,
  BucketConfig,
  CredentialsConfig,
  ForwardAuthConfig,
  GatewayConfig,
  HlsConfig,
  RouteConfig,
} from "./gateway-config.js";
import type { ParsedConfig } from "./schema.js";
import { toAccountQuota, toBudget, toQuota } from "./to-limits.js";
import { toHsts, toListener } from "./to-listeners.js";
import { toCors, toReferer, toResponseHeaders } from "./to-policies.js";

type ParsedCredentials = ParsedConfig["credentials"][string];
type ParsedBucket = ParsedConfig["buckets"][string];
type ParsedRoute = ParsedConfig["routes"][number];
type ParsedSign = NonNullable<ParsedRoute["sign"]>;
type ParsedForwardAuth = NonNullable<NonNullable<ParsedRoute["allow"]>["forwardAuth"]>;

/** The file's values under the names that the rest of the program uses, frozen. */
export function toGatewayConfig(parsed: ParsedConfig): GatewayConfig {
  const { limits } = parsed;
  const buckets = Object.entries(parsed.buckets).map(([alias, bucket]) => [alias, toBucket(alias, bucket)] as const);
  const aliases = Object.keys(parsed.buckets);
  return freezeDeep({
    listeners: parsed.listeners.map(toListener),
    workers: parsed.workers,
    metrics: { compat: parsed.metrics.compat ?? null },
    acmeChallengeDirectory: parsed.acmeChallengeDirectory ?? null,
    trustedProxies: parsed.trustedProxies,
    quotas: new Map(
      Object.entries(parsed.quotas).map(([name, quota]) => [name, freezeDeep(toAccountQuota(quota, aliases))]),
    ),
    admin: {
      address: parsed.admin.address,
      bearerSecret: parsed.admin.bearerSecret ?? null,
      readerSecret: parsed.admin.readerSecret ?? null,
    },
    log: parsed.log,
    limits: {
      headerSizeBytes: limits.headerSize,
      headerCount: limits.headerCount,
      targetSizeBytes: limits.targetSize,
      headerTimeoutMs: limits.headerTimeout,
      clientIdleTimeoutMs: limits.clientIdleTimeout,
      connections: limits.connections,
      shutdownTimeoutMs: limits.shutdownTimeout,
      shared: limits.shared === undefined ? null : { url: limits.shared, password: limits.sharedPassword ?? null },
    },
    credentials: new Map(
      Object.entries(parsed.credentials).map(([name, credentials]) => [name, toCredentials(credentials)]),
    ),
    buckets: new Map(buckets),
    routes: parsed.routes.map(toRoute),
  });
}

function toBucket(alias: string, bucket: ParsedBucket): BucketConfig {
  const { dns, timeouts } = bucket;
  return freezeDeep({
    alias,
    bucket: bucket.bucket,
    region: bucket.region ?? null,
    domains: bucket.domains,
    endpoint: bucket.endpoint,
    tls: bucket.endpoint instanceof URL ? bucket.endpoint.protocol === "https:" : (bucket.tls ?? true),
    caFile: bucket.caFile ?? null,
    dns: { minTtlMs: dns.minTtl, maxTtlMs: dns.maxTtl, servers: dns.servers, addresses: dns.addresses },
    connections: bucket.connections,
    timeouts: { connectMs: timeouts.connect, headersMs: timeouts.headers, idleMs: timeouts.idle },
    limits: toBudget(bucket.limits),
    quota: bucket.quota === undefined ? null : toQuota(bucket.quota),
  });
}

function toCredentials(parsed: ParsedCredentials): CredentialsConfig {
  return freezeDeep(toKind(parsed));
}

function toKind(parsed: ParsedCredentials): CredentialsConfig {
  switch (parsed.type) {
    case "ecsRamRole":
      return { ...parsed, roleName: parsed.roleName ?? null };
    case "assumeRole": {
      const { duration, externalId = null, policy = null, ...rest } = parsed;
      return { ...rest, durationSeconds: Math.round(duration / 1000), externalId, policy };
    }
    case "oidcRole": {
      const { duration, roleArn = null, providerArn = null, tokenFile = null, ...rest } = parsed;
      return { ...rest, durationSeconds: Math.round(duration / 1000), roleArn, providerArn, tokenFile };
    }
    default:
      return parsed;
  }
}

function toRoute(route: ParsedRoute): RouteConfig {
  const { match, sign } = route;
  const isCallback = route.callback !== undefined;
  return {
    name: route.name,
    match: {
      hosts: match.hosts,
      listeners: match.listeners ?? null,
      pathPrefix: match.pathPrefix,
      pathPattern: match.pathPattern ?? null,
    },
    target: toTarget(route),
    stripPrefix: route.stripPrefix,
    keyPrefix: route.keyPrefix,
    hostHeader: route.hostHeader,
    methods: isCallback ? ["POST"] : route.methods,
    auth: route.auth,
    sign: sign === undefined ? null : toSign(sign),
    clientSignatures: route.clientSignatures,
    operations: route.operations,
    allow: toAllow(route.allow),
    satisfy: route.satisfy ?? "any",
    deny: route.deny,
    hls: toHls(route),
    limits: { bodySizeBytes: route.limits.bodySize, budget: toBudget(route.limits) },
    priority: route.priority,
    requestHeaders: route.requestHeaders,
    responseHeaders: toResponseHeaders(route.responseHeaders),
    preview: route.preview,
    trusted: route.trusted,
    indexDocument: route.indexDocument ?? null,
    errorDocument: route.errorDocument ?? null,
    httpsRedirect: route.httpsRedirect,
    httpsPort: route.httpsPort,
    hsts: route.hsts === undefined ? null : toHsts(route.hsts),
    referer: route.referer === undefined ? null : toReferer(route.referer),
    cors: route.cors === undefined ? null : toCors(route.cors),
  };
}

function toSign({ trafficLimit, ...rest }: ParsedSign): RouteConfig["sign"] {
  return { ...rest, trafficLimitBitsPerSecond: trafficLimit === undefined ? null : trafficLimit * 8 };
}

function toTarget({ bucket, buckets, callback }: ParsedRoute): RouteConfig["target"] {
  if (callback !== undefined) {
    const { timeout, ...rest } = callback;
    return { kind: "callback", ...rest, timeoutMs: timeout };
  }
  return buckets === undefined ? { kind: "bucket", bucket: bucket ?? "" } : { kind: "buckets", buckets };
}

function toAllow(allow: ParsedRoute["allow"]): AllowConfig | null {
  if (allow === undefined) return null;
  const { anyone, clients = [], links, signatures, basic = null, forwardAuth, certificates = [] } = allow;
  return {
    anyone,
    clients,
    links: links === undefined ? null : toLinks(links),
    signatures,
    basic,
    forwardAuth: forwardAuth === undefined ? null : toForwardAuth(forwardAuth),
    certificates,
  };
}

function toForwardAuth(parsed: ParsedForwardAuth): ForwardAuthConfig {
  const { timeout, cache, caFile = null, ...rest } = parsed;
  return { ...rest, timeoutMs: timeout, cacheMs: cache, caFile };
}

function toLinks(links: NonNullable<NonNullable<ParsedRoute["allow"]>["links"]>): AllowConfig["links"] {
  const { secret, previousSecrets, maxAge, secureLink = null } = links;
  return { secret, previousSecrets, maxAgeMs: maxAge, secureLink };
}

const HOUR_MS = 3_600_000;

/** What is not written lasts no longer than links may, where it is for links: those beyond that would be refused. */
function toHls({ hls, allow }: ParsedRoute): HlsConfig | null {
  if (hls === undefined) return null;
  const maxAgeMs = (hls.mode === "rewrite" && allow?.links?.maxAge) || Number.POSITIVE_INFINITY;
  const {
    ttl = Math.min(HOUR_MS, maxAgeMs),
    sessionTtl = Math.min(12 * HOUR_MS, maxAgeMs),
    root = null,
    ...rest
  } = hls;
  return { ...rest, ttlMs: ttl, sessionTtlMs: sessionTtl, root };
}

/** Freezes plain objects and lists; a Map and a URL hold state of their own and are left alone. */
function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Map || value instanceof URL) return value;
  for (const child of Object.values(value)) freezeDeep(child);
  return Object.freeze(value);
}
