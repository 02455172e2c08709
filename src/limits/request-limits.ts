import { type Denial, ERRORS, type ErrorCode } from "../core/errors.js";
import { clientGroup } from "../policy/client-group.js";
import type { Budget, Budgets, Slots } from "./budget.js";

/** Requests per second and at once; `null`: without limit. */
interface RequestRates {
  readonly requestsPerSecond: number | null;
  /** `null`: half a second's worth. */
  readonly burst: number | null;
  readonly connections: number | null;
}

/** What a route or a bucket takes of requests, all clients together and each. */
export interface RequestLimitsOptions extends RequestRates {
  readonly perClient: RequestRates | null;
  /** Of refusals. */
  readonly status: 429 | 503;
  /** Lets pass what would be refused. */
  readonly dryRun: boolean;
}

/** Why a request is over a limit. Frozen, shared by requests. */
export interface LimitVerdict {
  readonly denial: Denial;
  readonly limit: "requests" | "connections";
  readonly party: "all" | "client";
  /** The request passes all the same, and counts as entered. */
  readonly dryRun: boolean;
}

export interface RequestLimits {
  /** Whether the client's address matters. */
  readonly needsClient: boolean;
  /**
   * Asks the client's own limits first, so that what is refused to one client takes nothing from the others.
   * @param client its address or its group; anything where it does not matter
   * @param nowMs monotonic milliseconds
   * @returns `null` when the request has entered; a verdict without `dryRun` has taken nothing and must not leave
   */
  enter(client: string, nowMs: number): LimitVerdict | null;
  /** Ends a request that has entered; once for each, with the same client. */
  leave(client: string, nowMs: number): void;
  /** Books one more of the whole's rate for a request that has entered: it has caused another. */
  charge(nowMs: number): void;
  /** Ends a request that has entered and was refused elsewhere at once, as if it had not come. */
  undo(client: string, nowMs: number): void;
}

/**
 * Compiles the limits of requests of one route or bucket.
 * @param key of the budgets: `route/images`, `bucket/media`
 * @returns `null` when nothing is limited
 */
export function compileRequestLimits(
  key: string,
  options: RequestLimitsOptions,
  budgets: Budgets,
): RequestLimits | null {
  const { perClient } = options;
  const parts: Parts = {
    rate: hasRate(options) ? budgets.rate(rateSpec(`${key}/requests`, options)) : null,
    slots: options.connections === null ? null : budgets.slots(`${key}/connections`, options.connections),
    clientRate:
      perClient !== null && hasRate(perClient)
        ? budgets.ratePerClient(rateSpec(`${key}/client/requests`, perClient))
        : null,
    clientSlots:
      perClient === null || perClient.connections === null
        ? null
        : budgets.slotsPerClient(`${key}/client/connections`, perClient.connections),
  };
  if (Object.values(parts).every((part) => part === null)) return null;
  return options.dryRun ? new DryRunLimits(parts, options) : new EnforcedLimits(parts, options);
}

function hasRate(rates: RequestRates): rates is RequestRates & { readonly requestsPerSecond: number } {
  return rates.requestsPerSecond !== null;
}

function rateSpec(key: string, { requestsPerSecond, burst }: RequestRates & { readonly requestsPerSecond: number }) {
  return {
    key,
    ratePerSecond: requestsPerSecond,
    burst: burst ?? Math.max(1, Math.ceil(requestsPerSecond / 2)),
    reserve: 0,
  };
}

interface Parts {
  readonly rate: Budget | null;
  readonly slots: Slots | null;
  readonly clientRate: ((client: string) => Budget) | null;
  readonly clientSlots: ((client: string) => Slots) | null;
}

class EnforcedLimits implements RequestLimits {
  readonly needsClient: boolean;
  readonly #parts: Parts;
  readonly #verdicts: Verdicts;

  constructor(parts: Parts, options: RequestLimitsOptions) {
    this.needsClient = parts.clientRate !== null || parts.clientSlots !== null;
    this.#parts = parts;
    this.#verdicts = new Verdicts(options);
  }

  enter(client: string, nowMs: number): LimitVerdict | null {
    const { clientRate, clientSlots } = this.#parts;
    if (clientRate === null && clientSlots === null) return this.#enterWhole(nowMs);
    const group = clientGroup(client);
    const ownRate = clientRate?.(group) ?? null;
    const waitMs = ownRate?.take(1, nowMs) ?? 0;
    if (waitMs > 0) return this.#verdicts.requests("client", waitMs);
    const ownSlots = clientSlots?.(group) ?? null;
    if (ownSlots !== null && !ownSlots.take(nowMs)) {
      ownRate?.giveBack(1, nowMs);
      return this.#verdicts.connections("client");
    }
    const verdict = this.#enterWhole(nowMs);
    if (verdict !== null) {
      ownSlots?.release(nowMs);
      ownRate?.giveBack(1, nowMs);
    }
    return verdict;
  }

