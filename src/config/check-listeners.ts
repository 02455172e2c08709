import { isIPv6 } from "node:net";
import { addressesOverlap, formatSocketAddress } from "./address.js";
import type { ListenAddress, SocketAddress } from "./gateway-config.js";
import type { ConfigDraft, Report } from "./report.js";
import { isLoopback } from "./values-credentials.js";

/** Names and addresses of listeners, and the admin address, which clients must not reach. */
export function checkListeners(draft: ConfigDraft, report: Report): void {
  const listeners = draft.listeners ?? [];
  listeners.forEach((listener, index) => {
    const path = ["listeners", index] as const;
    const sameName = listeners.findIndex((other) => other?.name !== undefined && other.name === listener?.name);
    if (sameName !== -1 && sameName < index) {
      const hint = `listeners[${sameName}] has this name.`;
      report.problem([...path, "name"], { expected: "a name that no other listener has", hint });
    }
    const before = listeners.slice(0, index).findIndex((other) => overlap(other?.address, listener?.address));
    if (before === -1) return;
    report.problem([...path, "address"], {
      expected: "an address that no other listener takes",
      hint: overlapHint(`listeners[${before}]`, listeners[before]?.address),
    });
  });
  checkAdmin(draft, report);
  checkProxies(draft, report);
  checkAdminSecrets(draft, report);
}

function checkAdminSecrets({ admin }: ConfigDraft, report: Report): void {
  const has = (key: string): boolean => report.source.has(["admin", key]);
  if (has("readerSecret") && !has("bearerSecret")) {
    report.problem(["admin", "readerSecret"], {
      expected: "bearerSecret with readerSecret",
      found: "readerSecret alone",
      hint: "It is there to give away less than bearerSecret opens.",
    });
  } else if (admin?.readerSecret !== undefined && isSame(admin.readerSecret, admin.bearerSecret)) {
    report.problem(["admin", "readerSecret"], {
      expected: "another secret than bearerSecret",
      found: "the same",
      hint: "Who reads metrics could reload the program, and have links and signatures made.",
    });
  }
  const host = admin?.address?.host;
  if (host === undefined || isLoopback(isIPv6(host) ? `[${host}]` : host)) return;
  if (has("bearerSecret")) warnAboutPlainBearer(report);
  else {
    report.problem(["admin", "address"], {
      expected: "a loopback address, 127.0.0.1:9180 say, or admin.bearerSecret",
      hint: "Others than this machine reach it there, and it shows the configuration and reloads it.",
    });
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The admin listener has no TLS, and whoever has the secret has links and signatures made. */
function warnAboutPlainBearer(report: Report): void {
  report.warning(["admin", "address"], {
    expected: "an address of this machine alone, with admin.bearerSecret",
    hint: "It is plain HTTP: whoever reads it on the way gets the secret, and signatures with it.",
  });
}

/** Whoever may name the client's address may be any client. */
function checkProxies({ listeners, trustedProxies }: ConfigDraft, report: Report): void {
  report.repeats(["trustedProxies"], trustedProxies);
  trustedProxies?.forEach((network, index) => {
    if (network?.endsWith("/0") !== true) return;
    const hint = "Every client could say that it has any address.";
    report.warning(["trustedProxies", index], { expected: "networks of your own proxies", hint });
  });
  if (trustedProxies?.length !== 0) return;
  listeners?.forEach((listener, index) => {
    if (listener?.proxyProtocol !== true) return;
    report.warning(["listeners", index, "proxyProtocol"], {
      expected: "trustedProxies with proxyProtocol",
      found: "none",
      hint: "No connection's PROXY header is believed until they are named.",
    });
  });
}

function checkAdmin(draft: ConfigDraft, report: Report): void {
  const address = draft.admin?.address;
  const index = draft.listeners?.findIndex((listener) => overlap(listener?.address, address)) ?? -1;
  if (index === -1 || address === undefined) return;
  report.problem(["admin", "address"], {
    expected: "an address that no listener takes",
    found: `"${formatSocketAddress(address)}"`,
    hint: `${overlapHint(`listeners[${index}]`, draft.listeners?.[index]?.address)} Clients must not reach it.`,
  });
}

function overlap(a: ListenAddress | undefined, b: ListenAddress | SocketAddress | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const [first, second] = [a.systemd, "systemd" in b ? b.systemd : null];
  return first === null && second === null ? addressesOverlap(a, b) : first === second;
}

function overlapHint(where: string, address: ListenAddress | undefined): string {
  if (address === undefined) return "";
  if (address.systemd !== null) return `${where} has systemd:${address.systemd}.`;
  const every = address.host === "::" ? ", and [::] takes IPv4 too" : "";
  return `${where} has ${formatSocketAddress(address)}${every}.`;
}
