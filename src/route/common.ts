import type { CredentialsEvents, CredentialsSource } from "../credentials/source.js";
import type { LastingBudgets } from "../limits/budget.js";
import { createLocalBudgets } from "../limits/local-budgets.js";
import { KNOWN_PUBLIC_KEY_URL } from "../signing/callback.js";
import { NEXT_OF_EVENTS, writeSeldom } from "../telemetry/error-lines.js";
import type { Logger } from "../telemetry/log.js";
import type { Stats } from "../telemetry/stats.js";
import { PublicKeys } from "../transport/public-keys.js";
import { Upstream, type UpstreamEvents, type UpstreamOptions } from "../transport/upstream.js";
import { BudgetHoldings } from "./budgets.js";
import { Holdings } from "./holdings.js";
import { LoginHoldings } from "./logins.js";
import { type ClockState, UpstreamClock } from "./upstream-clock.js";

/** An upstream, and what its clock says of ours. */
export class UpstreamHolding {
  readonly upstream: Upstream;
  readonly clock: UpstreamClock;
  #isStarted = false;

  constructor(options: UpstreamOptions, events: UpstreamEvents, clock: UpstreamClock) {
    this.upstream = new Upstream(options, events);
    this.clock = clock;
  }

  /** Idempotent. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.upstream.start();
  }
}

/**
 * What the configurations of one process have in common, so that a reload keeps what it does not change: connections,
 * addresses and their health, clocks, credentials, budgets and who is in, what is known of passwords and keys.
 */
export class Common {
  readonly upstreams = new Holdings<UpstreamHolding>(({ upstream }) => upstream.destroy());
  readonly credentials = new Holdings<CredentialsSource>((source) => source.close());
  readonly logins = new LoginHoldings();
  readonly budgets: BudgetHoldings;
  readonly publicKeys: PublicKeys;
  readonly upstreamEvents: UpstreamEvents;
  readonly credentialsEvents: CredentialsEvents;
  readonly #log: Logger;
  /** By name, the sources that were asked for last, and why their last fetch failed. */
  readonly #sources = new Map<string, CredentialsSource>();
  readonly #failures = new Map<string, string>();

  /** @param budgets held elsewhere, and ended by whoever made them; absent: in this process */
  constructor(stats: Stats, log: Logger, budgets: LastingBudgets = createLocalBudgets()) {
    this.#log = log;
    this.budgets = new BudgetHoldings(budgets, log);
    this.publicKeys = new PublicKeys(keyOptions(log));
    this.upstreamEvents = upstreamEvents(stats, log);
    this.credentialsEvents = this.#credentialsEvents(stats, log);
  }

  createUpstream(options: UpstreamOptions): UpstreamHolding {
    const clock = new UpstreamClock(clockEvents(options.id, this.#log));
    return new UpstreamHolding(options, this.upstreamEvents, clock);
  }

  /** These are in use from here on. */
  useCredentials(sources: ReadonlyMap<string, CredentialsSource>): void {
    for (const name of this.#sources.keys()) if (!sources.has(name)) this.#failures.delete(name);
    this.#sources.clear();
    for (const [name, source] of sources) this.#sources.set(name, source);
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
        const isUsable = (this.#sources.get(credentials)?.current(Date.now()) ?? null) !== null;
        if (isUsable)
          log.warn(
            { credentials, cause, next: NEXT_OF_EVENTS.credentialsKept },
            "credentials were not refreshed, the last good ones stay in use until they expire",
          );
        else
          log.error(
            { credentials, cause, next: NEXT_OF_EVENTS.credentialsNone },
            "there are no valid credentials, and requests that need them are answered 503",
          );
      },
    };
  }
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
    onDnsFailure(bucket, error, known) {
      const event = known === 0 ? "dnsUnknown" : "dnsFailed";
      const fields = () => ({ bucket, cause: error.message, next: NEXT_OF_EVENTS[event] });
      writeSeldom(log, "warn", `${event}/${bucket}`, performance.now(), fields, MESSAGES[event]);
    },
    onSetAside(bucket, address, reason, others) {
      stats.upstream(bucket).setAside += 1;
      const event = others === 0 ? "lastAddressFailed" : "addressSetAside";
      const fields = () => ({ bucket, address, reason, next: NEXT_OF_EVENTS[event] });
      writeSeldom(log, "warn", `${event}/${bucket}/${address}/${reason}`, performance.now(), fields, MESSAGES[event]);
    },
  };
}

const MESSAGES = {
  dnsFailed: "upstream name was not resolved, the last addresses stay in use",
  dnsUnknown: "upstream name was not resolved, and requests for it fail: no address is known",
  addressSetAside: "upstream address set aside for 10 s",
  lastAddressFailed: "upstream address failed and is tried on: none that works is known",
} as const;

function clockEvents(bucket: string, log: Logger): (skewMs: number, state: ClockState) => void {
  return (skewMs, state) => {
    const fields = { bucket, skewSeconds: Math.round(skewMs / 1_000) };
    if (state === "agrees") log.info(fields, "the clock agrees with that of OSS again");
    else if (state === "corrected") {
      const next = NEXT_OF_EVENTS.clockOff;
      log.warn(
        { ...fields, next },
        "the clock differs from that of OSS; what the gateway signs has OSS's time, what clients sign has their own",
      );
    } else
      log.error(
        { ...fields, next: NEXT_OF_EVENTS.clockBeyond },
        "the clock differs from that of OSS by more than a day, and nothing is corrected",
      );
  };
}

function keyOptions(log: Logger): ConstructorParameters<typeof PublicKeys>[0] {
  return {
    known: [KNOWN_PUBLIC_KEY_URL],
    onFailure: (url, cause) =>
      log.warn(
        { url, cause, next: NEXT_OF_EVENTS.publicKeyFailed },
        "a public key of OSS's callbacks could not be had",
      ),
  };
}
