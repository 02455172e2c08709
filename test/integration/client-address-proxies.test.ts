/** Real proxies before the gateway: HAProxy with its own protocol, and NGINX with X-Forwarded-For. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { temporaryDirectory } from "../clients/programs.js";
import { BUCKET, type RelayWorld, startRelay } from "../support/relay-world.js";

const ROUTES = `
  - { name: open, match: { hosts: [open.test] }, bucket: one, methods: [GET, PUT] }
  - { name: denied, match: { hosts: [denied.test] }, bucket: one, deny: { clients: [127.0.0.5] } }
`;

/** Debian puts both where an ordinary user's PATH may not look. */
function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const haproxy = findProgram("haproxy");
const nginx = findProgram("nginx");
const mayBeMissing = process.env.OSSGATE_REQUIRE_PEERS !== "1";
const skips = (program: string | null, name: string) =>
  program === null && mayBeMissing ? { skip: `${name} is not installed` } : {};

/** @param proxyProtocol whether connections from the proxy must begin with a PROXY header */
async function startWorld(t: Test, proxyProtocol: boolean): Promise<RelayWorld> {
  const listeners = `listeners: [{ name: web, address: "127.0.0.1:0", proxyProtocol: ${proxyProtocol} }]`;
  const world = await startRelay(t, ROUTES, `${listeners}\ntrustedProxies: [127.0.0.1]`);
  world.emulator.putObject(BUCKET, "k", "k");
  return world;
}

function endsWith(t: Test, child: ChildProcess): void {
  const exited = once(child, "exit");
  t.teardown(async () => {
    child.kill("SIGTERM");
    await exited;
  });
}

/** Starts an HAProxy before the gateway. @param server options of the server line. @returns its port */
async function startHaproxy(t: Test, gatewayPort: number, server: string, frontend = ""): Promise<number> {
  // It takes the socket over, so that it listens before it runs, and no port has to be guessed.
  const listening = createServer().listen(0, "127.0.0.1");
  await once(listening, "listening");
  const { port } = listening.address() as { readonly port: number };
  const { fd } = (listening as unknown as { readonly _handle: { readonly fd: number } })._handle;
  const config = `
global
  maxconn 200
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse safe
frontend in
  bind fd@3
  ${frontend}
  default_backend gateway
backend gateway
  server one 127.0.0.1:${gatewayPort} ${server}
`;
  const file = join(await temporaryDirectory(t), "haproxy.cfg");
  await writeFile(file, config);
  const child = spawn(haproxy ?? "", ["-db", "-q", "-f", file], { stdio: ["ignore", "ignore", "inherit", fd] });
  endsWith(t, child);
  listening.close();
  await once(listening, "close");
  return port;
}

/** Starts an NGINX that appends its client to X-Forwarded-For. @returns its port */
async function startNginx(t: Test, gatewayPort: number, port: number): Promise<void> {
  const folder = await temporaryDirectory(t);
  const { uid, username } = userInfo();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${kind};`);
  await writeFile(
    join(folder, "nginx.conf"),
    `${uid === 0 ? `user ${username} ${username};` : ""}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
  access_log off;
  ${temporary.join(" ")}
  upstream gateway { server 127.0.0.1:${gatewayPort}; keepalive 1; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://gateway;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
  );
  const args = ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")];
  const child = spawn(nginx ?? "", args, { stdio: ["ignore", "ignore", "pipe"] });
  endsWith(t, child);
  const said: string[] = [];
  for await (const line of createInterface(child.stderr as NonNullable<typeof child.stderr>)) {
    said.push(line);
    // It listens before it starts workers.
    if (line.includes("start worker process ")) return;
  }
  throw new Error(`nginx did not start: ${said.join("\n")}`);
}

