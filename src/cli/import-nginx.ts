import { writeFileSync } from "node:fs";
import { formatProblem, readConfig } from "../config/read-config.js";
import { type Converted, convertConf } from "../nginx/convert.js";
import { formatConfProblem, formatFindings, VERDICTS } from "../nginx/findings.js";
import { type ConfFile, parseConf } from "../nginx/parse.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";
import { includesOf, readConfFile } from "./import-nginx-files.js";

const USAGE = `Usage: ossgate import-nginx FILE [--output FILE] [--include-root DIR]
                            [--host HOST]... [--strict]

Reads an NGINX configuration with all that it includes, and prints the same as
a configuration of ossgate. On standard error it says of each directive what
became of it: taken over, approximated (and how), not supported (and what to do
instead), or dangerous in the original.

  --output FILE       write the configuration there; no file is overwritten
  --include-root DIR  the files are a copy of another machine's: absolute names
                      in 'include' are looked for below DIR
  --host HOST         a host for servers that name none (server_name _); may be
                      repeated: ossgate serves no host that is not named
  --strict            exit 1 when a line is not supported or a route is closed

What NGINX refused does not come out open. A location that it guarded with
something that is not taken over comes out closed, with a comment that says
why, and so does a route that would serve paths that another location refused.

Exit code: 0 good, 1 every route is closed, something is not supported with
--strict, or a file cannot be read or written, 2 wrong usage, 3 no NGINX
configuration, or nothing in it that ossgate can serve.
`;

interface Wanted {
  readonly file: string;
  readonly output: string | null;
  readonly includeRoot: string | null;
  readonly hosts: readonly string[];
  readonly isStrict: boolean;
}

/** `ossgate import-nginx FILE`; resolves with the exit status, see the usage. */
export async function importNginx(args: readonly string[]): Promise<number> {
  const wanted = readWanted(args);
  if (typeof wanted === "string") {
    process.stderr.write(`ossgate import-nginx: ${wanted}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (wanted === null) {
    process.stdout.write(USAGE);
    return EXIT.good;
  }
  let main: ConfFile;
  try {
    main = readConfFile(wanted.file);
  } catch (error) {
    return fail(`cannot read ${wanted.file}: ${(error as Error).message}`, EXIT.failed);
  }
  return convert(main, wanted);
}

/** `null`: help is wanted; a text: what is wrong. */
function readWanted(args: readonly string[]): Wanted | string | null {
  const parsed = readArguments({
    args: [...args],
    options: {
      help: { type: "boolean", short: "h" },
      output: { type: "string", short: "o" },
      "include-root": { type: "string" },
      host: { type: "string", multiple: true },
      strict: { type: "boolean" },
    },
    allowPositionals: true,
  });
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  if (values.help === true) return null;
  const [file, ...others] = positionals;
  if (file === undefined) return "which file? /etc/nginx/nginx.conf say";
  if (others.length > 0) return "one file at a time; what it includes is read with it";
  return {
    file,
    output: values.output ?? null,
    includeRoot: values["include-root"] ?? null,
    hosts: values.host ?? [],
    isStrict: values.strict === true,
  };
}

function convert(main: ConfFile, { file, output, includeRoot, hosts, isStrict }: Wanted): number {
  const parsed = parseConf(main, includesOf(file, includeRoot));
  if (!parsed.ok) return fail(formatConfProblem(parsed.problem), EXIT.badConfig);
  const converted = convertConf(parsed.directives, { hosts });
  const { yaml, findings, routeCount, refusedCount, closedCount } = converted;
  for (const line of formatFindings(findings)) process.stderr.write(`${line}\n`);
  const isGood = routeCount === 0 || check(yaml, output ?? "(output)");
  process.stderr.write(`${summary(converted)}\n`);
  if (routeCount === 0)
    return fail("no location passes requests on to a bucket of OSS; nothing is written", EXIT.badConfig);
  if (output === null) process.stdout.write(yaml);
  else {
    try {
      writeFileSync(output, yaml, { flag: "wx", mode: 0o644 });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return fail(code === "EEXIST" ? `${output} is there already` : `cannot write ${output}: ${message}`, EXIT.failed);
    }
  }
  if (!isGood) return EXIT.badConfig;
  if (refusedCount + closedCount === routeCount)
    return fail("every route is closed: nothing would be served", EXIT.failed);
  const isLess = closedCount > 0 || findings.some(({ verdict }) => verdict === "not supported");
  return isStrict && isLess ? EXIT.failed : EXIT.good;
}

/** The result is read as `ossgate check` reads it. */
function check(yaml: string, name: string): boolean {
  const result = readConfig(yaml, name);
  const problems = result.ok ? [] : result.problems.map((problem) => formatProblem(problem));
  const warnings = result.warnings.map((warning) => formatProblem(warning, "warning"));
  for (const line of [...problems, ...warnings]) process.stderr.write(`${line}\n`);
  if (!result.ok)
    process.stderr.write("ossgate import-nginx: the configuration must be put right before it can be used\n");
  return result.ok;
}

function summary({ findings, routeCount, refusedCount, closedCount }: Converted): string {
  const counts = VERDICTS.map((verdict) => `${findings.filter((one) => one.verdict === verdict).length} ${verdict}`);
  const served = routeCount - refusedCount - closedCount;
  const said = [
    `${served} ${served === 1 ? "route serves" : "routes serve"}`,
    refusedCount === 0 ? "" : `${refusedCount} ${refusedCount === 1 ? "refuses" : "refuse"} everybody, as with NGINX`,
    closedCount === 0
      ? ""
      : `${closedCount} ${closedCount === 1 ? "is" : "are"} closed until you decide: see the comments`,
  ].filter((text) => text !== "");
  return `directives: ${counts.join(", ")}\n${said.join("; ")}`;
}

function fail(message: string, code: number): number {
  process.stderr.write(`ossgate import-nginx: ${message}\n`);
  return code;
}
