import type { RecordWithTtl } from "node:dns";
import { Resolver as DnsResolver, lookup } from "node:dns/promises";
import { isIP } from "node:net";

export interface ResolverOptions {
  /** A name, or an address literal, which is never looked up. */
  readonly host: string;
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** `ip` or `ip:port`; empty: the system's resolver, hosts file included. */
  readonly servers: readonly string[];
  /** Not empty: these and no look-up. */
  readonly addresses: readonly string[];
}

/** An answer of a look-up: addresses and how long they hold, or `null` where the source tells no TTL. */
export interface ResolvedName {
  readonly addresses: readonly string[];
  readonly ttlMs: number | null;
}

export type LookUp = (host: string) => Promise<ResolvedName>;

export interface ResolverEvents {
  /** The set of addresses is known or has changed. Sorted, never empty. */
  onAddresses(addresses: readonly string[]): void;
  onLookUp(outcome: "ok" | "failed"): void;
  onFailure(error: Error): void;
}

/** Node's timers, or a test's. */
export interface TimerSource {
  set(callback: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

const NODE_TIMERS: TimerSource = {
  set: (callback, delayMs) => setTimeout(callback, delayMs).unref(),
  clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/**
 * Keeps the addresses of one name current for as long as it runs: looks it up again when its TTL has passed, between
 * `minTtlMs` and `maxTtlMs`. A failed look-up keeps the last good set and is repeated after `minTtlMs`.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #events: ResolverEvents;
  readonly #lookUp: LookUp;
  readonly #timers: TimerSource;
  #timer: unknown = null;
  #addresses: readonly string[] = [];
  #closed = false;
  #firstLookUp: Promise<void> | null = null;
  #running: Promise<void> | null = null;

  constructor(options: ResolverOptions, events: ResolverEvents, lookUp?: LookUp, timers: TimerSource = NODE_TIMERS) {
    this.#options = options;
    this.#events = events;
    this.#lookUp = lookUp ?? (options.servers.length > 0 ? lookUpAt(options.servers) : lookUpBySystem);
    this.#timers = timers;
  }

  /** Makes the addresses known where no look-up is needed, and begins to look up otherwise. */
  start(): void {
    const { host, addresses } = this.#options;
    if (addresses.length > 0) this.#take(addresses);
    else if (isIP(host) !== 0) this.#take([host]);
    else this.#firstLookUp = this.#refresh();
  }

  /** Resolves when the first look-up has ended, well or not; at once when none is needed. */
  async firstLookUp(): Promise<void> {
    await this.#firstLookUp;
  }

  /** Looks the name up now instead of when its TTL ends; resolves when that is done. */
  async refreshNow(): Promise<void> {
    if (this.#firstLookUp === null || this.#closed) return;
    this.#timers.clear(this.#timer);
    await this.#refresh();
  }

  close(): void {
    this.#closed = true;
    this.#timers.clear(this.#timer);
  }

  /** One look-up at a time, and one timer after it, however many requests wait for it. */
  #refresh(): Promise<void> {
    this.#running ??= this.#lookUpOnce().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #lookUpOnce(): Promise<void> {
    let delayMs = this.#options.minTtlMs;
    try {
      const { addresses, ttlMs } = await this.#lookUp(this.#options.host);
      if (this.#closed) return;
      if (addresses.length === 0) throw new Error(`${this.#options.host} has no address`);
      this.#events.onLookUp("ok");
      this.#take(addresses);
      // The system's resolver tells no TTL: it is asked often, since it caches for itself and the answer may change at once.
      if (ttlMs !== null) delayMs = Math.min(Math.max(ttlMs, delayMs), this.#options.maxTtlMs);
    } catch (error) {
      if (this.#closed) return;
      this.#events.onLookUp("failed");
      this.#events.onFailure(error as Error);
    }
    this.#timer = this.#timers.set(() => void this.#refresh(), delayMs);
  }

  #take(addresses: readonly string[]): void {
    const sorted = [...new Set(addresses)].sort();
    if (sorted.join() === this.#addresses.join()) return;
    this.#addresses = sorted;
    this.#events.onAddresses(sorted);
  }
}

async function lookUpBySystem(host: string): Promise<ResolvedName> {
  const found = await lookup(host, { all: true });
  return { addresses: found.map((entry) => entry.address), ttlMs: null };
}

/** What a server says about a name that has no records of the type, as against a failure to tell. */
const NO_RECORDS: ReadonlySet<unknown> = new Set(["ENODATA", "ENOTFOUND"]);

/**
 * Asks the given DNS servers for A and AAAA records, whose TTLs they tell. Where only one of the two questions fails,
 * its last good answer stands.
 */
function lookUpAt(servers: readonly string[]): LookUp {
  const resolver = new DnsResolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([...servers]);
  const lastGood: RecordWithTtl[][] = [[], []];
  return async (host) => {
    const answers = await Promise.allSettled([
      resolver.resolve4(host, { ttl: true }),
      resolver.resolve6(host, { ttl: true }),
    ]);
    const failed = answers.filter((answer) => answer.status === "rejected");
    if (failed.length === answers.length) throw failed[0]?.reason;
    for (const [index, answer] of answers.entries()) {
      if (answer.status === "fulfilled") lastGood[index] = answer.value;
      else if (NO_RECORDS.has(answer.reason.code)) lastGood[index] = [];
    }
    const records = lastGood.flat();
    if (records.length === 0) return { addresses: [], ttlMs: null };
    const ttlMs = Math.min(...records.map((record) => record.ttl)) * 1_000;
    return { addresses: records.map((record) => record.address), ttlMs };
  };
}
