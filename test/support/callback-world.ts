import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Test } from "tap";
import { Secret } from "../../src/core/secret.js";
import { begin } from "../../src/gateway/begin.js";
import { finish } from "../../src/gateway/finish.js";
import { type Gateway, RequestContext } from "../../src/gateway/request-context.js";
import { serveCallback } from "../../src/gateway/serve-callback.js";
import { signCallbackToken } from "../../src/policy/callback-token.js";
import type { CompiledCallback } from "../../src/route/callback.js";
import { compileCallback } from "../../src/route/callback.js";
import type { CompiledBucket } from "../../src/route/compiled-route.js";
import { RouteTable } from "../../src/route/table.js";
import { callbackMessage, KNOWN_PUBLIC_KEY_URL } from "../../src/signing/callback.js";
import { SIGNATURE_CLASSES } from "../../src/signing/types.js";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { createLog } from "../../src/telemetry/log.js";
import { type RouteStats, Stats } from "../../src/telemetry/stats.js";
import { type PublicKeyOptions, PublicKeys } from "../../src/transport/public-keys.js";
import { KEY_HOST_TLS } from "./callback-certificate.js";
import { answerTo, head, type RawAnswer } from "./raw-client.js";
import { type StrictOrigin, startStrictOrigin } from "./strict-origin.js";

export const FORM = "application/x-www-form-urlencoded";

