/** A key's place in the file: names of maps, indexes of lists. */
export type Path = readonly (string | number)[];

/** One thing that is wrong in a configuration file, or worth a warning. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly col: number;
  /** `routes[0].match.hosts[1]`; `(root)` is the whole file, `(yaml)` its syntax. */
  readonly path: string;
  /** Completes "expected …". */
  readonly expected: string;
  /** Completes "found …"; at most 60 characters, secrets taken out. */
  readonly found: string;
  /** What to do: whole sentences, or `""`. */
  readonly hint: string;
}

/** What is said about a place: see {@link Problem}. */
export interface Complaint {
  readonly expected: string;
  /** Absent: what stands there. */
  readonly found?: string;
  readonly hint?: string;
  /** Point at the key, not at its value. */
  readonly atKey?: boolean;
}

/** A {@link Complaint} before its place is known as line and column. */
export interface SyntaxComplaint extends Complaint {
  readonly offset: number;
  readonly path: string;
  /** The rest of the file still means what it says. */
  readonly isHarmless?: boolean;
}

/** `file:line:col: path: expected …, found …. Hint`, always one line; a warning says so behind its path. */
export function formatProblem(problem: Problem, severity: "error" | "warning" = "error"): string {
  const { file, line, col, path, expected, found, hint } = problem;
  const mark = severity === "warning" ? "warning: " : "";
  const text = `${file}:${line}:${col}: ${path}: ${mark}expected ${expected}, found ${found}`;
  return hint === "" ? text : `${text}. ${hint}`;
}

/** `routes[0].match.hosts[1]`, `buckets["a b"].region`; the empty path is `(root)`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += `[${quote(step)}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text === "" ? "(root)" : text;
}

const MAX_FOUND_LENGTH = 60;

/** Text from the file as it may be shown: quoted, on one line, at most 60 characters, without what looks like a secret. */
export function quote(text: string): string {
  const shown = escapeForTerminal(JSON.stringify(withoutSecrets(text)));
  return shown.length <= MAX_FOUND_LENGTH ? shown : `${shown.slice(0, MAX_FOUND_LENGTH - 2)}…"`;
}

/** The same without the quotes, for numbers and other bare words. */
export function shorten(text: string): string {
  const shown = quote(text);
  return shown.slice(1, -1);
}

/** JSON leaves characters alone that move the cursor or turn the line around. */
function escapeForTerminal(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function withoutSecrets(text: string): string {
  if (/PRIVATE KEY|BEGIN CERTIFICATE/.test(text)) return "***";
  return text
    .replace(/:\/\/.*@/g, "://***@")
    .replace(/(:\/\/[^\s?#]*[?#]).+/g, "$1***")
    .replace(/\b(?:LTAI|STS\.)[A-Za-z0-9]{8,}/g, "***")
    .replace(/((?:secret|token|password|signature|accesskeyid|credential)[^=:]{0,20}[=:])[^&\s]+/gi, "$1***");
}
