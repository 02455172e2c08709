import { Secret } from "../core/secret.js";

/** What a password file says: hashes by name, or all that is wrong with it. */
export type PasswordTable =
  | {
      readonly ok: true;
      /** bcrypt, written with `$2b$`; never empty. */
      readonly hashes: ReadonlyMap<string, Secret>;
      /** The highest cost among them: hashing takes 2^cost rounds. */
      readonly maxCost: number;
    }
  | { readonly ok: false; readonly problems: readonly PasswordProblem[] };

/** Says nothing of what the line holds. */
export interface PasswordProblem {
  /** From 1; 0 for the file as a whole. */
  readonly line: number;
  readonly message: string;
}

/** More would take seconds for each login, and hold up those of others. */
const MAX_COST = 15;
const MAX_NAME_BYTES = 255;
const MAX_PROBLEMS = 20;

const BCRYPT = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{53})$/;
const CONTROL = /[\p{Cc}]/u;

/**
 * Reads a file as `htpasswd -B` writes it: `name:hash` a line, `#` comments, empty lines, and what follows a second colon
 * is a comment too, as in NGINX. Hashes are bcrypt's alone (`$2a$`, `$2b$`, `$2y$`: the same but for errors in how old
 * programs made them), of cost 4 to 15.
 * @param text without byte order mark; lines end with LF or CRLF
 */
export function parsePasswords(text: string): PasswordTable {
  const hashes = new Map<string, Secret>();
  const problems: PasswordProblem[] = [];
  let maxCost = 0;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.startsWith("#") || line.trim() === "") continue;
    const entry = parseLine(line);
    const message = typeof entry === "string" ? entry : repeated(entry, hashes);
    if (typeof entry === "string" || message !== null) {
      problems.push({ line: index + 1, message: message ?? "" });
      if (problems.length >= MAX_PROBLEMS) break;
      continue;
    }
    hashes.set(entry.name, entry.hash);
    maxCost = Math.max(maxCost, entry.cost);
  }
  if (problems.length > 0) return { ok: false, problems };
  if (hashes.size === 0) return { ok: false, problems: [{ line: 0, message: NOBODY }] };
  return { ok: true, hashes, maxCost };
}

const NOBODY = "it names nobody; add somebody with htpasswd -B";

interface PasswordLine {
  readonly name: string;
  readonly hash: Secret;
  readonly cost: number;
}

/** @returns what is wrong */
function parseLine(line: string): PasswordLine | string {
  const colon = line.indexOf(":");
  if (colon === -1) return "there is no colon; a line is name:hash";
  const name = line.slice(0, colon);
  if (name === "") return "there is no name before the colon";
  if (CONTROL.test(name)) return "the name has a control character in it";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `the name is longer than ${MAX_NAME_BYTES} bytes`;
  const [written = ""] = line.slice(colon + 1).split(":", 1);
  const hash = written.trimEnd();
  const match = BCRYPT.exec(hash);
  if (match === null) return `${formatOf(hash)}; make the line anew with htpasswd -B`;
  const cost = Number(match[1]);
  if (cost < 4 || cost > MAX_COST) return `the cost is ${cost}, and 4 to ${MAX_COST} are taken; see htpasswd -B -C`;
  return { name, hash: new Secret(`$2b$${match[1]}$${match[2]}`), cost };
}

function repeated({ name }: PasswordLine, hashes: ReadonlyMap<string, Secret>): string | null {
  return hashes.has(name) ? "the name is there already, further up; take one of the two out" : null;
}

const FORMATS: readonly (readonly [prefix: string, name: string])[] = [
  ["$apr1$", "an MD5 hash of Apache"],
  ["$1$", "an MD5 hash"],
  ["$5$", "a SHA-256 hash of crypt"],
  ["$6$", "a SHA-512 hash of crypt"],
  ["$y$", "a yescrypt hash"],
  ["{SHA}", "an unsalted SHA-1 hash"],
  ["{SSHA}", "a SHA-1 hash"],
  ["{PLAIN}", "a password in plain text"],
  ["$2", "a bcrypt hash that is cut or changed"],
];

function formatOf(hash: string): string {
  const found = FORMATS.find(([prefix]) => hash.startsWith(prefix));
  if (found !== undefined) return `this is ${found[1]}, and only bcrypt is taken`;
  return hash === "" ? "there is no hash" : "this is no bcrypt hash (a password in plain text, or one of crypt)";
}
