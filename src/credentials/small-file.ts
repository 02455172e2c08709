import { constants, type FileHandle, open, stat } from "node:fs/promises";
import { CredentialsError, errorCode } from "./provider.js";

/** The longest file that is read for credentials, tokens and secrets. */
export const LONGEST_FILE_BYTES = 64 * 1024;

/** The environment, or what a test puts in its place. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Puts systemd's directory of credentials in place of `$CREDENTIALS_DIRECTORY` (or `${CREDENTIALS_DIRECTORY}`) at a path's
 * beginning; every other path stays as it is.
 * @throws CredentialsError when the variable is needed and not set
 */
export function expandPath(path: string, env: Environment): string {
  const match = /^\$(?:CREDENTIALS_DIRECTORY|\{CREDENTIALS_DIRECTORY\})(?=\/|$)/.exec(path);
  if (match === null) return path;
  const directory = env.CREDENTIALS_DIRECTORY;
  if (!directory) throw new CredentialsError(`CREDENTIALS_DIRECTORY, which ${path} needs, is not set`);
  return directory + path.slice(match[0].length);
}

/**
 * Reads a small regular file as UTF-8.
 * @throws CredentialsError naming the path
 */
export async function readSmallFile(path: string): Promise<string> {
  let handle: FileHandle | null = null;
  try {
    // Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return await readHandle(handle, path);
  } catch (error) {
    if (error instanceof CredentialsError) throw error;
    throw new CredentialsError(`${path} cannot be read (${errorCode(error)})`);
  } finally {
    await handle?.close();
  }
}

/** What tells a version of a file from others; empty when there is none. Follows symbolic links. */
export async function fileVersion(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join();
  } catch {
    return "";
  }
}

async function readHandle(handle: FileHandle, path: string): Promise<string> {
  if (!(await handle.stat()).isFile()) throw new CredentialsError(`${path} is not a regular file`);
  const buffer = Buffer.alloc(LONGEST_FILE_BYTES + 1);
  let lengthBytes = 0;
  while (lengthBytes < buffer.length) {
    const { bytesRead } = await handle.read(buffer, lengthBytes, buffer.length - lengthBytes, null);
    if (bytesRead === 0) break;
    lengthBytes += bytesRead;
  }
  return textOf(buffer.subarray(0, lengthBytes), path);
}

/** @throws CredentialsError for what is too long or not UTF-8 */
export function textOf(bytes: Uint8Array, path: string): string {
  if (bytes.length > LONGEST_FILE_BYTES) throw new CredentialsError(`${path} is longer than 64 KiB`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CredentialsError(`${path} is not UTF-8 text`);
  }
}
