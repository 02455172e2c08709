import net, { type AddressInfo, type Socket } from "node:net";
import { getSystemErrorMap } from "node:util";

/** A socket of the system's, as Node has it below its `Server` and `Socket`; `send()` passes it to another process. */
export interface TcpHandle {
  close(): void;
  /** @returns 0, or a negative errno */
  getsockname(into: object): number;
}

/** Below a {@link Socket}. */
interface ConnectionHandle extends TcpHandle {
  /** Node's own note of whether it is read. */
  reading: boolean;
  readStop(): void;
}

type CreateServerHandle = (
  host: string | null,
  port: number | null,
  family: 4 | 6 | null,
  fd?: number,
) => TcpHandle | number;

/**
 * Node's own way to a socket that is bound and does not listen: node:cluster makes those that workers share by it. It is
 * in no manual, so that it is looked for.
 */
const createServerHandle = (net as { readonly _createServerHandle?: CreateServerHandle })._createServerHandle;

/** Where connections will come in. */
export interface BoundHandle {
  readonly handle: TcpHandle;
  readonly bound: AddressInfo;
}

/**
 * Takes an address, and does not listen there: who connects is refused until a process listens by the handle.
 * @param host an address, IPv6 without brackets; `::` takes IPv4 as well where the system does
 * @throws the system's error
 */
export function bindHandle(host: string, port: number): BoundHandle {
  return checked(create(host, port, net.isIPv6(host) ? 6 : 4));
}

/**
 * A socket that somebody else has bound and passed to this process.
 * @throws the system's error; EINVAL when it is no TCP socket
 */
export function handleOf(fd: number): BoundHandle {
  return checked(create(null, null, null, fd));
}

/** Takes a connection off its `Socket`, which is closed without it. Nothing may have been read from it yet. */
export function detach(socket: Socket): TcpHandle | null {
  const inside = socket as unknown as { _handle: ConnectionHandle | null };
  const handle = inside._handle;
  handle?.readStop();
  if (handle !== null) handle.reading = false;
  inside._handle = null;
  socket.destroy();
  return handle;
}

/** A connection that came from another process; half-open ones allowed. It is read from now on. */
export function attach(handle: TcpHandle): Socket {
  return new net.Socket({ handle, allowHalfOpen: true, readable: true, writable: true } as net.SocketConstructorOpts);
}

const create: CreateServerHandle = (...where) => {
  if (createServerHandle !== undefined) return createServerHandle(...where);
  throw new Error(`this Node, ${process.version}, has no socket to share with workers; run it with Node 20, 22 or 24`);
};

function checked(created: TcpHandle | number): BoundHandle {
  if (typeof created === "number") throw systemError(created);
  const bound: Partial<AddressInfo> = {};
  // An address that another has is told here, or when a process listens.
  const errno = created.getsockname(bound);
  if (errno === 0 && bound.port !== undefined) return { handle: created, bound: bound as AddressInfo };
  created.close();
  throw systemError(errno === 0 ? EINVAL : errno);
}

const EINVAL = -22;

function systemError(errno: number): NodeJS.ErrnoException {
  const [code = String(errno), message = "unknown error"] = getSystemErrorMap().get(errno) ?? [];
  return Object.assign(new Error(`${code}: ${message}`), { code, errno });
}
