import { readFileSync } from "node:fs";
import type { GatewayConfig } from "../config/gateway-config.js";
import { Report } from "./finding.js";

/** What `engines` of the package says. */
const OLDEST_NODE: readonly [number, number, number] = [20, 18, 1];
/** Log files, sockets between processes, modules. */
const BESIDES_CONNECTIONS = 128;

/** The machine itself: Node's version, and how many files a process may open. */
export function examineMachine(config: GatewayConfig, version = process.version): Report {
  const report = new Report("machine");
  const isOld = compareVersions(version, OLDEST_NODE) < 0;
  if (isOld) report.add("broken", "Node", version, `Install Node ${OLDEST_NODE.join(".")} or later.`);
  else report.ok("Node", version);
  examineFileLimit(report, config, openFileLimit());
  return report;
}

function compareVersions(version: string, oldest: readonly number[]): number {
  const parts = version.replace(/^v/, "").split(".").map(Number);
  for (const [i, least] of oldest.entries()) {
    const difference = (parts[i] ?? 0) - least;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** @param limit `null`: unknown */
export function examineFileLimit(report: Report, { limits, buckets }: GatewayConfig, limit: number | null): void {
  if (limit === null) {
    report.skipped("open files", "this system does not tell its limit");
    return;
  }
  const upstream = [...buckets.values()].reduce((sum, { connections }) => sum + connections, 0);
  const needed = limits.connections + upstream + BESIDES_CONNECTIONS;
  const result = `${limit} may be open here, ${needed} may be needed (limits.connections, buckets.connections)`;
  if (limit >= needed) report.ok("open files", result);
  else {
    const next = `Set LimitNOFILE=${needed} or more in the service's unit (or ulimit -n), or lower limits.connections.`;
    report.add("warn", "open files", result, next);
  }
}

/** The soft limit of this process; `null` where the system does not tell it. */
function openFileLimit(): number | null {
  try {
    const text = readFileSync("/proc/self/limits", "utf8");
    const [, soft] = /^Max open files\s+(\S+)/m.exec(text) ?? [];
    if (soft === undefined) return null;
    return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return null;
  }
}
