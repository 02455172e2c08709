import type { ConfProblem, Directive } from "./directive.js";
import { shownDirective } from "./shown.js";

export const VERDICTS = ["taken over", "approximated", "not supported", "dangerous in the original"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What became of a directive. */
export interface Finding {
  readonly directive: Directive;
  readonly verdict: Verdict;
  /** How, or what to do instead: a phrase or sentences. */
  readonly text: string;
}

/** Collects what became of each directive; several routes may say the same of one. */
export class Findings {
  readonly #of = new Map<Directive, Map<string, Finding>>();

  taken(directive: Directive | undefined, text: string): void {
    this.#note(directive, "taken over", text);
  }

  approximated(directive: Directive | undefined, text: string): void {
    this.#note(directive, "approximated", text);
  }

  unsupported(directive: Directive | undefined, text: string): void {
    this.#note(directive, "not supported", text);
  }

  dangerous(directive: Directive | undefined, text: string): void {
    this.#note(directive, "dangerous in the original", text);
  }

  has(directive: Directive): boolean {
    return this.#of.has(directive);
  }

  of(directive: Directive): readonly Finding[] {
    return [...(this.#of.get(directive)?.values() ?? [])];
  }

  #note(directive: Directive | undefined, verdict: Verdict, text: string): void {
    if (directive === undefined) return;
    const notes = this.#of.get(directive) ?? new Map<string, Finding>();
    notes.set(`${verdict} ${text}`, { directive, verdict, text });
    this.#of.set(directive, notes);
  }
}

/** Says the same of an `if` and of what is in it. */
export function reportBlock(directive: Directive, findings: Findings, taken: string | null, unsupported = ""): void {
  for (const one of [directive, ...(directive.block ?? [])]) {
    if (taken !== null) findings.taken(one, taken);
    else findings.unsupported(one, unsupported);
  }
}

/** What must be looked at comes first. */
const WORST_FIRST: readonly Verdict[] = ["not supported", "dangerous in the original", "approximated", "taken over"];

/** One line for each kind of directive and what became of it, the worst first; what comes again is counted, with its places. */
export function formatFindings(findings: readonly Finding[]): readonly string[] {
  const groups = new Map<string, { readonly first: Finding; readonly places: Set<string> }>();
  for (const finding of findings) {
    const { directive, verdict, text } = finding;
    const key = JSON.stringify([directive.name, verdict, text]);
    const group = groups.get(key) ?? { first: finding, places: new Set() };
    group.places.add(`${directive.file}:${directive.line}`);
    groups.set(key, group);
  }
  const sorted = [...groups.values()].toSorted(
    (a, b) => WORST_FIRST.indexOf(a.first.verdict) - WORST_FIRST.indexOf(b.first.verdict),
  );
  return sorted.map(({ first, places }) => {
    const others = [...places].slice(1).map((place) => place.replace(`${first.directive.file}:`, ""));
    if (others.length === 0) return formatFinding(first);
    const named = others.slice(0, MAX_PLACES).join(", ");
    const more = others.length > MAX_PLACES ? ", …" : "";
    return oneLine(`${formatFinding(first)} (${places.size} places: also at ${named}${more})`);
  });
}

const MAX_PLACES = 5;

/** `file:line: directive: verdict: text`, always one line, without secrets. */
export function formatFinding({ directive, verdict, text }: Finding): string {
  return oneLine(
    `${directive.file}:${directive.line}: ${shownDirective(directive)}: ${verdict}${text === "" ? "" : `: ${text}`}`,
  );
}

export function formatConfProblem({ file, line, col, message }: ConfProblem): string {
  return oneLine(`${file}:${line}:${col}: ${message}`);
}

function oneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
