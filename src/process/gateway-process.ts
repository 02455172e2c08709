import type { AddressInfo } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { readSecret } from "../credentials/secret-ref.js";
import type { Gateway } from "../gateway/request-context.js";
import { Issuer } from "../issue/issuer.js";
import { compileClientIp } from "../policy/client-ip.js";
import { type Clients, compileClients } from "../policy/clients.js";
import { Runtime } from "../route/runtime.js";
import { AdminListener } from "../server/admin.js";
import type { AdminIssuer } from "../server/admin-issue.js";
import { Listener } from "../server/listener.js";
import { SIGNATURE_CLASSES } from "../signing/types.js";
import { type AccessLog, createAccessLog } from "../telemetry/access-log.js";
import { createLog, type Logger } from "../telemetry/log.js";
import { createMetrics } from "../telemetry/metrics.js";
import { Stats } from "../telemetry/stats.js";
import { ThrottlingWatch } from "../telemetry/throttling.js";

/** How long the start waits for credentials. */
const FIRST_CREDENTIALS_MS = 5_000;

export interface GatewayProcessOptions {
  readonly config: GatewayConfig;
  readonly version: string;
  /** For tests: instead of standard error and standard output. */
  readonly log?: Logger;
  readonly accessLog?: AccessLog;
}

/** The whole gateway in one process: listeners, admin, upstreams, and an orderly end. */
export class GatewayProcess {
  readonly config: GatewayConfig;
  readonly stats = new Stats(SIGNATURE_CLASSES.length);
  readonly runtime: Runtime;
  readonly log: Logger;
  /** By listener name, once started. */
  readonly addresses = new Map<string, AddressInfo>();
  adminAddress: AddressInfo | null = null;
  readonly #accessLog: AccessLog;
  readonly #listeners: readonly Listener[];
  readonly #admin: AdminListener;
  readonly #throttling: ThrottlingWatch;
  #isDraining = false;

  /** @throws Error when a file that the configuration names cannot be read */
  constructor({ config, version, log, accessLog }: GatewayProcessOptions) {
    this.config = config;
    this.log =
      log ??
      createLog(config.log.level, () => {
        this.stats.droppedLogLines += 1;
      });
    this.#accessLog = accessLog ?? createAccessLog(config.log.access.format, this.stats);
    this.runtime = new Runtime(config, this.stats, this.log);
    const { stats } = this;
    this.#throttling = new ThrottlingWatch({ config, stats, log: this.log, nowMs: performance.now() });
    const metrics = createMetrics({
      stats: this.stats,
      version,
      upstreams: () => this.#upstreamGauges(),
      credentials: () => this.#credentialsGauges(),
      sharedUp: () => this.runtime.budgets.isSharedUp,
    });
    this.#admin = new AdminListener(config.admin.address, {
      metrics: async () => ({ contentType: metrics.contentType, body: await metrics.metrics() }),
      problems: () => this.#problems(),
      tops: () => this.stats.tops(),
      issuer: this.#adminIssuer(),
    });
    const trusted = config.trustedProxies.length === 0 ? null : compileClients(config.trustedProxies);
    this.#listeners = config.listeners.map(
      ({ name, address, proxyProtocol }) =>
        new Listener({
          name,
          address,
          limits: config.limits,
          proxyHeaderFrom: proxyProtocol ? trusted : null,
          gateway: this.#gateway(name, trusted),
        }),
    );
  }

  /** Opens the sockets; rejects with one sentence when an address cannot be had, and then nothing stays open. */
  async start(): Promise<void> {
    // Requests before the first credentials would be refused; but one source that is down must not stop the others.
    await settlesWithin(this.runtime.start(), FIRST_CREDENTIALS_MS);
    try {
      this.adminAddress = await listenOrExplain("admin", this.config.admin.address, () => this.#admin.listen());
      for (const [index, { name, address }] of this.config.listeners.entries()) {
        const listener = this.#listeners[index] as Listener;
        this.addresses.set(name, await listenOrExplain(`listener ${name}`, address, () => listener.listen()));
      }
      this.#throttling.start();
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /**
   * Accepts nothing new, lets what runs finish, and ends the rest.
   * @param graceMs how long what runs may take
   */
  async stop(graceMs: number): Promise<void> {
    this.#isDraining = true;
    this.#throttling.stop();
    const drained = Promise.all(this.#listeners.map((listener) => listener.drain()));
    if (!(await settlesWithin(drained, graceMs))) {
      await Promise.all(this.#listeners.map((listener) => listener.destroy()));
    }
    await drained;
    this.#admin.close();
    this.runtime.destroy();
    await this.#accessLog.close();
  }

  #gateway(listener: string, trusted: Clients | null): Gateway {
    return {
      table: this.runtime.table(listener),
      limits: this.config.limits,
      stats: this.stats,
      accessLog: this.#accessLog,
      log: this.log,
      isTls: false,
      findClientIp: trusted === null ? null : compileClientIp(trusted),
      trustedProxies: trusted,
      isDraining: () => this.#isDraining,
    };
  }

  /** @throws Error when the secret cannot be read */
  #adminIssuer(): AdminIssuer | null {
    const { bearerSecret } = this.config.admin;
    if (bearerSecret === null) return null;
    const issuer = new Issuer({ config: this.config, credentials: this.runtime.credentials, readSecret });
    return { issuer, bearerSecret: readSecret(bearerSecret, "admin.bearerSecret") };
  }

  #upstreamGauges() {
    const nowMs = performance.now();
    return [...this.runtime.upstreams].map(([id, upstream]) => ({
      id,
      addresses: upstream.addresses.length,
      setAside: upstream.setAsideCount(nowMs),
      inFlight: upstream.inFlight,
      clockSkewMs: this.runtime.clocks.get(id)?.skewMs ?? null,
    }));
  }

  #credentialsGauges() {
    const nowMs = Date.now();
    return [...this.runtime.credentials.values()].map((source) => {
      const current = source.current(nowMs);
      return { name: source.name, isValid: current !== null, expiresAtMs: current?.expiresAtMs ?? null };
    });
  }

  #problems(): string[] {
    if (this.#isDraining) return ["shutting down"];
    const nowMs = Date.now();
    const upstreams = [...this.runtime.upstreams]
      .filter(([, upstream]) => upstream.addresses.length === 0)
      .map(([alias, upstream]) => `bucket ${alias}: no address is known for ${upstream.options.host}`);
    const credentials = [...this.runtime.credentials.values()]
      .filter((source) => source.current(nowMs) === null)
      .map(({ name }) => {
        const cause = this.runtime.credentialsFailure(name);
        return `credentials ${name}: there are no valid ones${cause === undefined ? "" : `: ${cause}`}`;
      });
    return [...upstreams, ...credentials];
  }
}

async function settlesWithin(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const settled = await Promise.race([promise.then(() => true), limit]);
  clearTimeout(timer);
  return settled;
}

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there already; stop it or choose another port",
  EACCES:
    "ports below 1024 need the right to bind them; run as root, grant CAP_NET_BIND_SERVICE, or choose a higher port",
  EADDRNOTAVAIL: "this machine has no such address",
};

async function listenOrExplain<T>(
  what: string,
  { host, port }: { readonly host: string; readonly port: number },
  listen: () => Promise<T>,
): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    throw new Error(`${what}: cannot listen on ${where}: ${LISTEN_HINTS[code] ?? message}`, { cause });
  }
}
