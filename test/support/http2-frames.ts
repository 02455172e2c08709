import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import type { Teardown } from "./gateway.js";

/** Types of frames (RFC 9113 §6). */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  reset: 0x3,
  settings: 0x4,
  ping: 0x6,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const FLAG = { ack: 0x1, endStream: 0x1, endHeaders: 0x4 } as const;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES = 9;

/** One frame, whether it makes sense or not. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** 32 bits each, as WINDOW_UPDATE and RST_STREAM have them. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** One setting (RFC 9113 §6.5.1). */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}

/** Fields of a head without Huffman and without the dynamic table (RFC 7541 §6.2.2). */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  return Buffer.concat([integer(text.length), Buffer.from(text, "latin1")]);
}

/** With a prefix of 7 bits, RFC 7541 §5.1. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** A GET, or what `fields` make of it. */
export function requestBlock(host: string, path: string, fields: readonly (readonly [string, string])[] = []): Buffer {
  return headerBlock([[":method", "GET"], [":scheme", "https"], [":path", path], [":authority", host], ...fields]);
}

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A client of HTTP/2 that sends the frames it is told to and answers none. */
export class FrameClient {
  /** What has come but DATA, of which only {@link dataBytes} is kept. */
  readonly received: ReceivedFrame[] = [];
  dataBytes = 0;
  readonly closed: Promise<void>;
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting = new Set<() => void>();

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("close", () => this.#look());
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** Connects and says the preface with these settings; the connection goes with the test. */
  static async open(t: Teardown, port: number, host: string, settings: Buffer = Buffer.alloc(0)): Promise<FrameClient> {
    const socket = connect({ port, servername: host, ALPNProtocols: ["h2"], rejectUnauthorized: false });
    t.teardown(() => socket.destroy());
    await once(socket, "secureConnect");
    const client = new FrameClient(socket);
    socket.write(PREFACE);
    socket.write(frame(FRAME.settings, 0, 0, settings));
    return client;
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Of the GOAWAY that came last; `null`: none has. */
  get goAwayCode(): number | null {
    return this.received.findLast(({ type }) => type === FRAME.goAway)?.payload.readUInt32BE(4) ?? null;
  }

  /** Takes nothing more from the connection. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Takes what has come, the end of the connection too, and what will. */
  read(): void {
    this.#socket.resume();
  }

  /** Resolves when there is room for more, and when the connection has ended. */
  async send(...frames: readonly Buffer[]): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(Buffer.concat(frames))) return;
    await Promise.race([new Promise((resolve) => this.#socket.once("drain", resolve)), this.closed]);
  }

  /** Resolves when it holds of what was received, or the connection has ended. */
  until(condition: (client: FrameClient) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition(this) && !this.isClosed) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  countOf(type: number): number {
    return this.received.filter((frame) => frame.type === type).length;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#rest.length < HEAD_BYTES) break;
      const end = HEAD_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      const [type, flags, streamId] = [this.#rest.readUInt8(3), this.#rest.readUInt8(4), this.#rest.readUInt32BE(5)];
      if (type === FRAME.data) this.dataBytes += end - HEAD_BYTES;
      else this.received.push({ type, flags, streamId, payload: this.#rest.subarray(HEAD_BYTES, end) });
      this.#rest = this.#rest.subarray(end);
    }
    this.#look();
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
