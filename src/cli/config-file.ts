import { readFile } from "node:fs/promises";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { EXIT } from "./exit-codes.js";

const READ_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

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
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`ossgate ${command}: cannot read ${file}: ${READ_HINTS[code ?? ""] ?? message}\n`);
    return EXIT.failed;
  }
  const result = readConfig(text, file);
  if (options.showsWarnings) {
    for (const warning of result.warnings) process.stderr.write(`${formatProblem(warning, "warning")}\n`);
  }
  if (result.ok) return { text, config: result.config };
  for (const problem of result.problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return EXIT.badConfig;
}
