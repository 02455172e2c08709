/**
 * The text of a configuration file, without the mark that some editors begin it with.
 * @returns `null`: it is not UTF-8, and would be read as something else than what was written
 */
export function decodeConfig(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The line for a file that is not. */
export function notUtf8(file: string): string {
  return `${file}:1:1: (yaml): expected UTF-8 text, found other bytes. Save the file as UTF-8.`;
}
