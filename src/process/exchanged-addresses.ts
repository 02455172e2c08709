import { isDeepStrictEqual } from "node:util";
import { addressesOverlap } from "../config/address.js";
import type { GatewayConfig, SocketAddress } from "../config/gateway-config.js";
import { doorKey } from "./door-key.js";
import { shownAddress } from "./listen-or-explain.js";
import type { DoorTable } from "./messages.js";

/** Where the program listens now. */
export interface TakenAddresses {
  readonly config: GatewayConfig;
  readonly doors: DoorTable;
  /** `null`: not yet. */
  readonly admin: SocketAddress | null;
}

/**
 * The admin listener and the others do not pass an address on to each other: it is taken before it is free. The system
 * would only say that it is in use.
 * @throws Error one sentence
 */
export function refuseExchanged({ config, doors, admin }: TakenAddresses, next: GatewayConfig): void {
  for (const { name, address } of next.listeners) {
    const isNew = address.systemd === null && !(doorKey(name, address) in doors);
    if (isNew && admin !== null && addressesOverlap(address, admin)) {
      throw refusal(`listener ${name}`, address, "its admin listener");
    }
  }
  if (isDeepStrictEqual(config.admin.address, next.admin.address)) return;
  for (const { name, address } of config.listeners) {
    const bound = doors[doorKey(name, address)];
    if (bound !== undefined && addressesOverlap(next.admin.address, { host: bound.address, port: bound.port })) {
      throw refusal("admin", next.admin.address, `its listener ${name}`);
    }
  }
}

function refusal(what: string, address: SocketAddress, who: string): Error {
  const hint = "move that one away first, in a reload of its own";
  return new Error(
    `${what}: cannot listen on ${shownAddress(address)}: the gateway itself listens there, ${who}; ${hint}`,
  );
}
