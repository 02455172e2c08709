import { existsSync } from "node:fs";

/** Where a configuration is looked for when none is named: here, then where the package puts it. */
const DEFAULT_FILES: readonly [string, string] = ["gateway.yaml", "/etc/ossgate/gateway.yaml"];

/** For messages and help. */
export const NO_FILE = `there is neither ./${DEFAULT_FILES.join(" nor ")}; name one with --config FILE`;

/** @returns the file that a command reads; `null`: none was named, and there is none */
export function configFile(named: string | undefined): string | null {
  return named ?? DEFAULT_FILES.find((path) => existsSync(path)) ?? null;
}
