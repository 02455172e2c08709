import type { ReloadOutcome } from "../server/admin-source.js";
import { ADMIN_OPTIONS, type AdminAccess, type AdminAnswer, askAdmin, readAccess } from "./admin-client.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";

/** A command that tells a running gateway to do something. */
export interface AdminCall {
  readonly command: string;
  /** `/reload` */
  readonly path: string;
  readonly help: string;
  /** What needs no secret and does the same, a sentence; absent: nothing does. */
  readonly otherwise?: string;
  /** What is printed when it was done. */
  done(outcome: ReloadOutcome): string;
}

/** Runs such a command; resolves with the exit status: 0 done, 3 bad configuration, 2 wrong usage, 1 anything else. */
export async function callAdmin(call: AdminCall, args: readonly string[]): Promise<number> {
  const access = parseCall(call, args);
  if (typeof access === "number") return access;
  const { path, otherwise = "" } = call;
  try {
    return report(call, await askAdmin(access, { method: "POST", path, isShown: false, otherwise }));
  } catch (error) {
    process.stderr.write(`ossgate ${call.command}: ${(error as Error).message}\n`);
    return EXIT.failed;
  }
}

function parseCall({ command, help }: AdminCall, args: readonly string[]): AdminAccess | number {
  const usage = (message: string): number => {
    process.stderr.write(`ossgate ${command}: ${message}\n\n${help}`);
    return EXIT.usage;
  };
  const parsed = readArguments({ args: [...args], options: ADMIN_OPTIONS });
  if (typeof parsed === "string") return usage(parsed);
  if (parsed.values.help === true) {
    process.stdout.write(help);
    return EXIT.good;
  }
  const access = readAccess(parsed.values);
  return typeof access === "string" ? usage(access) : access;
}

const BAD_FILE = /:\d+:\d+: /;

function report(call: AdminCall, { status, body }: AdminAnswer): number {
  const outcome = readOutcome(body);
  if (outcome === null) {
    const first = body.split("\n", 1)[0] ?? "";
    process.stderr.write(`ossgate ${call.command}: the gateway answered ${status}: ${first.slice(0, 500)}\n`);
    return EXIT.failed;
  }
  for (const warning of outcome.warnings) process.stderr.write(`${warning}\n`);
  for (const problem of outcome.problems) process.stderr.write(`${problem}\n`);
  if (outcome.ok) {
    process.stdout.write(`${call.done(outcome)}\n`);
    return EXIT.good;
  }
  return outcome.problems.some((problem) => BAD_FILE.test(problem)) ? EXIT.badConfig : EXIT.failed;
}

function readOutcome(body: string): ReloadOutcome | null {
  try {
    const outcome = JSON.parse(body) as ReloadOutcome;
    return typeof outcome.ok === "boolean" && Array.isArray(outcome.problems) ? outcome : null;
  } catch {
    return null;
  }
}
