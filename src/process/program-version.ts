import { readFileSync } from "node:fs";

/** The program's version, from its package: as it is on the disk now, which in an upgrade is not the one that runs. */
export function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
