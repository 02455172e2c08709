import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { GatewayProcess } from "../process/gateway-process.js";
import { untilStopped } from "../process/signals.js";
import { tuneGarbageCollector } from "../process/v8-tuning.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate run --config FILE

Serves with this configuration until SIGTERM or SIGINT. Then nothing new is accepted, what runs may finish for
limits.shutdownTimeout, and the exit status is 0; a second signal ends it at once.
The access log goes to standard output, everything else to standard error.
`;

/** `ossgate run`; resolves with the exit status. */
export async function run(args: readonly string[], version: string): Promise<number> {
  const file = parseRunArgs(args);
  if (typeof file === "number") return file;
  const config = await readConfigFile(file);
  if (typeof config === "number") return config;
  tuneGarbageCollector();
  const gateway = new GatewayProcess({ config, version });
  await gateway.start();
  const addresses = [...gateway.addresses].map(([name, { address, port }]) => ({ name, address, port }));
  // Before anybody can read that it serves: a signal from then on ends it in order.
  const stopped = untilStopped(gateway);
  gateway.log.info({ version, listeners: addresses, admin: gateway.adminAddress, config: file }, "ossgate serves");
  return stopped;
}

function parseRunArgs(args: readonly string[]): string | number {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string", short: "c" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return EXIT.good;
    }
    if (values.config !== undefined) return values.config;
    process.stderr.write(`ossgate run: --config FILE is missing\n\n${HELP}`);
  } catch (error) {
    process.stderr.write(`ossgate run: ${(error as Error).message}\n\n${HELP}`);
  }
  return EXIT.usage;
}

const READ_HINTS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

async function readConfigFile(file: string): Promise<GatewayConfig | number> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`ossgate run: cannot read ${file}: ${READ_HINTS[code ?? ""] ?? message}\n`);
    return EXIT.failed;
  }
  const result = readConfig(text, file);
  for (const warning of result.warnings) process.stderr.write(`${formatProblem(warning, "warning")}\n`);
  if (result.ok) return result.config;
  for (const problem of result.problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return EXIT.badConfig;
}
