/**
 * Moves large bodies over a few connections at a time and prints what it took as one line of JSON.
 * Called with one argument, a `TransferOrder` as JSON. A wrong status or byte count ends it with an error.
 *
 * On `net` with one read buffer, since the load has to be cheaper than the proxies that it measures.
 */
import { connect, type Socket } from "node:net";

export interface TransferOrder {
  readonly method: "GET" | "PUT";
  readonly port: number;
  readonly path: string;
  readonly bodyBytes: number;
  readonly parallelCount: number;
  readonly transferCount: number;
}

export interface TransferReport {
  readonly wallMs: number;
  readonly transferMs: readonly number[];
}

interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
  readonly bodyText: string;
}

const BUFFER_BYTES = 1024 * 1024;
const SILENCE_LIMIT_MS = 20_000;
const HEAD_END = "\r\n\r\n";

const order = JSON.parse(process.argv[2] ?? "{}") as TransferOrder;
const readBuffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
const uploadPiece = Buffer.alloc(BUFFER_BYTES, "u");
process.stdout.write(`${JSON.stringify(await moveAll())}\n`);

async function moveAll(): Promise<TransferReport> {
  const transferMs: number[] = [];
  let startedCount = 0;
  const startMs = performance.now();
  const moveSome = async () => {
    while (startedCount < order.transferCount) {
      startedCount += 1;
      const beginMs = performance.now();
      check(await moveOne());
      transferMs.push(performance.now() - beginMs);
    }
  };
  await Promise.all(Array.from({ length: order.parallelCount }, moveSome));
  return { wallMs: performance.now() - startMs, transferMs };
}

function moveOne(): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const take = answerReader((answer) => {
      resolve(answer);
      socket.destroy();
    });
    const socket = connect({
      host: "127.0.0.1",
      port: order.port,
      onread: { buffer: readBuffer, callback: (byteCount, bytes) => take(byteCount, Buffer.from(bytes.buffer)) },
    });
    socket.on("error", reject);
    // Behind an answer this is too late to matter; before it the answer is cut short.
    socket.on("close", () => reject(new Error("the connection closed before the answer was complete")));
    socket.setTimeout(SILENCE_LIMIT_MS, () => socket.destroy(new Error(`silent for ${SILENCE_LIMIT_MS} ms`)));
    send(socket);
  });
}

function send(socket: Socket): void {
  const length = order.method === "PUT" ? `Content-Length: ${order.bodyBytes}\r\n` : "";
  socket.write(`${order.method} ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\n${length}\r\n`);
  if (order.method === "PUT") sendBody(socket, order.bodyBytes);
}

function sendBody(socket: Socket, bodyBytes: number): void {
  let leftBytes = bodyBytes;
  const sendMore = () => {
    while (leftBytes > 0) {
      const pieceBytes = Math.min(leftBytes, BUFFER_BYTES);
      leftBytes -= pieceBytes;
      if (!socket.write(uploadPiece.subarray(0, pieceBytes))) break;
    }
    if (leftBytes > 0) socket.once("drain", sendMore);
  };
  sendMore();
}

/** Gives a function that takes the bytes of one answer as they come and calls `done` when it is complete. */
function answerReader(done: (answer: Answer) => void): (byteCount: number, bytes: Buffer) => boolean {
  let head: { readonly status: number; readonly bodyBytes: number } | null = null;
  let receivedBytes = 0;
  let bodyText = "";
  return (byteCount, bytes) => {
    let bodyStart = 0;
    if (head === null) {
      const text = bytes.toString("latin1", 0, byteCount);
      head = parseHead(text);
      bodyStart = text.indexOf(HEAD_END) + HEAD_END.length;
      bodyText = text.slice(bodyStart, bodyStart + 200);
    }
    receivedBytes += byteCount - bodyStart;
    if (receivedBytes >= head.bodyBytes) done({ ...head, bodyBytes: receivedBytes, bodyText });
    return true;
  };
}

function parseHead(text: string): { readonly status: number; readonly bodyBytes: number } {
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1]);
  const bodyBytes = Number(/^content-length: *(\d+)\r$/im.exec(text)?.[1]);
  if (Number.isNaN(status + bodyBytes) || !text.includes(HEAD_END))
    throw new Error(`odd answer: ${text.slice(0, 200)}`);
  return { status, bodyBytes };
}

function check(answer: Answer): void {
  const arrivedBytes = order.method === "GET" ? answer.bodyBytes : Number(answer.bodyText);
  if (answer.status === 200 && arrivedBytes === order.bodyBytes) return;
  throw new Error(`status ${answer.status}, ${arrivedBytes} of ${order.bodyBytes} body bytes arrived`);
}
