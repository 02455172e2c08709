/** A real Redis or Valkey server for tests. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Test } from "tap";

const PROGRAM =
  ["redis-server", "valkey-server"].find((program) => spawnSync(program, ["--version"]).status === 0) ?? "redis-server";

/** Test options: skips with a message where neither is installed, unless all peers must be there. */
export const NEEDS_REDIS: { readonly skip?: string } =
  process.env.OSSGATE_REQUIRE_PEERS === "1" || spawnSync(PROGRAM, ["--version"]).status === 0
    ? {}
    : { skip: "redis-server is not installed (apt-get install redis-server)" };

/** Listens on a port of 127.0.0.1 that stays its own, whether it runs or not. */
export class RedisServer {
  readonly port: number;
  readonly #password: string | null;
  readonly #directory = mkdtempSync(join(tmpdir(), "ossgate-redis-"));
  #child: ChildProcess | null = null;

  constructor(port: number, password: string | null) {
    this.port = port;
    this.#password = password;
  }

  get url(): URL {
    return new URL(`redis://127.0.0.1:${this.port}/1`);
  }

  async start(): Promise<void> {
    const options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", this.#directory];
    if (this.#password !== null) options.push("--requirepass", this.#password);
    const child = spawn(PROGRAM, ["--port", String(this.port), ...options], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("Ready to accept connections")) break;
    }
    child.stdout.resume();
  }

  /** `SIGSTOP` makes it hang, with its connections open; `SIGCONT` ends that. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A server that runs, and ends with the test. */
export async function startRedis(t: Test, { password = null }: { readonly password?: string | null } = {}) {
  const server = new RedisServer(await freePort(), password);
  t.teardown(() => server.remove());
  await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}
