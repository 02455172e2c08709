import type { ListenAddress, SocketAddress } from "../config/gateway-config.js";

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there already; stop it or choose another port",
  EACCES:
    "ports below 1024 need the right to bind them; run as root, grant CAP_NET_BIND_SERVICE, or choose a higher port",
  EADDRNOTAVAIL: "this machine has no such address",
};

/** @throws Error one sentence about an address that cannot be had */
export async function listenOrExplain<T>(
  what: string,
  address: SocketAddress | ListenAddress,
  listen: () => Promise<T>,
): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    throw cannotListen(what, address, cause as NodeJS.ErrnoException);
  }
}

/** @returns one sentence about an address that cannot be had */
export function cannotListen(
  what: string,
  address: SocketAddress | ListenAddress,
  cause: NodeJS.ErrnoException,
): Error {
  const { code = "", message } = cause;
  return new Error(`${what}: cannot listen on ${shownAddress(address)}: ${LISTEN_HINTS[code] ?? message}`, { cause });
}

/** As it stands in the configuration. */
export function shownAddress(address: SocketAddress | ListenAddress): string {
  if ("systemd" in address && address.systemd !== null) return `systemd:${address.systemd}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
