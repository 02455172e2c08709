import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Teardown } from "../../support/gateway.js";

/** A wire to a server that hands on every byte and keeps a copy of each. */
export interface WireTap {
  readonly url: string;
  readonly port: number;
  /** All that clients sent, one string a connection; a byte is one character. */
  sent(): readonly string[];
  /** All that clients got, likewise. */
  received(): readonly string[];
}

/** Starts a wire to a port of this machine; it ends with the test. */
export async function startWireTap(t: Teardown, toPort: number): Promise<WireTap> {
  const sockets = new Set<Socket>();
  const connections: { readonly sent: Buffer[]; readonly received: Buffer[] }[] = [];
  const server = createServer((client) => {
    const upstream = connect(toPort, "127.0.0.1");
    const copies = { sent: [] as Buffer[], received: [] as Buffer[] };
    connections.push(copies);
    client.on("data", (bytes) => copies.sent.push(bytes));
    upstream.on("data", (bytes) => copies.received.push(bytes));
    client.pipe(upstream).pipe(client);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      // Players hang up in the middle of an answer, and then both sides are done.
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const textOf = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString("latin1");
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    sent: () => connections.map(({ sent }) => textOf(sent)),
    received: () => connections.map(({ received }) => textOf(received)),
  };
}
