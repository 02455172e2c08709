/** Starts programs pinned to a core and ends every one of them, by its process id. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, closeSync, constants, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism } from "node:os";
import { basename, delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { processTree } from "./proc-stat.js";

/** The origin, the load and this program share core 0; the proxy under test has core 1 for itself. */
export const LOAD_CORE = 0;
export const PROXY_CORE = 1;

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface StartedProgram {
  readonly pid: number;
  /** Rejects when the program ends before it was stopped; never resolves. */
  readonly diesEarly: Promise<never>;
  stop(): Promise<void>;
}

export interface Output {
  readonly stdoutFile: string;
  readonly stderrFile: string;
}

const STOP_GRACE_MS = 3000;
const running = new Set<ChildProcess>();
let isClosing = false;
// Asked once: when this program has put itself on one core, Node counts only that one.
const isPinnable = availableParallelism() > 1 && findProgram("taskset") !== null;

/** The program's full path, or `null` when PATH has none. */
export function findProgram(name: string): string | null {
  // Debian puts nginx and haproxy into sbin, which an ordinary user's PATH may lack.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

export function canPin(): boolean {
  return isPinnable;
}

/** Puts this program, and with it what it starts later, on the core of the load. */
export function pinSelf(): void {
  spawnSync("taskset", ["-a", "-p", "-c", String(LOAD_CORE), String(process.pid)], { stdio: "ignore" });
}

/** Starts a program that runs until it is stopped. */
export function startProgram(program: Program, coreIndex: number | null, output: Output): StartedProgram {
  const stdout = openSync(output.stdoutFile, "a");
  const stderr = openSync(output.stderrFile, "a");
  const child = launch(program, coreIndex, ["ignore", stdout, stderr]);
  closeSync(stdout);
  closeSync(stderr);
  const diesEarly = once(child, "exit").then(([code, signal]): never => {
    const message = essence(readFileSync(output.stderrFile, "utf8"));
    throw new Error(`${basename(program.command)} ended (${signal ?? code}): ${message}`);
  });
  // Nobody may be waiting when it ends because we stopped it.
  diesEarly.catch(() => {});
  return { pid: child.pid ?? 0, diesEarly, stop: () => stopChild(child) };
}

/**
 * Runs a program to its end on the core of the load.
 * @returns what it wrote to stdout
 * @throws Error when it fails or takes longer than `limitMs`
 */
export async function runProgram(program: Program, limitMs: number): Promise<string> {
  const child = launch(program, canPin() ? LOAD_CORE : null, ["ignore", "pipe", "pipe"]);
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code, signal] = await once(child, "close").finally(() => clearTimeout(timer));
  if (code === 0) return stdout;
  const reason = signal === "SIGKILL" ? `took longer than ${limitMs} ms` : `failed (${signal ?? code})`;
  throw new Error(`${basename(program.command)} ${reason}: ${essence(stderr)}`);
}

/** Ends everything that is still running; nothing can be started afterwards. */
export async function stopAll(): Promise<void> {
  isClosing = true;
  await Promise.all([...running].map(stopChild));
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

function launch(program: Program, coreIndex: number | null, stdio: ("ignore" | "pipe" | number)[]): ChildProcess {
  if (isClosing) throw new Error("interrupted");
  // taskset replaces itself by the program, so the process id is the program's own.
  const pin = coreIndex === null ? [] : ["taskset", "-c", String(coreIndex)];
  const [command = "", ...args] = [...pin, program.command, ...program.args];
  const child = spawn(command, args, { stdio, env: { ...process.env, ...program.env } });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  // Taken before it ends: afterwards its children belong to somebody else.
  const tree = processTree(child.pid);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const isOver = await Promise.race([exited.then(() => true), sleep(STOP_GRACE_MS, false, { ref: false })]);
  if (isOver) return;
  for (const pid of tree) killQuietly(pid);
  await exited;
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** The line that says what went wrong: Node prints it above its stack, other programs print it last. */
function essence(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const line = lines.find((candidate) => /^\w*Error\b/.test(candidate)) ?? lines.at(-1);
  return line?.slice(0, 300) ?? "no message";
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
