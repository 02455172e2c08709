import { createRequire } from "node:module";
import { getSystemErrorName } from "node:util";

/** Sends one datagram; throws the system's error. */
export type Notify = (message: string) => void;

/** Of the package unix-dgram, for Node itself has no datagrams between processes of one machine. */
interface UnixDatagrams {
  createSocket(type: "unix_dgram"): {
    /** Sends at once, or not at all. */
    send(data: Buffer, offset: number, length: number, path: string, onSent: (error?: NativeError) => void): void;
    close(): void;
  };
}

interface NativeError extends Error {
  /** The system's, negative. */
  readonly errno?: number;
}

/** A socket's path is no longer than that, unix(7). */
const MAX_PATH_BYTES = 107;

/**
 * @param address what systemd gave as NOTIFY_SOCKET
 * @returns sends one datagram, never waits, and holds neither a descriptor nor the program's end
 * @throws Error one sentence when it cannot be done here
 */
export function openNotifySocket(address: string): Notify {
  if (!address.startsWith("/")) {
    throw new Error(`NOTIFY_SOCKET=${address}: only sockets that have a path can be written to`);
  }
  if (Buffer.byteLength(address) > MAX_PATH_BYTES) throw new Error("NOTIFY_SOCKET: the path is too long");
  const datagrams = loadDatagrams();
  return (message) => {
    const data = Buffer.from(message);
    // One for each message: an open one would keep the program from ending, and would not follow a systemd that begins anew.
    const socket = datagrams.createSocket("unix_dgram");
    try {
      socket.send(data, 0, data.length, address, (error) => {
        if (error !== undefined) throw toSystemError(error, address);
      });
    } finally {
      socket.close();
    }
  };
}

function loadDatagrams(): UnixDatagrams {
  try {
    return createRequire(import.meta.url)("unix-dgram") as UnixDatagrams;
  } catch (cause) {
    throw new Error("the package unix-dgram is missing, or was not built for this Node", { cause });
  }
}

function toSystemError(error: NativeError, address: string): Error {
  const errno = Number(error.errno);
  const code = Number.isInteger(errno) && errno < 0 ? getSystemErrorName(errno) : "EIO";
  return Object.assign(new Error(`${address}: ${code}`), { code });
}
