#!/usr/bin/env node
import { check } from "./cli/check.js";
import { borrowCredentialsDirectory } from "./cli/credentials-directory.js";
import { demo } from "./cli/demo.js";
import { doctor } from "./cli/doctor.js";
import { EXIT } from "./cli/exit-codes.js";
import { explain } from "./cli/explain.js";
import { importCors } from "./cli/import-cors.js";
import { importNginx } from "./cli/import-nginx.js";
import { importReferer } from "./cli/import-referer.js";
import { reload } from "./cli/reload.js";
import { run } from "./cli/run.js";
import { schema } from "./cli/schema.js";
import { sign } from "./cli/sign.js";
import { upgrade } from "./cli/upgrade.js";
import { nearest } from "./config/nearest.js";
import { readVersion } from "./process/program-version.js";

const HELP = `ossgate: a gateway to Alibaba Cloud OSS buckets, by static address or by your
own domain

Usage:
  ossgate run                  serve
  ossgate check                report all that is wrong with a configuration and
                               with the files that it names, as file:line:col
  ossgate reload               tell the running gateway to read its file again
  ossgate upgrade              replace its workers by the program on the disk
  ossgate explain URL          what the running gateway would do with a request
  ossgate doctor               look at all that a configuration needs from this
                               machine and from OSS, and say what to do
  ossgate sign URL             print a link, or an OSS presigned URL on the
                               gateway's address
  ossgate demo                 an OSS emulator and a gateway on this machine,
                               with lines to try
  ossgate import-nginx FILE    an NGINX configuration as one of ossgate's, and a
                               report of what differs
  ossgate import-cors FILE     a bucket's CORS rules, OSS's XML, as YAML for a
                               route
  ossgate import-referer FILE  the same of its Referer rules
  ossgate schema               the JSON Schema of the configuration, or its
                               reference
  ossgate version

The configuration is ./gateway.yaml, else /etc/ossgate/gateway.yaml, unless
--config FILE names one. 'ossgate COMMAND --help' tells a command's options.

Exit code: 0 good; 1 failed; 2 wrong usage; 3 bad configuration, or a file or
variable that it names.
`;

type Command = (args: readonly string[]) => Promise<number>;

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["run", (args) => run(args, readVersion())],
  ["check", check],
  ["reload", reload],
  ["upgrade", upgrade],
  ["explain", explain],
  ["doctor", doctor],
  ["sign", sign],
  ["demo", (args) => demo(args, readVersion())],
  ["import-nginx", importNginx],
  ["import-cors", importCors],
  ["import-referer", importReferer],
  ["schema", schema],
]);

/** These have their own environment: what is borrowed is for a look by hand. */
const SERVING: ReadonlySet<string> = new Set(["run", "demo"]);

async function main([name, ...args]: readonly string[]): Promise<number> {
  switch (name) {
    case "version":
    case "--version":
    case "-v":
      process.stdout.write(`ossgate ${readVersion()}\n`);
      return EXIT.good;
    case "help":
      return help(args[0]);
    case "--help":
    case "-h":
      return help(undefined);
    case undefined:
      process.stderr.write(HELP);
      return EXIT.usage;
    default:
      return runCommand(name, args);
  }
}

async function help(name: string | undefined): Promise<number> {
  if (name !== undefined) return runCommand(name, ["--help"]);
  process.stdout.write(HELP);
  return EXIT.good;
}

async function runCommand(name: string, args: readonly string[]): Promise<number> {
  const command = COMMANDS.get(name);
  if (command === undefined) {
    process.stderr.write(`ossgate: there is no command ${shown(name)}. ${hintFor(name)}\n`);
    return EXIT.usage;
  }
  if (!SERVING.has(name)) borrowCredentialsDirectory(process.env);
  return command(args);
}

function hintFor(name: string): string {
  if (name.startsWith("-")) return "Options stand behind the command: ossgate run --config FILE.";
  const near = nearest(name, [...COMMANDS.keys(), "version", "help"]);
  return near === null ? "'ossgate help' lists them." : `Did you mean 'ossgate ${near}'?`;
}

/** One line, whatever was written. */
function shown(name: string): string {
  return `'${name.slice(0, 40).replace(/[\p{Cc}\p{Cf}]/gu, "?")}'`;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    process.stderr.write(`ossgate: ${error.message}\n`);
    process.exitCode = EXIT.failed;
  },
);
