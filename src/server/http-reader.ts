import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { LimitsConfig } from "../config/gateway-config.js";
import { type AttachParser, withLenientFraming } from "./lenient-framing.js";

/** What holds for a connection from its beginning to its end. */
export type ReadLimits = Pick<LimitsConfig, "headerSizeBytes" | "headerTimeoutMs" | "clientIdleTimeoutMs">;

/** What is told of the connections. */
export interface HttpHandlers {
  onRequest(req: IncomingMessage, res: ServerResponse): void;
  onConnectMethod(socket: Socket, req: IncomingMessage): void;
  onClientError(error: NodeJS.ErrnoException, socket: Socket): void;
  /** It has been still for `clientIdleTimeoutMs`. */
  onIdle(socket: Socket): void;
}

/**
 * Reads HTTP/1 off connections that somebody else has accepted: a server of Node's that never listens. So the limits,
 * which such a server has for good, can change for new connections while the listening socket stays; and Node's
 * `close()`, which ends idle connections at once, is not what stops it.
 */
export class HttpReader {
  readonly limits: ReadLimits;
  readonly #server: Server;
  readonly #attach: AttachParser;
  #connections = 0;
  #isRetired = false;

  constructor(limits: ReadLimits, handlers: HttpHandlers) {
    this.limits = limits;
    this.#server = createHttpServer(limits);
    const [own] = this.#server.listeners("connection") as AttachParser[];
    if (own === undefined) throw new Error("this Node's HTTP server has no connection listener");
    this.#attach = withLenientFraming(this.#server, own);
    this.#server.on("request", handlers.onRequest);
    // Not answered here: whether the upload is wanted is for the upstream to say.
    this.#server.on("checkContinue", handlers.onRequest);
    this.#server.on("checkExpectation", handlers.onRequest);
    this.#server.on("connect", (req, socket: Socket) => handlers.onConnectMethod(socket, req));
    this.#server.on("clientError", handlers.onClientError);
    this.#server.on("timeout", handlers.onIdle);
    // What starts the clock of headersTimeout; a server that listens is told so by its socket.
    this.#server.emit("listening");
  }

  /** Reads requests off a connection until it ends. */
  read(socket: Socket): void {
    this.#connections += 1;
    socket.on("close", () => {
      this.#connections -= 1;
      if (this.#isRetired) this.#stopWhenUnused();
    });
    this.#attach.call(this.#server, socket);
  }

  /** No connection will come any more; those that are there are read on. */
  retire(): void {
    this.#isRetired = true;
    this.#stopWhenUnused();
  }

  #stopWhenUnused(): void {
    // Ends the clock of headersTimeout; there is nothing else to close.
    if (this.#connections === 0) this.#server.close();
  }
}

export function areSameReadLimits(one: ReadLimits, other: ReadLimits): boolean {
  return (
    one.headerSizeBytes === other.headerSizeBytes &&
    one.headerTimeoutMs === other.headerTimeoutMs &&
    one.clientIdleTimeoutMs === other.clientIdleTimeoutMs
  );
}

function createHttpServer(limits: ReadLimits): Server {
  const server = createServer({
    maxHeaderSize: limits.headerSizeBytes,
    headersTimeout: limits.headerTimeoutMs,
    // Node's limit for a whole request would cut long uploads; ours is on stillness (see Listener).
    requestTimeout: 0,
    keepAliveTimeout: limits.clientIdleTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, Math.max(50, Math.trunc(limits.headerTimeoutMs / 4))),
    insecureHTTPParser: false,
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
