import { readFile } from "node:fs/promises";
import { decodeConfig, notUtf8 } from "../config/config-bytes.js";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { EXIT } from "./exit-codes.js";

const READ_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

/** Why a configuration file cannot be read, in a few words. */
export function readErrorInWords(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return READ_HINTS[code ?? ""] ?? message;
}

/** A configuration, and the text that it was read from. */
export interface ReadConfigText {
  readonly text: string;
  readonly config: GatewayConfig;
}

/**
 * Reads a configuration file and prints what is wrong with it on standard error.
 * @param command the command that reads it, for the message
 * @returns the exit code when it cannot be used
 */
export async function readConfigFile(
  file: string,
  command: string,
  options: { readonly showsWarnings: boolean },
): Promise<GatewayConfig | number> {
  const read = await readConfigText(file, command, options);
  return typeof read === "number" ? read : read.config;
}

/** The same, with its text. */
export async function readConfigText(
  file: string,
  command: string,
  options: { readonly showsWarnings: boolean },
): Promise<ReadConfigText | number> {
  let text: string | null;
  try {
    text = decodeConfig(await readFile(file));
  } catch (error) {
    process.stderr.write(`ossgate ${command}: cannot read ${file}: ${readErrorInWords(error)}\n`);
    return EXIT.failed;
  }
  if (text === null) {
    process.stderr.write(`${notUtf8(file)}\n`);
    return EXIT.badConfig;
  }
  const result = readConfig(text, file);
  if (!result.ok) {
    // No warnings of a bad file: a bucket is called unused when only its name in the route is misspelt.
    for (const problem of result.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return EXIT.badConfig;
  }
  if (options.showsWarnings) {
    for (const warning of result.warnings) process.stderr.write(`${formatProblem(warning, "warning")}\n`);
  }
  return { text, config: result.config };
}
