/** The proxies that are measured. Each is data plus a function that writes its configuration. */
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NGINX_POOL, NGINX_RECIPE, type NginxFlavour, nginxConfig } from "./nginx-config.js";
import { findProgram, type Program } from "./processes.js";

/** Where one start of a proxy happens. */
export interface Site {
  /** A folder of its own for configuration, logs and temporary files. */
  readonly directory: string;
  readonly listenPort: number;
  readonly adminPort: number;
  readonly originPort: number;
}

export interface Launch extends Program {
  /** Answers 200 when the proxy is ready; without it an accepted connection is enough. */
  readonly readyUrl?: string;
}

export interface Contender {
  readonly name: string;
  /** What a reader must know to judge the comparison. */
  readonly note: string;
  /** The status with which it refuses every request; absent: it answers them. */
  readonly refusal?: number;
  /** What each client takes of it at most; absent: all that comes. */
  readonly takesBytesPerSecond?: number;
  /** Why it cannot run here, in a few words; `null` when it can. */
  absence(): string | null;
  /** How to ask for its version; absent: the note says it. */
  readonly version?: Program;
  /** Writes the configuration; `null`: the load goes to the origin itself. */
  prepare: ((site: Site) => Launch) | null;
}

const CLI_FILE = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const HTTP_PROXY_FILE = fileURLToPath(new URL("http-proxy-server.mjs", import.meta.url));

/** Of no account: the origin takes every signature. */
export const BENCH_KEY = { id: "bench-access-key-id", secret: "bench-access-key-secret-0123456789" };

const SIGNING = `auth: sign
    sign: { credentials: bench }
    allow: { anyone: true }`;

const direct: Contender = {
  name: "direct",
  note: "no proxy: what origin and load reach alone on their core, the ceiling of every other line",
  absence: () => null,
  prepare: null,
};

const ossgate = ossgateAs("ossgate", "one worker, JSON access log to a file", "auth: relay");

/** On the one core that a proxy has here: what a second worker costs, not what it brings. */
export const OSSGATE_WORKERS = ossgateAs("ossgate-workers", "ossgate with workers: 2", "auth: relay", { workers: 2 });

/** The same with credentials of the gateway's: what signing costs is the difference. */
export const OSSGATE_SIGNED = ossgateAs("ossgate-signed", "ossgate with auth: sign, V4 in the header", SIGNING);

export const OSSGATE_VERIFIED = ossgateAs(
  "ossgate-verified",
  "ossgate that verifies the client's presigned V4 URL and signs the request anew",
  `${SIGNING.replace("anyone", "signatures")}
    clientSignatures: verify`,
);

export const OSSGATE_HLS = ossgateAs(
  "ossgate-hls",
  "ossgate with hls.mode: rewrite, a link for each segment",
  `auth: sign
    sign: { credentials: bench }
    allow: { clients: [127.0.0.1/32], links: { secret: { env: BENCH_LINK_SECRET } } }
    satisfy: any
    hls: { mode: rewrite }`,
);

/** What 4 clients share in the rows of that name. */
const PACED_RATE = "20MiB/s";

/** At a few per cent of a core each byte costs more, limited or not: this tells how much of it is the limit's. */
export const OSSGATE_SIPPED: Contender = {
  ...ossgate,
  name: "ossgate-sipped",
  note: "ossgate without a limit, and clients that take 5 MiB/s each by themselves",
  takesBytesPerSecond: 5 * 1024 * 1024,
};

/** Near what it can do at all, so that it is busy. */
export const OSSGATE_PACED_FAST = ossgateAs(
  "ossgate-paced-fast",
  "ossgate with limits.egress: 300MiB/s on the route",
  "auth: relay",
  "egress: 300MiB/s",
);

export const OSSGATE_PACED = ossgateAs(
  "ossgate-paced",
  `ossgate with limits.egress: ${PACED_RATE} on the route`,
  "auth: relay",
  `egress: ${PACED_RATE}`,
);

/** Gateways that refuse every request, each for another reason. */
export const REFUSING: readonly Contender[] = [
  refusing(403, ossgateAs("ossgate-denied", "deny.clients", "auth: relay\n    deny: { clients: [127.0.0.0/8] }")),
  refusing(
    403,
    ossgateAs(
      "ossgate-referer",
      "referer with a list of two, and requests without one",
      `auth: relay
    referer: { allowEmptyReferer: false, refererList: ["https://www.example.com", "https://*.example.com"] }`,
    ),
  ),
  refusing(429, ossgateAs("ossgate-limited", "limits.requests of 1/s", "auth: relay", "requests: 1/s")),
];

function refusing(refusal: number, contender: Contender): Contender {
  return { ...contender, note: `ossgate that refuses all: ${contender.note}`, refusal };
}

/**
 * @param auth lines of the route that say how it serves, indented by four
 * @param limit a further key of the route's limits
 */
interface OssgateOptions {
  readonly limit?: string;
  readonly workers?: number;
}

function ossgateAs(name: string, note: string, auth: string, limit?: string | OssgateOptions): Contender {
  const options: OssgateOptions = typeof limit === "string" ? { limit } : (limit ?? {});
  return {
    name,
    note,
    absence: () => (existsSync(CLI_FILE) ? null : "not built"),
    prepare: (site) => ({
      command: process.execPath,
      args: [CLI_FILE, "run", "--config", writeConfig(site, "gateway.yaml", ossgateConfig(site, auth, options))],
      env: {
        NODE_ENV: "production",
        OSS_ACCESS_KEY_ID: BENCH_KEY.id,
        OSS_ACCESS_KEY_SECRET: BENCH_KEY.secret,
        BENCH_LINK_SECRET: "a secret for links of 32 bytes..",
      },
      readyUrl: `http://127.0.0.1:${site.adminPort}/readyz`,
    }),
  };
}

