import { keepDebuggerShut, operateBySignals, untilStopped } from "../process/signals.js";
import { Supervisor } from "../process/supervisor.js";
import { readArguments } from "./arguments.js";
import { readConfigText } from "./config-file.js";
import { configFile, NO_FILE } from "./default-file.js";
import { EXIT } from "./exit-codes.js";
import { checkNamedFiles } from "./named-files.js";

const HELP = `Usage: ossgate run [--config FILE]

Serves with this configuration, in as many worker processes as workers says,
until SIGTERM or SIGINT. Then nothing new is accepted, what runs may finish for
limits.shutdownTimeout, and the exit status is 0; a second signal ends it at
once. SIGHUP reads the file again, as 'ossgate reload' does; SIGUSR2 opens log
files again. The access log goes to standard output, everything else to
standard error, unless log says otherwise.

  -c, --config FILE   the configuration (./gateway.yaml, else
                      /etc/ossgate/gateway.yaml)
  -h, --help          print this

Exit code: 0 it was told to end; 3 the configuration, or a file or variable that
it names, is no good, as 'ossgate check' tells; 2 wrong usage; 1 anything else:
an address that another program has, say.
`;

/** `ossgate run`; resolves with the exit status. */
export async function run(args: readonly string[], version: string): Promise<number> {
  const file = parseRunArgs(args);
  if (typeof file === "number") return file;
  keepDebuggerShut();
  const read = await readConfigText(file, "run", { showsWarnings: true });
  // One that cannot be read, too: no restart mends it.
  if (typeof read === "number") return EXIT.badConfig;
  // Before anything is opened: what a restart does not mend is told apart by its exit code.
  const { problems } = await checkNamedFiles(read, { file, isService: true });
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) return EXIT.badConfig;
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
  return Promise.race([stopped, endOutdated(gateway)]);
}

/** Ends what cannot serve any more, so that systemd starts it anew. */
async function endOutdated(gateway: Supervisor): Promise<number> {
  await gateway.outdated();
  await gateway.stop(0);
  return EXIT.failed;
}

function parseRunArgs(args: readonly string[]): string | number {
  const parsed = readArguments({
    args: [...args],
    options: { config: { type: "string", short: "c" }, help: { type: "boolean", short: "h" } },
  });
  if (typeof parsed === "string") return usage(parsed);
  const { help, config } = parsed.values;
  if (help !== true) return configFile(config) ?? usage(NO_FILE);
  process.stdout.write(HELP);
  return EXIT.good;
}

function usage(message: string): number {
  process.stderr.write(`ossgate run: ${message}\n\n${HELP}`);
  return EXIT.usage;
}
