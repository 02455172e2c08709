import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Socket } from "node:net";
import { HOST } from "./rig.js";

/** A request that did not get the whole of the right answer. */
export interface Failure {
  readonly what: string;
  /** The client's own port of the connection; 0 when there was none. */
  readonly port: number;
  readonly why: string;
}

/** What clients ask over and over; each connection is used again, and nothing is sent twice. */
export interface SoakTarget {
  readonly port: number;
  readonly tlsPort: number;
  readonly ca: string;
  /** SHA-256 of the large object, and its size. */
  readonly large: { readonly sha256: string; readonly size: number };
}

export interface SoakClient {
  /** Runs until {@link stop}; what failed is told, and the loop goes on. */
  run(onDone: () => void, onFailure: (failure: Failure) => void): Promise<void>;
  stop(): void;
}

/** A hung answer is a failure too. */
const PATIENCE_MS = 20_000;

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Whole {
  readonly status: number;
  readonly body: Buffer;
}

type Ask = (exchange: Exchange) => Promise<Whole>;

class PortError extends Error {
  readonly port: number;
  constructor(message: string, port: number) {
    super(message);
    this.port = port;
  }
}

/** One client of HTTP/1.1, plain or over TLS, on one kept-alive connection or on a new one for each request. */
export function http1Client(target: SoakTarget, index: number, { isTls = false, keepAlive = true } = {}): SoakClient {
  const agent = isTls ? new TlsAgent({ keepAlive, maxSockets: 1 }) : new Agent({ keepAlive, maxSockets: 1 });
  const ask: Ask = (exchange) =>
    new Promise((resolve, reject) => {
      const { method, path, headers = {}, body } = exchange;
      const options = { host: "127.0.0.1", method, path, agent, headers: { host: HOST, ...headers } };
      const sent: ClientRequest = isTls
        ? tlsRequest({ ...options, port: target.tlsPort, ca: target.ca, servername: HOST })
        : request({ ...options, port: target.port });
      let port = 0;
      sent.on("socket", (socket: Socket) => {
        port = socket.localPort ?? port;
        if (!socket.connecting) return;
        socket.once("connect", () => {
          port = socket.localPort ?? port;
        });
      });
      const fail = (error: Error): void => reject(new PortError(`${error.name} ${error.message}`, port));
      sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error("hangs")));
      sent.on("error", fail);
      sent.on("response", (answer: IncomingMessage) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", fail);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts) }));
      });
      sent.end(body);
    });
  return new Loop(ask, target, `h1${isTls ? "s" : ""}${keepAlive ? "" : "-new"}-${index}`, () => agent.destroy());
}

/** One client on one HTTP/2 session at a time; a session that says that it goes away is replaced. */
export function http2Client(target: SoakTarget, index: number): SoakClient {
  let session: ClientHttp2Session | null = null;
  const open = async (): Promise<ClientHttp2Session> => {
    if (session !== null && !session.closed && !session.destroyed) return session;
    const next = connect(`https://127.0.0.1:${target.tlsPort}`, { ca: target.ca, servername: HOST });
    session = next;
    next.on("error", () => {});
    next.on("goaway", () => {
      if (session === next) session = null;
      next.close();
    });
    await once(next, "connect");
    return next;
  };
  const ask: Ask = async ({ method, path, headers = {}, body }) => {
    const current = await open().catch((error: Error) => {
      session = null;
      throw new PortError(error.message, 0);
    });
    const port = current.socket.localPort ?? 0;
    const stream = current.request({ ":method": method, ":path": path, ":authority": HOST, ...headers });
    return new Promise<Whole>((resolve, reject) => {
      const parts: Buffer[] = [];
      let status = 0;
      stream.setTimeout(PATIENCE_MS, () => stream.destroy(new Error("hangs")));
      stream.on("response", (head) => {
        status = head[":status"] ?? 0;
      });
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("error", (error: Error) => reject(new PortError(error.message, port)));
      stream.on("close", () =>
        stream.rstCode === 0 && status !== 0
          ? resolve({ status, body: Buffer.concat(parts) })
          : reject(new PortError(`stream closed with ${stream.rstCode}`, port)),
      );
      stream.end(body);
    });
  };
  return new Loop(ask, target, `h2-${index}`, () => session?.close());
}

class Loop implements SoakClient {
  readonly #ask: Ask;
  readonly #target: SoakTarget;
  readonly #name: string;
  readonly #close: () => void;
  #isRunning = true;

  constructor(ask: Ask, target: SoakTarget, name: string, close: () => void) {
    this.#ask = ask;
    this.#target = target;
    this.#name = name;
    this.#close = close;
  }

  stop(): void {
    this.#isRunning = false;
  }

  async run(onDone: () => void, onFailure: (failure: Failure) => void): Promise<void> {
    const steps = [
      () => this.#hello(),
      () => this.#range(),
      () => this.#upload(),
      () => this.#hello(),
      () => this.#missing(),
      () => this.#whole(),
    ];
    for (let i = 0; this.#isRunning; i += 1) {
      const step = steps[i % steps.length] as (typeof steps)[number];
      try {
        await step();
        onDone();
      } catch (error) {
        const port = error instanceof PortError ? error.port : 0;
        onFailure({ what: `${this.#name} step ${i % steps.length}`, port, why: (error as Error).message });
      }
    }
    this.#close();
  }

  async #hello(): Promise<void> {
    const { status, body } = await this.#ask({ method: "GET", path: "/hello.txt" });
    expect(status === 200 && body.toString() === "hello", `GET hello: ${status}, ${body.length} bytes`);
  }

  async #missing(): Promise<void> {
    const { status } = await this.#ask({ method: "GET", path: "/no-such-key" });
    expect(status === 404, `GET of nothing: ${status}`);
  }

  async #range(): Promise<void> {
    const { status, body } = await this.#ask({
      method: "GET",
      path: "/large.bin",
      headers: { range: "bytes=100000-199999" },
    });
    expect(status === 206 && body.length === 100_000, `range: ${status}, ${body.length} bytes`);
  }

  async #whole(): Promise<void> {
    const { status, body } = await this.#ask({ method: "GET", path: "/large.bin" });
    const { size, sha256 } = this.#target.large;
    expect(status === 200 && body.length === size, `large: ${status}, ${body.length} bytes of ${size}`);
    expect(createHash("sha256").update(body).digest("hex") === sha256, "large: other bytes");
  }

  async #upload(): Promise<void> {
    const body = randomBytes(64 * 1024);
    const path = `/up-${this.#name}.bin`;
    const put = await this.#ask({ method: "PUT", path, body, headers: { "content-length": String(body.length) } });
    expect(put.status === 200, `PUT: ${put.status}`);
  }
}

function expect(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}
