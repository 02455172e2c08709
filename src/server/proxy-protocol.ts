import type { Socket } from "node:net";
import { readProxyHeader } from "../policy/proxy-header.js";

/** What is told of a connection that must begin with a PROXY header; one of the two is called, or the peer has gone. */
export interface ProxyHeaderListener {
  /**
   * The header is off the socket, which is paused, with all that came behind it still to be read.
   * @param source canonical; `null`: the socket's own peer counts
   */
  onSource(source: string | null): void;
  /** There is none, and the socket is closed. @param reason half a sentence */
  onNone(reason: string): void;
}

/**
 * Reads the PROXY header off an accepted socket, before anything else does. It must be whole within the time limit,
 * however it moves.
 */
export function takeProxyHeader(socket: Socket, timeoutMs: number, listener: ProxyHeaderListener): void {
  let received: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => refuse(`it did not arrive within ${timeoutMs} ms`), timeoutMs);
  const release = (): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("close", release).off("error", onError);
  };
  const refuse = (reason: string): void => {
    release();
    socket.destroy();
    listener.onNone(reason);
  };
  const onData = (chunk: Buffer): void => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const header = readProxyHeader(received);
    if (header.kind === "part") return;
    if (header.kind === "none") {
      refuse(header.reason);
      return;
    }
    release();
    // Paused, so that nothing is read until the next reader has asked for it and has got what is given back.
    socket.pause();
    const rest = received.subarray(header.sizeBytes);
    if (rest.length > 0) socket.unshift(rest);
    listener.onSource(header.source);
  };
  // Load balancers look whether the port is open, and go: that is no fault.
  const onEnd = (): void => {
    if (received.length > 0) refuse("the connection ended in the middle of it");
    else socket.destroy();
  };
  const onError = (): void => {};
  socket.on("data", onData).on("end", onEnd).on("close", release).on("error", onError);
}
