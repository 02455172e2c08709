import type { GatewayConfig, RouteConfig } from "../config/gateway-config.js";
import type { Denial } from "../core/errors.js";
import type { Budget, Budgets } from "./budget.js";

/** Refuses what OSS would throw away at random, routes of the lowest priority first. */
export interface Shed {
  /**
   * Takes one request from the quotas of the bucket and its accounts.
   * @param nowMs monotonic milliseconds
   * @returns `null` when it may go to OSS
   */
  take(nowMs: number): Denial | null;
  /** Books one more for a request that has taken one: another try, another document. */
  charge(nowMs: number): void;
}

/** `null`: neither the bucket nor an account of its sheds. */
export type FindShed = (routeName: string, bucketAlias: string) => Shed | null;

/** Somebody's quota of requests, with the routes that draw on it. */
interface Party {
  /** Of the budget. */
  readonly key: string;
  readonly requestsPerSecond: number;
  /** Aliases. */
  readonly buckets: ReadonlySet<string>;
}

/**
 * Made once per configuration. Routes of one priority share a rank; each rank leaves a part of the burst to those above
 * it, so under overload the higher ones find requests left, while a lower one alone may use the whole rate.
 */
export function compileShedding(
  config: Pick<GatewayConfig, "buckets" | "quotas" | "routes">,
  budgets: Pick<Budgets, "rate">,
): FindShed {
  const budgetsOf = new Map<string, Map<string, Budget[]>>();
  for (const party of partiesOf(config)) {
    for (const [{ name, target }, budget] of budgetsOfRoutes(party, config.routes, budgets)) {
      const ofRoute = budgetsOf.get(name) ?? new Map<string, Budget[]>();
      budgetsOf.set(name, ofRoute);
      const aliases = bucketsOf(target).filter((alias) => party.buckets.has(alias));
      for (const alias of aliases) ofRoute.set(alias, [...(ofRoute.get(alias) ?? []), budget]);
    }
  }
  const sheds = new Map(
    [...budgetsOf].map(([name, ofRoute]) => [
      name,
      new Map([...ofRoute].map(([alias, list]) => [alias, shedOf(list)] as const)),
    ]),
  );
  return (routeName, bucketAlias) => sheds.get(routeName)?.get(bucketAlias) ?? null;
}

function partiesOf({ buckets, quotas }: Pick<GatewayConfig, "buckets" | "quotas">): readonly Party[] {
  const parties: Party[] = [];
  for (const { alias, quota } of buckets.values()) {
    if (quota === null || !quota.shed || quota.requestsPerSecond === null) continue;
    parties.push({
      key: `shed/bucket/${alias}`,
      requestsPerSecond: quota.requestsPerSecond,
      buckets: new Set([alias]),
    });
  }
  for (const [name, quota] of quotas) {
    if (!quota.shed || quota.requestsPerSecond === null) continue;
    parties.push({
      key: `shed/account/${name}`,
      requestsPerSecond: quota.requestsPerSecond,
      buckets: new Set(quota.buckets),
    });
  }
  return parties;
}

/** A callback's route asks nothing of OSS. */
function bucketsOf(target: RouteConfig["target"]): readonly string[] {
  if (target.kind === "callback") return [];
  return target.kind === "bucket" ? [target.bucket] : target.buckets;
}

function budgetsOfRoutes(
  { key, requestsPerSecond, buckets }: Party,
  routes: readonly RouteConfig[],
  budgets: Pick<Budgets, "rate">,
): readonly (readonly [RouteConfig, Budget])[] {
  const own = routes.filter(({ target }) => bucketsOf(target).some((alias) => buckets.has(alias)));
  const priorities = [...new Set(own.map(({ priority }) => priority))].sort((a, b) => b - a);
  const burst = burstFor(requestsPerSecond, priorities.length);
  const ofRank = priorities.map((_, rank) =>
    budgets.rate({
      key,
      ratePerSecond: requestsPerSecond * USED_SHARE,
      burst,
      reserve: Math.floor((burst * rank) / priorities.length),
    }),
  );
  return own.map((route) => [route, ofRank[priorities.indexOf(route.priority)] as Budget]);
}

/**
 * A little is left below the threshold: OSS counts second by second, and requests that are tried again twice. At the
 * threshold itself, each second that is a request off would be one over it.
 */
const USED_SHARE = 0.98;

/**
 * What may come at once after a pause: a tenth of a second's requests. Where that is few, as many as a page asks for,
 * but no more than a second's, and one for each rank.
 */
function burstFor(requestsPerSecond: number, rankCount: number): number {
  const aPage = Math.min(Math.ceil(requestsPerSecond), 50);
  return Math.max(Math.ceil(requestsPerSecond / 10), aPage, rankCount);
}

const SHED: Denial = Object.freeze({
  code: "SHED",
  reason: "More requests arrive than OSS takes for this bucket or account (quota). Try again after a second.",
  headers: ["Retry-After", "1"],
});

function shedOf(budgets: readonly Budget[]): Shed {
  return {
    take(nowMs) {
      for (let i = 0; i < budgets.length; i += 1) {
        if ((budgets[i] as Budget).take(1, nowMs) === 0) continue;
        // What is refused uses up nothing of the others' quotas.
        for (let taken = 0; taken < i; taken += 1) (budgets[taken] as Budget).giveBack(1, nowMs);
        return SHED;
      }
      return null;
    },
    charge(nowMs) {
      for (const budget of budgets) budget.charge(1, nowMs);
    },
  };
}
