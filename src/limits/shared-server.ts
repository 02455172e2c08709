import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import type { Secret } from "../core/secret.js";

export interface SharedServerOptions {
  /** `redis:` or `rediss:`; its path is the number of the database. */
  readonly url: URL;
  readonly password: Secret | null;
  /** Of all keys there. */
  readonly prefix: string;
  /**
   * Told each time that the server begins or ceases to answer, and at first in any case.
   * @param reason why it does not, without any secret; `""` when it does
   */
  onState(isUp: boolean, reason: string): void;
}

interface Observer {
  /** Told when the number of processes that share is another one. */
  onSharers(sharers: number): void;
}

/** An answer that takes longer is none: a process has credit for about so long. */
const COMMAND_TIMEOUT_MS = 100;
const CONNECT_TIMEOUT_MS = 1_000;
const MAX_RECONNECT_MS = 2_000;
const ANNOUNCE_MS = 1_000;
/** Who has not announced itself for so long has gone. */
const GONE_MS = 3 * ANNOUNCE_MS;
/** How often a server that is connected and does not answer is asked whether it does. */
const PROBE_MS = 250;
/** A connection on which nothing comes for longer than three announcements is dead. */
const SOCKET_TIMEOUT_MS = GONE_MS;

/** By the server's clock, since those of machines differ. */
const ANNOUNCE_SCRIPT = `
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return redis.call('ZCARD', KEYS[1])`;

interface AnnouncingClient {
  /** @returns how many processes share */
  ossgateAnnounce(key: string, id: string, goneMs: number): Promise<number>;
}

/**
 * The connection to the Redis or Valkey server of shared budgets: whether it answers, and how many processes share.
 * No call on it waits for a connection, and it comes back by itself.
 */
export class SharedServer {
  readonly client: Redis;
  /** Settles when it is known for the first time whether the server answers; never rejects. */
  readonly started: Promise<void>;
  readonly #options: SharedServerOptions & Observer;
  readonly #id = randomUUID();
  readonly #key: string;
  #isUp: boolean | null = null;
  #sharers = 1;
  #lastError = "The connection is closed.";
  #timer: NodeJS.Timeout | null = null;
  #isAnnouncing = false;
  #isClosed = false;
  #onStarted: () => void = () => {};

  constructor(options: SharedServerOptions & Observer) {
    this.#options = options;
    this.#key = `${options.prefix}:sharers`;
    this.started = new Promise((resolve) => {
      this.#onStarted = resolve;
    });
    this.client = connect(options);
    this.client.defineCommand("ossgateAnnounce", { numberOfKeys: 1, lua: ANNOUNCE_SCRIPT });
    this.client.on("ready", () => void this.#announce());
    this.client.on("error", (error: Error) => {
      this.#lastError = error.message;
    });
    this.client.on("close", () => this.#change(false));
  }

  get isUp(): boolean {
    return this.#isUp === true;
  }

  /** How many processes of all machines share, or did when that was last known; this one included, at least 1. */
  get sharers(): number {
    return this.#sharers;
  }

  /** A command failed: finds out whether the server does. */
  suspect(): void {
    void this.#announce();
  }

  /** Also tells the others that this process has gone, if the server answers. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.isUp) await this.client.zrem(this.#key, this.#id).catch(() => {});
    this.client.disconnect();
    this.#onStarted();
  }

  async #announce(): Promise<void> {
    if (this.#isAnnouncing || this.#isClosed) return;
    this.#isAnnouncing = true;
    try {
      const client = this.client as Redis & AnnouncingClient;
      this.#count(await client.ossgateAnnounce(this.#key, this.#id, GONE_MS));
      this.#change(true);
    } catch (error) {
      this.#lastError = error instanceof Error ? error.message : "The server's answer is not understood.";
      this.#change(false);
    }
    this.#isAnnouncing = false;
    this.#announceLater();
  }

  #count(sharers: number): void {
    if (this.#isClosed || sharers === this.#sharers) return;
    this.#sharers = Math.max(1, sharers);
    this.#options.onSharers(this.#sharers);
  }

  /** While there is no connection, `ready` begins anew. */
  #announceLater(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isClosed || this.client.status !== "ready") return;
    this.#timer = setTimeout(() => void this.#announce(), this.isUp ? ANNOUNCE_MS : PROBE_MS).unref();
  }

  #change(isUp: boolean): void {
    if (this.#isClosed || this.#isUp === isUp) return;
    this.#isUp = isUp;
    this.#options.onState(isUp, isUp ? "" : this.#lastError);
    this.#onStarted();
  }
}

function connect({ url, password }: SharedServerOptions): Redis {
  return new Redis({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 6379 : Number(url.port),
    db: Number(url.pathname.slice(1)),
    ...(password === null ? {} : { password: password.reveal() }),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
    // What this asks of the server, every version that is still about can do.
    protocol: 2,
    disableClientInfo: true,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), MAX_RECONNECT_MS),
    // The name may lead to another server by now.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
  });
}
