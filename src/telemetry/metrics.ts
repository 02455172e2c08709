import { collectDefaultMetrics, Registry } from "prom-client";
import { LOSS_CAUSES } from "./log-losses.js";
import { counter, Families, gauge } from "./metrics-kit.js";
import { registerLimits } from "./metrics-limits.js";
import { registerFleet } from "./metrics-process.js";
import { registerRates } from "./metrics-rates.js";
import { registerRoutes } from "./metrics-routes.js";
import type { MetricsSource } from "./metrics-source.js";
import { registerThrottling } from "./metrics-throttling.js";
import { registerTls } from "./metrics-tls.js";
import { registerUpstreams } from "./metrics-upstreams.js";
import { createVtsMetrics } from "./metrics-vts.js";
import { registerWorkers } from "./metrics-workers.js";
import { TextPage } from "./text-page.js";

export type { CredentialsGauges, MetricsSource, UpstreamGauges } from "./metrics-source.js";

/** The page that Prometheus reads. */
export interface MetricsPage {
  readonly contentType: string;
  metrics(): Promise<string>;
  /** The same in UTF-8, at less cost. */
  bytes(): Promise<Buffer>;
}

/** A page whose numbers are read from `Stats` when it is scraped, and at no other time. */
export function createMetrics(source: MetricsSource): MetricsPage {
  const ofThisProcess = new Registry();
  collectDefaultMetrics({ register: ofThisProcess });
  const families = new Families();
  registerProcess(families, source);
  registerRoutes(families, source);
  registerLimits(families, source);
  registerUpstreams(families, source);
  registerThrottling(families, source);
  registerCredentials(families, source);
  registerTls(families, source);
  registerWorkers(families, source);
  registerRates(families, source);
  if (source.fleet !== undefined) registerFleet(families, source.fleet);
  const vts = createVtsMetrics(source);
  const bytes = async (): Promise<Buffer> => {
    const page = new TextPage();
    families.print(page);
    if (source.compat?.() === "vts") vts.print(page);
    page.add(await ofThisProcess.metrics());
    return page.bytes();
  };
  return {
    contentType: ofThisProcess.contentType,
    metrics: async () => (await bytes()).toString(),
    bytes,
  };
}

function registerProcess(families: Families, { stats, version, connectionsLimit }: MetricsSource): void {
  gauge(families, "ossgate_build_info", "1, labelled with the version.", ["version", "node"], (metric) =>
    metric.set({ version, node: process.version }, 1),
  );
  gauge(families, "ossgate_client_connections", "Open client connections.", [], (metric) =>
    metric.set(stats.openConnections),
  );
  const limitHelp = "Client connections that may be open: limits.connections.";
  gauge(families, "ossgate_client_connections_limit", limitHelp, [], (metric) => {
    if (connectionsLimit !== undefined) metric.set(connectionsLimit());
  });
  counter(families, "ossgate_client_connections_total", "Client connections accepted.", [], (metric) =>
    metric.set(stats.connectionsTotal),
  );
  counter(
    families,
    "ossgate_client_connections_refused_total",
    "Client connections closed because limits.connections was reached.",
    [],
    (metric) => metric.set(stats.connectionsRefused),
  );
  counter(
    families,
    "ossgate_log_lines_dropped_total",
    "Lines of both logs that were lost: behind, their reader is too slow; full, the disk is; failed, another error.",
    ["cause"],
    (metric) => metric.setEach({}, "cause", LOSS_CAUSES, stats.logLosses.lines),
  );
}

function registerCredentials(families: Families, source: MetricsSource): void {
  const labels = ["credentials"];
  gauge(families, "ossgate_credentials_valid", "1 while there are credentials to sign with.", labels, (metric) => {
    for (const { name, isValid } of source.credentials()) metric.set({ credentials: name }, isValid ? 1 : 0);
  });
  const expiryHelp = "Seconds until the credentials in use expire; absent for those that do not.";
  gauge(families, "ossgate_credentials_expiry_seconds", expiryHelp, labels, (metric) => {
    for (const { name, expiresAtMs } of source.credentials()) {
      if (expiresAtMs !== null) metric.set({ credentials: name }, Math.max(0, (expiresAtMs - Date.now()) / 1_000));
    }
  });
  const refreshesHelp = "Times that credentials were fetched, by outcome.";
  counter(families, "ossgate_credentials_refreshes_total", refreshesHelp, [...labels, "outcome"], (metric) => {
    for (const [credentials, stats] of source.stats.credentials) {
      metric.set({ credentials, outcome: "ok" }, stats.refreshesOk);
      metric.set({ credentials, outcome: "failed" }, stats.refreshesFailed);
    }
  });
}
