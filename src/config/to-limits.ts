import type { AccountQuotaConfig, BudgetConfig, QuotaConfig, RatesConfig } from "./gateway-config.js";
import type { ParsedConfig } from "./schema.js";

type ParsedBudget = ParsedConfig["buckets"][string]["limits"];
type ParsedRates = NonNullable<ParsedBudget["perClient"]>;
type ParsedQuota = NonNullable<ParsedConfig["buckets"][string]["quota"]>;
type ParsedAccountQuota = ParsedConfig["quotas"][string];

/** `null` when nothing is limited. */
export function toBudget(parsed: ParsedBudget): BudgetConfig | null {
  const { status, dryRun } = parsed;
  const whole = toRates(parsed);
  const perClient = parsed.perClient === undefined ? null : toRates(parsed.perClient);
  const budget = { ...whole, perClient: perClient !== null && limits(perClient) ? perClient : null, status, dryRun };
  return limits(whole) || budget.perClient !== null ? budget : null;
}

function limits(rates: RatesConfig): boolean {
  return [rates.requestsPerSecond, rates.connections, rates.egressBytesPerSecond, rates.ingressBytesPerSecond].some(
    (rate) => rate !== null,
  );
}

/** Half a second's worth: browsers ask for what a page needs at once. */
const BURST_SECONDS = 0.5;

function toRates({ requests, burst, connections, egress, ingress }: ParsedRates): RatesConfig {
  return {
    requestsPerSecond: requests ?? null,
    burst: requests === undefined ? null : (burst ?? Math.max(1, Math.ceil(requests * BURST_SECONDS))),
    connections: connections ?? null,
    egressBytesPerSecond: egress ?? null,
    ingressBytesPerSecond: ingress ?? null,
  };
}

export function toQuota({ requests, egress, ingress, shed }: ParsedQuota): QuotaConfig {
  return {
    requestsPerSecond: requests ?? null,
    egressBytesPerSecond: egress ?? null,
    ingressBytesPerSecond: ingress ?? null,
    shed,
  };
}

/** @param aliases of all buckets, which an account has that names none */
export function toAccountQuota(parsed: ParsedAccountQuota, aliases: readonly string[]): AccountQuotaConfig {
  return { buckets: parsed.buckets ?? aliases, ...toQuota(parsed) };
}
