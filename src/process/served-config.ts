import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { decodeConfig, notUtf8 } from "../config/config-bytes.js";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import type { Runtime } from "../route/runtime.js";
import type { ConfigMessage, DoorTable } from "./messages.js";

/** A configuration file as it was read. */
export interface ConfigText {
  readonly file: string;
  readonly text: string;
  readonly config: GatewayConfig;
}

/** What is served now. */
export interface ServedConfig extends ConfigText {
  /** From 1. */
  readonly generation: number;
  /** Never serves clients: for what operators ask, and for credentials to issue URLs with. */
  readonly runtime: Runtime;
  readonly doors: DoorTable;
  /** Unix milliseconds. */
  readonly loadedAtMs: number;
}

/** What workers are told of it. */
export function messageOf({ text, file, generation }: ServedConfig): ConfigMessage {
  return { text, file, generation };
}

/** How many workers it asks for, on this machine. */
export function workersOf({ workers }: GatewayConfig): number {
  return workers === "auto" ? availableParallelism() : workers;
}

/** A file as it is on the disk now. */
export interface FreshConfig {
  readonly text: string;
  /** `null`: it is not to be served; see `problems`. */
  readonly config: GatewayConfig | null;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Never rejects. */
export async function readFresh(file: string): Promise<FreshConfig> {
  let text: string | null;
  try {
    text = decodeConfig(await readFile(file));
  } catch (error) {
    const problem = `${file}: cannot be read: ${(error as Error).message}`;
    return { text: "", config: null, problems: [problem], warnings: [] };
  }
  if (text === null) return { text: "", config: null, problems: [notUtf8(file)], warnings: [] };
  const result = readConfig(text, file);
  const warnings = result.warnings.map((warning) => formatProblem(warning, "warning"));
  if (result.ok) return { text, config: result.config, problems: [], warnings };
  return { text, config: null, problems: result.problems.map((problem) => formatProblem(problem)), warnings };
}
