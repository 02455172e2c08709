import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startEmulator } from "../support/gateway.js";
import { metricNamesIn } from "../support/metric-names.js";
import { type Program, startProgram } from "./cli-program.js";

interface Target {
  readonly expr: string;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly targets?: readonly Target[];
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

const DASHBOARD = JSON.parse(readFileSync("config/grafana/dashboard.json", "utf8")) as Dashboard;
const PANELS = DASHBOARD.panels.filter(({ type }) => type !== "row");

/** As Grafana sends it where everything is chosen. */
function asked(expr: string): string {
  return expr.replace(/\$(job|instance|route|bucket)\b/g, ".*").replace(/\$__(rate_)?interval/g, "30s");
}

// Of the whole file: what it waits for comes from other programs.
t.setTimeout(115_000);

t.test("panels have an id of their own, do not overlap, and ask only with variables that there are", async (t) => {
  t.ok(DASHBOARD.schemaVersion >= 38, "Grafana 10 and later");
  t.equal(new Set(DASHBOARD.panels.map(({ id }) => id)).size, DASHBOARD.panels.length);
  const taken = new Set<string>();
  for (const { gridPos, title } of DASHBOARD.panels) {
    t.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        t.notOk(taken.has(`${x},${y}`), `${title} at ${x},${y}`);
        taken.add(`${x},${y}`);
      }
    }
  }
  const variables = new Set(DASHBOARD.templating.list.map(({ name }) => name));
  for (const { targets = [], title } of PANELS) {
    for (const { expr } of targets) {
      for (const [, name = ""] of expr.matchAll(/\$(\w+)/g)) t.ok(name.startsWith("__") || variables.has(name), title);
    }
  }
});

const isMissing = spawnSync("prometheus", ["--version"]).status !== 0;
const peer = isMissing && process.env.OSSGATE_REQUIRE_PEERS !== "1" ? { skip: "prometheus is not installed" } : {};

/** How long the whole may take: Prometheus needs two scrapes of each series, on a machine that is busy with others. */
const PATIENCE_MS = 80_000;
const POLL_MS = 500;

t.test("every panel shows something of a gateway under load", peer, async (t) => {
  const gateway = await startLoadedGateway(t);
  const prometheus = await startPrometheus(t, gateway);
  const stopLoad = gateway.load();
  t.teardown(stopLoad);
  const waiting = new Map<string, string>();
  for (const { targets = [], title } of PANELS) {
    for (const { expr } of targets) waiting.set(asked(expr), title);
  }
  for (const { definition, name } of DASHBOARD.templating.list) {
    const series = /^label_values\((.*), \w+\)$/.exec(definition ?? "")?.[1];
    if (series !== undefined) waiting.set(asked(series), `variable ${name}`);
  }
  const endMs = Date.now() + PATIENCE_MS;
  while (waiting.size > 0 && Date.now() < endMs) {
    for (const expr of [...waiting.keys()]) if (await prometheus.hasNumbers(expr)) waiting.delete(expr);
    if (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  t.same(
    [...waiting].map(([expr, title]) => `${title}: ${expr}`),
    [],
    "nothing is without numbers",
  );
  for (const { expr } of DASHBOARD.annotations.list) t.ok(await prometheus.accepts(asked(expr)), expr);
  t.equal(await prometheus.hasNumbers('ossgate_requests_total{route="no such route"}'), false, "the question can fail");
  const page = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
  const drawn = new Set(PANELS.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricNamesIn(expr))));
  for (const [, name = "", kind] of page.matchAll(/^# TYPE (ossgate_\S+) (\S+)$/gm)) {
    const shown = kind === "histogram" ? `${name}_bucket` : name;
    if (!ELSEWHERE.has(name)) t.ok(drawn.has(shown), `${name} is in a panel`);
  }
});

/** For people without Prometheus, or told by an alert. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "ossgate_requests_per_second",
  "ossgate_received_bytes_per_second",
  "ossgate_sent_bytes_per_second",
  "ossgate_request_failures_per_second",
  "ossgate_upstream_requests_per_second",
  "ossgate_upstream_bytes_per_second",
  "ossgate_route_upstream_bytes_total",
  "ossgate_limits_shared_up",
  "ossgate_worker_heap_used_bytes",
  "ossgate_config_last_reload_success_timestamp_seconds",
  "ossgate_upstream_requests_in_flight",
]);

const BUCKET = "examplebucket";

interface LoadedGateway {
  readonly adminPort: number;
  readonly folder: string;
  /** Sends requests of all kinds until it is stopped. */
  load(): () => Promise<void>;
}

/** The real program with two workers, a listener with TLS, credentials that expire, and quotas. */
async function startLoadedGateway(t: Test): Promise<LoadedGateway> {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: BUCKET, region: "cn-beijing", acl: "public-read-write" });
  emulator.putObject(BUCKET, "a.bin", Buffer.alloc(20_000));
  const folder = t.testdir({});
  makeCertificate(folder);
  const adminPort = await freePort();
  writeFileSync(join(folder, "key.json"), credentialsFile());
  writeFileSync(join(folder, "ossgate.yaml"), configuration(folder, emulator.url, adminPort));
  const program = startProgram(t, ["run", "--config", join(folder, "ossgate.yaml")]);
  const ports = await portsOf(program);
  return { adminPort, folder, load: () => startLoad(ports.get("web") ?? 0, ports.get("secure") ?? 0) };
}

