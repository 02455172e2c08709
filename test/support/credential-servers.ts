import { createHmac, timingSafeEqual } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Teardown } from "./gateway.js";

/**
 * How a service behaves, switchable while it runs. `normal` is its protocol; `silent` takes requests and says nothing;
 * `drip` sends a head and then never enough; `endless` answers more than anybody should read.
 */
export type Behaviour =
  | { readonly kind: "normal" }
  | { readonly kind: "status"; readonly status: number; readonly body: string }
  | { readonly kind: "body"; readonly body: string }
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "silent" | "drip" | "endless" | "reset" };

/** What a service hands out: every field holds the same number, so that a mixed set can be told. */
export interface IssuedSet {
  readonly AccessKeyId: string;
  readonly AccessKeySecret: string;
  readonly SecurityToken: string;
  readonly Expiration: string;
}

/** @param label part of every field, so that a test can plant one and search for it */
export function issuedSet(serial: number, expiresAtMs: number, label = "issued"): IssuedSet {
  return {
    AccessKeyId: `STS.${label}-id-${serial}`,
    AccessKeySecret: `${label}-secret-${serial}`,
    SecurityToken: `${label}-token-${serial}`,
    Expiration: `${new Date(expiresAtMs).toISOString().slice(0, 19)}Z`,
  };
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A small real HTTP server that hands out credentials. */
export class CredentialServer {
  behaviour: Behaviour = { kind: "normal" };
  /** How long what it hands out lives. */
  lifetimeMs = 3_600_000;
  /** Sets handed out so far. */
  serial = 0;
  label = "issued";
  requests: SeenRequest[] = [];
  readonly #answer: (request: SeenRequest, server: CredentialServer) => Reply;
  readonly #sockets = new Set<Socket>();
  readonly #arrivals = new EventEmitter();
  #server: Server | null = null;
  #port = 0;

  constructor(answer: (request: SeenRequest, server: CredentialServer) => Reply) {
    this.#answer = answer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** The first time on a free port, then on the same one. */
  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        this.#arrivals.emit("change");
      });
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** From here on connections are refused, until it listens again. */
  async goDown(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, "close");
  }

  /** Resolves once the condition holds; it is looked at when a request arrives or a socket closes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.#arrivals, "change");
  }

  issue(): IssuedSet {
    this.serial += 1;
    return issuedSet(this.serial, Date.now() + this.lifetimeMs, this.label);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    const seen = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body };
    this.requests.push(seen);
    this.#arrivals.emit("change");
    const { behaviour } = this;
    if (behaviour.kind === "normal") reply(response, this.#answer(seen, this));
    else misbehave(request, response, behaviour);
  }
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

function reply(response: ServerResponse, { status, body }: Reply): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body);
}

function misbehave(
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: Exclude<Behaviour, { readonly kind: "normal" }>,
): void {
  switch (behaviour.kind) {
    case "status":
      reply(response, behaviour);
      return;
    case "body":
      reply(response, { status: 200, body: behaviour.body });
      return;
    case "redirect":
      response.writeHead(302, { location: behaviour.location }).end();
      return;
    case "reset":
      request.socket.resetAndDestroy();
      return;
    case "drip":
      response.writeHead(200, { "content-length": "100" }).write("{");
      return;
    case "endless":
      // More than any limit here, less than a test machine minds.
      response.writeHead(200).end(Buffer.alloc(4 * 1024 * 1024, " "));
      return;
    case "silent":
      return;
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function started(t: Teardown, server: CredentialServer): Promise<CredentialServer> {
  await server.listen();
  t.teardown(() => server.goDown());
  return server;
}

export interface MetadataOptions {
  /**
   * `hardened`: nothing without a token. `both`: tokens are given but not asked for. `v1`: it knows no tokens, and answers a
   * request for one with `tokenStatus`.
   */
  readonly mode: "hardened" | "both" | "v1";
  /** Default 404. */
  readonly tokenStatus?: number;
  /** `null`: the instance has none. */
  readonly roleName?: string | null;
}

const ROLES_PATH = "/latest/meta-data/ram/security-credentials/";

/** The metadata service of an ECS instance (oss-semantics §8.2). */
export function startMetadataService(t: Teardown, options: MetadataOptions): Promise<CredentialServer> {
  const { mode, tokenStatus = 404, roleName = "oss-reader" } = options;
  const token = "metadata-token-1";
  const answer = ({ method, path, headers }: SeenRequest, server: CredentialServer): Reply => {
    if (method === "PUT" && path === "/latest/api/token") {
      if (mode === "v1") return { status: tokenStatus, body: "" };
      const ttlSeconds = Number(headers["x-aliyun-ecs-metadata-token-ttl-seconds"]);
      return ttlSeconds >= 1 && ttlSeconds <= 21_600 ? { status: 200, body: token } : { status: 400, body: "" };
    }
    const sent = headers["x-aliyun-ecs-metadata-token"];
    if (mode === "hardened" && sent !== token) return { status: 403, body: "" };
    if (method !== "GET" || roleName === null) return { status: 404, body: "" };
    if (path === ROLES_PATH) return { status: 200, body: roleName };
    if (path !== ROLES_PATH + roleName) return { status: 404, body: "" };
    const body = { ...server.issue(), LastUpdated: "2025-01-01T00:00:00Z", Code: "Success" };
    return { status: 200, body: JSON.stringify(body) };
  };
  return started(t, new CredentialServer(answer));
}

