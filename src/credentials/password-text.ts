import { constants, readFileSync, type Stats, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { type PasswordTable, parsePasswords } from "../policy/htpasswd.js";
import { CredentialsError, errorCode } from "./provider.js";

/** Some ten thousand users. */
const LONGEST_FILE_BYTES = 1024 * 1024;
/** Without O_NONBLOCK a named pipe would hold us until somebody writes to it. */
const FLAG = constants.O_RDONLY | constants.O_NONBLOCK;

export type Passwords = Extract<PasswordTable, { ok: true }>;

/**
 * Reads a password file; for the start, which must not go on without.
 * @throws CredentialsError with the path, the line and what to do, never what the line holds
 */
export function readPasswordsNow(path: string): Passwords {
  try {
    checkKind(statSync(path), path);
    return passwordsOf(readFileSync(path, { flag: FLAG as never }), path);
  } catch (error) {
    throw explain(error, path);
  }
}

/** The same without holding others up. */
export async function readPasswords(path: string): Promise<Passwords> {
  try {
    checkKind(await stat(path), path);
    return passwordsOf(await readFile(path, { flag: FLAG }), path);
  } catch (error) {
    throw explain(error, path);
  }
}

function checkKind(stats: Stats, path: string): void {
  if (!stats.isFile()) throw new CredentialsError(`${path} is not a regular file`);
  if (stats.size > LONGEST_FILE_BYTES) throw new CredentialsError(`${path} is longer than 1 MiB`);
}

function passwordsOf(bytes: Uint8Array, path: string): Passwords {
  const table = parsePasswords(decode(bytes, path));
  if (table.ok) return table;
  const sentences = table.problems.map(({ line, message }) => `${path}${line === 0 ? "" : `:${line}`}: ${message}`);
  throw new CredentialsError(sentences.join("\n"));
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CredentialsError(`${path} is not UTF-8 text`);
  }
}

function explain(error: unknown, path: string): CredentialsError {
  if (error instanceof CredentialsError) return error;
  return new CredentialsError(`${path} cannot be read (${errorCode(error)})`);
}