interface Asked {
  readonly host?: string;
  /** The client's address. */
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

let count = 0;

/** One request to the proxy: the answer, and the client of which the gateway's log tells. */
async function ask({ gateway }: RelayWorld, port: number, asked: Asked) {
  const { host = "open.test", from = "127.0.0.1", headers, body, agent } = asked;
  count += 1;
  const mark = `behind/${count}`;
  const method = body === undefined ? "GET" : "PUT";
  const sent = request({
    ...{ port, method, localAddress: from, host: "127.0.0.1", path: "/k", agent: agent ?? false },
    headers: { Host: host, "User-Agent": mark, ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const chunks: Buffer[] = await answer.toArray();
  const { client } = await gateway.logged(({ userAgent }) => userAgent === mark);
  return { status: answer.statusCode, text: Buffer.concat(chunks).toString(), client };
}

const FORGED = { "X-Forwarded-For": "192.0.2.7" };

t.test("HAProxy tells the gateway its clients, version 1 and 2", skips(haproxy, "haproxy"), async (t) => {
  for (const server of ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"]) {
    const world = await startWorld(t, true);
    const port = await startHaproxy(t, world.gateway.port, server);
    for (const from of ["127.0.0.5", "127.0.0.6", "127.0.0.5"]) {
      t.strictSame(await ask(world, port, { from }), { status: 200, text: "k", client: from }, server);
      t.strictSame(await ask(world, port, { from, headers: FORGED }), { status: 200, text: "k", client: from }, server);
    }
    t.equal((await ask(world, port, { from: "127.0.0.5", host: "denied.test", headers: FORGED })).status, 403);
    t.equal((await ask(world, port, { from: "127.0.0.6", host: "denied.test", headers: FORGED })).status, 200);
  }
});

t.test(
  "connections of HAProxy that stay open, and uploads over them, are the client's",
  skips(haproxy, "haproxy"),
  async (t) => {
    const world = await startWorld(t, true);
    const port = await startHaproxy(t, world.gateway.port, "send-proxy-v2");
    for (const from of ["127.0.0.5", "127.0.0.6"]) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; i < 3; i += 1) {
        const body = `${from} ${i} `.repeat(50_000);
        t.equal((await ask(world, port, { from, body, agent })).client, from);
        t.strictSame(await ask(world, port, { from, agent }), { status: 200, text: body, client: from });
      }
      agent.destroy();
    }
    t.ok(world.gateway.gateway.stats.connectionsTotal < 12, "fewer connections than requests");
  },
);

t.test("HAProxy's health checks are served", skips(haproxy, "haproxy"), async (t) => {
  const world = await startWorld(t, true);
  // A check that fails takes the server out, and HAProxy answers 503 itself.
  const check = "send-proxy-v2 check check-send-proxy inter 100ms rise 1 fall 1";
  const backend = "http-check send meth GET uri /k hdr Host open.test hdr User-Agent check/haproxy";
  const port = await startHaproxy(t, world.gateway.port, `${check}\n  option httpchk\n  ${backend}`);
  const entry = await world.gateway.logged(({ userAgent }) => userAgent === "check/haproxy");
  t.equal(entry.status, 200);
  t.equal(entry.client, "127.0.0.1");
  t.equal((await ask(world, port, { from: "127.0.0.5" })).client, "127.0.0.5");
});

t.test(
  "HAProxy's option forwardfor is believed, and what its client forged is not",
  skips(haproxy, "haproxy"),
  async (t) => {
    const world = await startWorld(t, false);
    const port = await startHaproxy(t, world.gateway.port, "", "option forwardfor");
    for (const from of ["127.0.0.5", "127.0.0.6"]) {
      t.equal((await ask(world, port, { from })).client, from);
      t.equal((await ask(world, port, { from, headers: FORGED })).client, from);
    }
    t.equal((await ask(world, port, { from: "127.0.0.5", host: "denied.test", headers: FORGED })).status, 403);
  },
);

t.test("NGINX's X-Forwarded-For is believed, and what its client forged is not", skips(nginx, "nginx"), async (t) => {
  const world = await startWorld(t, false);
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as { readonly port: number };
  free.close();
  await once(free, "close");
  await startNginx(t, world.gateway.port, port);
  for (const from of ["127.0.0.5", "127.0.0.6"]) {
    t.equal((await ask(world, port, { from })).client, from);
    for (const value of ["192.0.2.7", "127.0.0.1", "unknown", "192.0.2.7, 127.0.0.1"]) {
      t.equal((await ask(world, port, { from, headers: { "X-Forwarded-For": value } })).client, from, value);
    }
  }
  t.equal((await ask(world, port, { from: "127.0.0.5", host: "denied.test", headers: FORGED })).status, 403);
  t.equal((await ask(world, port, { from: "127.0.0.6", host: "denied.test", headers: FORGED })).status, 200);
});
