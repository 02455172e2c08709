import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * Reads the certificates of an authority that is trusted besides the usual ones.
 * @param where the place in the configuration, `buckets.media.caFile`
 * @returns PEM text
 * @throws Error in one sentence that begins with `where`
 */
export function readCaFile(path: string, where: string): string {
  try {
    const text = readFileSync(path, "utf8");
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new Error(`${path} has no PEM certificate`);
    for (const block of blocks) new X509Certificate(block);
    return text;
  } catch (cause) {
    throw new Error(`${where}: ${(cause as Error).message}`, { cause });
  }
}
