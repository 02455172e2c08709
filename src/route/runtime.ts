import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { endpointHost, endpointPort } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";
import type { Logger } from "../telemetry/log.js";
import type { Stats } from "../telemetry/stats.js";
import { Upstream, type UpstreamEvents, type UpstreamOptions } from "../transport/upstream.js";
import { compileRoutes } from "./compile.js";
import type { CompiledRoute } from "./compiled-route.js";
import type { RouteTable } from "./table.js";

/** One generation of the configuration, compiled: what requests are served with. */
export class Runtime {
  readonly config: GatewayConfig;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly #tables: ReadonlyMap<string, RouteTable<CompiledRoute>>;

  /** @throws Error when a file that the configuration names cannot be read; the message names it */
  constructor(config: GatewayConfig, stats: Stats, log: Logger) {
    this.config = config;
    const events = upstreamEvents(stats, log);
    this.upstreams = new Map(
      [...config.buckets].map(([alias, bucket]) => [alias, new Upstream(upstreamOptions(bucket), events)]),
    );
    this.#tables = compileRoutes(config, this.upstreams, stats);
  }

  start(): void {
    for (const upstream of this.upstreams.values()) upstream.start();
  }

  table(listener: string): RouteTable<CompiledRoute> {
    const table = this.#tables.get(listener);
    if (table === undefined) throw new Error(`no listener ${listener} in the checked configuration`);
    return table;
  }

  /** Ends all upstream connections, what runs included. */
  destroy(): void {
    for (const upstream of this.upstreams.values()) upstream.destroy();
  }
}

function upstreamOptions(bucket: BucketConfig): UpstreamOptions {
  return {
    id: bucket.alias,
    host: endpointHost(bucket),
    port: endpointPort(bucket),
    tls: bucket.tls,
    ca: bucket.caFile === null ? null : readCaFile(bucket.caFile, bucket.alias),
    connections: bucket.connections,
    timeouts: bucket.timeouts,
    dns: bucket.dns,
  };
}

function readCaFile(path: string, alias: string): string {
  try {
    const text = readFileSync(path, "utf8");
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new Error(`${path} has no PEM certificate`);
    for (const block of blocks) new X509Certificate(block);
    return text;
  } catch (cause) {
    throw new Error(`buckets.${alias}.caFile: ${(cause as Error).message}`, { cause });
  }
}

function upstreamEvents(stats: Stats, log: Logger): UpstreamEvents {
  return {
    onDnsChange(bucket, addresses, previous) {
      stats.upstream(bucket).dnsChanges += 1;
      if (previous.length === 0) log.debug({ bucket, addresses }, "upstream addresses are known");
      else log.info({ bucket, addresses, previous }, "upstream addresses changed");
    },
    onDnsLookUp(bucket, outcome) {
      const counters = stats.upstream(bucket);
      if (outcome === "ok") counters.dnsLookUpsOk += 1;
      else counters.dnsLookUpsFailed += 1;
    },
    onDnsFailure(bucket, error) {
      log.warn({ bucket, cause: error.message }, "upstream name was not resolved, the last addresses stay in use");
    },
    onSetAside(bucket, address, reason) {
      stats.upstream(bucket).setAside += 1;
      log.warn({ bucket, address, reason }, "upstream address set aside for 10 s");
    },
  };
}
