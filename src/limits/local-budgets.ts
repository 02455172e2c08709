import { clientGroup } from "../policy/client-group.js";
import { TokenBucket } from "../policy/rate-limit.js";
import type { Budget, BudgetSpec, LastingBudgets } from "./budget.js";
import { type ClientMap, clientMap } from "./client-map.js";
import { KeptByKey } from "./kept-by-key.js";
import { LocalClientSlots, LocalSlots } from "./local-slots.js";

/** Budgets of this process alone: nothing is shared, nothing waits. */
export function createLocalBudgets(): LastingBudgets {
  const rates = new KeptByKey((spec: BudgetSpec) => new TokenBucket(spec.ratePerSecond, spec.burst));
  const clientRates = new KeptByKey((spec: BudgetSpec) => new ClientBuckets(spec));
  const slots = new KeptByKey((count: number) => new LocalSlots(count));
  const clientSlots = new KeptByKey((count: number) => new LocalClientSlots(count));
  return {
    rate: (spec) => leaving(rates.of(spec.key, spec), spec.reserve),
    ratePerClient(spec) {
      const buckets = clientRates.of(spec.key, spec);
      return (client) => leaving(buckets.of(clientGroup(client)), spec.reserve);
    },
    slots: (key, count) => slots.of(key, count),
    slotsPerClient(key, count) {
      const ofClients = clientSlots.of(key, count);
      return (client) => ofClients.of(clientGroup(client));
    },
    isSharedUp: null,
    resize(sizes, nowMs) {
      rates.resize(sizes.rates, (bucket, { ratePerSecond, burst }) => bucket.retune(ratePerSecond, burst, nowMs));
      clientRates.resize(sizes.clientRates, (buckets, spec) => buckets.resize(spec, nowMs));
      slots.resize(sizes.slots, (some, count) => some.resize(count));
      clientSlots.resize(sizes.clientSlots, (some, count) => some.resize(count));
    },
    keep(isUsed) {
      for (const kept of [rates, clientRates, slots, clientSlots]) kept.keep(isUsed);
    },
    close() {},
  };
}

/** A bucket for each client. */
class ClientBuckets {
  readonly of: ClientMap<TokenBucket>;
  #spec: BudgetSpec;

  constructor(spec: BudgetSpec) {
    this.#spec = spec;
    this.of = clientMap(() => new TokenBucket(this.#spec.ratePerSecond, this.#spec.burst));
  }

  resize(spec: BudgetSpec, nowMs: number): void {
    const { ratePerSecond, burst } = spec;
    if (ratePerSecond === this.#spec.ratePerSecond && burst === this.#spec.burst) return;
    this.#spec = spec;
    for (const bucket of this.of.all()) bucket.retune(ratePerSecond, burst, nowMs);
  }
}

function leaving(bucket: TokenBucket, reserve: number): Budget {
  return reserve > 0 ? new LeavingBudget(bucket, reserve) : bucket;
}

/** A bucket as seen by those who leave a part of it to others. */
class LeavingBudget implements Budget {
  readonly #bucket: TokenBucket;
  readonly #reserve: number;

  constructor(bucket: TokenBucket, reserve: number) {
    this.#bucket = bucket;
    this.#reserve = reserve;
  }

  take(count: number, nowMs: number): number {
    return this.#bucket.take(count, nowMs, this.#reserve);
  }

  takeUpTo(maxCount: number, nowMs: number): number {
    return this.#bucket.takeUpTo(maxCount, nowMs, this.#reserve);
  }

  charge(count: number, nowMs: number): void {
    this.#bucket.charge(count, nowMs);
  }

  giveBack(count: number, nowMs: number): void {
    this.#bucket.giveBack(count, nowMs);
  }
}
