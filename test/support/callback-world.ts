import { type KeyObject, sign } from "node:crypto";
import type { Test } from "tap";
import { readConfig } from "../../src/config/read-config.js";
import { Secret } from "../../src/core/secret.js";
import { createLocalBudgets } from "../../src/limits/local-budgets.js";
import { signCallbackToken } from "../../src/policy/callback-token.js";
import type { CompiledCallback } from "../../src/route/callback.js";
import { compileRoutes } from "../../src/route/compile.js";
import type { CompiledRoute } from "../../src/route/compiled-route.js";
import { Logins } from "../../src/route/logins.js";
import { RouteTable } from "../../src/route/table.js";
import { UpstreamClock } from "../../src/route/upstream-clock.js";
import { Usage } from "../../src/route/usage.js";
import { Listener } from "../../src/server/listener.js";
import { callbackMessage, KNOWN_PUBLIC_KEY_URL } from "../../src/signing/callback.js";
import type { AccessEntry } from "../../src/telemetry/access-log.js";
import { maskTarget } from "../../src/telemetry/access-log.js";
import { createLog } from "../../src/telemetry/log.js";
import { type RouteStats, Stats } from "../../src/telemetry/stats.js";
import type { PublicKeyOptions, PublicKeys } from "../../src/transport/public-keys.js";
import { Upstream } from "../../src/transport/upstream.js";
import { answerWith, type KeyServer, keysFrom, makeOssKeys, startKeyServer } from "./callback-keys.js";
import { answerTo, head, type RawAnswer } from "./raw-client.js";
import { type StrictOrigin, startStrictOrigin } from "./strict-origin.js";

export const FORM = "application/x-www-form-urlencoded";
const HOST = "app.test";

/** What a test may want otherwise than it usually is. */
export interface WorldOptions {
  readonly callback?: Partial<CompiledCallback>;
  readonly keys?: Partial<PublicKeyOptions>;
  /** Of the application; the default is one that answers. */
  readonly forward?: string;
  /** How long the application may take; the default is the configuration's. */
  readonly applicationMs?: number;
}

/** A callback as OSS sends it, or as somebody else does. */
export interface Call {
  readonly method?: string;
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
  readonly keys: PublicKeys;
  readonly keyFailures: readonly string[];
  readonly ossKey: KeyObject;
  /** What the key server answers. */
  readonly publicPem: string;
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
 * A callback route with all around it on real sockets: the vendor's key host by TLS, the application, and the gateway's
 * own listener and stages behind a configuration file's text. All ends with the test.
 */
export async function startCallbackWorld(t: Test, options: WorldOptions = {}): Promise<CallbackWorld> {
  const { privateKey, publicPem } = makeOssKeys();
  const keyServer = await startKeyServer(t, answerWith(publicPem));
  const application = await startStrictOrigin(t);
  application.reply(() => jsonAnswer('{"ok":true}'));
  const keyFailures: string[] = [];
  const secret = new Secret("the secret of callback tokens");
  const keys = keysFrom(keyServer.port, keyFailures, options.keys);
  const served = await serve(t, {
    config: configText(options.forward ?? `http://127.0.0.1:${application.port}/uploads`),
    secret,
    keys,
    applicationMs: options.applicationMs,
    callback: options.callback ?? {},
  });
  const token: CallbackWorld["token"] = (claims = {}) => {
    const { bucket = "examplebucket", keyPrefix = "user/7/", inSeconds = TOKEN_LIFE_SECONDS } = claims;
    const expiresSeconds = Math.trunc(Date.now() / 1_000) + inSeconds;
    return signCallbackToken({ bucket, keyPrefix, expiresSeconds }, secret);
  };
  const request = (call: Call = {}): Buffer => requestBytes({ query: token(), signer: privateKey, ...call });
  const call = (what?: Call): Promise<RawAnswer> => answerTo(served.port, request(what), "POST");
  return {
    ...served,
    application,
    keyServer,
    keys,
    keyFailures,
    ossKey: privateKey,
    publicPem,
    secret,
    request,
    call,
    token,
  };
}

/** JSON is YAML. */
function configText(forward: string): string {
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    admin: { address: "127.0.0.1:0" },
    buckets: {
      media: { bucket: "examplebucket", region: "cn-beijing" },
      other: { bucket: "otherbucket", region: "cn-beijing" },
    },
    routes: [
      {
        name: "callbacks",
        match: { hosts: [HOST] },
        methods: ["POST"],
        callback: { forward, buckets: ["media"], secret: { env: "SECRET" } },
      },
    ],
  });
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
  const {
    method = "POST",
    path = "/callback",
    query,
    contentType = FORM,
    keyUrl = KNOWN_PUBLIC_KEY_URL,
    signer,
  } = call;
  const body = Buffer.from(call.body ?? "bucket=examplebucket&object=user%2F7%2Fcat.jpg&size=12");
  const message = callbackMessage(decodeURIComponent(path), query, body);
  const authorization = call.authorization ?? sign("RSA-MD5", message, signer).toString("base64");
  const target = query === "" ? path : `${path}?${query}`;
  const headers = [
    ...["Host", HOST, "User-Agent", "aliyun-oss-callback", "Content-Type", contentType],
    ...["Content-Length", String(body.length), "Authorization", authorization],
    ...["x-oss-pub-key-url", Buffer.from(keyUrl, "latin1").toString("base64")],
    ...["x-oss-bucket", "examplebucket", "x-oss-request-id", "5C8F0B1A", "x-oss-tag", "CALLBACK"],
    ...(call.headers ?? []),
  ];
  return Buffer.concat([Buffer.from(head(method, target, headers), "latin1"), body]);
}

