import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { LimitsConfig, ListenAddress } from "../config/gateway-config.js";
import { ERRORS, type ErrorCode } from "../core/errors.js";
import { peerOf, tellPeer } from "../gateway/client-address.js";
import { shareCertificate, tellCertificate } from "../gateway/client-certificate.js";
import { handleRequest, type RunningRequest } from "../gateway/handler.js";
import type { Gateway } from "../gateway/request-context.js";
import { nextRequestId } from "../gateway/request-id.js";
import { type Clients, canonicalClient } from "../policy/clients.js";
import type { AccessEntry } from "../telemetry/access-log.js";
import { NO_BUCKET } from "../telemetry/stats.js";
import { type Door, type Doors, OWN_DOORS } from "./doors.js";
import { areSameReadLimits, HttpReader } from "./http-reader.js";
import { Http2Reader } from "./http2-reader.js";
import { takeProxyHeader } from "./proxy-protocol.js";
import { parserRefusal, refuseConnection } from "./refusals.js";
import type { ListenerTls } from "./tls.js";

/** What a listener serves by; a reload changes it as a whole. */
export interface ListenerTerms {
  readonly name: string;
  readonly limits: LimitsConfig;
  /** Peers whose connections must begin with a PROXY header; `null`: nobody's do. */
  readonly proxyHeaderFrom: Clients | null;
  /** The listener's own from then on, which it closes; `null`: plain HTTP. */
  readonly tls: ListenerTls | null;
  readonly gateway: ListenerGateway;
}

/** Whether it drains is the listener's own business. */
export type ListenerGateway = Omit<Gateway, "isDraining">;

export interface ListenerOptions extends ListenerTerms {
  readonly address: ListenAddress;
  /** Where connections come from; absent: from sockets of this process. */
  readonly doors?: Doors;
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

/** Connections that may wait for {@link Listener.open}; more are closed. */
const MAX_HELD = 4_096;

/** One listening socket and its connections. */
export class Listener {
  readonly #address: ListenAddress;
  readonly #doors: Doors;
  #door: Door | null = null;
  #terms: ListenerTerms;
  #gateway: Gateway;
  #reader: HttpReader;
  #isDraining = false;
  /** Of a connection with TLS both sockets, the accepted one and the one that is read. */
  readonly #connections = new Map<Socket, Connection>();
  readonly #http2 = new Set<Http2Reader>();
  /** One too many; they get an answer and end. */
  readonly #refused = new Set<Socket>();
  /** Accepted, while the listener is not open. */
  #held: Set<Socket> | null = null;

  constructor({ address, doors = OWN_DOORS, ...terms }: ListenerOptions) {
    this.#address = address;
    this.#doors = doors;
    this.#terms = terms;
    this.#gateway = this.#withDraining(terms.gateway);
    this.#reader = this.#createReader(terms.limits);
    this.#serveTls(terms);
  }

  get name(): string {
    return this.#terms.name;
  }

