import { formatSocketAddress } from "../config/address.js";
import type { ListenAddress } from "../config/gateway-config.js";

/**
 * One key for one place where connections come in, whatever the listener there is called: a reload that calls it
 * otherwise keeps the socket. Any free port (0) is another one for each listener.
 */
export function doorKey(name: string, address: ListenAddress): string {
  if (address.systemd !== null) return `systemd:${address.systemd}`;
  const shown = formatSocketAddress(address);
  return address.port === 0 ? `${shown} ${name}` : shown;
}
