import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One answer as it came off the wire; a byte of a header is one character. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Decoded from its framing. */
  readonly body: Buffer;
}

/** The values of one header, by its lower-case name. */
export function valuesOf(rawHeaders: readonly string[], lowerName: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === lowerName);
}

/** The text of one element of an XML document. */
export function xmlText(body: Buffer | string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(body.toString())?.[1];
}

/** A connection on which a test writes bytes as it likes. Strings are written as latin1. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves when the other side has ended or reset the connection. */
  readonly ended: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A reset is an end too; what was received before it counts.
    socket.on("error", () => {});
    this.ended = new Promise((resolve) => {
      const onEnd = (): void => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      socket.once("end", onEnd);
      socket.once("close", onEnd);
    });
  }

  static async open(port: number, host = "127.0.0.1"): Promise<RawConnection> {
    const socket = connect({ port, host, noDelay: true });
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  close(): void {
    this.socket.destroy();
  }

  /**
   * The next answer, an interim one included.
   * @param method what it answers: a HEAD is answered without a body
   * @throws Error when the connection ends before it, or when it is not HTTP
   */
  async answer(method = "GET"): Promise<RawAnswer> {
    const answer = await this.#next(method);
    if (answer === null) throw new Error(`the connection ended after ${this.#received.length} bytes of an answer`);
    return answer;
  }

  /** The head of the next answer, whether or not its body has come. */
  head(): Promise<RawAnswer> {
    return this.answer("HEAD");
  }

  /** All answers up to the end of the connection. @throws Error when bytes are left that are no whole answer */
  async answersUntilEnd(method = "GET"): Promise<RawAnswer[]> {
    const answers: RawAnswer[] = [];
    for (;;) {
      const answer = await this.#next(method);
      if (answer === null) break;
      answers.push(answer);
    }
    if (this.#received.length > 0) throw new Error(`left over: ${JSON.stringify(this.#received.toString("latin1"))}`);
    return answers;
  }

  async #next(method: string): Promise<RawAnswer | null> {
    for (;;) {
      const parsed = parseAnswer(this.#received, method, this.#hasEnded);
      if (parsed !== null) {
        this.#received = this.#received.subarray(parsed.byteCount);
        return parsed.answer;
      }
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Sends bytes on a connection of its own and gives all answers; the gateway must end the connection. */
export async function answersTo(port: number, bytes: string | Buffer, method = "GET"): Promise<RawAnswer[]> {
  const connection = await RawConnection.open(port);
  connection.send(bytes);
  const answers = await connection.answersUntilEnd(method);
  connection.close();
  return answers;
}

/** Sends one request on a connection of its own and gives its final answer; the connection may stay open. */
export async function answerTo(port: number, bytes: string | Buffer, method = methodOf(bytes)): Promise<RawAnswer> {
  const connection = await RawConnection.open(port);
  try {
    connection.send(bytes);
    for (;;) {
      const answer = await connection.answer(method);
      if (answer.status >= 200) return answer;
    }
  } finally {
    connection.close();
  }
}

function methodOf(bytes: string | Buffer): string {
  const text = bytes.toString("latin1");
  return text.slice(0, text.indexOf(" "));
}

/** A request's head; `headers` are names and values in turn. */
export function head(method: string, target: string, headers: readonly string[]): string {
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

interface Parsed {
  readonly answer: RawAnswer;
  readonly byteCount: number;
}

function parseAnswer(bytes: Buffer, method: string, isWhole: boolean): Parsed | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return null;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const match = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine);
  if (match === null) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const status = Number(match[1]);
  const bodyStart = headEnd + 4;
  const rest = bytes.subarray(bodyStart);
  const framed = frameBody(rest, rawHeaders, { isWhole, isBodyless: method === "HEAD" || isBodyless(status) });
  if (framed === null) return null;
  const answer = { status, reason: match[2] ?? "", rawHeaders, body: Buffer.from(framed.body) };
  return { answer, byteCount: bodyStart + framed.byteCount };
}

function isBodyless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

interface Framed {
  readonly body: Buffer;
  readonly byteCount: number;
}

function frameBody(
  rest: Buffer,
  rawHeaders: readonly string[],
  { isWhole, isBodyless }: { readonly isWhole: boolean; readonly isBodyless: boolean },
): Framed | null {
  if (isBodyless) return { body: Buffer.alloc(0), byteCount: 0 };
  if (valuesOf(rawHeaders, "transfer-encoding").length > 0) return unchunk(rest);
  const [length] = valuesOf(rawHeaders, "content-length");
  if (length === undefined) return isWhole ? { body: rest, byteCount: rest.length } : null;
  const byteCount = Number(length);
  return rest.length < byteCount ? null : { body: rest.subarray(0, byteCount), byteCount };
}

function unchunk(rest: Buffer): Framed | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(rest.toString("latin1", at, lineEnd), 16);
    const dataStart = lineEnd + 2;
    if (rest.length < dataStart + size + 2) return null;
    if (size === 0) return { body: Buffer.concat(pieces), byteCount: dataStart + 2 };
    pieces.push(rest.subarray(dataStart, dataStart + size));
    at = dataStart + size + 2;
  }
}