function configuration(folder: string, origin: string, adminPort: number): string {
  return `
workers: 2
listeners:
  - { name: web, address: "127.0.0.1:0" }
  - name: secure
    address: "127.0.0.1:0"
    tls: { certificates: [{ certFile: "${folder}/cert.pem", keyFile: "${folder}/key.pem" }] }
admin: { address: "127.0.0.1:${adminPort}" }
log: { access: { format: "off" } }
credentials:
  reader: { type: file, path: "${folder}/key.json" }
buckets:
  media:
    bucket: ${BUCKET}
    region: cn-beijing
    endpoint: "http://localhost:${new URL(origin).port}"
    quota: { requests: 10000/s, egress: 1GiB/s, ingress: 1GiB/s }
routes:
  - { name: files, match: { hosts: [files.test] }, bucket: media, auth: relay, methods: [GET, HEAD, PUT] }
  - name: guarded
    match: { hosts: [guarded.test] }
    bucket: media
    auth: relay
    referer: { allowEmptyReferer: false, refererList: ["https://a.test"] }
  - name: limited
    match: { hosts: [limited.test] }
    bucket: media
    auth: relay
    limits: { requests: 1/s, burst: 1, egress: 100MiB/s }
  - { name: signed, match: { hosts: [signed.test] }, bucket: media, auth: sign, sign: { credentials: reader }, allow: { anyone: true } }
`;
}

function credentialsFile(): string {
  return JSON.stringify({
    AccessKeyId: "STS.test",
    AccessKeySecret: "secret",
    SecurityToken: "token",
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
  });
}

function makeCertificate(folder: string): void {
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  const names = ["-subj", "/CN=files.test", "-addext", "subjectAltName=DNS:files.test"];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
  execFileSync("openssl", [...args, ...files, ...names], { stdio: "ignore" });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  await once(server.close(), "close");
  return port;
}

async function portsOf(program: Program): Promise<ReadonlyMap<string, number>> {
  const text = await program.complained(/"msg":"ossgate serves"/);
  const line = text.split("\n").find((candidate) => candidate.includes('"msg":"ossgate serves"')) ?? "{}";
  const { listeners } = JSON.parse(line) as { listeners: readonly { name: string; port: number }[] };
  return new Map(listeners.map(({ name, port }) => [name, port]));
}

/** One round of each kind after the other; what is refused or fails is part of it. */
function startLoad(port: number, securePort: number): () => Promise<void> {
  let isOn = true;
  const rounds = (async () => {
    while (isOn) {
      await send(port, "files.test", "GET", "/a.bin");
      await send(port, "files.test", "GET", "/missing");
      await send(port, "files.test", "PUT", "/b.bin", "x".repeat(5_000));
      await send(port, "files.test", "DELETE", "/b.bin");
      await send(port, "guarded.test", "GET", "/a.bin");
      await send(port, "limited.test", "GET", "/a.bin");
      await send(port, "signed.test", "GET", "/a.bin");
      await send(securePort, "files.test", "GET", "/a.bin");
    }
  })();
  return async () => {
    isOn = false;
    await rounds;
  };

  function send(to: number, host: string, method: string, path: string, body = ""): Promise<void> {
    return new Promise((resolve) => {
      const options = { host: "127.0.0.1", port: to, method, path, agent: false, headers: { host } };
      const onAnswer = (answer: IncomingMessage): void => {
        answer.resume();
        answer.on("close", resolve);
      };
      const sent =
        to === securePort
          ? httpsRequest({ ...options, rejectUnauthorized: false, servername: host }, onAnswer)
          : httpRequest(options, onAnswer);
      sent.on("error", () => resolve());
      sent.end(body);
    });
  }
}

interface Prometheus {
  /** Whether the expression has a value that is a number, now. */
  hasNumbers(expr: string): Promise<boolean>;
  /** Whether Prometheus can evaluate it. */
  accepts(expr: string): Promise<boolean>;
}

/** Debian's own, which scrapes the gateway each second. */
async function startPrometheus(t: Test, { adminPort, folder }: LoadedGateway): Promise<Prometheus> {
  const port = await freePort();
  const config = `
global: { scrape_interval: 1s, evaluation_interval: 1s }
scrape_configs:
  - { job_name: ossgate, static_configs: [{ targets: ["127.0.0.1:${adminPort}"] }] }
`;
  writeFileSync(join(folder, "prometheus.yml"), config);
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const child = spawn("prometheus", [...args, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = once(child, "close");
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr.on("data", () => said.includes("Server is ready to receive web requests") && resolve());
    ended.then(() => reject(new Error(`prometheus ended: ${said}`)));
  });
  await ready;
  const query = async (expr: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (await answer.json()) as {
      readonly status: string;
      readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
    };
  };
  return {
    hasNumbers: async (expr) => {
      const { status, data } = await query(expr);
      if (status !== "success") throw new Error(`prometheus refuses ${expr}`);
      return (data?.result ?? []).some(({ value: [, text] }) => Number.isFinite(Number(text)));
    },
    accepts: async (expr) => (await query(expr)).status === "success",
  };
}
