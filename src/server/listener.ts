import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { LimitsConfig, SocketAddress } from "../config/gateway-config.js";
import { ERRORS, type ErrorCode } from "../core/errors.js";
import { peerOf, tellPeer } from "../gateway/client-address.js";
import { handleRequest, type RunningRequest } from "../gateway/handler.js";
import type { Gateway } from "../gateway/request-context.js";
import { nextRequestId } from "../gateway/request-id.js";
import { type Clients, canonicalClient } from "../policy/clients.js";
import { type AttachParser, withLenientFraming } from "./lenient-framing.js";
import { takeProxyHeader } from "./proxy-protocol.js";
import { parserRefusal, refuseConnection } from "./refusals.js";

/** What a listener needs of the program. */
export interface ListenerOptions {
  readonly name: string;
  readonly address: SocketAddress;
  readonly limits: LimitsConfig;
  /** Peers whose connections must begin with a PROXY header; `null`: nobody's do. */
  readonly proxyHeaderFrom: Clients | null;
  readonly gateway: Gateway;
}

/** Requests that may wait behind another on one connection before reading from it stops. */
const MAX_WAITING = 8;

/** A connection serves one request at a time, in their order; what a client pipelines behind it waits. */
interface Connection {
  running: RunningRequest | null;
  readonly waiting: (readonly [req: IncomingMessage, res: ServerResponse])[];
  /** What came after the running request is not HTTP: the connection ends with its answer. */
  isBroken: boolean;
}

/** Errors of a connection, not of what came on it. */
const BROKEN: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "HPE_INVALID_EOF_STATE",
]);

/** One listening socket and its connections. */
export class Listener {
  readonly name: string;
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Connection>();
  /** One too many; they get an answer and end. */
  readonly #refused = new Set<Socket>();

