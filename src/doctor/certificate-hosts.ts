import { isIP } from "node:net";
import type { GatewayConfig } from "../config/gateway-config.js";
import { canonicalIpv6 } from "../core/host.js";
import type { Certificates } from "../server/certificates.js";
import type { Report } from "./finding.js";

/** Names in one line of the table. */
const MAX_SHOWN = 4;

/** Whether what a listener shows is for the hosts that its routes answer to: browsers and SDKs refuse anything else. */
export function examineHosts(report: Report, hosts: readonly string[], certificates: Certificates): void {
  if (certificates.held.length === 0 || hosts.length === 0) return;
  const bare = hosts.filter((host) => !isCovered(host, certificates));
  if (bare.length === 0) {
    report.ok("hosts", `the certificates are for ${few(hosts)}`);
    return;
  }
  const next =
    "Have a certificate made that names them, or keep their routes off this listener (match.listeners): clients refuse the one that they are shown.";
  const level = bare.length === hosts.length ? "broken" : "warn";
  report.add(level, "hosts", `no certificate is for ${few(bare)}`, next);
}

/** What routes answer to on a listener, each once. */
export function hostsOn({ routes }: GatewayConfig, listener: string): readonly string[] {
  const own = routes.filter(({ match }) => match.listeners?.includes(listener) ?? true);
  return [...new Set(own.flatMap(({ match }) => match.hosts))];
}

function isCovered(host: string, certificates: Certificates): boolean {
  if (isIP(host) !== 0) {
    const address = canonicalIpv6(host);
    return certificates.held.some(({ pair }) => pair.addresses.includes(address));
  }
  const pair = certificates.forName(host);
  const wildcard = `*${host.slice(host.indexOf("."))}`;
  return pair !== null && (pair.names.includes(host) || (host.includes(".") && pair.names.includes(wildcard)));
}

function few(hosts: readonly string[]): string {
  const shown = hosts.slice(0, MAX_SHOWN).join(", ");
  return hosts.length <= MAX_SHOWN ? shown : `${shown} and ${hosts.length - MAX_SHOWN} more`;
}
