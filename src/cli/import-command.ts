import { createReadStream } from "node:fs";
import { readArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";
import { readXml, type Shape, shapeProblem, type XmlElement } from "./import-xml.js";

/** OSS takes smaller ones only. */
const MAX_DOCUMENT_BYTES = 64 * 1024;

/** What a document became: text for the configuration file, or a sentence that says why nothing. */
export type Converted = { readonly yaml: string } | { readonly problem: string };

export interface ImportCommand {
  readonly name: string;
  readonly usage: string;
  /** The document's root element. */
  readonly root: string;
  readonly shape: Shape;
  readonly convert: (root: XmlElement) => Converted;
}

/**
 * Turns a document of OSS's, a file or `-` for standard input, into YAML on standard output.
 * @returns the exit code: 0 done, 3 it cannot be turned, 2 wrong usage, 1 a file that cannot be read
 */
export async function runImport(command: ImportCommand, args: readonly string[]): Promise<number> {
  const parsed = readArguments({
    args: [...args],
    options: { help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  });
  if (typeof parsed === "string") return usage(command, parsed);
  if (parsed.values.help === true) return print(command.usage);
  const [file, ...others] = parsed.positionals;
  if (file === undefined) return usage(command, "which file? - is standard input");
  if (others.length > 0) return usage(command, "one file at a time");
  let bytes: Buffer | null;
  try {
    bytes = await readAtMost(file === "-" ? process.stdin : createReadStream(file), MAX_DOCUMENT_BYTES);
  } catch (error) {
    return fail(command, `cannot read ${file}: ${whyUnreadable(error)}`, EXIT.failed);
  }
  const converted = convertDocument(command, bytes);
  if ("yaml" in converted) return print(converted.yaml);
  return fail(command, `${file === "-" ? "standard input" : file} ${converted.problem}`, EXIT.badConfig);
}

/** @param bytes the document; `null`: it is longer than OSS's can be */
export function convertDocument({ root: rootName, shape, convert }: ImportCommand, bytes: Buffer | null): Converted {
  if (bytes === null) return { problem: `is longer than ${MAX_DOCUMENT_BYTES} bytes, so it is no ${rootName} of OSS` };
  const text = decode(bytes);
  if (text === null) return { problem: "is no UTF-8 text" };
  const root = readXml(text);
  if (typeof root === "string") return { problem: root };
  if (root.name !== rootName)
    return { problem: `is no ${rootName}: its root element is <${root.name}>${advice(root)}` };
  const problem = shapeProblem(root, shape);
  return problem === null ? convert(root) : { problem: `is no ${rootName} of OSS: ${problem}` };
}

/** What people hand in instead. */
function advice({ name, children }: XmlElement): string {
  if (name === "CORSConfiguration") return ", which 'ossgate import-cors' takes";
  if (name === "RefererConfiguration") return ", which 'ossgate import-referer' takes";
  const code = children.find((child) => child.name === "Code");
  return name === "Error" && code !== undefined ? `, OSS's answer to a failed request (${oneLine(code.text)})` : "";
}

function oneLine(text: string): string {
  return JSON.stringify(text.slice(0, 100)).slice(1, -1);
}

/** @returns `null` when there is more; the stream is closed then */
async function readAtMost(stream: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) return null;
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return UNREADABLE[code ?? ""] ?? message;
}

function usage({ name, usage }: ImportCommand, message: string): number {
  process.stderr.write(`ossgate ${name}: ${message}\n\n${usage}`);
  return EXIT.usage;
}

function print(text: string): number {
  process.stdout.write(text);
  return EXIT.good;
}

function fail({ name }: ImportCommand, message: string, code: number): number {
  process.stderr.write(`ossgate ${name}: ${message}\n`);
  return code;
}
