import type { Path } from "../config/problem.js";
import type { Environment } from "../credentials/small-file.js";
import type { Level } from "./finding.js";

export interface InspectOptions {
  readonly env: Environment;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /**
   * Whether this is the service itself, or stands in for it: then what its unit provides has to be there. Elsewhere it
   * is not looked at.
   */
  readonly isService: boolean;
}

/** Something outside of the configuration that the configuration names, and how it is. Holds no secret. */
export interface Inspected {
  /** The key that names it. */
  readonly path: Path;
  /** The same for people, by names: `routes images allow.links.secret`. */
  readonly where: string;
  /** `secret`, `certificate`, `log` … */
  readonly check: string;
  /** `broken`: the gateway does not start; `warn`: it starts, and misses it; `skipped`: only the service can look. */
  readonly level: Level;
  /** Completes "expected …". */
  readonly expected: string;
  /** What was found, in words, without a full stop. */
  readonly result: string;
  /** What to do, one sentence; `null`: nothing. */
  readonly next: string | null;
}

/** A key of the configuration, and what is wanted there. */
export type Named = Pick<Inspected, "path" | "where" | "check" | "expected">;

export function good(named: Named, result: string): Inspected {
  return { ...named, level: "ok", result, next: null };
}

export function bad(named: Named, level: "warn" | "broken" | "skipped", result: string, next: string): Inspected {
  return { ...named, level, result, next };
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "nothing can be written there",
  ELOOP: "its links lead in a circle",
  NOT_A_FILE: "it is not a regular file",
};

/** What an error of the file system says, in a few words. */
export function fileErrorInWords(error: unknown): string {
  const { code = "" } = error as NodeJS.ErrnoException;
  return WORDS[code] ?? (code === "" ? (error as Error).message : code);
}

/** One line of what a reader of files says, its codes in words, without the empty place before it. */
export function inWordsOf(error: unknown): string {
  const [first = "", ...rest] = (error as Error).message.replace(/^: /, "").split("\n");
  const more = rest.length === 0 ? "" : `, and ${rest.length} more like it`;
  return `${first.replace(/ \(([A-Z_]+)\)$/, (whole, code: string) => (WORDS[code] === undefined ? whole : `: ${WORDS[code]}`))}${more}`;
}
