import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expandPath } from "../credentials/small-file.js";
import { fileErrorInWords } from "./inspected.js";

/** What stands in the way, without a full stop, and what to do, with one. */
export interface Unseen {
  readonly result: string;
  readonly next: string;
}

/** Directories below one; a machine with more has some that can be read. */
const MAX_ENTRIES = 200;
const FILE_OF_A_PAIR = /\.(?:pem|cer|key)$/;

/**
 * Why a directory in which no certificate was found may have some all the same: it, one below it or a file in these
 * cannot be read, as certbot's cannot by a service that has a user of its own.
 * @returns `null`: nothing is in the way, there is none
 */
export async function whyUnseen(directory: string): Promise<Unseen | null> {
  const path = expandPath(directory, process.env);
  const entries = await entriesOf(path);
  if ("result" in entries) return entries;
  for (const below of [path, ...entries.slice(0, MAX_ENTRIES).map((name) => join(path, name))]) {
    const found = below === path ? entries : await entriesOf(below);
    if ("result" in found) return found;
    for (const name of found.filter((one) => FILE_OF_A_PAIR.test(one))) {
      const failure = await access(join(below, name), constants.R_OK).then(
        () => null,
        (error: unknown) => unseen(join(below, name), error),
      );
      if (failure !== null) return failure;
    }
  }
  return null;
}

/** Names, sorted; none of what is no directory. */
async function entriesOf(path: string): Promise<readonly string[] | Unseen> {
  try {
    return (await readdir(path)).toSorted();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOTDIR" ? [] : unseen(path, error);
  }
}

function unseen(path: string, error: unknown): Unseen {
  const { code = "" } = error as NodeJS.ErrnoException;
  const isForbidden = code === "EACCES" || code === "EPERM";
  return {
    result: `${path} cannot be read: ${fileErrorInWords(error)}`,
    next: isForbidden
      ? "Let the service's user read it, by a group that both have: see 'Certificates' in /usr/share/doc/ossgate/README.md."
      : "Have a certificate made (certbot, acme.sh), or name the right directory.",
  };
}
