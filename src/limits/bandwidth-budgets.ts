import type { Budget, Budgets } from "./budget.js";

/** Bytes per second; `null`: without limit. */
interface Bandwidth {
  readonly egressBytesPerSecond: number | null;
  readonly ingressBytesPerSecond: number | null;
}

export interface BandwidthOptions extends Bandwidth {
  readonly perClient: Bandwidth | null;
}

/** The budgets of one transfer of a client, by its address or group: of all clients first. Not empty. */
export type BudgetsOfTransfer = (client: string) => readonly Budget[];

/**
 * What may be sent to clients.
 * @param key of the budgets: `route/images`, `bucket/media`
 * @returns `null` when nothing is limited
 */
export function egressBudgets(key: string, options: BandwidthOptions, budgets: Budgets): BudgetsOfTransfer | null {
  const rates = { all: options.egressBytesPerSecond, each: options.perClient?.egressBytesPerSecond ?? null };
  return transferBudgets(key, "egress", rates, budgets);
}

/** What may be received from clients; see {@link egressBudgets}. */
export function ingressBudgets(key: string, options: BandwidthOptions, budgets: Budgets): BudgetsOfTransfer | null {
  const rates = { all: options.ingressBytesPerSecond, each: options.perClient?.ingressBytesPerSecond ?? null };
  return transferBudgets(key, "ingress", rates, budgets);
}

function transferBudgets(
  key: string,
  direction: "egress" | "ingress",
  { all, each }: { readonly all: number | null; readonly each: number | null },
  budgets: Budgets,
): BudgetsOfTransfer | null {
  const whole = all === null ? [] : [budgets.rate(byteSpec(`${key}/${direction}`, all))];
  if (each === null) return whole.length === 0 ? null : () => whole;
  const ofClient = budgets.ratePerClient(byteSpec(`${key}/client/${direction}`, each));
  // Allocates: once per transfer.
  return (client) => [...whole, ofClient(client)];
}

const BURST_S = 0.1;
/** Two TLS records' worth; below it a slow transfer would be cut into packets that are hardly filled. */
const MIN_BURST_BYTES = 16 * 1024;

function byteSpec(key: string, bytesPerSecond: number) {
  const burst = Math.max(Math.ceil(bytesPerSecond * BURST_S), MIN_BURST_BYTES);
  return { key, ratePerSecond: bytesPerSecond, burst, reserve: 0 };
}
