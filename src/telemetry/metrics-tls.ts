import { counter, type Families, gauge } from "./metrics-kit.js";
import type { MetricsSource } from "./metrics-source.js";
import { mergeCertificateFiles, mergeCertificates } from "./process-report.js";
import { TLS_FAILURES } from "./stats.js";

/** TLS to clients: handshakes, and how long the certificates last. */
export function registerTls(families: Families, { stats, processes }: MetricsSource): void {
  const handshakesHelp = "TLS handshakes with clients that succeeded; resumed: by an earlier session.";
  counter(families, "ossgate_tls_handshakes_total", handshakesHelp, ["listener", "resumed"], (metric) => {
    for (const [listener, { tlsHandshakes, tlsResumed }] of stats.listeners) {
      metric.set({ listener, resumed: "false" }, tlsHandshakes - tlsResumed);
      metric.set({ listener, resumed: "true" }, tlsResumed);
    }
  });
  const failuresHelp = "TLS handshakes with clients that failed, by cause.";
  counter(families, "ossgate_tls_handshake_failures_total", failuresHelp, ["listener", "cause"], (metric) => {
    for (const [listener, { tlsFailures }] of stats.listeners) {
      metric.setEach({ listener }, "cause", TLS_FAILURES, tlsFailures);
    }
  });
  const expiryHelp = "Seconds until the certificate for this name expires, negative when it has.";
  gauge(families, "ossgate_certificate_expiry_seconds", expiryHelp, ["listener", "name"], (metric) => {
    for (const { listener, name, notAfterMs } of mergeCertificates(processes?.() ?? [])) {
      metric.set({ listener, name }, (notAfterMs - Date.now()) / 1_000);
    }
  });
  const shownHelp = "1 while clients are shown what the certificate's file has now; 0: it cannot be used.";
  gauge(families, "ossgate_certificate_current", shownHelp, ["listener", "file"], (metric) => {
    for (const { listener, file, isShown } of mergeCertificateFiles(processes?.() ?? [])) {
      metric.set({ listener, file }, isShown ? 1 : 0);
    }
  });
}
