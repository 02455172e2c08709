import type { GatewayConfig } from "../config/gateway-config.js";
import { createCredentialsSources } from "../credentials/create.js";
import type { CredentialsSource } from "../credentials/source.js";
import { inWords, maskedId, Report } from "./finding.js";
import { isServices, SERVICES_ALONE } from "./services-own.js";
import { within } from "./within.js";

/** What was fetched once; to be closed. */
export interface FetchedCredentials {
  readonly reports: readonly Report[];
  readonly sources: ReadonlyMap<string, CredentialsSource>;
  close(): void;
}

const SOON_MS = 5 * 60_000;

/** Fetches each of the credentials once. @throws Error never: what is wrong is in the reports */
export async function examineCredentials(config: GatewayConfig, timeoutMs: number): Promise<FetchedCredentials> {
  const { hidden, seen } = seenFromHere(config.credentials);
  const failures = new Map<string, string>();
  let sources: ReadonlyMap<string, CredentialsSource>;
  try {
    sources = createCredentialsSources(seen, {
      onRefreshed: (name) => void failures.delete(name),
      onRefreshFailed: (name, cause) => void failures.set(name, cause),
    });
  } catch (error) {
    const report = new Report("credentials");
    report.add("broken", "fetch", (error as Error).message, "Repair the configuration's credentials.");
    return { reports: [...hidden, report], sources: new Map(), close: () => {} };
  }
  const reports = await Promise.all(
    [...sources.values()].map(async (source) => {
      const report = new Report(`credentials ${source.name}`);
      const inTime = await within(source.start(), timeoutMs);
      examine(report, source, inTime ? failures.get(source.name) : `nothing came within ${timeoutMs} ms`);
      return report;
    }),
  );
  return {
    reports: [...hidden, ...reports],
    sources,
    close: () => {
      for (const source of sources.values()) source.close();
    },
  };
}

/** Apart from what systemd shows to the service alone, and what is asked for with that. */
function seenFromHere(credentials: GatewayConfig["credentials"]) {
  const seen = new Map(credentials);
  const hidden: Report[] = [];
  const hide = (name: string): void => {
    if (!seen.delete(name)) return;
    const report = new Report(`credentials ${name}`);
    report.add("skipped", "fetch", ...SERVICES_ALONE);
    hidden.push(report);
    for (const [asking, config] of credentials) if (config.type === "assumeRole" && config.from === name) hide(asking);
  };
  for (const [name, config] of credentials) {
    const path = config.type === "file" ? config.path : config.type === "oidcRole" ? config.tokenFile : null;
    if (path !== null && isServices(path, process.env, false)) hide(name);
  }
  return { seen, hidden };
}

function examine(report: Report, source: CredentialsSource, failure: string | undefined): void {
  const nowMs = Date.now();
  const current = source.current(nowMs);
  if (current === null) {
    const next = "Repair the source; run the doctor as the service's user and with its variables, or they differ.";
    report.add("broken", "fetch", failure ?? "there are none", next);
    return;
  }
  const { accessKeyId, expiresAtMs, securityToken } = current;
  const kind = securityToken === undefined ? "permanent key" : "temporary key";
  report.ok("fetch", `${kind} ${maskedId(accessKeyId)}`);
  if (expiresAtMs === undefined) return;
  const leftMs = expiresAtMs - nowMs;
  if (leftMs >= SOON_MS) report.ok("expiry", `in ${inWords(leftMs)}`);
  else report.add("warn", "expiry", `in ${inWords(leftMs)}`, "Look whether the source hands out fresh ones in time.");
}
