import { readFile } from "node:fs/promises";
import { decodeConfig, notUtf8 } from "../config/config-bytes.js";
import type { GatewayConfig } from "../config/gateway-config.js";
import { formatProblem, readConfig } from "../config/read-config.js";
import { readArguments } from "./arguments.js";
import { configFile, NO_FILE } from "./default-file.js";
import { EXIT } from "./exit-codes.js";
import { checkNamedFiles, isInUnit } from "./named-files.js";

const USAGE = `Usage: ossgate check [--syntax-only] [FILE…]

Reads configuration files and reports everything that is wrong with them, one
problem a line: file:line:col: path: what was expected, what was found, what to
do. Then opens all that a good one names, as 'ossgate run' does when it starts:
certificates with their keys, authorities, passwords, secrets, variables, files
of credentials, places of logs. Nothing is changed or connected to.

  --syntax-only   the files themselves alone: for a machine that has not what
                  they name
  -h, --help      print this

Without FILE it is ./gateway.yaml, else /etc/ossgate/gateway.yaml. Run it as the
service's user and with its variables, or it sees other files than the service.

Exit code: 0 good, with or without warnings; 3 'ossgate run' would not start;
2 wrong usage; 1 a FILE cannot be read, or anything else.
`;

/**
 * `ossgate check [FILE…]`: good files and warnings are no failure.
 * @returns the exit code: 0 good, 3 bad configuration, 2 wrong usage, 1 a file that cannot be read
 */
export async function check(args: readonly string[]): Promise<number> {
  const parsed = readArguments({
    args: [...args],
    options: {
      help: { type: "boolean", short: "h" },
      config: { type: "string", short: "c", multiple: true, default: [] },
      "syntax-only": { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (typeof parsed === "string") return usage(parsed);
  const { values, positionals } = parsed;
  if (values.help === true) {
    process.stdout.write(USAGE);
    return EXIT.good;
  }
  const named = [...values.config, ...positionals];
  const files = named.length > 0 ? named : [configFile(undefined)];
  let worst: number = EXIT.good;
  for (const file of files) {
    if (file === null) return usage(NO_FILE);
    // Bad configuration tells more than a file that could not be read.
    worst = Math.max(worst, await checkFile(file, values["syntax-only"]));
  }
  return worst;
}

function usage(message: string): number {
  process.stderr.write(`ossgate check: ${message}\n\n${USAGE}`);
  return EXIT.usage;
}

async function checkFile(file: string, isSyntaxOnly: boolean): Promise<number> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    process.stderr.write(`${file}: cannot be read: ${whyUnreadable(error)}\n`);
    return EXIT.failed;
  }
  const text = decodeConfig(bytes);
  if (text === null) return refuse([notUtf8(file)]);
  const result = readConfig(text, file);
  // No warnings of a bad file: a bucket is called unused when only its name in the route is misspelt.
  if (!result.ok) return refuse(result.problems.map((problem) => formatProblem(problem)));
  const { config } = result;
  const warnings = result.warnings.map((warning) => formatProblem(warning, "warning"));
  const named = isSyntaxOnly ? null : await checkNamedFiles({ text, config }, { file, isService: isInUnit() });
  for (const warning of [...warnings, ...(named?.warnings ?? [])]) process.stderr.write(`${warning}\n`);
  if (named !== null && named.problems.length > 0) return refuse(named.problems);
  process.stdout.write(`${file}: ok (${summary(config)})\n`);
  return EXIT.good;
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  return EXIT.badConfig;
}

function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return code ?? String(error);
}

function summary({ routes, buckets, listeners }: GatewayConfig): string {
  return `${count(routes.length, "route")}, ${count(buckets.size, "bucket")}, ${count(listeners.length, "listener")}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
