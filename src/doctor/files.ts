import type { GatewayConfig, ListenerConfig, TlsConfig } from "../config/gateway-config.js";
import { CertificateReader } from "../server/certificates.js";
import { examineHosts, hostsOn } from "./certificate-hosts.js";
import { inWords, Report } from "./finding.js";
import type { Inspected } from "./inspected.js";
import { inspectFiles } from "./named-files.js";
import { isServices, SERVICES_ALONE } from "./services-own.js";
import { whyUnseen } from "./unseen-certificates.js";

const DAY_MS = 86_400_000;
/** ACME renews a month before the end. */
const SOON_MS = 21 * DAY_MS;

/** Looked at on their own, in more depth. */
const ELSEWHERE: ReadonlySet<string> = new Set(["certificate", "credentials"]);

/** Files and variables that the configuration names: authorities, certificates, passwords, secrets, directories of logs. */
export async function examineFiles(config: GatewayConfig, nowMs: number): Promise<readonly Report[]> {
  const files = new Report("files");
  const inspected = await inspectFiles(config, { env: process.env, nowMs, isService: false });
  for (const one of inspected) if (!ELSEWHERE.has(one.check)) tell(files, one);
  const listeners = await Promise.all(
    config.listeners.map((listener) => examineListener(listener, hostsOn(config, listener.name), nowMs)),
  );
  return [files, ...listeners];
}

function tell(report: Report, { path, where, check, level, result, next }: Inspected): void {
  // The service's variables may be others than the doctor's.
  const isDoctorsOwn = level === "broken" && path.at(-1) === "env";
  report.add(isDoctorsOwn ? "warn" : level, check, `${where}: ${result}`, next);
}

async function examineListener({ name, tls }: ListenerConfig, hosts: readonly string[], nowMs: number) {
  const report = new Report(`listener ${name}`);
  if (tls === null) return report;
  const seen = seenFromHere(report, tls);
  // Those that are not seen may be for any of them.
  const isWhole = seen.certificates.length === tls.certificates.length;
  await examineCertificates(report, seen, { hosts: isWhole ? hosts : [], nowMs });
  return report;
}

function seenFromHere(report: Report, tls: TlsConfig): TlsConfig {
  const isHidden = (path: string | null): boolean => path !== null && isServices(path, process.env, false);
  const certificates = tls.certificates.filter(({ certFile, keyFile, directory }) => {
    const hidden = [certFile, keyFile, directory].find(isHidden);
    if (hidden !== undefined)
      report.add("skipped", "certificate", `${hidden}: ${SERVICES_ALONE[0]}`, SERVICES_ALONE[1]);
    return hidden === undefined;
  });
  return { ...tls, certificates, clientCaFile: null };
}

interface Shown {
  readonly hosts: readonly string[];
  readonly nowMs: number;
}

async function examineCertificates(report: Report, tls: TlsConfig, { hosts, nowMs }: Shown): Promise<void> {
  if (tls.certificates.length === 0) return;
  const reader = new CertificateReader(tls);
  try {
    const certificates = await reader.read(true);
    for (const problem of reader.problems)
      report.add("warn", "certificate", problem, "Repair the file, or take it away.");
    if (certificates.held.length === 0) await reportNone(report, tls);
    for (const { pair } of certificates.held) {
      const names = [...pair.names, ...pair.addresses].join(", ");
      examineExpiry(report, `${pair.file} (${names})`, pair.notAfterMs - nowMs);
    }
    examineHosts(report, hosts, certificates);
  } catch (error) {
    report.add(
      "broken",
      "certificate",
      (error as Error).message,
      "Repair the file: the gateway does not start without it.",
    );
  }
}

async function reportNone(report: Report, { certificates }: TlsConfig): Promise<void> {
  const directories = certificates.flatMap(({ directory }) => (directory === null ? [] : [directory]));
  const reasons = (await Promise.all(directories.map(whyUnseen))).filter((one) => one !== null);
  for (const { result, next } of reasons) report.add("broken", "certificate", result, next);
  if (reasons.length > 0) return;
  report.add("broken", "certificate", "there is none", "Have one made (certbot, acme.sh), or name the files.");
}

function examineExpiry(report: Report, what: string, leftMs: number): void {
  if (leftMs <= 0) {
    report.add(
      "broken",
      "certificate",
      `${what} expired ${inWords(leftMs)} ago`,
      "Renew it; the gateway takes the new one by itself.",
    );
  } else if (leftMs < SOON_MS) {
    report.add("warn", "certificate", `${what} expires in ${inWords(leftMs)}`, "Look why it was not renewed yet.");
  } else report.ok("certificate", `${what} is good for ${inWords(leftMs)}`);
}
