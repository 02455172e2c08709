import { type Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { HOST } from "./rig.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether the answer ended as its framing promised. */
  readonly isComplete: boolean;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** A connection of its own when absent. */
  readonly agent?: Agent;
}

/** Sends one request with Node's client; an answer that is cut off is an answer too, one that never comes is an error. */
export function ask(port: number, path: string, { method = "GET", headers, body, agent }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({
      port,
      host: "127.0.0.1",
      path,
      method,
      agent: agent ?? false,
      headers: { Host: HOST, ...headers },
    });
    req.on("error", reject);
    req.on("response", (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", () => {});
      res.on("close", () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          body: Buffer.concat(chunks),
          isComplete: res.complete,
        }),
      );
    });
    req.end(body);
  });
}

/** The gateway's own code in a local error answer. */
export function gatewayCode(answer: Answer): string | undefined {
  const code = answer.headers["x-ossgate-error"];
  return typeof code === "string" ? code : undefined;
}

/** A client of plain TCP: sends what it is told, and remembers what comes. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the connection has ended: with the error's code if it was broken, with `null` after a clean end. */
  readonly closed: Promise<string | null>;
  #text = "";
  #bytes = 0;
  #waiting = new Set<() => void>();

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let code: string | null = null;
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      code = error.code ?? "unknown";
    });
    this.socket.on("data", (chunk) => {
      this.#bytes += chunk.length;
      // Heads and small bodies; of large ones the size is enough.
      if (this.#text.length < 64 * 1024) this.#text += chunk.toString("latin1");
      this.#look();
    });
    this.socket.on("end", () => this.socket.end());
    this.closed = new Promise((resolve) => {
      this.socket.on("close", () => {
        this.#look();
        resolve(code);
      });
    });
  }

  /** What has come so far; its first 64 KiB. */
  get text(): string {
    return this.#text;
  }

  /** How much has come so far. */
  get byteCount(): number {
    return this.#bytes;
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** Sends the head of a request to the usual host. */
  sendHead(requestLine: string, ...headers: readonly string[]): this {
    return this.send([requestLine, `Host: ${HOST}`, ...headers, "", ""].join("\r\n"));
  }

  /** Resolves when the condition holds; rejects when the connection ends first. */
  until(condition: (client: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition(this)) resolve();
        else if (this.socket.closed) reject(new Error(`the connection ended after: ${this.#text.slice(0, 500)}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
