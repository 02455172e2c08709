import { lstatSync } from "node:fs";

/** Where a configuration is looked for when none is named: here, then where the package puts it. */
const HERE = "gateway.yaml";
const INSTALLED = "/etc/ossgate/gateway.yaml";

/** For messages and help. */
export const NO_FILE = `there is neither ./${HERE} nor ${INSTALLED}; name one with --config FILE (for root it is not ./${HERE} of another user)`;

/** @returns the file that a command reads; `null`: none was named, and there is none */
export function configFile(named: string | undefined): string | null {
  if (named !== undefined) return named;
  const owner = ownerOf(HERE);
  // A configuration names files to read and an address to send a secret to: root takes none that just lies about.
  if (owner !== null && (process.getuid?.() !== 0 || owner === 0)) return HERE;
  return ownerOf(INSTALLED) === null ? null : INSTALLED;
}

function ownerOf(path: string): number | null {
  try {
    // Of a link itself, which may lead elsewhere in a moment.
    return lstatSync(path).uid;
  } catch {
    return null;
  }
}
