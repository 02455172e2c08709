import type { BucketConfig, GatewayConfig, RouteConfig } from "./gateway-config.js";
import type { ParsedConfig } from "./schema.js";

type ParsedBucket = ParsedConfig["buckets"][string];
type ParsedRoute = ParsedConfig["routes"][number];

/** The file's values under the names that the rest of the program uses, frozen. */
export function toGatewayConfig(parsed: ParsedConfig): GatewayConfig {
  const { limits } = parsed;
  const buckets = Object.entries(parsed.buckets).map(([alias, bucket]) => [alias, toBucket(alias, bucket)] as const);
  return freezeDeep({
    listeners: parsed.listeners,
    admin: { ...parsed.admin, bearerSecret: null },
    log: parsed.log,
    limits: {
      headerSizeBytes: limits.headerSize,
      headerCount: limits.headerCount,
      targetSizeBytes: limits.targetSize,
      headerTimeoutMs: limits.headerTimeout,
      clientIdleTimeoutMs: limits.clientIdleTimeout,
      connections: limits.connections,
      shutdownTimeoutMs: limits.shutdownTimeout,
    },
    credentials: new Map(),
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
  });
}

function toRoute(route: ParsedRoute): RouteConfig {
  const { match } = route;
  return {
    name: route.name,
    match: { hosts: match.hosts, listeners: match.listeners ?? null, pathPrefix: match.pathPrefix },
    target:
      route.buckets === undefined
        ? { kind: "bucket", bucket: route.bucket ?? "" }
        : { kind: "buckets", buckets: route.buckets },
    stripPrefix: route.stripPrefix,
    keyPrefix: route.keyPrefix,
    hostHeader: route.hostHeader,
    methods: route.methods,
    auth: route.auth,
    sign: null,
    clientSignatures: "refuse",
    operations: [],
    allow: null,
    satisfy: "any",
    deny: { clients: [] },
    hls: null,
    limits: { bodySizeBytes: route.limits.bodySize },
    requestHeaders: route.requestHeaders,
  };
}

/** Freezes plain objects and lists; a Map and a URL hold state of their own and are left alone. */
function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Map || value instanceof URL) return value;
  for (const child of Object.values(value)) freezeDeep(child);
  return Object.freeze(value);
}