type Served = Pick<CallbackWorld, "port" | "entries" | "stats" | "logged">;

interface ServeInput {
  readonly config: string;
  readonly secret: Secret;
  readonly keys: PublicKeys;
  readonly applicationMs: number | undefined;
  readonly callback: Partial<CompiledCallback>;
}

async function serve(t: Test, { config: text, secret, keys, applicationMs, callback }: ServeInput): Promise<Served> {
  const result = readConfig(text, "test.yaml");
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const { config } = result;
  const entries: AccessEntry[] = [];
  const waiting = new Set<() => void>();
  const stats = new Stats();
  const aliases = [...config.buckets.keys()];
  const tables = compileRoutes(config, {
    upstreams: new Map(aliases.map((alias) => [alias, idleUpstream(alias)])),
    clocks: new Map(aliases.map((alias) => [alias, new UpstreamClock(() => {})])),
    credentials: new Map(),
    publicKeys: keys,
    readSecret: () => secret,
    logins: new Logins(createLog("silent")),
    budgets: createLocalBudgets(),
    stats,
  });
  const route = tables.get("web")?.find(HOST, "/") as CompiledRoute;
  const compiled = route.callback as CompiledCallback;
  const application = { ...compiled.application, timeoutMs: applicationMs ?? compiled.application.timeoutMs };
  const changed = { ...route, callback: { ...compiled, application, ...callback } };
  const listener = new Listener({
    name: "web",
    address: { host: "127.0.0.1", port: 0, systemd: null },
    limits: config.limits,
    proxyHeaderFrom: null,
    tls: null,
    gateway: {
      table: new RouteTable([{ host: HOST, route: changed }]),
      limits: config.limits,
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
      acmeChallengeDirectory: null,
      findClientIp: null,
      trustedProxies: null,
      mask: maskTarget,
      maskAlways: maskTarget,
      usage: new Usage(),
    },
  });
  const { port } = await listener.listen();
  t.teardown(async () => {
    const drained = listener.drain();
    await listener.destroy();
    await drained;
  });
  const logged: CallbackWorld["logged"] = (predicate) =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = entries.find(predicate);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { port, entries, stats: stats.route("callbacks"), logged };
}

/** Nothing of a callback goes to a bucket. */
function idleUpstream(id: string): Upstream {
  return new Upstream(
    {
      id,
      host: "127.0.0.1",
      port: 9,
      tls: false,
      ca: null,
      connections: 1,
      timeouts: { connectMs: 1_000, headersMs: 1_000, idleMs: 1_000 },
      dns: { minTtlMs: 5_000, maxTtlMs: 60_000, servers: [], addresses: [] },
    },
    { onDnsChange() {}, onDnsLookUp() {}, onDnsFailure() {}, onSetAside() {} },
  );
}
