import { isIP, connect as netConnect, type Socket } from "node:net";
import { rootCertificates, connect as tlsConnect } from "node:tls";
import { buildConnector, Client, type Dispatcher, Pool } from "undici";
import { GatewayError } from "../core/errors.js";
import { endWhenRead } from "./end-when-read.js";
import { type LookUp, Resolver, type TimerSource } from "./resolver.js";
import { RetryBudget } from "./retry.js";
import { SLAB_HIGH_WATER_MARK_BYTES, slabReader } from "./slab-reader.js";

/** How long an address that failed is passed over while another is there (NGINX's `fail_timeout`). */
const SET_ASIDE_MS = 10_000;

/**
 * Idle upstream connections are closed by us first. OSS does not document its own limit; a shorter hint in its
 * `Keep-Alive` header is followed, a longer one up to {@link MAX_KEEP_ALIVE_MS}.
 */
const KEEP_ALIVE_MS = 10_000;
const MAX_KEEP_ALIVE_MS = 60_000;
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;

export interface UpstreamOptions {
  /** For logs and metrics: the bucket's alias. */
  readonly id: string;
  /** The endpoint's own name or address: what is looked up, and what the certificate must name. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** PEM text of an extra authority, or `null`. */
  readonly ca: string | null;
  /** Per address. */
  readonly connections: number;
  readonly timeouts: { readonly connectMs: number; readonly headersMs: number; readonly idleMs: number };
  readonly dns: {
    readonly minTtlMs: number;
    readonly maxTtlMs: number;
    readonly servers: readonly string[];
    readonly addresses: readonly string[];
  };
}

/** Where connections are counted; the numbers outlive an upstream. */
export interface ConnectionCounts {
  /** Open now, used or idle. */
  openConnections: number;
  /** Of those, the ones that carry a request. */
  usedConnections: number;
  /** Requests that wait for one because all are taken. */
  queued: number;
  /** Told how long each took until it could be used, in milliseconds. */
  readonly connects: { observe(durationMs: number): void };
}

export interface UpstreamEvents {
  /** Where connections of this upstream are counted; nowhere when absent. */
  counts?(upstreamId: string): ConnectionCounts;
  onDnsChange(upstreamId: string, addresses: readonly string[], previous: readonly string[]): void;
  onDnsLookUp(upstreamId: string, outcome: "ok" | "failed"): void;
  /** @param known how many addresses of before are used on */
  onDnsFailure(upstreamId: string, error: Error, known: number): void;
  /** @param others how many other addresses have not failed lately */
  onSetAside(upstreamId: string, address: string, reason: string, others: number): void;
}

/** One address of an upstream with its connections. */
export class AddressPool {
  readonly address: string;
  readonly pool: Pool;
  readonly upstream: Upstream;
  setAsideUntilMs = 0;
  /** Requests that wait for or use a connection to this address. */
  inFlight = 0;
  readonly #origin: string;
  readonly #clientOptions: Client.Options;
  #tlsSession: Buffer | undefined;

  constructor(upstream: Upstream, address: string) {
    const { port, tls, connections, timeouts } = upstream.options;
    this.upstream = upstream;
    this.address = address;
    this.#origin = `${tls ? "https" : "http"}://${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
    this.#clientOptions = {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: MAX_KEEP_ALIVE_MS,
      headersTimeout: timeouts.headersMs,
      bodyTimeout: timeouts.idleMs,
      maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
      allowH2: false,
      connect: countConnections(
        upstream.counts,
        countReads(tls ? tlsConnector(upstream) : slabConnector(timeouts.connectMs)),
      ),
    };
    this.pool = new Pool(this.#origin, { ...this.#clientOptions, connections });
  }

  /** Counts a request; {@link finish} must follow once. @returns whether it finds all connections taken */
  begin(): boolean {
    this.inFlight += 1;
    this.upstream.inFlight += 1;
    return this.inFlight > this.upstream.options.connections;
  }

  finish(): void {
    this.inFlight -= 1;
    this.upstream.inFlight -= 1;
  }

