import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type ClientCertificate, readSubject } from "../policy/client-certificate.js";

/** Of connections whose client showed a certificate that is believed. */
const certificates = new WeakMap<Socket, ClientCertificate>();

/** Notes who a client is, once for its connection. A certificate that no authority vouches for is none. */
export function tellCertificate(socket: TLSSocket): void {
  // A session that was resumed without any certificate counts as authorized, so both are asked.
  if (!socket.authorized) return;
  const { subject } = socket.getPeerCertificate() as { readonly subject?: object };
  if (subject !== undefined) certificates.set(socket, readSubject(subject as Record<string, string | string[]>));
}

/** Who sends the requests of a connection; `null`: nobody has shown a certificate. */
export function certificateOf(socket: Socket): ClientCertificate | null {
  return certificates.get(socket) ?? null;
}

/** A stream's requests come from whom its connection is from. */
export function shareCertificate(connection: Socket, stream: Socket): void {
  const certificate = certificates.get(connection);
  if (certificate !== undefined) certificates.set(stream, certificate);
}
