import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import type { Test } from "tap";

/** Sockets that servers of this process accepted and that are open, by the server's port. */
const accepted = new Map<number, Set<Socket>>();

subscribe("net.server.socket", (message) => {
  const { socket } = message as { readonly socket: Socket };
  const port = socket.localPort ?? 0;
  const open = accepted.get(port) ?? new Set();
  accepted.set(port, open.add(socket));
  socket.on("close", () => open.delete(socket));
});

/** The sockets that the server on this port has open. */
export function openSockets(port: number): readonly Socket[] {
  return [...(accepted.get(port) ?? [])];
}

/** Resolves when the server on this port has no connection left. */
export async function clientsGone(port: number): Promise<void> {
  for (let open = openSockets(port); open.length > 0; open = openSockets(port)) {
    // Not once(): an error would settle it before the socket is closed, and this loop would never let it close.
    await Promise.all(open.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }
}

/** Resolves when a server of this process has begun to serve a request for this target on this port. */
export function requestStarted(port: number, target: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (message: unknown): void => {
      const { request } = message as { readonly request: IncomingMessage };
      if (request.socket.localPort !== port || request.url !== target) return;
      unsubscribe("http.server.request.start", look);
      resolve();
    };
    subscribe("http.server.request.start", look);
  });
}

/** Makes a server of plain TCP and begins to listen; its connections end with the test. */
export async function startOrigin(
  t: Test,
  onConnection: (socket: Socket) => void,
  { port = 0, host = "127.0.0.1" } = {},
): Promise<Server & { readonly port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(port, host);
  await once(server, "listening");
  const { port: bound } = server.address() as AddressInfo;
  t.teardown(() => {
    server.close();
    for (const socket of openSockets(bound)) socket.destroy();
  });
  return Object.assign(server, { port: bound });
}

/** A port of an address on which nothing listens. */
export async function closedPort(host = "127.0.0.1"): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
