/**
 * The origin of uploads: takes a body of known length, answers 200 with the count of body bytes that arrived.
 *
 * Not `node:http`: a server socket that reads into one fixed buffer takes 3 GB/s on one core where `node:http` takes
 * 1.2 GB/s, and a slow origin would hide the differences between the proxies.
 */
import { createServer, Socket } from "node:net";

const READ_BUFFER_BYTES = 1024 * 1024;
const HEAD_END = "\r\n\r\n";

interface Upload {
  expectedBytes: number;
  leftBytes: number;
}

// One buffer for all sockets: the callback is done with the bytes when it returns.
const sharedBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

const server = createServer({ pauseOnConnect: true }, (accepted) => {
  // Node offers `onread` to clients only; a second socket object on the accepted handle brings it to a server.
  const { _handle: handle } = accepted as unknown as { readonly _handle: object };
  const upload: Upload = { expectedBytes: 0, leftBytes: 0 };
  const onread = {
    buffer: sharedBuffer,
    callback: (byteCount: number, bytes: Uint8Array) => {
      receive(socket, upload, byteCount, bytes);
      return true;
    },
  };
  const socket = new Socket({ handle, onread } as object);
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.resume();
});
server.listen(Number(process.argv[2]), "127.0.0.1");

function receive(socket: Socket, upload: Upload, byteCount: number, bytes: Uint8Array): void {
  const bodyByteCount = upload.leftBytes === 0 ? begin(upload, byteCount, bytes) : byteCount;
  // A head that did not arrive whole, no length, or bytes past the end: the bench sends none of these, so it is an error.
  if (bodyByteCount === null || bodyByteCount > upload.leftBytes) return void answer(socket, 400, "not understood\n");
  upload.leftBytes -= bodyByteCount;
  if (upload.leftBytes === 0) answer(socket, 200, `${upload.expectedBytes}\n`);
}

/** Reads the head. Returns how many of the bytes belong to the body, `null` when it is not an upload. */
function begin(upload: Upload, byteCount: number, bytes: Uint8Array): number | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, byteCount).toString("latin1");
  const headEnd = text.indexOf(HEAD_END);
  const length = /^content-length: *(\d+)\r$/im.exec(text.slice(0, headEnd + 2))?.[1];
  if (headEnd === -1 || length === undefined) return null;
  upload.expectedBytes = Number(length);
  upload.leftBytes = upload.expectedBytes;
  return byteCount - headEnd - HEAD_END.length;
}

function answer(socket: Socket, status: number, text: string): void {
  const reason = status === 200 ? "OK" : "Bad Request";
  socket.write(`HTTP/1.1 ${status} ${reason}\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  if (status !== 200) socket.end();
}
