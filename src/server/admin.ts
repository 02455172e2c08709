import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import type { SocketAddress } from "../config/gateway-config.js";
import { hostOf } from "../core/host.js";
import { isIssuePath, refuseAsOff, serveIssue } from "./admin-issue.js";
import type { AdminSource } from "./admin-source.js";

/**
 * The listener for operators and applications: `/metrics`, `/healthz`, `/readyz`, `/tops`, and `POST /sign` and
 * `/policy` where they are on. Never one of the listeners that clients reach.
 */
export class AdminListener {
  readonly #server: Server;
  readonly #source: AdminSource;
  readonly #address: SocketAddress;

  constructor(address: SocketAddress, source: AdminSource) {
    this.#address = address;
    this.#source = source;
    this.#server = createServer((req, res) => {
      this.#serve(req, res).catch((error: Error) => answer(res, 500, `${error.message}\n`));
    });
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

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url?.split("?", 1)[0] ?? "";
    const { issuer } = this.#source;
    // Applications may use any name for this address here: whoever shows the secret is no page of another origin.
    if (issuer != null && isIssuePath(path)) return serveIssue(path, req, res, issuer);
    // A page of another origin could reach this address by a name of its own (DNS rebinding); it has no business here.
    if (!isTrustedHost(req.headers.host)) return answer(res, 403, "Use the address of this listener, or localhost.\n");
    if (isIssuePath(path)) return refuseAsOff(res);
    if (req.method !== "GET" && req.method !== "HEAD") return answer(res, 405, "Only GET is served here.\n");
    switch (path) {
      case "/healthz":
        return answer(res, 200, "ok\n");
      case "/readyz": {
        const problems = await this.#source.problems();
        return answer(
          res,
          problems.length === 0 ? 200 : 503,
          problems.length === 0 ? "ready\n" : `${problems.join("\n")}\n`,
        );
      }
      case "/metrics": {
        const { contentType, body } = await this.#source.metrics();
        return answer(res, 200, body, contentType);
      }
      case "/tops":
        return answer(res, 200, `${JSON.stringify(this.#source.tops())}\n`, "application/json");
      default:
        return answer(res, 404, issuer == null ? PATHS : PATHS_WITH_ISSUER);
    }
  }
}

const PATHS = "Here are /metrics, /healthz, /readyz and /tops.\n";
const PATHS_WITH_ISSUER = "Here are /metrics, /healthz, /readyz and /tops, and POST /sign and POST /policy.\n";

function isTrustedHost(value: string | undefined): boolean {
  const host = hostOf(value ?? "");
  return host !== null && (host === "localhost" || isIP(host) !== 0);
}

function answer(res: ServerResponse, status: number, body: string, contentType = "text/plain; charset=utf-8"): void {
  res.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  res.end(body);
}