  #enterWhole(nowMs: number): LimitVerdict | null {
    const { rate, slots } = this.#parts;
    const waitMs = rate?.take(1, nowMs) ?? 0;
    if (waitMs > 0) return this.#verdicts.requests("all", waitMs);
    if (slots === null || slots.take(nowMs)) return null;
    rate?.giveBack(1, nowMs);
    return this.#verdicts.connections("all");
  }

  leave(client: string, nowMs: number): void {
    const { slots, clientSlots } = this.#parts;
    slots?.release(nowMs);
    if (clientSlots !== null) clientSlots(clientGroup(client)).release(nowMs);
  }

  charge(nowMs: number): void {
    this.#parts.rate?.charge(1, nowMs);
  }

  undo(client: string, nowMs: number): void {
    this.leave(client, nowMs);
    const { rate, clientRate } = this.#parts;
    rate?.giveBack(1, nowMs);
    if (clientRate !== null) clientRate(clientGroup(client)).giveBack(1, nowMs);
  }
}

/** Finds what {@link EnforcedLimits} would: what it would refuse takes nothing here either, though it runs. */
class DryRunLimits implements RequestLimits {
  readonly needsClient: boolean;
  readonly #limits: EnforcedLimits;
  /** By client, the running requests that would have been refused. Bounded by the connections of the gateway. */
  readonly #refused = new Map<string, number>();

  constructor(parts: Parts, options: RequestLimitsOptions) {
    this.#limits = new EnforcedLimits(parts, options);
    this.needsClient = this.#limits.needsClient;
  }

  enter(client: string, nowMs: number): LimitVerdict | null {
    const verdict = this.#limits.enter(client, nowMs);
    if (verdict !== null) {
      const group = this.#groupOf(client);
      this.#refused.set(group, (this.#refused.get(group) ?? 0) + 1);
    }
    return verdict;
  }

  leave(client: string, nowMs: number): void {
    if (!this.#hasLeft(client)) this.#limits.leave(client, nowMs);
  }

  charge(nowMs: number): void {
    this.#limits.charge(nowMs);
  }

  undo(client: string, nowMs: number): void {
    if (!this.#hasLeft(client)) this.#limits.undo(client, nowMs);
  }

  /** Which of a client's requests ends nobody can tell, nor does it matter: those that hold nothing go first. */
  #hasLeft(client: string): boolean {
    const group = this.#groupOf(client);
    const refused = this.#refused.get(group);
    if (refused === undefined) return false;
    if (refused > 1) this.#refused.set(group, refused - 1);
    else this.#refused.delete(group);
    return true;
  }

  #groupOf(client: string): string {
    return this.needsClient ? clientGroup(client) : "";
  }
}

/** When a slot becomes free nobody knows. */
const RETRY_FOR_SLOT_S = 1;
/** Nobody is sent away for longer; and so many verdicts are kept at most. */
const MAX_RETRY_AFTER_S = 120;

type Party = LimitVerdict["party"];

/** The verdicts of one limit: made when they are first needed, one for each second of `Retry-After`. */
class Verdicts {
  readonly #options: RequestLimitsOptions;
  readonly #requests: Readonly<Record<Party, LimitVerdict[]>> = { all: [], client: [] };
  readonly #connections: Readonly<Record<Party, LimitVerdict>>;

  constructor(options: RequestLimitsOptions) {
    this.#options = options;
    this.#connections = {
      all: verdictOf(options, "connections", "all", RETRY_FOR_SLOT_S),
      client: verdictOf(options, "connections", "client", RETRY_FOR_SLOT_S),
    };
  }

  requests(party: Party, waitMs: number): LimitVerdict {
    const seconds = Math.min(Math.max(1, Math.ceil(waitMs / 1000)), MAX_RETRY_AFTER_S);
    const known = this.#requests[party][seconds];
    if (known !== undefined) return known;
    const made = verdictOf(this.#options, "requests", party, seconds);
    this.#requests[party][seconds] = made;
    return made;
  }

  connections(party: Party): LimitVerdict {
    return this.#connections[party];
  }
}

const CODES = { requests: "RATE_LIMITED", connections: "TOO_MANY_CONNECTIONS" } as const satisfies Record<
  LimitVerdict["limit"],
  ErrorCode
>;

const REASONS: Readonly<Record<LimitVerdict["limit"], Readonly<Record<Party, string>>>> = {
  requests: {
    all: "More requests come here than this gateway lets pass. Try again after the seconds of Retry-After.",
    client: "Your address sends more requests than this gateway lets pass. Try again after the seconds of Retry-After.",
  },
  connections: {
    all: "More requests run here at once than this gateway lets run. Try again after the seconds of Retry-After.",
    client: "Your address has more requests running than this gateway lets run at once. Wait until one has ended.",
  },
};

function verdictOf(
  { status, dryRun }: RequestLimitsOptions,
  limit: LimitVerdict["limit"],
  party: Party,
  retryAfterS: number,
): LimitVerdict {
  const code = CODES[limit];
  const row = ERRORS[code];
  const denial: Denial = {
    code,
    reason: REASONS[limit][party],
    headers: Object.freeze(["Retry-After", String(retryAfterS)]),
    ...(row.status === status ? {} : { oss: Object.freeze({ status, code: row.ossCode, ec: null, elements: [] }) }),
  };
  return Object.freeze({ denial: Object.freeze(denial), limit, party, dryRun });
}
