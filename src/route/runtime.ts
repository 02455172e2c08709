import { endpointHost, endpointPort } from "../config/endpoint.js";
import type { BucketConfig, GatewayConfig } from "../config/gateway-config.js";
import type { OssCredentials } from "../core/secret.js";
import { createCredentialsSources } from "../credentials/create.js";
import { readSecret } from "../credentials/secret-ref.js";
import type { CredentialsSource } from "../credentials/source.js";
import type { Budgets } from "../limits/budget.js";
import { createMask, type Mask } from "../telemetry/access-log.js";
import type { Logger } from "../telemetry/log.js";
import type { Stats } from "../telemetry/stats.js";
import type { Upstream, UpstreamOptions } from "../transport/upstream.js";
import type { BudgetUse } from "./budgets.js";
import { readCaFile } from "./ca-file.js";
import { Common, type UpstreamHolding } from "./common.js";
import { compileRoutes } from "./compile.js";
import type { CompiledRoute } from "./compiled-route.js";
import { Holder } from "./holdings.js";
import { Logins } from "./logins.js";
import type { RouteTable } from "./table.js";
import type { UpstreamClock } from "./upstream-clock.js";
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
  /** By the requests in flight, and by connections whose next request is served with it. */
  readonly usage = new Usage();
  /** What logs and pages show of targets: a link of one route may stand in the Referer of a request to another. */
  readonly mask: Mask;
  readonly #common: Common;
  readonly #upstreams: ReadonlyMap<string, UpstreamHolding>;
  readonly #holder = new Holder();
  readonly #credentialsHolder = new Holder();
  readonly #budgetUse: BudgetUse;
  readonly #logins: Logins;
  readonly #tables: ReadonlyMap<string, RouteTable<CompiledRoute>>;

  /**
   * @param common what it shares with the generations before and after it; absent: it is the only one
   * @throws Error when a file or a secret that the configuration names cannot be read; the message names it
   */
  constructor(config: GatewayConfig, stats: Stats, log: Logger, common = new Common(stats, log)) {
    this.config = config;
    this.mask = createMask(config.routes.flatMap(({ allow }) => allow?.links?.secureLink?.md5Parameter ?? []));
    this.#common = common;
    this.#logins = new Logins(log, common.logins);
    this.#budgetUse = common.budgets.use(config, readSecret);
    this.budgets = this.#budgetUse;
    try {
      this.#upstreams = this.#holdUpstreams();
      this.upstreams = new Map([...this.#upstreams].map(([alias, { upstream }]) => [alias, upstream]));
      this.clocks = new Map([...this.#upstreams].map(([alias, { clock }]) => [alias, clock]));
      this.credentials = this.#holdCredentials();
      const { publicKeys } = common;
      const { lanes } = this.#budgetUse;
      this.#tables = compileRoutes(config, { ...this, publicKeys, readSecret, logins: this.#logins, lanes, stats });
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Resolves when each of the credentials has been fetched, or could not be; requests may be served before. */
  async start(): Promise<void> {
    for (const holding of this.#upstreams.values()) holding.start();
    const sources = [...this.credentials.values()].map((source) => source.start());
    await Promise.all([...sources, this.#logins.start(), this.#budgetUse.started]);
  }

  /** Resolves when the names of all upstreams have been looked up, well or not. */
  async resolved(): Promise<void> {
    await Promise.all([...this.upstreams.values()].map((upstream) => upstream.whenResolved().catch(() => {})));
  }

  /** Clients are served with it from here on: its sizes of budgets hold, and its credentials are those of their names. */
  take(nowMs: number): void {
    this.#budgetUse.takeSizes(nowMs);
    this.#common.useCredentials(this.credentials);
  }

  /**
   * Nothing new is served with it: it ends behind the last request in flight. Credentials that no other generation has
   * are refreshed no more from now on; those that are known serve what still runs.
   */
  retire(): void {
    this.#credentialsHolder.letGo();
    this.usage.whenIdle(() => this.destroy());
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
    return this.#common.credentialsFailure(name);
  }

  table(listener: string): RouteTable<CompiledRoute> {
    const table = this.#tables.get(listener);
    if (table === undefined) throw new Error(`no listener ${listener} in the checked configuration`);
    return table;
  }

  /** Ends all that no other generation uses, what runs included. Idempotent. */
  destroy(): void {
    this.#credentialsHolder.letGo();
    this.#holder.letGo();
    this.#logins.destroy();
    this.#budgetUse.close();
  }

  #holdUpstreams(): ReadonlyMap<string, UpstreamHolding> {
    const { upstreams } = this.#common;
    return new Map(
      [...this.config.buckets].map(([alias, bucket]) => {
        const options = upstreamOptions(bucket);
        const make = () => this.#common.createUpstream(options);
        return [alias, this.#holder.hold(upstreams, JSON.stringify(options), make)];
      }),
    );
  }

  #holdCredentials(): ReadonlyMap<string, CredentialsSource> {
    const { credentials, credentialsEvents } = this.#common;
    return createCredentialsSources(this.config.credentials, credentialsEvents, {
      once: (key, make) => this.#credentialsHolder.hold(credentials, key, make),
    });
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
