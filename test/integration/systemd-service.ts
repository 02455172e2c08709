/** The real program, started as systemd starts a service. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { startEmulator } from "../support/gateway.js";
import { BUCKET, CREDENTIALS, REGION } from "../support/relay-world.js";

const LAUNCHER = fileURLToPath(new URL("systemd-launcher.py", import.meta.url));
const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

/** A datagram of the program, and which process sent it. */
interface Notification {
  readonly pid: number;
  readonly message: string;
}

type LauncherEvent =
  | { readonly ports: readonly number[] }
  | Notification
  | { readonly started: number }
  | { readonly ended: number; readonly status: number };

export interface ServiceOptions {
  readonly yaml: string;
  /** `FileDescriptorName=` of the sockets, each on a free port. */
  readonly sockets?: readonly string[];
  readonly watchdogMs?: number;
}

export class Service {
  readonly file: string;
  readonly notifications: Notification[] = [];
  readonly ended: number[] = [];
  ports: readonly number[] = [];
  pid = 0;
  /** What it wrote, its access log included. */
  log = "";
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting = new Set<() => void>();

  constructor(t: Test, { file, directory, sockets = [], watchdogMs }: Omit<ServiceOptions, "yaml"> & Place) {
    this.file = file;
    const tsx = fileURLToPath(import.meta.resolve("tsx"));
    const command = [process.execPath, "--import", `file://${tsx}`, CLI, "run", "--config", file];
    const names = sockets.length === 0 ? "-" : sockets.join(":");
    this.#child = spawn("python3", [LAUNCHER, directory, names, ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ...(watchdogMs === undefined ? {} : { WATCHDOG_USEC: String(watchdogMs * 1_000) }),
      },
    });
    createInterface(this.#child.stdout).on("line", (line) => this.#take(JSON.parse(line) as LauncherEvent));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
      this.#look();
    });
    // The launcher ends last of all; before that something is wrong with it.
    const closed = once(this.#child, "close").then(() => {
      this.ended.push(-1);
      this.#look();
    });
    t.teardown(async () => {
      this.#child.stdin.end();
      await closed;
    });
  }

  tell(command: string): void {
    this.#child.stdin.write(`${command}\n`);
  }

  /** Starts it; resolves when it says that it is ready. */
  async start(): Promise<void> {
    const seen = this.notifications.length;
    this.tell("start");
    await this.notified(/^READY=1$/m, seen);
  }

  /** Resolves with the first notification that matches, from this one on. */
  async notified(pattern: RegExp, from = 0): Promise<Notification> {
    const find = () => this.notifications.slice(from).find(({ message }) => pattern.test(message));
    await this.until(() => find() !== undefined, `a notification ${pattern}`);
    return find() as Notification;
  }

  /** Rejects when the program ends without it. */
  until(condition: () => boolean, what = "a condition"): Promise<void> {
    const endedBefore = this.ended.length;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition()) resolve();
        else if (this.ended.length > endedBefore)
          reject(new Error(`it ended with ${this.ended.at(-1)}, without ${what}: ${this.log}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Of the program that runs now. */
  get adminUrl(): string {
    const port = /"admin":\{[^}]*"port":(\d+)/.exec(
      this.log.slice(this.log.lastIndexOf("ossgate serves") - 2_000),
    )?.[1];
    return `http://127.0.0.1:${port}`;
  }

  get workers(): readonly number[] {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "utf8");
    return children.trim().split(" ").map(Number);
  }

  #take(event: LauncherEvent): void {
    if ("ports" in event) this.ports = event.ports;
    else if ("message" in event) this.notifications.push(event);
    else if ("started" in event) this.pid = event.started;
    else this.ended.push(event.status);
    this.#look();
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

interface Place {
  readonly file: string;
  readonly directory: string;
}

/** Not started yet: see {@link Service.start}. */
export function service(t: Test, { yaml, ...options }: ServiceOptions): Service {
  // A socket's path has room for 107 bytes; those of test directories are longer.
  const directory = mkdtempSync(join(tmpdir(), "ossgate-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "gateway.yaml"), yaml);
  return new Service(t, { file: join(directory, "gateway.yaml"), directory, ...options });
}

/** The test options of what needs a program that may be missing outside CI. */
export const needs = (program: string, argument: string): { readonly skip?: string } =>
  process.env.OSSGATE_REQUIRE_PEERS === "1" || spawnSync(program, [argument]).status === 0
    ? {}
    : { skip: `${program} is not installed` };

/** An origin with one object that anyone may read, `hello.txt`; its URL. */
export async function startOrigin(t: Test): Promise<string> {
  const emulator = await startEmulator(t);
  emulator.addCredentials(CREDENTIALS);
  emulator.addBucket({ name: BUCKET, region: REGION, acl: "public-read-write" });
  emulator.putObject(BUCKET, "hello.txt", "hello");
  return emulator.url;
}

/** A configuration of two workers, with these addresses to listen on. */
export const configOf = (listeners: readonly string[], endpoint: string): string => `
listeners:
${listeners.map((address, index) => `  - { name: web${index}, address: "${address}" }`).join("\n")}
admin: { address: "127.0.0.1:0" }
workers: 2
limits: { shutdownTimeout: 20s }
buckets:
  media: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${endpoint}" }
routes:
  - { name: files, match: { hosts: [127.0.0.1] }, bucket: media }
`;

/** The status of an answer, or why there is none. */
export function ask(port: number, agent?: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/hello.txt", ...(agent === undefined ? {} : { agent }) });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.on("response", (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
      answer.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  });
}