  /** A connection of its own for one request; it ends with the answer. */
  freshDispatcher(): Dispatcher {
    return new Client(this.#origin, this.#clientOptions);
  }

  /**
   * A new connection for one upload. Uploads never take a used one: if it had just been closed, the body could not be
   * sent again.
   * @param onConnected called when it is connected, and for TLS verified
   */
  connect(onConnected: () => void): Socket {
    const { options, counts } = this.upstream;
    const startedMs = performance.now();
    const socket = this.#connect({ host: this.address, port: options.port, noDelay: true }, () => {
      countConnected(counts, socket, startedMs);
      onConnected();
    });
    return socket;
  }

  #connect(
    options: { readonly host: string; readonly port: number; readonly noDelay: true },
    onConnected: () => void,
  ): Socket {
    const { servername, caOption } = this.upstream;
    if (!this.upstream.options.tls) return netConnect(options, onConnected);
    const session = this.#tlsSession === undefined ? {} : { session: this.#tlsSession };
    const socket = tlsConnect({ ...options, servername, ...caOption, ...session }, onConnected);
    socket.on("session", (ticket) => {
      this.#tlsSession = ticket;
    });
    return socket;
  }

  /** Lets what runs finish and takes nothing new. */
  drain(): void {
    this.pool.close().catch(() => {});
  }

  destroy(): void {
    this.pool.destroy().catch(() => {});
  }
}

/**
 * undici's own way to connect by TLS, with the upstream's name whatever the request says: undici would send an address as
 * SNI, which RFC 6066 §3 forbids.
 */
function tlsConnector({ options, servername, caOption }: Upstream): buildConnector.connector {
  const connect = buildConnector({ timeout: options.timeouts.connectMs, servername, ...caOption });
  return (target, callback) => connect({ ...target, servername }, callback);
}

/** Counts what is open from when it can be used, and how long that took. */
function countConnections(counts: ConnectionCounts, connect: buildConnector.connector): buildConnector.connector {
  return (target, callback) => {
    const startedMs = performance.now();
    connect(target, (...args) => {
      const socket: Socket | null | undefined = args[1];
      if (socket != null) countConnected(counts, socket, startedMs);
      callback(...args);
    });
  };
}

function countConnected(counts: ConnectionCounts, socket: Socket, startedMs: number): void {
  counts.connects.observe(performance.now() - startedMs);
  counts.openConnections += 1;
  socket.once("close", () => {
    counts.openConnections -= 1;
  });
}

/** Makes an error of a connection tell how much was read from it: that one of a stale connection had served before. */
function countReads(connect: buildConnector.connector): buildConnector.connector {
  return (target, callback) =>
    connect(target, (...args) => {
      // Of a connection that failed undici tells the error alone, whatever its types say.
      const socket: Socket | null | undefined = args[1];
      if (socket != null) {
        endWhenRead(socket);
        // TLS has read its handshake already.
        const before = socket.bytesRead;
        socket.on("error", (error) => Object.assign(error, { socket: { bytesRead: socket.bytesRead - before } }));
      }
      callback(...args);
    });
}

/** undici's own way to connect, with a slab for each connection. TLS reads into buffers of its own. */
function slabConnector(connectTimeoutMs: number): buildConnector.connector {
  return (target, callback) => {
    const options = {
      timeout: connectTimeoutMs,
      highWaterMark: SLAB_HIGH_WATER_MARK_BYTES,
      onread: slabReader(),
    };
    buildConnector(options)(target, callback);
  };
}

const UNCOUNTED: ConnectionCounts = { openConnections: 0, usedConnections: 0, queued: 0, connects: { observe() {} } };

/** An endpoint of OSS: its name, its current addresses, their connections and their health. */
export class Upstream {
  readonly options: UpstreamOptions;
  /** What TLS names and verifies: the endpoint's own host, whatever Host a request carries. `""` for an address. */
  readonly servername: string;
  readonly caOption: { readonly ca?: string[] };
  readonly retryBudget = new RetryBudget();
  readonly counts: ConnectionCounts;
  /** Requests that wait for or use a connection. */
  inFlight = 0;
  readonly #resolver: Resolver;
  readonly #events: UpstreamEvents;
  #pools: readonly AddressPool[] = [];
  #next = 0;

