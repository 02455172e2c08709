import { EventEmitter, once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Teardown } from "./gateway.js";
import { valuesOf } from "./raw-client.js";

/** One request as it arrived; a byte is one character. */
export interface StrictRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** An origin that takes nothing but plain HTTP/1.1, byte by byte, and remembers all that came. */
export interface StrictOrigin {
  readonly port: number;
  readonly requests: readonly StrictRequest[];
  /** What arrived that is not plain HTTP/1.1; must stay empty. */
  readonly violations: readonly string[];
  /** Bytes that arrived, on all connections together. */
  readonly bytesReceived: number;
  /** What it answers; bytes as they go out. The default is 200 with the target as body. */
  reply(make: (request: StrictRequest) => string): void;
  clear(): void;
  until(condition: () => boolean): Promise<void>;
  openSockets(): number;
}

/** Starts a strict origin on a free port; it ends with the test. */
export async function startStrictOrigin(t: Teardown): Promise<StrictOrigin> {
  const origin = new Origin();
  await origin.listen();
  t.teardown(() => origin.close());
  return origin;
}

class Origin implements StrictOrigin {
  requests: StrictRequest[] = [];
  violations: string[] = [];
  bytesReceived = 0;
  readonly #sockets = new Set<Socket>();
  readonly #changes = new EventEmitter();
  readonly #server: Server;
  #make: (request: StrictRequest) => string = ok;

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  reply(make: (request: StrictRequest) => string): void {
    this.#make = make;
  }

  clear(): void {
    this.requests = [];
    this.violations = [];
    this.bytesReceived = 0;
    this.#make = ok;
  }

  openSockets(): number {
    return this.#sockets.size;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#changes, "change");
  }

  #serve(socket: Socket): void {
    let buffered = "";
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#changes.emit("change");
    });
    socket.on("data", (chunk: Buffer) => {
      this.bytesReceived += chunk.length;
      buffered += chunk.toString("latin1");
      try {
        for (let parsed = parseRequest(buffered); parsed !== null; parsed = parseRequest(buffered)) {
          buffered = buffered.slice(parsed.length);
          this.requests.push(parsed.request);
          socket.write(Buffer.from(this.#make(parsed.request), "latin1"));
        }
      } catch (error) {
        this.violations.push((error as Error).message);
        socket.destroy();
      }
      this.#changes.emit("change");
    });
  }
}

function ok({ method, target }: StrictRequest): string {
  return answerText(200, [], method === "HEAD" ? null : target);
}

/** An answer with its length; `null` for no body at all. Headers are names and values in turn. */
export function answerText(status: number, headers: readonly string[], body: string | null): string {
  let text = `HTTP/1.1 ${status} Text\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}Content-Length: ${body?.length ?? 0}\r\n\r\n${body ?? ""}`;
}

const REQUEST_LINE = /^([A-Z]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]?([\t\x20-\x7e\x80-\xff]*)$/;

function parseRequest(text: string): { readonly request: StrictRequest; readonly length: number } | null {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) {
    if (text !== "" && !/^[A-Z]{1,10}(?: |$)/.test(text)) throw new Error(`no request line: ${JSON.stringify(text)}`);
    return null;
  }
  const [requestLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const first = REQUEST_LINE.exec(requestLine);
  if (first === null) throw new Error(`bad request line: ${JSON.stringify(requestLine)}`);
  const rawHeaders = lines.flatMap((line) => {
    const match = HEADER_LINE.exec(line);
    if (match === null) throw new Error(`bad header line: ${JSON.stringify(line)}`);
    return [match[1] as string, match[2] as string];
  });
  if (valuesOf(rawHeaders, "host").length !== 1) throw new Error("not exactly one Host");
  const body = frame(text.slice(headEnd + 4), rawHeaders);
  if (body === null) return null;
  const [, method = "", target = ""] = first;
  return { request: { method, target, rawHeaders, body: body.text }, length: headEnd + 4 + body.length };
}

function frame(rest: string, rawHeaders: readonly string[]): { readonly text: string; readonly length: number } | null {
  const lengths = valuesOf(rawHeaders, "content-length");
  const codings = valuesOf(rawHeaders, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Error("more than one framing");
  if (codings.length === 1) return unchunk(rest, codings[0] as string);
  const [length = "0"] = lengths;
  if (!/^\d{1,15}$/.test(length)) throw new Error(`bad length ${length}`);
  return rest.length < Number(length) ? null : { text: rest.slice(0, Number(length)), length: Number(length) };
}

function unchunk(rest: string, coding: string): { readonly text: string; readonly length: number } | null {
  if (coding !== "chunked") throw new Error(`bad coding ${coding}`);
  let text = "";
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const line = rest.slice(at, lineEnd);
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new Error(`bad chunk size ${JSON.stringify(line)}`);
    const dataStart = lineEnd + 2;
    const dataEnd = dataStart + Number.parseInt(line, 16);
    if (rest.length < dataEnd + 2) return null;
    if (rest.slice(dataEnd, dataEnd + 2) !== "\r\n") throw new Error("a chunk does not end where it says");
    if (dataEnd === dataStart) return { text, length: dataEnd + 2 };
    text += rest.slice(dataStart, dataEnd);
    at = dataEnd + 2;
  }
}
