import { createHash, constants as crypto } from "node:crypto";
import type { Socket } from "node:net";
import {
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from "node:tls";
import type { TlsConfig } from "../config/gateway-config.js";
import type { Logger } from "../telemetry/log.js";
import type { CertificateGauges } from "../telemetry/process-report.js";
import type { ListenerStats } from "../telemetry/stats.js";
import type { CertificatePair } from "./certificate-pair.js";
import { CertificateReader, type Certificates } from "./certificates.js";
import type { TicketKeys, TicketSeed } from "./ticket-keys.js";
import { tlsFailureOf } from "./tls-failure.js";

export interface ListenerTlsOptions {
  /** Of the listener. */
  readonly name: string;
  readonly tls: TlsConfig;
  /** For the handshake. */
  readonly headerTimeoutMs: number;
  /** All processes have them alike: what makes a session of one good in another. */
  readonly ticketKeys: TicketKeys;
  readonly stats: ListenerStats;
  readonly log: Logger;
}

/** What is told of the connections that were handed to {@link ListenerTls.accept}. */
export interface TlsHandlers {
  /** The handshake is through. @param raw the connection that was handed in */
  onSecure(socket: TLSSocket, raw: Socket): void;
}

/** ECDHE and AEAD alone for TLS 1.2, as Mozilla's "intermediate" without its DHE; all of TLS 1.3. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** A phone without AES in hardware puts ChaCha20 first, and gets it. */
const OPTIONS =
  crypto.SSL_OP_CIPHER_SERVER_PREFERENCE |
  crypto.SSL_OP_NO_RENEGOTIATION |
  crypto.SSL_OP_NO_COMPRESSION |
  ((crypto as { SSL_OP_PRIORITIZE_CHACHA?: number }).SSL_OP_PRIORITIZE_CHACHA ?? 0);

/** How long a session may be resumed; with client certificates shorter, for they are not looked at again. */
const SESSION_SECONDS = 3_600;
const SESSION_WITH_CERTIFICATE_SECONDS = 300;

/** How often files are looked at: a stat each, which finds a swapped link, a mounted volume and a rename alike. */
const POLL_MS = 3_000;

/**
 * Reads a listener's certificates and begins to watch them.
 * @throws Error with one sentence that begins with the listener's place
 */
export async function openTls(options: ListenerTlsOptions): Promise<ListenerTls> {
  const reader = new CertificateReader(options.tls);
  try {
    const certificates = await reader.read(true);
    return new ListenerTls(options, reader, certificates);
  } catch (cause) {
    throw new Error(`listener ${options.name}: ${(cause as Error).message}`, { cause });
  }
}

/** TLS for the connections of one listener. Holds no socket; keeps no process alive. */
export class ListenerTls {
  readonly #options: ListenerTlsOptions;
  readonly #reader: CertificateReader;
  #handlers: TlsHandlers = { onSecure: (socket) => void socket.destroy() };
  #certificates: Certificates;
  #terminator: Terminator;
  /** The ticket keys that it has. */
  #tickets: TicketSeed;
  #told: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ListenerTlsOptions, reader: CertificateReader, certificates: Certificates) {
    this.#options = options;
    this.#reader = reader;
    this.#certificates = certificates;
    this.#tickets = options.ticketKeys.seed();
    this.#terminator = this.#createTerminator(certificates);
    this.#tellProblems();
    this.#pollLater();
  }

  /** Whether a client may show a certificate. */
  get asksForCertificates(): boolean {
    return this.#options.tls.clientCaFile !== null;
  }

  /** Who is told of connections from now on. */
  serve(handlers: TlsHandlers): void {
    this.#handlers = handlers;
  }

  /** Begins the handshake on an accepted connection, of which nothing but a PROXY header was read. */
  accept(raw: Socket): void {
    this.#terminator.accept(raw);
  }

  gauges(): readonly CertificateGauges[] {
    const { name } = this.#options;
    const held = this.#certificates.held.map(({ pair, problem }) => ({
      listener: name,
      names: [...pair.names, ...pair.addresses],
      file: pair.file,
      notAfterMs: pair.notAfterMs,
      problem,
    }));
    return held;
  }

  /** Whether there is nothing to show, so that nobody is served: a directory may get its first certificate later. */
  get isEmpty(): boolean {
    return this.#certificates.held.length === 0;
  }

  /**
   * Looks at the files, and shows new ones to new connections from then on; those that are open stay as they are. So it is
   * with ticket keys: sessions that began with those of before are not resumed, which costs a whole handshake.
   * @returns whether a certificate changed
   */
  async refresh(): Promise<boolean> {
    const certificates = await this.#reader.read(false);
    const hasChanged = certificates.digest !== this.#certificates.digest;
    const tickets = this.#options.ticketKeys.seed();
    if ((hasChanged || tickets !== this.#tickets) && !this.#isClosed) {
      this.#tickets = tickets;
      this.#terminator = this.#createTerminator(certificates);
    }
    this.#certificates = certificates;
    this.#tellProblems();
    return hasChanged;
  }

  /** Looks at files no more; handshakes go on. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Each once, for as long as it stands; those of certificates that are shown stand in {@link gauges}. */
  #tellProblems(): void {
    const { problems } = this.#reader;
    for (const problem of problems) {
      if (this.#told.includes(problem)) continue;
      this.#options.log.warn({ listener: this.#options.name, cause: problem }, "a certificate cannot be used");
    }
    this.#told = problems;
  }

  #pollLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.refresh()
        .catch((error: Error) => {
          this.#options.log.warn(
            { listener: this.#options.name, cause: error.message },
            "certificates are not renewed",
          );
        })
        .finally(() => this.#pollLater());
    }, POLL_MS).unref();
  }

  #createTerminator(certificates: Certificates): Terminator {
    return new Terminator(this.#options, certificates, (socket, raw) => this.#handlers.onSecure(socket, raw));
  }
}

