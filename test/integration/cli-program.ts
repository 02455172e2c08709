import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Teardown } from "../support/gateway.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

/** What a program left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `ossgate` as a process of its own. */
export interface Program {
  readonly ended: Promise<Ended>;
  /** Resolves with all of standard output once it matches; rejects when the program ends without that. */
  printed(pattern: RegExp): Promise<string>;
  /** The same of standard error. */
  complained(pattern: RegExp): Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Variables besides PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `ossgate` with these arguments; the process ends with the test. */
export function startProgram(t: Teardown, args: readonly string[], options: ProgramOptions = {}): Program {
  const tsx = fileURLToPath(import.meta.resolve("tsx"));
  const child = spawn(process.execPath, ["--import", `file://${tsx}`, CLI, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
      for (const look of watchers) look();
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, ...texts }));
  });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const until = (name: keyof typeof texts, pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(texts[name])) return;
        watchers.delete(look);
        resolve(texts[name]);
      };
      watchers.add(look);
      look();
      ended.then(({ code }) =>
        reject(new Error(`ended with ${code} before ${pattern}: ${texts.stdout}${texts.stderr}`)),
      );
    });
  return {
    ended,
    printed: (pattern) => until("stdout", pattern),
    complained: (pattern) => until("stderr", pattern),
    kill: (signal) => void child.kill(signal),
  };
}

/** Runs `ossgate` to its end. */
export const runProgram = (t: Teardown, args: readonly string[], options: ProgramOptions = {}) =>
  startProgram(t, args, options).ended;
