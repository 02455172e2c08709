import { clientGroup } from "../policy/client-group.js";
import { TokenBucket } from "../policy/rate-limit.js";
import type { Budget, BudgetSpec, Budgets } from "./budget.js";
import { clientMap } from "./client-map.js";
import { LocalSlots, localSlotsPerClient } from "./local-slots.js";
import { isSameNumber, isSameRate, oncePerKey } from "./once-per-key.js";

/** Budgets of this process alone: nothing is shared, nothing waits. */
export function createLocalBudgets(): Budgets {
  const buckets = oncePerKey((_, spec: BudgetSpec) => bucketOf(spec), isSameRate);
  const clientBuckets = oncePerKey((_, spec: BudgetSpec) => clientMap(() => bucketOf(spec)), isSameRate);
  const slots = oncePerKey((_, count: number) => new LocalSlots(count), isSameNumber);
  const clientSlots = oncePerKey((_, count: number) => localSlotsPerClient(count), isSameNumber);
  return {
    rate: (spec) => leaving(buckets(spec.key, spec), spec.reserve),
    ratePerClient(spec) {
      const bucketFor = clientBuckets(spec.key, spec);
      return (client) => leaving(bucketFor(clientGroup(client)), spec.reserve);
    },
    slots: (key, count) => slots(key, count),
    slotsPerClient(key, count) {
      const slotsFor = clientSlots(key, count);
      return (client) => slotsFor(clientGroup(client));
    },
    isSharedUp: null,
    close() {},
  };
}

function bucketOf({ ratePerSecond, burst }: BudgetSpec): TokenBucket {
  return new TokenBucket(ratePerSecond, burst);
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
