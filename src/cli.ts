#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { check } from "./cli/check.js";
import { demo } from "./cli/demo.js";
import { doctor } from "./cli/doctor.js";
import { EXIT } from "./cli/exit-codes.js";
import { importCors } from "./cli/import-cors.js";
import { importNginx } from "./cli/import-nginx.js";
import { importReferer } from "./cli/import-referer.js";
import { reload } from "./cli/reload.js";
import { run } from "./cli/run.js";
import { schema } from "./cli/schema.js";
import { sign } from "./cli/sign.js";
import { upgrade } from "./cli/upgrade.js";

const HELP = `ossgate: a gateway to Alibaba Cloud OSS buckets, by static address or by your own domain

Usage:
  ossgate run --config FILE   serve with this configuration
  ossgate reload              tell the running gateway to read its file again
  ossgate upgrade             replace its workers by the program on the disk
  ossgate check FILE…         report every problem of a configuration as file:line:col
  ossgate doctor --config FILE
                              look at what it needs from this machine, and say what to do
  ossgate demo                an OSS emulator and a gateway on this machine, with lines to try
  ossgate sign --config FILE URL
                              print a link, or an OSS presigned URL on the gateway's address
  ossgate import-cors FILE    a bucket's CORS rules, OSS's XML, as YAML for a route
  ossgate import-referer FILE
                              the same of its Referer rules
  ossgate import-nginx FILE   an NGINX configuration as one of ossgate's, with a
                              report of what differs
  ossgate schema              the configuration's JSON Schema, or its reference
  ossgate --version

'ossgate COMMAND --help' tells a command's options.
Exit codes: 0 good, 1 failed, 2 wrong usage, 3 bad configuration.
`;

/** The program's version, from its package. */
export function readVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case "run":
      return run(args, readVersion());
    case "reload":
      return reload(args);
    case "upgrade":
      return upgrade(args);
    case "check":
      return check(args);
    case "doctor":
      return doctor(args);
    case "demo":
      return demo(args, readVersion());
    case "sign":
      return sign(args);
    case "import-cors":
      return importCors(args);
    case "import-nginx":
      return importNginx(args);
    case "import-referer":
      return importReferer(args);
    case "schema":
      return schema(args);
    case "--version":
    case "-v":
      process.stdout.write(`ossgate ${readVersion()}\n`);
      return EXIT.good;
    case "--help":
    case "-h":
    case "help":
      process.stdout.write(HELP);
      return EXIT.good;
    default:
      process.stderr.write(command === undefined ? HELP : `ossgate: there is no command '${command}'\n\n${HELP}`);
      return EXIT.usage;
  }
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