/** A key pair such as OSS signs callbacks with. */
export function makeOssKeys(): { readonly privateKey: KeyObject; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 512 });
  return { privateKey, publicPem: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

/** A server with the certificate of the vendor's key host. */
export interface KeyServer {
  readonly port: number;
  /** Targets, in order. */
  readonly requests: readonly string[];
  reply(answer: RequestListener): void;
}

/** Starts a key server; it ends with the test. */
export async function startKeyServer(
  t: Test,
  first: RequestListener,
  tls: { readonly key: string; readonly cert: string } = KEY_HOST_TLS,
): Promise<KeyServer> {
  let answer = first;
  const requests: string[] = [];
  const server = createTlsServer(tls, (req, res) => {
    requests.push(`${req.method} ${req.url} ${req.headers.host}`);
    answer(req, res);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    requests,
    reply: (next) => {
      answer = next;
    },
  };
}

/** Keys from that server; what failed is added to `failures`. */
export function keysFrom(port: number, failures: string[] = [], more: Partial<PublicKeyOptions> = {}): PublicKeys {
  return new PublicKeys({
    known: [KNOWN_PUBLIC_KEY_URL],
    onFailure: (url, cause) => failures.push(`${url}: ${cause}`),
    ca: KEY_HOST_TLS.cert,
    connectTo: { host: "127.0.0.1", port },
    ...more,
  });
}

export const answerWith =
  (body: string, status = 200, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (_req, res) =>
    void res.writeHead(status, headers).end(body);

/** What a test may want otherwise than it usually is. */
export interface WorldOptions {
  readonly callback?: Partial<CompiledCallback>;
  readonly keys?: Partial<PublicKeyOptions>;
  /** Of the application; the default is one that answers. */
  readonly forward?: string;
  readonly timeoutMs?: number;
}

/** A callback as OSS sends it, or as somebody else does. */
export interface Call {
  readonly path?: string;
  /** Without `?`; the default holds a valid token. */
  readonly query?: string;
  readonly body?: string | Buffer;
  readonly contentType?: string;
  readonly keyUrl?: string;
  readonly authorization?: string;
  /** Names and values in turn, behind the usual ones. */
  readonly headers?: readonly string[];
  /** Who signs; OSS unless said. */
  readonly signer?: KeyObject;
}

export interface CallbackWorld {
  readonly port: number;
  readonly application: StrictOrigin;
  readonly keyServer: KeyServer;
  readonly keyFailures: readonly string[];
  readonly ossKey: KeyObject;
  readonly secret: Secret;
  readonly stats: RouteStats;
  readonly entries: readonly AccessEntry[];
  /** The request as bytes. */
  request(call?: Call): Buffer;
  /** Sends it on a connection of its own. */
  call(call?: Call): Promise<RawAnswer>;
  /** A query with a token, good for ten minutes unless said. */
  token(claims?: { readonly bucket?: string; readonly keyPrefix?: string; readonly inSeconds?: number }): string;
  /** Resolves with the first entry, past or coming, that the predicate takes. */
  logged(predicate: (entry: AccessEntry) => boolean): Promise<AccessEntry>;
}

const TOKEN_LIFE_SECONDS = 600;

/**
 * A callback route with all around it on real sockets: the vendor's key host by TLS, the application, and an HTTP server
 * that puts requests through `begin`, `serveCallback` and `finish` as the gateway does. All ends with the test.
 */
export async function startCallbackWorld(t: Test, options: WorldOptions = {}): Promise<CallbackWorld> {
  const { privateKey, publicPem } = makeOssKeys();
  const keyServer = await startKeyServer(t, answerWith(publicPem));
  const application = await startStrictOrigin(t);
  application.reply(() => jsonAnswer('{"ok":true}'));
  const keyFailures: string[] = [];
  const secret = new Secret("the secret of callback tokens");
  const compiled = compileCallback({
    config: {
      forward: new URL(options.forward ?? `http://127.0.0.1:${application.port}/uploads?from=oss`),
      buckets: ["media"],
      secret: { kind: "env", name: "UNUSED" },
      timeoutMs: options.timeoutMs ?? 4_000,
    },
    secret,
    bodySizeBytes: 1024 * 1024,
    buckets: new Map([
      ["media", bucket("media", "examplebucket")],
      ["other", bucket("other", "otherbucket")],
    ]),
    keys: keysFrom(keyServer.port, keyFailures, options.keys),
  });
  const server = await serve(t, { ...compiled, ...options.callback });
  const token: CallbackWorld["token"] = ({
    bucket = "examplebucket",
    keyPrefix = "user/7/",
    inSeconds = TOKEN_LIFE_SECONDS,
  } = {}) =>
    signCallbackToken({ bucket, keyPrefix, expiresSeconds: Math.trunc(Date.now() / 1_000) + inSeconds }, secret);
  const request = (call: Call = {}): Buffer => requestBytes({ query: token(), signer: privateKey, ...call });
  return {
    ...server,
    application,
    keyServer,
    keyFailures,
    ossKey: privateKey,
    secret,
    request,
    call: (call) => answerTo(server.port, request(call), "POST"),
    token,
  };
}

/** An answer of the application as bytes. */
export function jsonAnswer(json: string, status = 200, headers: readonly string[] = []): string {
  const lines = ["Content-Type", "application/json", ...headers, "Content-Length", String(Buffer.byteLength(json))];
  let text = `HTTP/1.1 ${status} Text\r\n`;
  for (let i = 0; i < lines.length; i += 2) text += `${lines[i]}: ${lines[i + 1]}\r\n`;
  return `${text}\r\n${Buffer.from(json).toString("latin1")}`;
}

/** What OSS signs and sends. */
export function requestBytes(call: Call & { readonly query: string; readonly signer: KeyObject }): Buffer {
  const { path = "/callback", query, contentType = FORM, keyUrl = KNOWN_PUBLIC_KEY_URL, signer } = call;
  const body = Buffer.from(call.body ?? "bucket=examplebucket&object=user%2F7%2Fcat.jpg&size=12");
  const message = callbackMessage(decodeURIComponent(path), query, body);
  const authorization = call.authorization ?? sign("RSA-MD5", message, signer).toString("base64");
  const target = query === "" ? path : `${path}?${query}`;
  const headers = [
    ...["Host", "app.test", "User-Agent", "aliyun-oss-callback", "Content-Type", contentType],
    ...["Content-Length", String(body.length), "Authorization", authorization],
    ...["x-oss-pub-key-url", Buffer.from(keyUrl, "latin1").toString("base64")],
    ...["x-oss-bucket", "examplebucket", "x-oss-request-id", "5C8F0B1A", "x-oss-tag", "CALLBACK"],
    ...(call.headers ?? []),
  ];
  return Buffer.concat([Buffer.from(head("POST", target, headers), "latin1"), body]);
}

function bucket(alias: string, ossName: string): CompiledBucket {
  return { alias, ossName } as CompiledBucket;
}

type Served = Pick<CallbackWorld, "port" | "entries" | "stats" | "logged">;

async function serve(t: Test, callback: CompiledCallback): Promise<Served> {
  const entries: AccessEntry[] = [];
  const waiting = new Set<() => void>();
  const stats = new Stats(SIGNATURE_CLASSES.length);
  const gateway: Gateway = {
    table: new RouteTable([]),
    limits: { headerCount: 200, targetSizeBytes: 16 * 1024 },
    stats,
    accessLog: {
      write(entry) {
        entries.push(entry);
        for (const look of waiting) look();
      },
      close: async () => {},
    },
    log: createLog("silent"),
    isTls: false,
    isDraining: () => false,
  };
  const server = createServer();
  const handle = (req: IncomingMessage, res: ServerResponse): void => serveRequest(gateway, callback, req, res);
  server.on("request", handle);
  server.on("checkContinue", handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    entries,
    stats: stats.route("callbacks"),
    logged: (predicate) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = entries.find(predicate);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The stages around `serveCallback`, as in `gateway/handler.ts`. */
function serveRequest(gateway: Gateway, callback: CompiledCallback, req: IncomingMessage, res: ServerResponse): void {
  const ctx = new RequestContext(gateway, req, res, "0".repeat(24), performance.now());
  ctx.routeStats = gateway.stats.route("callbacks");
  ctx.routeStats.inFlight += 1;
  res.on("close", () => {
    if (!res.writableFinished) {
      ctx.noteError({ code: "CLIENT_GONE", reason: "The client closed the connection." });
      ctx.exchange?.abort();
    }
    finish(ctx, performance.now());
  });
  begin(ctx);
  serveCallback(ctx, callback);
}