/** A service of `ALIBABA_CLOUD_CREDENTIALS_URI`. */
export function startCredentialsUri(t: Teardown): Promise<CredentialServer> {
  return started(
    t,
    new CredentialServer(({ method, path }, server) => {
      if (method !== "GET" || !path.startsWith("/credentials")) return { status: 404, body: "" };
      return { status: 200, body: JSON.stringify(server.issue()) };
    }),
  );
}

export interface StsAccount {
  readonly secret: string;
  readonly securityToken?: string;
}

export interface StsOptions {
  /** Who may ask, by access key id. May be changed while it runs. */
  readonly accounts: Map<string, StsAccount>;
  /** OIDC tokens that are good. May be changed while it runs. */
  readonly oidcTokens?: Set<string>;
}

/** STS 2015-04-01: AssumeRole, whose signature it checks, and AssumeRoleWithOIDC. */
export function startSts(t: Teardown, options: StsOptions): Promise<CredentialServer> {
  const nonces = new Set<string>();
  return started(
    t,
    new CredentialServer((request, server) => {
      const parameters = new URL(request.path, "http://sts").searchParams;
      for (const [name, value] of new URLSearchParams(request.body)) parameters.append(name, value);
      const problem = stsProblem({ ...options, method: request.method, parameters, nonces });
      if (problem !== null) return stsError(problem);
      const credentials = server.issue();
      return {
        status: 200,
        body: JSON.stringify({ RequestId: "6894B13B-6D71-4EF5-88FA-F32781734A7F", Credentials: credentials }),
      };
    }),
  );
}

function stsError(code: string): Reply {
  const status = code.startsWith("InvalidAccessKeyId") ? 404 : 400;
  return { status, body: JSON.stringify({ RequestId: "0B1D", HostId: "sts.aliyuncs.com", Code: code, Message: "no" }) };
}

interface StsCall extends StsOptions {
  readonly method: string;
  readonly parameters: URLSearchParams;
  readonly nonces: Set<string>;
}

function stsProblem(call: StsCall): string | null {
  const { parameters } = call;
  if (parameters.get("Version") !== "2015-04-01") return "InvalidVersion";
  const askedMs = Date.parse(parameters.get("Timestamp") ?? "");
  if (!(Math.abs(Date.now() - askedMs) < 15 * 60_000)) return "InvalidTimeStamp.Expired";
  if (!/^acs:ram::\d+:role\/[\w-]+$/.test(parameters.get("RoleArn") ?? "")) return "InvalidParameter.RoleArn";
  if (!(Number(parameters.get("DurationSeconds")) >= 900)) return "InvalidParameter.DurationSeconds";
  if (!/^[\w.@-]{2,64}$/.test(parameters.get("RoleSessionName") ?? "")) return "InvalidParameter.RoleSessionName";
  if (parameters.get("Action") === "AssumeRoleWithOIDC") {
    return call.oidcTokens?.has(parameters.get("OIDCToken") ?? "") ? null : "AuthenticationFail.OIDCToken.Invalid";
  }
  return parameters.get("Action") === "AssumeRole" ? signatureProblem(call) : "InvalidAction";
}

function signatureProblem({ accounts, method, parameters, nonces }: StsCall): string | null {
  const account = accounts.get(parameters.get("AccessKeyId") ?? "");
  if (account === undefined) return "InvalidAccessKeyId.NotFound";
  if ((account.securityToken ?? null) !== parameters.get("SecurityToken")) return "InvalidSecurityToken.Malformed";
  const nonce = parameters.get("SignatureNonce") ?? "";
  if (nonce === "" || nonces.has(nonce)) return "SignatureNonceUsed";
  nonces.add(nonce);
  const given = Buffer.from(parameters.get("Signature") ?? "", "base64");
  const wanted = rpcSignature(method, parameters, account.secret);
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? null : "SignatureDoesNotMatch";
}

/** Written from the vendor's description and shown right by the vendor's own client; shares nothing with the gateway. */
function rpcSignature(method: string, parameters: URLSearchParams, secret: string): Buffer {
  const pairs = [...parameters].filter(([name]) => name !== "Signature");
  const canonical = pairs
    .map(([name, value]) => `${rfc3986(name)}=${rfc3986(value)}`)
    .sort()
    .join("&");
  return createHmac("sha1", `${secret}&`)
    .update([method, rfc3986("/"), rfc3986(canonical)].join("&"))
    .digest();
}

/** Byte by byte, unlike the gateway's. */
function rfc3986(text: string): string {
  return [...Buffer.from(text, "utf8")]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_.~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}