  /**
   * Takes the address, and accepts; rejects with the system's error when the address cannot be had.
   * @param isHeld connections are taken, but nothing is read from them before {@link open}
   */
  async listen(isHeld = false): Promise<AddressInfo> {
    if (isHeld) this.#held = new Set();
    this.#door = await this.#doors.open({
      name: this.name,
      address: this.#address,
      onConnection: (socket) => this.#onConnection(socket),
      onError: (error) => this.#gateway.log.error({ cause: error.message }, "accept failed"),
    });
    return this.#door.address;
  }

  /** Serves what connects, and what has connected since it listens. */
  open(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const socket of held) {
      socket.off("error", ignore);
      this.#onConnection(socket);
      if (this.#terms.tls === null || this.#mustNamePeer(socket)) socket.resume();
    }
  }

  /**
   * Serves by other terms from the next request on, on connections that are open too; a request in flight ends by those
   * that it began with. What holds for a connection as a whole (the sizes and times of {@link ReadLimits}, and whether it
   * begins with a PROXY header) changes for new ones.
   */
  change(terms: ListenerTerms): void {
    if (terms.tls !== this.#terms.tls) this.#terms.tls?.close();
    this.#serveTls(terms);
    this.#terms = terms;
    this.#gateway = this.#withDraining(terms.gateway);
    if (areSameReadLimits(this.#reader.limits, terms.limits)) return;
    this.#reader.retire();
    this.#reader = this.#createReader(terms.limits);
  }

  /**
   * Accepts nothing new, and ends each connection with its next answer; one on which nothing is asked any more is closed
   * when it has been idle for as long as it may be. A client that is just sending its next request is answered.
   * @returns resolves when the last connection has ended
   */
  drain(): Promise<void> {
    this.#isDraining = true;
    for (const socket of this.#held ?? []) socket.destroy();
    this.#door?.close();
    for (const reader of this.#http2) reader.goAway();
    return this.#connectionsGone().then(() => {
      this.#reader.retire();
      this.#terms.tls?.close();
    });
  }

  /** Ends every connection now; resolves when the requests on them have ended too, and are in the log. */
  async destroy(): Promise<void> {
    const sockets = [...this.#connections.keys(), ...this.#refused];
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on("close", resolve).destroy())));
  }

  async #connectionsGone(): Promise<void> {
    for (const socket of [...this.#connections.keys(), ...this.#refused]) {
      // Not once(): an error would settle it before the socket is closed.
      if (!socket.closed) await new Promise((resolve) => socket.on("close", resolve));
    }
  }

  #withDraining(gateway: ListenerGateway): Gateway {
    return { ...gateway, isDraining: () => this.#isDraining };
  }

  #createReader(limits: LimitsConfig): HttpReader {
    return new HttpReader(limits, {
      onRequest: (req, res) => this.#serve(req, res),
      onConnectMethod: (socket, { url = "", httpVersion }) => {
        const line = { method: "CONNECT", target: url, line: `CONNECT ${url} HTTP/${httpVersion}` };
        this.#refuse(socket, "METHOD_NOT_ALLOWED", "CONNECT is not served: this is no open proxy.", line);
      },
      onClientError: (error, socket) => this.#onClientError(error, socket),
      onIdle: (socket) => this.#onIdle(socket),
    });
  }

  #onConnection(socket: Socket): void {
    if (this.#held !== null) {
      this.#hold(socket, this.#held);
      return;
    }
    const { stats } = this.#gateway;
    const { connections: limit } = this.#terms.limits;
    stats.connectionsTotal += 1;
    // Read now, it is kept by Node: after a reset nobody can tell it, and what was sent before would be nobody's.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    if (stats.openConnections >= limit) {
      stats.connectionsRefused += 1;
      // A handshake to say so would cost what there is no room for.
      if (this.#terms.tls !== null) {
        socket.destroy();
        return;
      }
      this.#refused.add(socket);
      socket.on("close", () => this.#refused.delete(socket));
      const message = "The gateway has all the connections that limits.connections allows. Try again later.";
      this.#refuse(socket, "GATEWAY_BUSY", message);
      return;
    }
    this.#track(socket);
    if (this.#mustNamePeer(socket)) this.#readBehindProxyHeader(socket);
    else this.#read(socket);
  }

  #read(socket: Socket): void {
    const { tls } = this.#terms;
    if (tls === null) {
      this.#reader.read(socket);
      return;
    }
    // Who ends it in the handshake, as checks of a port do, waits for no answer; what is read by TLS takes it from here.
    socket.allowHalfOpen = false;
    tls.accept(socket);
  }

  #serveTls({ tls }: ListenerTerms): void {
    tls?.serve({ onSecure: (socket, raw) => this.#onSecure(socket, raw, tls) });
  }

  /** The handshake is through; what is below it is counted already. */
  #onSecure(socket: TLSSocket, raw: Socket, tls: ListenerTls): void {
    if (!this.#connections.has(raw)) {
      socket.destroy();
      return;
    }
    tellPeer(socket, peerOf(raw));
    if (tls.asksForCertificates) tellCertificate(socket);
    if (socket.alpnProtocol === "h2") this.#readHttp2(socket, tls.asksForCertificates);
    else {
      socket.allowHalfOpen = true;
      this.#follow(socket);
      this.#reader.read(socket);
    }
  }

  #readHttp2(socket: TLSSocket, mayHaveCertificate: boolean): void {
    const reader = new Http2Reader({
      socket,
      peer: peerOf(socket),
      limits: this.#terms.limits,
      onRequest: (req, res, onClose) => {
        if (mayHaveCertificate) shareCertificate(socket, req.socket);
        return handleRequest(this.#gateway, req, res, onClose);
      },
      onAbuse: (cause) => {
        const fields = { listener: this.name, peer: peerOf(socket), cause };
        this.#gateway.log.debug(fields, "an HTTP/2 connection is broken off");
      },
    });
    this.#http2.add(reader);
    socket.on("close", () => this.#http2.delete(reader));
    if (this.#isDraining) reader.goAway();
  }

  /** Some of what it sends may be read, and is kept for {@link open}. */
  #hold(socket: Socket, held: Set<Socket>): void {
    if (held.size >= MAX_HELD) {
      socket.destroy();
      return;
    }
    held.add(socket.pause());
    socket.on("error", ignore).on("close", () => held.delete(socket));
  }

  /** What others send is HTTP from its first byte; to them a PROXY header is a malformed request. */
  #mustNamePeer(socket: Socket): boolean {
    const { proxyHeaderFrom } = this.#terms;
    return proxyHeaderFrom?.has(canonicalClient(socket.remoteAddress ?? "")) === true;
  }

  #readBehindProxyHeader(socket: Socket): void {
    const { limits } = this.#terms;
    takeProxyHeader(socket, limits.headerTimeoutMs, {
      onSource: (source) => {
        if (source !== null) tellPeer(socket, source);
        this.#read(socket);
        // TLS reads below the socket's own stream, and takes what is given back there.
        if (this.#terms.tls === null) socket.resume();
      },
      onNone: (reason) => {
        const fields = { listener: this.name, peer: socket.remoteAddress ?? "", cause: reason };
        this.#gateway.log.warn(fields, "a trusted proxy sent no PROXY header; the connection is closed");
      },
    });
  }

  #track(socket: Socket): void {
    const { stats } = this.#gateway;
    stats.openConnections += 1;
    this.#follow(socket);
    socket.on("close", () => {
      stats.openConnections -= 1;
    });
  }

  #follow(socket: Socket): void {
    const connection: Connection = { running: null, waiting: [], isBroken: false };
    this.#connections.set(socket, connection);
    socket.on("end", () => connection.running?.onClientHalfClosed());
    socket.on("close", () => {
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
    connection.running = handleRequest(this.#gateway, req, res, () => {
      connection.running = null;
      if (connection.isBroken) req.socket.destroySoon();
      const next = connection.waiting.shift();
      if (next === undefined) return;
      this.#begin(connection, ...next);
      if (connection.waiting.length < MAX_WAITING) req.socket.resume();
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
    this.#refuse(socket, code, message, requestLineOf(error, socket));
  }

  /** Answers, counts and logs where there is no request to do it for. */
  #refuse(socket: Socket, code: ErrorCode, message: string, { method, target, line } = NO_REQUEST_LINE): void {
    const { stats, accessLog, mask } = this.#gateway;
    if ((this.#connections.get(socket)?.running ?? null) !== null) {
      // In the middle of an answer another one would be a lie.
      socket.destroy();
      return;
    }
    const requestId = nextRequestId();
    const { status } = ERRORS[code];
    stats.unrouted.countRequest({ signature: "anonymous", method, status, bucket: NO_BUCKET, errorCode: code });
    const sentBytes = refuseConnection(socket, code, message, requestId);
    stats.unrouted.buckets.of(NO_BUCKET).sentBytes += sentBytes;
    const entry: AccessEntry = {
      requestId,
      client: peerOf(socket),
      host: "",
      method,
      target: mask(target),
      protocol: "",
      requestLine: line === "" ? undefined : mask(line),
      route: stats.unrouted.route,
      status,
      signature: "anonymous",
      receivedBytes: 0,
      sentBytes,
      durationMs: 0,
      error: code,
      detail: message,
    };
    accessLog.write(entry);
    stats.recent.note(entry);
  }
}

function ignore(): void {}

const NO_REQUEST_LINE = { method: "", target: "", line: "" };

/**
 * The request line of a head that was refused, as far as its last packet shows it; for the log. A packet that is not the
 * connection's first may begin amid a header, a signature say: of such only what is a request line counts.
 */
function requestLineOf(
  { rawPacket }: NodeJS.ErrnoException & { readonly rawPacket?: Buffer },
  { bytesRead }: Socket,
): typeof NO_REQUEST_LINE {
  const line = rawPacket?.toString("latin1", 0, 2_048).split(/[\r\n]/, 1)[0] ?? "";
  const [method = "", target = ""] = /^([A-Z]{3,20}) (\S+)/.exec(line)?.slice(1) ?? [];
  const isFirst = bytesRead === rawPacket?.length;
  return { method, target, line: isFirst || /^[A-Z]{3,20} \S+ HTTP\/\d\.\d$/.test(line) ? line : "" };
}
