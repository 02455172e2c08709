import { GatewayProcess } from "../process/gateway-process.js";
import { untilStopped } from "../process/signals.js";
import { tuneGarbageCollector } from "../process/v8-tuning.js";
import { readArguments } from "./arguments.js";
import { readConfigFile } from "./config-file.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate run --config FILE

Serves with this configuration until SIGTERM or SIGINT. Then nothing new is
accepted, what runs may finish for limits.shutdownTimeout, and the exit status
is 0; a second signal ends it at once. The access log goes to standard output,
everything else to standard error.
`;

/** `ossgate run`; resolves with the exit status. */
export async function run(args: readonly string[], version: string): Promise<number> {
  const file = parseRunArgs(args);
  if (typeof file === "number") return file;
  const config = await readConfigFile(file, "run", { showsWarnings: true });
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
  const parsed = readArguments({
    args: [...args],
    options: { config: { type: "string", short: "c" }, help: { type: "boolean", short: "h" } },
  });
  if (typeof parsed === "string") return usage(parsed);
  const { help, config } = parsed.values;
  if (help !== true) return config ?? usage("--config FILE is missing");
  process.stdout.write(HELP);
  return EXIT.good;
}

function usage(message: string): number {
  process.stderr.write(`ossgate run: ${message}\n\n${HELP}`);
  return EXIT.usage;
}
