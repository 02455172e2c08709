/** A real NGINX for tests, on loopback alone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Teardown } from "../support/gateway.js";

/** Debian puts it where an ordinary user's PATH may not look. */
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
const program = folders.map((folder) => join(folder, "nginx")).find(exists) ?? null;

/** Options of a test that needs it: skipped where it is missing, unless peers are required. */
export const NEEDS_NGINX =
  program === null && process.env.OSSGATE_REQUIRE_PEERS !== "1" ? { skip: "nginx is not installed" } : {};

export interface RunningNginx {
  readonly folder: string;
  readonly port: number;
  /** Ends it, so that its logs are written. Idempotent. */
  stop(): Promise<void>;
}

/** The files of a configuration by their paths below one folder; `nginx.conf` is the first that is read. */
export type ConfFiles = (port: number) => Readonly<Record<string, string>>;

/**
 * Starts NGINX with these files on a port that was free a moment ago; it ends with the test.
 * @throws Error with what it said when it does not start
 */
export async function startNginx(t: Teardown, files: ConfFiles): Promise<RunningNginx> {
  for (let tries = 0; ; tries += 1) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "ossgate-nginx-"));
    t.teardown(() => rmSync(folder, { recursive: true }));
    for (const [path, text] of Object.entries(files(port))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const said = await start(t, folder);
    if (typeof said !== "string") return { folder, port, ...said };
    // Somebody else was faster.
    if (!said.includes("Address already in use") || tries > 5) throw new Error(`nginx did not start: ${said}`);
  }
}

async function start(t: Teardown, folder: string): Promise<Pick<RunningNginx, "stop"> | string> {
  const directives = [
    "daemon off;",
    "worker_processes 1;",
    `pid ${folder}/nginx.pid;`,
    "error_log stderr notice;",
    userInfo().uid === 0 ? `user ${userInfo().username};` : "",
  ];
  const child = spawn(
    program ?? "nginx",
    ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf"), "-g", directives.join(" ")],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGQUIT");
    await exited;
  };
  t.teardown(() => {
    child.kill("SIGTERM");
    return exited;
  });
  const said: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    said.push(line);
    // It listens before it starts workers.
    if (line.includes("start worker process ")) {
      child.stderr.resume();
      return { stop };
    }
  }
  return said.join("\n");
}

/** What keeps NGINX's temporary files in its folder; for the `http` block. */
export const TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  .map((kind) => `${kind}_temp_path ${kind}_temp;`)
  .join(" ");

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

function exists(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}
