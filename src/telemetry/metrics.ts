import { collectDefaultMetrics, Registry } from "prom-client";
import { counter, gauge } from "./metrics-kit.js";
import { registerLimits } from "./metrics-limits.js";
import { registerRates } from "./metrics-rates.js";
import { registerRoutes } from "./metrics-routes.js";
import type { MetricsSource } from "./metrics-source.js";
import { registerThrottling } from "./metrics-throttling.js";
import { registerTls } from "./metrics-tls.js";
import { registerUpstreams } from "./metrics-upstreams.js";
import { createVtsMetrics } from "./metrics-vts.js";
import { registerWorkers } from "./metrics-workers.js";

export type { CredentialsGauges, MetricsSource, UpstreamGauges } from "./metrics-source.js";

/** The page that Prometheus reads. */
export interface MetricsPage {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** A page whose numbers are read from `Stats` when it is scraped, and at no other time. */
export function createMetrics(source: MetricsSource): MetricsPage {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerProcess(registry, source);
  registerRoutes(registry, source);
  registerLimits(registry, source);
  registerUpstreams(registry, source);
  registerThrottling(registry, source);
  registerCredentials(registry, source);
  registerTls(registry, source);
  registerWorkers(registry, source);
  registerRates(registry, source);
  const vts = createVtsMetrics(source);
  return {
    contentType: registry.contentType,
    async metrics() {
      const text = await registry.metrics();
      return source.compat?.() === "vts" ? `${text}\n${await vts.metrics()}` : text;
    },
  };
}

function registerProcess(registry: Registry, { stats, version, connectionsLimit }: MetricsSource): void {
  gauge(registry, "ossgate_build_info", "1, labelled with the version.", ["version", "node"], (metric) =>
    metric.set({ version, node: process.version }, 1),
  );
  gauge(registry, "ossgate_client_connections", "Open client connections.", [], (metric) =>
    metric.set(stats.openConnections),
  );
  const limitHelp = "Client connections that may be open: limits.connections.";
  gauge(registry, "ossgate_client_connections_limit", limitHelp, [], (metric) => {
    if (connectionsLimit !== undefined) metric.set(connectionsLimit());
  });
  counter(registry, "ossgate_client_connections_total", "Client connections accepted.", [], (metric) =>
    metric.set(stats.connectionsTotal),
  );
  counter(
    registry,
    "ossgate_client_connections_refused_total",
    "Client connections closed because limits.connections was reached.",
    [],
    (metric) => metric.set(stats.connectionsRefused),
  );
  counter(
    registry,
    "ossgate_log_lines_dropped_total",
    "Lines of both logs thrown away because their reader was too slow.",
    [],
    (metric) => metric.set(stats.droppedLogLines),
  );
}

function registerCredentials(registry: Registry, source: MetricsSource): void {
  const labels = ["credentials"];
  gauge(registry, "ossgate_credentials_valid", "1 while there are credentials to sign with.", labels, (metric) => {
    for (const { name, isValid } of source.credentials()) metric.set({ credentials: name }, isValid ? 1 : 0);
  });
  const expiryHelp = "Seconds until the credentials in use expire; absent for those that do not.";
  gauge(registry, "ossgate_credentials_expiry_seconds", expiryHelp, labels, (metric) => {
    for (const { name, expiresAtMs } of source.credentials()) {
      if (expiresAtMs !== null) metric.set({ credentials: name }, Math.max(0, (expiresAtMs - Date.now()) / 1_000));
    }
  });
  const refreshesHelp = "Times that credentials were fetched, by outcome.";
  counter(registry, "ossgate_credentials_refreshes_total", refreshesHelp, [...labels, "outcome"], (metric) => {
    for (const [credentials, stats] of source.stats.credentials) {
      metric.set({ credentials, outcome: "ok" }, stats.refreshesOk);
      metric.set({ credentials, outcome: "failed" }, stats.refreshesFailed);
    }
  });
}
