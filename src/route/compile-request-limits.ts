import type { BudgetConfig, GatewayConfig } from "../config/gateway-config.js";
import type { Budgets } from "../limits/budget.js";
import { compileRequestLimits, type RequestLimits } from "../limits/request-limits.js";
import { compileShedding, type Shed } from "../limits/shed.js";

/**
 * @param key of the budgets: `route/images`, `bucket/media`
 * @returns `null` when requests are not limited
 */
export function compileLimits(key: string, budget: BudgetConfig | null, budgets: Budgets): RequestLimits | null {
  return budget === null ? null : compileRequestLimits(key, budget, budgets);
}

/** What OSS's quotas leave, by the route's name; `null` for a route that never sheds. */
export type ShedsOfRoute = (routeName: string) => ((alias: string) => Shed | null) | null;

export function compileSheds(config: GatewayConfig, budgets: Budgets): ShedsOfRoute {
  const find = compileShedding(config, budgets);
  const aliases = [...config.buckets.keys()];
  return (routeName) => {
    const sheds = aliases.some((alias) => find(routeName, alias) !== null);
    return sheds ? (alias) => find(routeName, alias) : null;
  };
}
