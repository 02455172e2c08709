import type { GatewayConfig } from "../config/gateway-config.js";
import type { TicketKeys } from "../server/ticket-keys.js";
import { type ListenerTls, openTls } from "../server/tls.js";
import type { Logger } from "../telemetry/log.js";
import type { Stats } from "../telemetry/stats.js";

/** TLS of a configuration's listeners, by their names. */
export type PlaneTls = ReadonlyMap<string, ListenerTls>;

interface PlaneTlsOptions {
  /** See `ListenerTlsOptions`. */
  readonly ticketKeys: TicketKeys;
  readonly stats: Stats;
  readonly log: Logger;
}

/** Reads the certificates of all listeners; rejects with one sentence when one cannot be had, and then none is watched. */
export async function openPlaneTls(
  config: GatewayConfig,
  { ticketKeys, stats, log }: PlaneTlsOptions,
): Promise<PlaneTls> {
  const opened = new Map<string, ListenerTls>();
  const { headerTimeoutMs } = config.limits;
  try {
    for (const { name, tls } of config.listeners) {
      if (tls === null) continue;
      const options = { name, tls, headerTimeoutMs, ticketKeys, stats: stats.listeners.of(name), log };
      opened.set(name, await openTls(options));
    }
    return opened;
  } catch (error) {
    closePlaneTls(opened);
    throw error;
  }
}

export function closePlaneTls(tls: PlaneTls): void {
  for (const one of tls.values()) one.close();
}