const nginxRecipe = nginx("nginx-recipe", NGINX_RECIPE, {
  note: "HTTP/1.0 upstream, no pool, combined access log to a file; client_max_body_size raised so that PUT can run",
});

const nginxPool = nginx("nginx-pool", NGINX_POOL, {
  note: "the recipe with keepalive 64 and HTTP/1.1 upstream; combined access log to a file",
});

/** What a second process costs NGINX on the same core. */
const nginxPoolWorkers = nginx("nginx-pool-workers", NGINX_POOL, {
  note: "nginx-pool with worker_processes 2",
  workers: 2,
});

const httpProxy: Contender = {
  name: "http-proxy",
  note: "http-proxy 1.18 on node:http, keepAlive agent, no access log",
  absence: () => (isResolvable("http-proxy") ? null : "not installed"),
  prepare: (site) => ({
    command: process.execPath,
    // It calls util._extend, and the warning about that is no news here.
    args: ["--no-deprecation", HTTP_PROXY_FILE, String(site.listenPort), String(site.originPort)],
    env: { NODE_ENV: "production" },
  }),
};

const haproxy: Contender = {
  name: "haproxy",
  note: "nbthread 1, mode http, no log",
  absence: () => notInstalled("haproxy"),
  version: { command: "haproxy", args: ["-v"] },
  prepare: (site) => ({
    command: findProgram("haproxy") ?? "haproxy",
    args: ["-db", "-f", writeConfig(site, "haproxy.cfg", haproxyConfig(site))],
  }),
};

const caddy: Contender = {
  name: "caddy",
  note: "GOMAXPROCS=1, no access log",
  absence: () => notInstalled("caddy"),
  version: { command: "caddy", args: ["version"] },
  prepare: (site) => ({
    command: findProgram("caddy") ?? "caddy",
    args: ["run", "--adapter", "caddyfile", "--config", writeConfig(site, "Caddyfile", caddyConfig(site))],
    env: { GOMAXPROCS: "1", HOME: site.directory, XDG_CONFIG_HOME: site.directory, XDG_DATA_HOME: site.directory },
  }),
};

/** In the order in which a round measures them. */
export const CONTENDERS: readonly Contender[] = [direct, ossgate, nginxRecipe, nginxPool, httpProxy, haproxy, caddy];

/** All that some row measures. */
export const ALL_CONTENDERS: readonly Contender[] = [
  ...CONTENDERS,
  OSSGATE_SIGNED,
  OSSGATE_VERIFIED,
  OSSGATE_HLS,
  OSSGATE_SIPPED,
  OSSGATE_PACED,
  OSSGATE_PACED_FAST,
  OSSGATE_WORKERS,
  nginxPoolWorkers,
  ...REFUSING,
];

export const OSSGATE = ossgate;

/** What a second process costs on the one core that a proxy has here. */
export const ONE_OR_TWO: readonly Contender[] = [ossgate, OSSGATE_WORKERS, nginxPool, nginxPoolWorkers];

/** What a connection of its own for each request costs. */
export const CONNECTING: readonly Contender[] = [ossgate, OSSGATE_WORKERS, nginxRecipe, nginxPool];

interface NginxOptions {
  readonly note: string;
  readonly workers?: number;
}

function nginx(name: string, flavour: NginxFlavour, { note, workers }: NginxOptions): Contender {
  return {
    name,
    note,
    absence: () => notInstalled("nginx"),
    version: { command: "nginx", args: ["-v"] },
    prepare: (site) => ({
      command: findProgram("nginx") ?? "nginx",
      args: [
        ...["-p", site.directory, "-e", join(site.directory, "error.log")],
        ...["-c", writeConfig(site, "nginx.conf", nginxConfig(site.directory, flavour(site), workers))],
      ],
    }),
  };
}

function ossgateConfig(
  { listenPort, adminPort, originPort }: Site,
  auth: string,
  { limit, workers = 1 }: OssgateOptions,
): string {
  return `listeners:
  - { name: web, address: "127.0.0.1:${listenPort}" }
admin: { address: "127.0.0.1:${adminPort}" }
workers: ${workers}
log: { level: info, access: { format: json } }
${auth.includes("sign:") ? "credentials: { bench: { type: env } }\n" : ""}buckets:
  b: { bucket: bench-bucket, region: cn-hangzhou, endpoint: "http://127.0.0.1:${originPort}", connections: 256 }
routes:
  - name: bench
    match: { hosts: [127.0.0.1, bench.localhost] }
    bucket: b
    ${auth}
    methods: [GET, HEAD, PUT]
    limits: { bodySize: 5GiB${limit === undefined ? "" : `, ${limit}`} }
`;
}

function haproxyConfig({ listenPort, originPort }: Site): string {
  return `global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend bench
  bind 127.0.0.1:${listenPort}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`;
}

function caddyConfig({ listenPort, originPort }: Site): string {
  return `{
  admin off
  auto_https off
}
http://:${listenPort} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${originPort}
}
`;
}

function writeConfig(site: Site, fileName: string, text: string): string {
  const file = join(site.directory, fileName);
  writeFileSync(file, text);
  return file;
}

function notInstalled(program: string): string | null {
  return findProgram(program) === null ? "not installed" : null;
}

function isResolvable(packageName: string): boolean {
  try {
    createRequire(import.meta.url).resolve(packageName);
    return true;
  } catch {
    return false;
  }
}
