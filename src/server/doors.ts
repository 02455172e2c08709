import { type AddressInfo, createServer, type Socket } from "node:net";
import type { ListenAddress } from "../config/gateway-config.js";

/** A place where connections come in. */
export interface Door {
  readonly address: AddressInfo;
  /** Nothing more comes in by it; connections that came stay as they are. */
  close(): void;
}

export interface DoorOptions {
  /** Of the listener. */
  readonly name: string;
  readonly address: ListenAddress;
  /** Given each connection, half-open ones allowed, without Nagle's delay, nothing read yet. */
  readonly onConnection: (socket: Socket) => void;
  /** Told when a connection could not be accepted. */
  readonly onError: (error: Error) => void;
}

/** Where connections come from: from sockets of this process, or from the main process, which accepts for its workers. */
export interface Doors {
  /** @throws the system's error when the address cannot be had */
  open(options: DoorOptions): Promise<Door>;
}

/** Sockets of this process. */
export const OWN_DOORS: Doors = {
  open: ({ address: { host, port }, onConnection, onError }) =>
    new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
      server.once("error", reject);
      server.listen({ host, port, backlog: 4096 }, () => {
        server.off("error", reject);
        // An accept that fails, for want of a file descriptor say, must not end the program.
        server.on("error", onError);
        resolve({ address: server.address() as AddressInfo, close: () => void server.close() });
      });
    }),
};
