import { readFile } from "node:fs/promises";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";

const USAGE = `Usage: ossgate check FILE…

Reads configuration files and reports everything that is wrong with them,
one problem a line: file:line:col: path: what was expected, what was found.
Nothing is opened or connected to.

Exit code: 0 good, 3 bad configuration, 2 wrong usage, 1 anything else.
`;

/**
 * `ossgate check FILE…`: good files and warnings are no failure.
 * @returns the exit code: 0 good, 3 bad configuration, 2 wrong usage, 1 a file that cannot be read
 */
export async function check(args: readonly string[]): Promise<number> {
  const parsed = readArguments({
    args: [...args],
    options: { help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  });
  if (typeof parsed === "string") return usage(parsed);
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return EXIT.good;
  }
  if (positionals.length === 0) return usage("which file?");
  let worst: number = EXIT.good;
  // Bad configuration tells more than a file that could not be read.
  for (const file of positionals) worst = Math.max(worst, await checkFile(file));
  return worst;
}

function usage(message: string): number {
  process.stderr.write(`ossgate check: ${message}\n\n${USAGE}`);
  return EXIT.usage;
}

async function checkFile(file: string): Promise<number> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    process.stderr.write(`${file}: cannot be read: ${whyUnreadable(error)}\n`);
    return EXIT.failed;
  }
  const text = decode(bytes);
  if (text === null) {
    process.stderr.write(`${file}:1:1: (yaml): expected UTF-8 text, found other bytes. Save the file as UTF-8.\n`);
    return EXIT.badConfig;
  }
  const result = readConfig(text, file);
  if (result.ok) {
    for (const warning of result.warnings) process.stderr.write(`${formatProblem(warning, "warning")}\n`);
    process.stdout.write(`${file}: ok (${summary(result.config)})\n`);
    return EXIT.good;
  }
  // No warnings here: a bucket is called unused when only its name in the route is misspelt.
  for (const problem of result.problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return EXIT.badConfig;
}

function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return code ?? String(error);
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

function summary({ routes, buckets, listeners }: GatewayConfig): string {
  return `${count(routes.length, "route")}, ${count(buckets.size, "bucket")}, ${count(listeners.length, "listener")}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
