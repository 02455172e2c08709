import type { Socket } from "node:net";

const CLOSED_BY_PEER: ReadonlySet<string | undefined> = new Set(["EPIPE", "ECONNRESET", "ECONNABORTED"]);

/**
 * Keeps a failed write from ending a connection on which an answer may wait to be read. A server that refuses an upload
 * answers, closes, and resets what is still sent; Node ends a socket at the first write that fails, and the answer would
 * be lost with it. The reading side stays open and tells how the connection ended; the failed write is never done.
 * @param socket connected, and nothing written to it yet
 */
export function readDespiteReset(socket: Socket): void {
  const { _write: write, _writev: writev } = socket;
  type Done = (error?: Error | null) => void;
  const unlessReset =
    (done: Done): Done =>
    (error) => {
      if (!CLOSED_BY_PEER.has((error as NodeJS.ErrnoException | null | undefined)?.code)) done(error);
    };
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, unlessReset(done));
  if (writev !== undefined) socket._writev = (chunks, done) => writev.call(socket, chunks, unlessReset(done));
}
