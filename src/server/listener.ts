import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { LimitsConfig, ListenAddress } from "../config/gateway-config.js";
import { peerOf, tellPeer } from "../gateway/client-address.js";
import { shareCertificate, tellCertificate } from "../gateway/client-certificate.js";
import { handleRequest } from "../gateway/handler.js";
import type { Gateway } from "../gateway/request-context.js";
import { type Clients, canonicalClient } from "../policy/clients.js";
import { type Door, type Doors, OWN_DOORS } from "./doors.js";
import { HeldConnections } from "./held-connections.js";
import { type BeginRequest, HttpConnection } from "./http-connection.js";
import { areSameReadLimits, HttpReader } from "./http-reader.js";
import { Http2Reader } from "./http2-reader.js";
import { takeProxyHeader } from "./proxy-protocol.js";
import { parserRefusal, type Refusal } from "./refusals.js";
import { type RequestLine, refuseAndTell, requestLineOf } from "./refused-connections.js";
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

const NO_OPEN_PROXY: Refusal = Object.freeze({
  code: "METHOD_NOT_ALLOWED",
  message: "CONNECT is not served: this is no open proxy.",
});
const ALL_CONNECTIONS_OPEN: Refusal = Object.freeze({
  code: "GATEWAY_BUSY",
  message: "The gateway has all the connections that limits.connections allows. Try again later.",
});

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
  readonly #connections = new Map<Socket, HttpConnection>();
  readonly #http2 = new Set<Http2Reader>();
  /** One too many; they get an answer and end. */
  readonly #refused = new Set<Socket>();
  /** Accepted, while the listener is not open. */
  #held: HeldConnections | null = null;

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
    if (isHeld) this.#held = new HeldConnections();
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
    const held = this.#held?.release() ?? [];
    this.#held = null;
    for (const socket of held) {
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
    this.#held?.destroy();
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
      onRequest: (req, res) => this.#connections.get(req.socket)?.serve(req, res),
      onConnectMethod: (socket, { url = "", httpVersion }) => {
        const line = { method: "CONNECT", target: url, line: `CONNECT ${url} HTTP/${httpVersion}` };
        this.#refuse(socket, NO_OPEN_PROXY, line);
      },
      onClientError: (error, socket) => this.#onClientError(error, socket),
      onIdle: (socket) => this.#onIdle(socket),
    });
  }

  #onConnection(socket: Socket): void {
    if (this.#held !== null) {
      this.#held.hold(socket);
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
      this.#refuse(socket, ALL_CONNECTIONS_OPEN);
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
    this.#connections.set(socket, new HttpConnection(socket, this.#begin));
    socket.on("close", () => this.#connections.delete(socket));
  }

  readonly #begin: BeginRequest = (req, res, onClose) => handleRequest(this.#gateway, req, res, onClose);

  #onIdle(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) socket.destroy();
    else connection.onIdle(socket);
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    // A connection that broke, or was shut down in the middle of a request, has nobody to answer.
    if (BROKEN.has(error.code ?? "") || connection === undefined) {
      socket.destroy();
      return;
    }
    const refusal = parserRefusal(error);
    if (connection.onMalformed(refusal.message)) this.#refuse(socket, refusal, requestLineOf(error, socket));
  }

  #refuse(socket: Socket, refusal: Refusal, line?: RequestLine): void {
    // In the middle of an answer another one would be a lie.
    if (this.#connections.get(socket)?.isServing === true) socket.destroy();
    else refuseAndTell(this.#gateway, socket, refusal, line);
  }
}
