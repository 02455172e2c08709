import { access, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CertificateConfig } from "../config/gateway-config.js";
import { expandPath } from "../credentials/small-file.js";

/** Where a certificate and its key are. */
export interface PairFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** The place in `certificates`, which decides who goes first. */
  readonly place: number;
  /** Found in a directory, where another may be as good; not named in the configuration. */
  readonly isFound: boolean;
}

/** Entries of one directory that are looked at. */
const MAX_ENTRIES = 2_000;

/**
 * The pairs that the configuration names, and those that lie in its directories at the moment.
 * @throws Error with one sentence when `$CREDENTIALS_DIRECTORY` is needed and not set
 */
export async function findPairs(certificates: readonly CertificateConfig[]): Promise<readonly PairFiles[]> {
  const found: PairFiles[] = [];
  for (const [place, { certFile, keyFile, directory }] of certificates.entries()) {
    if (directory !== null) found.push(...(await pairsBelow(expandPath(directory, process.env), place)));
    else {
      const [cert, key] = [expandPath(certFile, process.env), expandPath(keyFile, process.env)];
      found.push({ certFile: cert, keyFile: key, place, isFound: false });
    }
  }
  return found;
}

/** Of the directory itself, and of each below it, in the order of their names. */
async function pairsBelow(directory: string, place: number): Promise<readonly PairFiles[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const below = entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .slice(0, MAX_ENTRIES)
    .map(({ name }) => join(directory, name))
    .toSorted();
  const found: PairFiles[] = [];
  for (const path of [directory, ...below]) {
    for (const [certName, keyName] of layoutsIn(path)) {
      const [certFile, keyFile] = [join(path, certName), join(path, keyName)];
      if ((await exists(certFile)) && (await exists(keyFile))) found.push({ certFile, keyFile, place, isFound: true });
    }
  }
  return found;
}

/** certbot: `live/NAME/{fullchain,privkey}.pem`. acme.sh: `NAME/{fullchain.cer,NAME.key}`, `NAME_ecc` for ECDSA. */
function layoutsIn(path: string): readonly (readonly [cert: string, key: string])[] {
  const name = basename(path).replace(/_ecc$/, "");
  return [
    ["fullchain.pem", "privkey.pem"],
    ["fullchain.cer", `${name}.key`],
  ];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