/** What all contexts of a terminator have alike. */
type CommonOptions = SecureContextOptions & { readonly ticketKeys: Buffer; readonly sessionTimeout: number };

/** Makes the handshakes with one set of certificates. */
class Terminator {
  readonly #options: ListenerTlsOptions;
  readonly #certificates: Certificates;
  readonly #onSecure: TlsHandlers["onSecure"];
  readonly #common: CommonOptions;
  readonly #contexts = new Map<CertificatePair, SecureContext>();
  /** By the certificate for clients that name no host: one, but for listeners at several addresses. */
  readonly #servers = new Map<CertificatePair, Server>();

  constructor(options: ListenerTlsOptions, certificates: Certificates, onSecure: TlsHandlers["onSecure"]) {
    this.#options = options;
    this.#certificates = certificates;
    this.#onSecure = onSecure;
    this.#common = commonOptions(options, certificates.clientCa);
    // Each is tried now: what OpenSSL refuses must not be found out by a client.
    for (const { pair } of certificates.held) this.#contextOf(pair);
  }

  accept(raw: Socket): void {
    const pair = this.#certificates.forAddress(raw.localAddress ?? null);
    if (pair === null) {
      this.#options.stats.countTlsFailure("other");
      raw.destroy();
      return;
    }
    this.#serverOf(pair).emit("connection", raw);
  }

  #contextOf(pair: CertificatePair): SecureContext {
    const known = this.#contexts.get(pair);
    if (known !== undefined) return known;
    try {
      const context = createSecureContext({ ...this.#common, cert: pair.cert, key: pair.key });
      this.#contexts.set(pair, context);
      return context;
    } catch (cause) {
      throw new Error(`${pair.file} cannot be used: ${(cause as Error).message}`, { cause });
    }
  }

  #serverOf(pair: CertificatePair): Server {
    const known = this.#servers.get(pair);
    if (known !== undefined) return known;
    const server = this.#createServer(pair);
    this.#servers.set(pair, server);
    return server;
  }

  #createServer(pair: CertificatePair): Server {
    const { tls, headerTimeoutMs } = this.#options;
    const server = createServer({
      ...this.#common,
      cert: pair.cert,
      key: pair.key,
      ALPNProtocols: tls.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      requestCert: tls.clientCaFile !== null,
      rejectUnauthorized: tls.clientCaFile !== null && tls.clientCertificate === "required",
      handshakeTimeout: headerTimeoutMs,
      SNICallback: (servername, done) => {
        const chosen = this.#certificates.forName(servername);
        done(null, chosen === null ? undefined : this.#contextOf(chosen));
      },
    });
    server.on("secureConnection", (socket) => this.#onHandshake(socket));
    server.on("tlsClientError", (error, socket) => this.#onFailure(error, socket));
    return server;
  }

  #onHandshake(socket: TLSSocket): void {
    const { stats, log, name } = this.#options;
    const raw = rawOf(socket);
    if (raw === undefined || !this.#isAdmitted(socket)) {
      stats.countTlsFailure(raw === undefined ? "other" : "noCertificate");
      if (raw === undefined) log.error({ listener: name }, "this Node hides the connection below TLS");
      socket.destroy();
      return;
    }
    stats.tlsHandshakes += 1;
    if (socket.isSessionReused()) stats.tlsResumed += 1;
    this.#onSecure(socket, raw);
  }

  /** OpenSSL takes a resumed session for verified, whether or not there was a certificate when it began. */
  #isAdmitted(socket: TLSSocket): boolean {
    const { clientCaFile, clientCertificate } = this.#options.tls;
    if (clientCaFile === null || clientCertificate === "optional") return true;
    return socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0;
  }

  #onFailure(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const { stats, log, name } = this.#options;
    const failure = tlsFailureOf(error, socket);
    stats.countTlsFailure(failure);
    log.debug({ listener: name, failure, cause: error.message }, "a TLS handshake failed");
    socket.destroy();
  }
}

/** Of the connection that a handshake was begun on; Node does not document the way there. */
function rawOf(socket: TLSSocket): Socket | undefined {
  return (socket as TLSSocket & { readonly _parent?: Socket })._parent;
}

function commonOptions({ name, tls, ticketKeys }: ListenerTlsOptions, clientCa: string | null): CommonOptions {
  // A session that began where no certificate, or another authority's, was needed must not be resumed where one is: so
  // the keys of tickets are each listener's own, and change with what it asks for.
  const asked = clientCa === null ? "" : `${tls.clientCertificate} ${clientCa}`;
  const purpose = createHash("sha256")
    .update(JSON.stringify([name, tls.minVersion, asked]))
    .digest();
  return {
    ciphers: CIPHERS,
    honorCipherOrder: true,
    minVersion: tls.minVersion,
    secureOptions: OPTIONS,
    ticketKeys: ticketKeys.keysFor(purpose),
    sessionIdContext: purpose.toString("hex").slice(0, 32),
    sessionTimeout: clientCa === null ? SESSION_SECONDS : SESSION_WITH_CERTIFICATE_SECONDS,
    ...(clientCa === null ? {} : { ca: clientCa }),
  };
}
