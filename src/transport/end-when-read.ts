import type { Socket } from "node:net";

/**
 * Keeps a connection from telling undici that it has ended while undici is paused with all read that had come. undici
 * (up to 7.30) asserts that it never is, for answers that end with their connection, and a failed assertion in an event
 * of a socket ends the program: an upstream that closes while a client is slow would do. The end is told when undici
 * reads again; it reads until nothing is left unless it is paused.
 * @param socket as it is handed to undici, which has not read from it yet
 */
export function endWhenRead(socket: Socket): void {
  const { read, push } = socket;
  let hasReadAll = true;
  let isEndHeld = false;
  const tellEnd = (): void => {
    isEndHeld = false;
    push.call(socket, null);
    read.call(socket, 0);
  };
  socket.read = (byteCount) => {
    const chunk = read.call(socket, byteCount);
    if (byteCount !== 0) hasReadAll = chunk === null;
    if (isEndHeld && hasReadAll) process.nextTick(tellEnd);
    return chunk;
  };
  socket.push = (chunk, encoding) => {
    if (chunk !== null || hasReadAll) return push.call(socket, chunk, encoding);
    isEndHeld = true;
    return false;
  };
  socket.on("error", (error: NodeJS.ErrnoException) => {
    // For this code alone undici would take the answer for ended, and assert the same.
    if (!hasReadAll && error.code === "ECONNRESET") error.code = "ECONNABORTED";
  });
}
