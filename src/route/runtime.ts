import { endpointHost, endpointPort } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";
import type { OssCredentials } from "../core/secret.js";
import { createCredentialsSources } from "../credentials/create.js";
import { readSecret } from "../credentials/secret-ref.js";
import type { CredentialsEvents, CredentialsSource } from "../credentials/source.js";
import type { Budgets } from "../limits/budget.js";
import { KNOWN_PUBLIC_KEY_URL } from "../signing/callback.js";
import type { Logger } from "../telemetry/log.js";
import type { Stats } from "../telemetry/stats.js";
import { PublicKeys } from "../transport/public-keys.js";
import { Upstream, type UpstreamEvents, type UpstreamOptions } from "../transport/upstream.js";
import { createBudgets } from "./budgets.js";
import { readCaFile } from "./ca-file.js";
import { compileRoutes } from "./compile.js";
import type { CompiledRoute } from "./compiled-route.js";
import { Logins } from "./logins.js";
import type { RouteTable } from "./table.js";
import { type ClockState, UpstreamClock } from "./upstream-clock.js";
import { Usage } from "./usage.js";

/** One generation of the configuration, compiled: what requests are served with. */
export class Runtime {
  readonly config: GatewayConfig;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** By alias: what OSS's clock says of ours. */
  readonly clocks: ReadonlyMap<string, UpstreamClock>;
  readonly credentials: ReadonlyMap<string, CredentialsSource>;
  /** Rates and counts of routes, buckets and clients. */
  readonly budgets: Budgets;
  /** By the requests in flight. */
  readonly usage = new Usage();
  readonly #budgetsStarted: Promise<void>;
  readonly #logins: Logins;
  readonly #failures = new Map<string, string>();
  readonly #tables: ReadonlyMap<string, RouteTable<CompiledRoute>>;

  /** @throws Error when a file or a secret that the configuration names cannot be read; the message names it */
  constructor(config: GatewayConfig, stats: Stats, log: Logger) {
    this.config = config;
    const events = upstreamEvents(stats, log);
    this.upstreams = new Map(
      [...config.buckets].map(([alias, bucket]) => [alias, new Upstream(upstreamOptions(bucket), events)]),
    );
    this.clocks = new Map(
      [...config.buckets.keys()].map((alias) => [alias, new UpstreamClock(clockEvents(alias, log))]),
    );
    this.credentials = createCredentialsSources(config.credentials, this.#credentialsEvents(stats, log));
    const logins = new Logins(log);
    this.#logins = logins;
    const publicKeys = new PublicKeys(keyOptions(log));
    const { budgets, started } = createBudgets(config, readSecret, log);
    this.budgets = budgets;
    this.#budgetsStarted = started;
    try {
      this.#tables = compileRoutes(config, { ...this, publicKeys, readSecret, logins, stats });
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Resolves when each of the credentials has been fetched, or could not be; requests may be served before. */
  async start(): Promise<void> {
    for (const upstream of this.upstreams.values()) upstream.start();
    const sources = [...this.credentials.values()].map((source) => source.start());
    await Promise.all([...sources, this.#logins.start(), this.#budgetsStarted]);
  }

  /** The pair with this id, whichever source has it; `null`: none. */
  findCredentials(accessKeyId: string, nowMs: number): OssCredentials | null {
    for (const source of this.credentials.values()) {
      const found = source.find(accessKeyId, nowMs);
      if (found !== null) return found;
    }
    return null;
  }

  /** Why the last fetch of credentials failed; `undefined` when it did not. */
  credentialsFailure(name: string): string | undefined {
    return this.#failures.get(name);
  }

  #credentialsEvents(stats: Stats, log: Logger): CredentialsEvents {
    return {
      onRefreshed: (credentials, expiresAtMs) => {
        stats.credentialsOf(credentials).refreshesOk += 1;
        this.#failures.delete(credentials);
        const expires = expiresAtMs === null ? undefined : new Date(expiresAtMs).toISOString();
        log.info({ credentials, expires }, "credentials are in use");
      },
      onRefreshFailed: (credentials, cause) => {
        stats.credentialsOf(credentials).refreshesFailed += 1;
        this.#failures.set(credentials, cause);
        const isUsable = (this.credentials.get(credentials)?.current(Date.now()) ?? null) !== null;
        if (isUsable)
          log.warn(
            { credentials, cause },
            "credentials were not refreshed, the last good ones stay in use until they expire",
          );
        else
          log.error(
            { credentials, cause },
            "there are no valid credentials, and requests that need them are answered 503",
          );
      },
    };
  }

  table(listener: string): RouteTable<CompiledRoute> {
    const table = this.#tables.get(listener);
    if (table === undefined) throw new Error(`no listener ${listener} in the checked configuration`);
    return table;
  }

  /** Ends all upstream connections, what runs included. */
  destroy(): void {
    for (const upstream of this.upstreams.values()) upstream.destroy();
    for (const source of this.credentials.values()) source.close();
    this.#logins.destroy();
    this.budgets.close();
  }
}

function upstreamOptions(bucket: BucketConfig): UpstreamOptions {
  return {
    id: bucket.alias,
    host: endpointHost(bucket),
    port: endpointPort(bucket),
    tls: bucket.tls,
    ca: bucket.caFile === null ? null : readCaFile(bucket.caFile, `buckets.${bucket.alias}.caFile`),
    connections: bucket.connections,
    timeouts: bucket.timeouts,
    dns: bucket.dns,
  };
}

function upstreamEvents(stats: Stats, log: Logger): UpstreamEvents {
  return {
    counts: (bucket) => stats.upstream(bucket),
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

function clockEvents(bucket: string, log: Logger): (skewMs: number, state: ClockState) => void {
  return (skewMs, state) => {
    const fields = { bucket, skewSeconds: Math.round(skewMs / 1_000) };
    if (state === "agrees") log.info(fields, "the clock agrees with that of OSS again");
    else if (state === "corrected") {
      log.warn(fields, "the clock differs from that of OSS, which is signed with; set this machine's clock");
    } else log.error(fields, "the clock differs from that of OSS by more than a day, and nothing is corrected");
  };
}

function keyOptions(log: Logger): ConstructorParameters<typeof PublicKeys>[0] {
  return {
    known: [KNOWN_PUBLIC_KEY_URL],
    onFailure: (url, cause) => log.warn({ url, cause }, "a public key of OSS's callbacks could not be had"),
  };
}