  constructor(options: UpstreamOptions, events: UpstreamEvents, lookUp?: LookUp, timers?: TimerSource) {
    this.options = options;
    this.#events = events;
    this.counts = events.counts?.(options.id) ?? UNCOUNTED;
    this.servername = isIP(options.host) === 0 ? options.host : "";
    this.caOption = options.ca === null ? {} : { ca: [...rootCertificates, options.ca] };
    this.#resolver = new Resolver(
      { host: options.host, ...options.dns },
      {
        onAddresses: (addresses) => this.#setAddresses(addresses),
        onLookUp: (outcome) => events.onDnsLookUp(options.id, outcome),
        onFailure: (error) => events.onDnsFailure(options.id, error, this.#pools.length),
      },
      lookUp,
      timers,
    );
  }

  start(): void {
    this.#resolver.start();
  }

  get addresses(): readonly string[] {
    return this.#pools.map((pool) => pool.address);
  }

  /** Addresses that are passed over at `nowMs` (monotonic). */
  setAsideCount(nowMs: number): number {
    return this.#pools.filter((pool) => pool.setAsideUntilMs > nowMs).length;
  }

  /** Each address, and whether it is passed over at `nowMs` (monotonic). */
  health(nowMs: number): readonly { address: string; isSetAside: boolean; inFlight: number }[] {
    return this.#pools.map(({ address, setAsideUntilMs, inFlight }) => ({
      address,
      isSetAside: setAsideUntilMs > nowMs,
      inFlight,
    }));
  }

  /** Whether so many requests wait for a connection already that one more would only wait in vain. */
  get isFull(): boolean {
    return this.inFlight >= 2 * this.options.connections * Math.max(1, this.#pools.length);
  }

  /**
   * The address for the next request: all take turns, one that failed is passed over for 10 s while another is there.
   * @param avoid the address that just failed this request
   * @returns `null` while no address is known
   */
  pick(nowMs: number, avoid: AddressPool | null): AddressPool | null {
    const pools = this.#pools;
    let fallback: AddressPool | null = null;
    for (let i = 0; i < pools.length; i += 1) {
      this.#next = (this.#next + 1) % pools.length;
      const pool = pools[this.#next] as AddressPool;
      if (pool !== avoid && pool.setAsideUntilMs <= nowMs) return pool;
      if (fallback === null || (fallback === avoid && pool !== avoid)) fallback = pool;
    }
    return fallback;
  }

  /** Waits for the first look-up; rejects with `UPSTREAM_NAME_NOT_RESOLVED` when it told no address. */
  async whenResolved(): Promise<void> {
    await this.#resolver.firstLookUp();
    if (this.#pools.length === 0) await this.#resolver.refreshNow();
    if (this.#pools.length > 0) return;
    throw new GatewayError("UPSTREAM_NAME_NOT_RESOLVED", `No address is known for ${this.options.host}.`);
  }

  setAside(pool: AddressPool, nowMs: number, reason: string): void {
    const isNews = pool.setAsideUntilMs <= nowMs;
    pool.setAsideUntilMs = nowMs + SET_ASIDE_MS;
    if (!isNews) return;
    const others = this.#pools.length - this.setAsideCount(nowMs);
    this.#events.onSetAside(this.options.id, pool.address, reason, others);
  }

  /** Takes nothing new; what runs may finish. */
  drain(): void {
    this.#resolver.close();
    for (const pool of this.#pools) pool.drain();
  }

  destroy(): void {
    this.#resolver.close();
    for (const pool of this.#pools) pool.destroy();
  }

  #setAddresses(addresses: readonly string[]): void {
    const before = this.#pools;
    const kept = new Map(before.map((pool) => [pool.address, pool]));
    this.#pools = addresses.map((address) => kept.get(address) ?? new AddressPool(this, address));
    const current = new Set(this.#pools);
    for (const pool of before) if (!current.has(pool)) pool.drain();
    this.#events.onDnsChange(
      this.options.id,
      addresses,
      before.map((pool) => pool.address),
    );
  }
}
