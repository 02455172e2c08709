import type { Finding, Level } from "../doctor/finding.js";

const SYMBOLS: Readonly<Record<Level, string>> = { ok: "ok", warn: "warn", broken: "BROKEN", skipped: "-" };
const COLOURS: Readonly<Record<Level, number>> = { ok: 32, warn: 33, broken: 31, skipped: 90 };
const MAX_SUBJECT = 44;

/** How the table is shown. */
export interface ReportStyle {
  readonly hasColour: boolean;
  /** Where lines are broken; absent: nowhere, as for files and other programs. */
  readonly columns?: number;
}

/** The findings as a table, one subject after the other, and below it what to do. */
export function renderFindings(findings: readonly Finding[], style: ReportStyle): string {
  const { hasColour } = style;
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const indent = width + 12;
  const lines: string[] = [];
  let subject = "";
  for (const finding of findings) {
    if (finding.subject !== subject) {
      if (subject !== "") lines.push("");
      lines.push(bold(finding.subject, hasColour));
      subject = finding.subject;
    }
    const symbol = paint(SYMBOLS[finding.level].padEnd(6), finding.level, hasColour);
    const result = wrap(finding.result, indent, style);
    lines.push(`  ${symbol}  ${finding.check.padEnd(width)}  ${result}`);
  }
  return `${[...lines, "", ...advice(findings, style), summary(findings)].join("\n")}\n`;
}

/** Below this a text beside the table's columns is worse than one that the terminal breaks. */
const NARROWEST = 24;

/** Broken between words; all lines but the first begin with `indent` spaces, which the first has already. */
function wrap(text: string, indent: number, { columns = 0 }: ReportStyle): string {
  const room = columns - indent;
  if (room < NARROWEST) return text;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

function advice(findings: readonly Finding[], style: ReportStyle): readonly string[] {
  const { hasColour } = style;
  const open = findings.filter(({ next }) => next !== null);
  if (open.length === 0) return [];
  // What is broken first; the same advice once.
  const sorted = [...open.filter(({ level }) => level === "broken"), ...open.filter(({ level }) => level !== "broken")];
  const byNext = new Map<string, Finding[]>();
  for (const finding of sorted) {
    const next = finding.next as string;
    const known = byNext.get(next);
    if (known === undefined) byNext.set(next, [finding]);
    else known.push(finding);
  }
  const lines = [bold("What to do", hasColour)];
  for (const [next, concerned] of byNext) {
    const { level } = concerned[0] as Finding;
    const where = concerned.map(({ subject, check }) => `${shorten(subject)}, ${check}`);
    const more = where.length > 2 ? ` and ${where.length - 2} more` : "";
    const places = wrap(`${where.slice(0, 2).join("; ")}${more}:`, 10, style);
    lines.push(`  ${paint(SYMBOLS[level].padEnd(6), level, hasColour)}  ${places}`);
    lines.push(`          ${wrap(next, 10, style)}`);
  }
  return [...lines, ""];
}

function shorten(whole: string): string {
  const [subject = ""] = whole.split(" (");
  return subject.length <= MAX_SUBJECT ? subject : `${subject.slice(0, MAX_SUBJECT - 1)}…`;
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length;
  const skipped = count("skipped") === 0 ? "" : `, ${count("skipped")} not looked at`;
  return `${count("ok")} good, ${count("warn")} to look at, ${count("broken")} broken${skipped}`;
}

function paint(text: string, level: Level, hasColour: boolean): string {
  return hasColour ? `\u001b[${COLOURS[level]}m${text}\u001b[0m` : text;
}

function bold(text: string, hasColour: boolean): string {
  return hasColour ? `\u001b[1m${text}\u001b[0m` : text;
}
