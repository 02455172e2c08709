import { X509Certificate } from "node:crypto";
import { constants, readFileSync, statSync } from "node:fs";

/** Many times the authorities of a whole system. */
const LONGEST_FILE_BYTES = 16 * 1024 * 1024;
/** Without O_NONBLOCK a named pipe would hold us until somebody writes to it. */
const FLAG = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Reads the certificates of an authority that is trusted besides the usual ones.
 * @param where the place in the configuration, `buckets.media.caFile`
 * @returns PEM text
 * @throws Error in one sentence that begins with `where`
 */
export function readCaFile(path: string, where: string): string {
  try {
    const text = readText(path);
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new Error(`${path} has no PEM certificate`);
    for (const block of blocks) new X509Certificate(block);
    return text;
  } catch (cause) {
    throw new Error(`${where}: ${(cause as Error).message}`, { cause });
  }
}

function readText(path: string): string {
  const stats = statSync(path);
  // What is a directory says so when it is read.
  if (!stats.isFile() && !stats.isDirectory()) throw new Error(`${path} is not a regular file`);
  if (stats.size > LONGEST_FILE_BYTES) throw new Error(`${path} is longer than 16 MiB`);
  return readFileSync(path, { encoding: "utf8", flag: FLAG as never });
}
