import { addressesOverlap, formatSocketAddress } from "./address.js";
import type { SocketAddress } from "./gateway-config.js";
import type { ConfigDraft, Report } from "./report.js";

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

function overlap(a: SocketAddress | undefined, b: SocketAddress | undefined): boolean {
  return a !== undefined && b !== undefined && addressesOverlap(a, b);
}

function overlapHint(where: string, address: SocketAddress | undefined): string {
  if (address === undefined) return "";
  const every = address.host === "::" ? ", and [::] takes IPv4 too" : "";
  return `${where} has ${formatSocketAddress(address)}${every}.`;
}
