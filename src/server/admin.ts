import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { SocketAddress } from "../config/gateway-config.js";
import { sendAnswer, textAnswer } from "./admin-answer.js";
import { limitConnections } from "./admin-connections.js";
import { refuseAccess } from "./admin-guard.js";
import { isIssuePath, refuseAsOff, serveIssue } from "./admin-issue.js";
import { listOfPages, PAGES } from "./admin-pages.js";
import type { AdminSource } from "./admin-source.js";
import { StatusPage } from "./status/status-page.js";

/** Slow clients hold nothing for long. */
const TIMEOUTS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
} as const;
/** Nothing passes on a connection. */
const SILENCE_MS = 30_000;

/**
 * The listener for operators and applications: the pages of `admin-pages.ts`, and `POST /sign` and `/policy` where they
 * are on. Never one of the listeners that clients reach.
 */
export class AdminListener {
  readonly #server: Server;
  readonly #source: AdminSource;
  readonly #address: SocketAddress;
  readonly #isLoopback: boolean;
  readonly #status = new StatusPage();

  /** @param silenceMs how long a connection may be open on which nothing passes; absent: 30 s */
  constructor(address: SocketAddress, source: AdminSource, silenceMs = SILENCE_MS) {
    this.#address = address;
    this.#source = source;
    this.#isLoopback = isLoopback(address.host);
    this.#server = createServer(TIMEOUTS, (req, res) => {
      this.#serve(req, res).catch((error: Error) => sendAnswer(res, textAnswer(500, error.message)));
    });
    this.#server.setTimeout(silenceMs);
    limitConnections(this.#server);
  }

  listen(): Promise<AddressInfo> {
    const { host, port } = this.#address;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Takes nothing new; answers that are on their way go out. */
  retire(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
    // Those that are answered now are idle behind it.
    this.#server.keepAliveTimeout = 1;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const [path = "", ...rest] = (req.url ?? "").split("?");
    const source = this.#source;
    const { issuer, secrets } = source;
    // Applications may use any name for this address here: whoever shows the secret is no page of another origin.
    if (issuer != null && isIssuePath(path)) return serveIssue(path, req, res, issuer);
    const guard = { isLoopback: this.#isLoopback, secrets };
    const page = PAGES.get(path);
    const refused = refuseAccess(req, page ?? { access: "read" }, guard);
    if (refused !== null) return sendAnswer(res, refused);
    if (isIssuePath(path)) return refuseAsOff(res);
    if (page === undefined) return sendAnswer(res, textAnswer(404, listOfPages(issuer != null)));
    const { methods } = page;
    if (!methods.includes(req.method ?? "")) {
      const allow = methods.join(", ");
      return sendAnswer(
        res,
        textAnswer(405, `Only ${allow} ${methods.length > 1 ? "are" : "is"} served here.`, { Allow: allow }),
      );
    }
    // Nothing passes while workers are replaced one after the other; Node sets it again for the next request.
    if (page.access === "change") req.socket.setTimeout(0);
    sendAnswer(res, await page.answer({ req, rawQuery: rest.join("?"), source, guard, status: this.#status }));
  }
}

function isLoopback(host: string): boolean {
  return host === "::1" || host === "localhost" || /^127(?:\.\d+){3}$/.test(host);
}
