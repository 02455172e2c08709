import { readFile, writeFile } from "node:fs/promises";
import { configJsonSchema, configReference } from "../config/reference.js";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";

const USAGE = `Usage: ossgate schema [--reference | --write]

Prints the JSON Schema of the configuration file.
  --reference  prints the reference of all keys, a Markdown table
  --write      writes both in a checkout: config/gateway.schema.json and the
               section of README.md
`;

const SCHEMA_FILE = "config/gateway.schema.json";
const README_FILE = "README.md";
const BEGIN = "<!-- config reference: begin -->";
const END = "<!-- config reference: end -->";

const FLAG = { type: "boolean" } as const;
const OPTIONS = { help: { ...FLAG, short: "h" }, reference: FLAG, write: FLAG } as const;

/**
 * `ossgate schema`: what the configuration's schema says, for editors and for readers.
 * @returns the exit code: 0 done, 2 wrong usage, 1 a file that cannot be written
 */
export async function schema(args: readonly string[]): Promise<number> {
  const parsed = readArguments({ args: [...args], options: OPTIONS });
  if (typeof parsed === "string") return usage(parsed);
  const { help, reference, write } = parsed.values;
  if (help === true) return print(USAGE);
  if (reference === true && write === true) return usage("either --reference or --write");
  if (write === true) return await writeBoth();
  return print(reference === true ? configReference() : configJsonSchema());
}

function usage(message: string): number {
  process.stderr.write(`ossgate schema: ${message}\n\n${USAGE}`);
  return EXIT.usage;
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.good;
}

async function writeBoth(): Promise<number> {
  try {
    await writeFile(SCHEMA_FILE, configJsonSchema());
    process.stdout.write(`${SCHEMA_FILE}: written\n`);
    const readme = replaceReference(await readFile(README_FILE, "utf8"));
    if (readme === null) {
      process.stderr.write(
        `${README_FILE}: the lines "${BEGIN}" and "${END}" are missing; put them where the reference belongs\n`,
      );
      return EXIT.failed;
    }
    await writeFile(README_FILE, readme);
    process.stdout.write(`${README_FILE}: reference written\n`);
    return EXIT.good;
  } catch (error) {
    process.stderr.write(`ossgate schema: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

/** The text with a fresh reference between the two marks; `null` when they are not there. */
function replaceReference(text: string): string | null {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin === -1 || end === -1) return null;
  return `${text.slice(0, begin + BEGIN.length)}\n${configReference()}${text.slice(end)}`;
}
