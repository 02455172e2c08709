import { REFERER_REASONS } from "../policy/referer.js";
import { counter, type Families, gauge, type Samples } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { LIMIT_LABELS, limitedIndex, PARTY_LABELS, type RouteStats, refererIndex } from "./stats.js";

/** What the routes' policies refused, slowed down, or in a dry run only noticed. */
export function registerLimits(families: Families, source: MetricsSource): void {
  const routes = () => source.stats.routes.values();
  const limitedHelp = "What was over a limit, by what it is of and whose it is; enforced is false in a dry run.";
  counter(families, "ossgate_limited_total", limitedHelp, ["route", "party", "limit", "enforced"], (metric) => {
    for (const route of routes()) collectLimited(metric, route);
  });
  const refererHelp = "Referers that were refused, or would have been in mode: report.";
  counter(families, "ossgate_referer_refused_total", refererHelp, ["route", "reason", "enforced"], (metric) => {
    for (const route of routes()) collectReferers(metric, route);
  });
  const pacedHelp = "Transfers that run now and whose bandwidth is limited.";
  gauge(families, "ossgate_paced_transfers", pacedHelp, ["route", "direction"], (metric) => {
    for (const { route, pacedEgress, pacedIngress } of routes()) {
      metric.set({ route, direction: "egress" }, pacedEgress);
      metric.set({ route, direction: "ingress" }, pacedIngress);
    }
  });
  const sharedHelp = "1 while the server of shared limits answers; absent where none is shared.";
  gauge(families, "ossgate_limits_shared_up", sharedHelp, [], (metric) => {
    const isUp = source.sharedUp?.() ?? null;
    if (isUp !== null) metric.set(isUp ? 1 : 0);
  });
}

const ENFORCED = [false, true] as const;

function collectLimited(metric: Samples, { route, limited }: RouteStats): void {
  LIMIT_LABELS.forEach((limit, limitIndex) => {
    PARTY_LABELS.forEach((party, partyIndex) => {
      for (const enforced of ENFORCED) {
        const value = limited[limitedIndex(limitIndex, partyIndex, enforced)] as number;
        if (value > 0) metric.set({ route, party, limit, enforced: String(enforced) }, value);
      }
    });
  });
}

function collectReferers(metric: Samples, { route, refererRefusals }: RouteStats): void {
  REFERER_REASONS.forEach((reason, reasonIndex) => {
    for (const enforced of ENFORCED) {
      const value = refererRefusals[refererIndex(reasonIndex, enforced)] as number;
      if (value > 0) metric.set({ route, reason, enforced: String(enforced) }, value);
    }
  });
}
