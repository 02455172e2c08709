import { Refusal } from "../config/refusal.js";

/** Where the keys of a route stand in `routes: [- name: …]`. */
export const ROUTE_INDENT = "    ";

/** Characters that JSON leaves as they are and YAML, or a terminal, does not. */
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff]/g;

/** Any text as a YAML value on one line: JSON's strings are YAML's. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `[a, "b"]`. */
export function flowList(texts: readonly string[]): string {
  return `[${texts.map(quoted).join(", ")}]`;
}

/** Values that the configuration takes, and for each other one a comment that says why it is left out. */
export interface Sorted {
  readonly taken: readonly string[];
  readonly comments: readonly string[];
}

/** @param parse the configuration's own reading of a value */
export function sortValues(texts: readonly string[], parse: (text: string) => string | Refusal): Sorted {
  const taken: string[] = [];
  const comments: string[] = [];
  for (const text of texts) {
    const value = parse(text);
    if (value instanceof Refusal) comments.push(`# Left out: ${quoted(text)}. ${value.hint}`.trimEnd());
    else taken.push(text);
  }
  return { taken, comments };
}

/** Lines at the indent of a route's keys, `depth` steps further in. */
export function lines(depth: number, ...texts: readonly string[]): string[] {
  return texts.map((text) => `${ROUTE_INDENT}${"  ".repeat(depth)}${text}`);
}
