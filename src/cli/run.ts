import { keepDebuggerShut, operateBySignals, untilStopped } from "../process/signals.js";
import { Supervisor } from "../process/supervisor.js";
import { readArguments } from "./arguments.js";
import { readConfigText } from "./config-file.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate run --config FILE

Serves with this configuration, in as many worker processes as workers says,
until SIGTERM or SIGINT. Then nothing new is accepted, what runs may finish for
limits.shutdownTimeout, and the exit status is 0; a second signal ends it at
once. SIGHUP reads the file again, as 'ossgate reload' does; SIGUSR2 opens log
files again. The access log goes to standard output, everything else to
standard error, unless log says otherwise.
`;

/** `ossgate run`; resolves with the exit status. */
export async function run(args: readonly string[], version: string): Promise<number> {
  const file = parseRunArgs(args);
  if (typeof file === "number") return file;
  keepDebuggerShut();
  const read = await readConfigText(file, "run", { showsWarnings: true });
  if (typeof read === "number") return read;
  const gateway = new Supervisor({ ...read, file, version });
  // From here on: a reload that comes too early waits, and a signal that ends it ends it in order.
  operateBySignals(gateway);
  const stopped = untilStopped(gateway);
  await gateway.start();
  if (gateway.state.isDraining) return stopped;
  const addresses = [...gateway.addresses].map(([name, { address, port }]) => ({ name, address, port }));
  const { workersServing: workers } = gateway.state;
  const admin = gateway.adminAddress;
  gateway.log.info({ version, listeners: addresses, admin, workers, config: file }, "ossgate serves");
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
