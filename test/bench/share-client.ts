/**
 * Downloads one body over and over on many connections for some seconds, and prints what each client got as one line of
 * JSON. A client is an address of this machine with its connections. Called with one argument, a `ShareOrder` as JSON.
 *
 * On `net` with one read buffer, since the load has to be cheaper than the proxies that it measures.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface ShareOrder {
  readonly port: number;
  readonly path: string;
  readonly seconds: number;
  readonly clients: readonly { readonly address: string; readonly connections: number }[];
  /** What a connection takes at most; `null`: all that comes. */
  readonly takesBytesPerSecond: number | null;
}

export interface ShareReport {
  readonly wallMs: number;
  readonly bytes: number;
  /** In the order of the clients, without the first second, in which bursts pass. */
  readonly clientBytesPerSecond: readonly number[];
}

const BUFFER_BYTES = 1024 * 1024;
const FIRST_MS = 1_000;
const SIP_MS = 10;
const HEAD_END = "\r\n\r\n";

const order = JSON.parse(process.argv[2] ?? "{}") as ShareOrder;
const readBuffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
process.stdout.write(`${JSON.stringify(await share())}\n`);

async function share(): Promise<ShareReport> {
  const received = order.clients.map(() => 0);
  const sockets: Socket[] = [];
  const startMs = performance.now();
  for (const [index, { address, connections }] of order.clients.entries()) {
    const onBytes = (byteCount: number): void => {
      received[index] = (received[index] as number) + byteCount;
    };
    const { takesBytesPerSecond } = order;
    for (let i = 0; i < connections; i += 1) {
      sockets.push(
        takesBytesPerSecond === null ? download(address, onBytes) : sip(address, takesBytesPerSecond, onBytes),
      );
    }
  }
  await sleep(FIRST_MS);
  const firstMs = performance.now();
  const first = [...received];
  await sleep(order.seconds * 1_000 - FIRST_MS);
  const endMs = performance.now();
  const bytes = received.reduce((sum, count) => sum + count, 0);
  for (const socket of sockets) socket.destroy();
  return {
    wallMs: endMs - startMs,
    bytes,
    clientBytesPerSecond: received.map((count, i) => ((count - (first[i] as number)) * 1_000) / (endMs - firstMs)),
  };
}

function askText(): string {
  return `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\n\r\n`;
}

/** Takes so much each 10 ms, and leaves the rest where it is. */
function sip(localAddress: string, bytesPerSecond: number, onBytes: (byteCount: number) => void): Socket {
  const socket = connect({ host: "127.0.0.1", port: order.port, localAddress });
  let allowedBytes = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    allowedBytes = Math.min(allowedBytes + ((nowMs - lastMs) * bytesPerSecond) / 1_000, bytesPerSecond / 5);
    lastMs = nowMs;
    for (let chunk = null; allowedBytes > 0; allowedBytes -= chunk.length) {
      chunk = socket.read() as Buffer | null;
      if (chunk === null) break;
      onBytes(chunk.length);
    }
  }, SIP_MS);
  socket.on("readable", () => {});
  socket.on("close", () => clearInterval(timer));
  socket.write(askText());
  return socket;
}

function download(localAddress: string, onBytes: (byteCount: number) => void): Socket {
  const ask = askText();
  let leftBytes = 0;
  const socket = connect({
    host: "127.0.0.1",
    port: order.port,
    localAddress,
    onread: {
      buffer: readBuffer,
      callback(byteCount, bytes) {
        onBytes(byteCount);
        leftBytes = leftBytes === 0 ? bodyBytesOf(bytes, byteCount) : leftBytes - byteCount;
        if (leftBytes === 0) socket.write(ask);
        return true;
      },
    },
  });
  socket.on("error", (error) => {
    throw error;
  });
  socket.write(ask);
  return socket;
}

/** What is still to come of an answer whose first packet this is. */
function bodyBytesOf(bytes: Uint8Array, byteCount: number): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, byteCount).toString("latin1");
  const length = Number(/^content-length: *(\d+)\r$/im.exec(text)?.[1]);
  const headEnd = text.indexOf(HEAD_END);
  if (!text.startsWith("HTTP/1.1 200 ") || headEnd === -1 || Number.isNaN(length)) {
    throw new Error(`odd answer: ${text.slice(0, 200)}`);
  }
  return length - (byteCount - headEnd - HEAD_END.length);
}