  constructor(options: ListenerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#server = createHttpServer(options.limits);
    this.#takeConnections();
    this.#server.on("request", (req, res) => this.#serve(req, res));
    // Not answered here: whether the upload is wanted is for the upstream to say.
    this.#server.on("checkContinue", (req, res) => this.#serve(req, res));
    this.#server.on("checkExpectation", (req, res) => this.#serve(req, res));
    this.#server.on("connect", (_req, socket: Socket) => {
      this.#refuse(socket, "METHOD_NOT_ALLOWED", "CONNECT is not served: this is no open proxy.");
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) =>
      this.#onClientError(error, socket),
    );
    this.#server.on("timeout", (socket: Socket) => this.#onIdle(socket));
  }

  /** Begins to accept; rejects with the system's error when the address cannot be had. */
  listen(): Promise<AddressInfo> {
    const { host, port } = this.#options.address;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        this.#server.off("error", reject);
        // An accept that fails, for want of a file descriptor say, must not end the program.
        this.#server.on("error", (error) => this.#options.gateway.log.error({ cause: error.message }, "accept failed"));
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Accepts nothing new and closes what is idle; resolves when the last connection has ended. */
  drain(): Promise<void> {
    const drained = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Node takes a connection that has sent nothing, or part of a head, for busy; browsers open them ahead of need.
    for (const [socket, { running, waiting }] of this.#connections) {
      if (running === null && waiting.length === 0) socket.destroy();
    }
    return drained;
  }

  /** Ends every connection now; resolves when the requests on them have ended too, and are in the log. */
  async destroy(): Promise<void> {
    const sockets = [...this.#connections.keys(), ...this.#refused];
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("close", resolve).destroy())));
  }

  #takeConnections(): void {
    const [own] = this.#server.listeners("connection") as AttachParser[];
    if (own === undefined) throw new Error("this Node's HTTP server has no connection listener");
    this.#server.removeListener("connection", own);
    const attach = withLenientFraming(this.#server, own);
    const { stats } = this.#options.gateway;
    const { connections: limit } = this.#options.limits;
    this.#server.on("connection", (socket: Socket) => {
      stats.connectionsTotal += 1;
      // Read now, it is kept by Node: after a reset nobody can tell it, and what was sent before would be nobody's.
      if (socket.remoteAddress === undefined) {
        socket.destroy();
        return;
      }
      if (stats.openConnections >= limit) {
        stats.connectionsRefused += 1;
        this.#refused.add(socket);
        socket.on("close", () => this.#refused.delete(socket));
        const message = `The gateway has all the ${limit} connections that limits.connections allows. Try again later.`;
        this.#refuse(socket, "GATEWAY_BUSY", message);
        return;
      }
      this.#track(socket);
      if (this.#mustNamePeer(socket)) this.#attachBehindProxyHeader(socket, attach);
      else attach.call(this.#server, socket);
    });
  }

  /** What others send is HTTP from its first byte; to them a PROXY header is a malformed request. */
  #mustNamePeer(socket: Socket): boolean {
    const { proxyHeaderFrom } = this.#options;
    return proxyHeaderFrom?.has(canonicalClient(socket.remoteAddress ?? "")) === true;
  }

  #attachBehindProxyHeader(socket: Socket, attach: AttachParser): void {
    const { gateway, limits } = this.#options;
    takeProxyHeader(socket, limits.headerTimeoutMs, {
      onSource: (source) => {
        if (source !== null) tellPeer(socket, source);
        attach.call(this.#server, socket);
        socket.resume();
      },
      onNone: (reason) => {
        const fields = { listener: this.name, peer: socket.remoteAddress ?? "", cause: reason };
        gateway.log.warn(fields, "a trusted proxy sent no PROXY header; the connection is closed");
      },
    });
  }

  #track(socket: Socket): void {
    const { stats } = this.#options.gateway;
    const connection: Connection = { running: null, waiting: [], isBroken: false };
    stats.openConnections += 1;
    this.#connections.set(socket, connection);
    socket.on("end", () => connection.running?.onClientHalfClosed());
    socket.on("close", () => {
      stats.openConnections -= 1;
      connection.waiting.length = 0;
      this.#connections.delete(socket);
    });
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    const connection = this.#connections.get(req.socket);
    if (connection === undefined) return;
    if (connection.running === null) {
      this.#begin(connection, req, res);
      return;
    }
    connection.waiting.push([req, res]);
    if (connection.waiting.length >= MAX_WAITING) req.socket.pause();
  }

  #begin(connection: Connection, req: IncomingMessage, res: ServerResponse): void {
    const { gateway } = this.#options;
    connection.running = handleRequest(gateway, req, res, () => {
      connection.running = null;
      if (connection.isBroken) req.socket.destroySoon();
      const next = connection.waiting.shift();
      if (next !== undefined) {
        this.#begin(connection, ...next);
        if (connection.waiting.length < MAX_WAITING) req.socket.resume();
      } else if (gateway.isDraining()) this.#server.closeIdleConnections();
    });
    // Told of the first of several that the client sent before it shut down its side, not of those behind it.
    if (req.socket.readableEnded) connection.running.onClientHalfClosed();
  }

  #onIdle(socket: Socket): void {
    const running = this.#connections.get(socket)?.running;
    if (running === undefined || running === null) socket.destroy();
    else running.onClientIdle();
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    // A connection that broke, or was shut down in the middle of a request, has nobody to answer.
    if (BROKEN.has(error.code ?? "") || connection === undefined) {
      socket.destroy();
      return;
    }
    const { code, message } = parserRefusal(error);
    if (connection.running !== null) {
      if (connection.isBroken) return;
      connection.isBroken = true;
      connection.running.onMalformed(message);
      return;
    }
    // Node tells this again for each piece that still arrives; the first was answered.
    if (connection.isBroken) return;
    connection.isBroken = true;
    this.#refuse(socket, code, message, requestLineOf(error));
  }

  /** Answers, counts and logs where there is no request to do it for. */
  #refuse(socket: Socket, code: ErrorCode, message: string, { method, target, line } = NO_REQUEST_LINE): void {
    const { stats, accessLog, mask } = this.#options.gateway;
    if ((this.#connections.get(socket)?.running ?? null) !== null) {
      // In the middle of an answer another one would be a lie.
      socket.destroy();
      return;
    }
    const requestId = nextRequestId();
    stats.unrouted.countError(code);
    const sentBytes = refuseConnection(socket, code, message, requestId);
    accessLog.write({
      requestId,
      client: peerOf(socket),
      host: "",
      method,
      target: mask(target),
      protocol: "",
      requestLine: line === "" ? undefined : mask(line),
      route: stats.unrouted.route,
      status: ERRORS[code].status,
      signature: "anonymous",
      receivedBytes: 0,
      sentBytes,
      durationMs: 0,
      error: code,
      detail: message,
    });
  }
}

const NO_REQUEST_LINE = { method: "", target: "", line: "" };

/** The request line of a head that was refused, as far as its last packet shows it; for the log. */
function requestLineOf(error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }): typeof NO_REQUEST_LINE {
  const line = error.rawPacket?.toString("latin1", 0, 2_048).split(/[\r\n]/, 1)[0] ?? "";
  const [method = "", target = ""] = /^([A-Z]{3,20}) (\S+)/.exec(line)?.slice(1) ?? [];
  return { method, target, line };
}

function createHttpServer(limits: LimitsConfig): Server {
  const server = createServer({
    maxHeaderSize: limits.headerSizeBytes,
    headersTimeout: limits.headerTimeoutMs,
    // Node's limit for a whole request would cut long uploads; ours is on stillness (see onIdle).
    requestTimeout: 0,
    keepAliveTimeout: limits.clientIdleTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, Math.max(50, Math.trunc(limits.headerTimeoutMs / 4))),
    insecureHTTPParser: false,
    noDelay: true,
    // Checked in gateway/begin.ts, where the answer can say why.
    requireHostHeader: false,
  });
  // Node would drop header lines past its limit in silence, Authorization among them; begin.ts refuses above ours.
  server.maxHeadersCount = 0;
  server.timeout = limits.clientIdleTimeoutMs;
  // Some clients shut down their sending side after the request and still want the answer.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  return server;
}
