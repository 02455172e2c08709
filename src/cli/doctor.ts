import type { GatewayConfig } from "../config/gateway-config.js";
import { parseDurationMs } from "../core/units.js";
import { examine, onlyRoute } from "../doctor/examine.js";
import type { Finding } from "../doctor/finding.js";
import { readArguments } from "./arguments.js";
import { readConfigFile } from "./config-file.js";
import { configFile, NO_FILE } from "./default-file.js";
import { renderFindings } from "./doctor-report.js";
import { EXIT } from "./exit-codes.js";

const HELP = `Usage: ossgate doctor [--config FILE] [--route NAME] [--timeout 5s] [--json]

Looks at all that a configuration needs, from this machine: names, connections,
TLS, clocks, anonymous and signed requests, regions, forced downloads, CORS and
Referer rules of the buckets, credentials, files, listeners. Prints what it
found and what to do. Nothing is changed; of buckets only an object that does
not exist is asked for, their rules, and a list. As root, while the service
runs, it also sees what LoadCredential= gives to the service. Variables that the
service alone has it does not see.

  -c, --config FILE   the configuration (./gateway.yaml, else
                      /etc/ossgate/gateway.yaml)
  --route NAME        of the routes only this one
  --timeout 5s        of each step: a look-up, a connection, a request
  --json              print the findings as JSON
  -h, --help          print this

Exit code: 0 good, or only warnings; 1 something is broken; 2 wrong usage;
3 bad configuration.
`;

interface DoctorOptions {
  readonly file: string;
  readonly route: string | null;
  readonly timeoutMs: number;
  readonly isJson: boolean;
}

const LONGEST_TIMEOUT_MS = 60_000;

/** `ossgate doctor`; resolves with the exit code. */
export async function doctor(args: readonly string[]): Promise<number> {
  const options = parseDoctorArgs(args);
  if (typeof options === "number") return options;
  const config = await readConfigFile(options.file, "doctor", { showsWarnings: !options.isJson });
  if (typeof config === "number") return config;
  const wanted = options.route === null ? config : onlyRoute(config, options.route);
  if (wanted === null) return usage(`${options.file} has no route ${options.route}`);
  const findings = await examineWithProgress(wanted, options);
  const isBroken = findings.some(({ level }) => level === "broken");
  print(findings, options.isJson, isBroken);
  return isBroken ? EXIT.failed : EXIT.good;
}

async function examineWithProgress(
  config: GatewayConfig,
  { timeoutMs, isJson }: DoctorOptions,
): Promise<readonly Finding[]> {
  const { stderr } = process;
  if (isJson || !stderr.isTTY) return examine(config, { timeoutMs });
  const clearLine = "\r\u001b[K";
  try {
    return await examine(config, { timeoutMs, onProgress: (what) => void stderr.write(`${clearLine}… ${what}`) });
  } finally {
    stderr.write(clearLine);
  }
}

function print(findings: readonly Finding[], isJson: boolean, isBroken: boolean): void {
  const { stdout } = process;
  if (isJson) stdout.write(`${JSON.stringify({ ok: !isBroken, findings }, null, 2)}\n`);
  else if (!stdout.isTTY) stdout.write(renderFindings(findings, { hasColour: false }));
  else stdout.write(renderFindings(findings, { hasColour: !process.env.NO_COLOR, columns: stdout.columns }));
}

function parseDoctorArgs(args: readonly string[]): DoctorOptions | number {
  const parsed = readArguments({
    args: [...args],
    options: {
      config: { type: "string", short: "c" },
      route: { type: "string" },
      timeout: { type: "string", default: "5s" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  if (typeof parsed === "string") return usage(parsed);
  const { help, config, route, timeout, json } = parsed.values;
  if (help === true) {
    process.stdout.write(HELP);
    return EXIT.good;
  }
  const timeoutMs = parseDurationMs(timeout);
  if (timeoutMs === null || timeoutMs < 1 || timeoutMs > LONGEST_TIMEOUT_MS) {
    return usage("--timeout must be a time of 1ms to 60s, 5s say");
  }
  const file = configFile(config);
  if (file === null) return usage(NO_FILE);
  return { file, route: route ?? null, timeoutMs, isJson: json };
}

function usage(message: string): number {
  process.stderr.write(`ossgate doctor: ${message}\n\n${HELP}`);
  return EXIT.usage;
}
