import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { SecretRef } from "../config/gateway-config.js";
import { Secret } from "../core/secret.js";
import { errorCode } from "./provider.js";
import { type Environment, expandPath, LONGEST_FILE_BYTES, textOf } from "./small-file.js";

/** Below this many bytes a secret can be guessed. */
const SHORTEST_SECRET_BYTES = 16;

/**
 * Reads a secret where the configuration says that it is. One line end at the end of a file is taken off.
 * @param where the place in the configuration, `routes[2].allow.links.secret`, for messages
 * @param shortestBytes for secrets that others chose
 * @throws Error in one sentence that names `where` and the variable or file, never the value
 */
export function readSecret(
  ref: SecretRef,
  where: string,
  env: Environment = process.env,
  shortestBytes = SHORTEST_SECRET_BYTES,
): Secret {
  const origin = ref.kind === "env" ? `the variable ${ref.name}` : ref.path;
  const value = ref.kind === "env" ? readVariable(ref.name, where, env) : readFile(ref.path, where, env);
  const lengthBytes = Buffer.byteLength(value);
  if (lengthBytes < shortestBytes) {
    throw new Error(`${where}: ${origin} holds ${lengthBytes} bytes; a secret has at least ${shortestBytes}`);
  }
  return new Secret(value);
}

function readVariable(name: string, where: string, env: Environment): string {
  const value = env[name];
  if (!value) throw new Error(`${where}: the variable ${name} is not set`);
  return value;
}

function readFile(path: string, where: string, env: Environment): string {
  try {
    const expanded = expandPath(path, env);
    return textOf(readBytes(expanded), expanded).replace(/\r?\n$/, "");
  } catch (error) {
    const code = errorCode(error);
    const known = error instanceof Error && error.name === "CredentialsError";
    throw new Error(`${where}: ${known ? error.message : `${path} cannot be read (${code})`}`);
  }
}

/** One byte more than allowed at most, so that a file that never ends does no harm. */
function readBytes(path: string): Uint8Array {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) throw Object.assign(new Error(), { code: "NOT_A_FILE" });
    const buffer = Buffer.alloc(LONGEST_FILE_BYTES + 1);
    let lengthBytes = 0;
    for (let read = -1; read !== 0 && lengthBytes < buffer.length; lengthBytes += read) {
      read = readSync(descriptor, buffer, lengthBytes, buffer.length - lengthBytes, null);
    }
    return buffer.subarray(0, lengthBytes);
  } finally {
    closeSync(descriptor);
  }
}
