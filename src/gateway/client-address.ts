import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type FindClientIp, joinForwardedFor } from "../policy/client-ip.js";
import { canonicalClient } from "../policy/clients.js";

/** Peers that a PROXY header told, of the connections that began with one that names an address. */
const toldPeers = new WeakMap<Socket, string>();

/**
 * Notes whom a connection comes from; before its first request.
 * @param address canonical, from a PROXY header that is believed
 */
export function tellPeer(socket: Socket, address: string): void {
  toldPeers.set(socket, address);
}

/** Whom a connection comes from, as the socket or a believed PROXY header says; `""` when that is not known any more. */
export function peerOf(socket: Socket): string {
  return toldPeers.get(socket) ?? socket.remoteAddress ?? "";
}

/**
 * The client's address: the peer, or what a trusted peer says in X-Forwarded-For.
 * @param findClientIp `null`: there are no trusted proxies, so no connection has a PROXY header and no header counts
 */
export function clientIpOf(findClientIp: FindClientIp | null, { socket, rawHeaders }: IncomingMessage): string {
  if (findClientIp === null) return socket.remoteAddress ?? "";
  return findClientIp({ peer: canonicalClient(peerOf(socket)), forwardedFor: joinForwardedFor(rawHeaders) });
}
