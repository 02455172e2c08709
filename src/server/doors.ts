import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
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

/** Where connections come from: from sockets of this process, or from those that the main process shares with its workers. */
export interface Doors {
  /** @throws the system's error when the address cannot be had */
  open(options: DoorOptions): Promise<Door>;
}

/** As many wait for their accept at most as the system lets wait, see net.core.somaxconn. */
const BACKLOG = 4_096;

/** Sockets of this process. */
export const OWN_DOORS: Doors = {
  open: async ({ address: { host, port }, ...told }) => {
    const server = await openServer((server) => server.listen({ host, port, backlog: BACKLOG }), told);
    return { address: server.address() as AddressInfo, close: () => void server.close() };
  },
};

/**
 * Accepts from a socket that is bound already.
 * @param handle Node's own; the server's from then on, which closes it
 */
export function openShared(handle: object, told: Pick<DoorOptions, "onConnection" | "onError">): Promise<Server> {
  return openServer((server) => server.listen(handle, BACKLOG), told);
}

function openServer(
  listen: (server: Server) => void,
  { onConnection, onError }: Pick<DoorOptions, "onConnection" | "onError">,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, onConnection);
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      // An accept that fails, for want of a file descriptor say, must not end the program.
      server.on("error", onError);
      resolve(server);
    });
    listen(server);
  });
}
