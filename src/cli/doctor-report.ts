import type { Finding, Level } from "../doctor/finding.js";

const SYMBOLS: Readonly<Record<Level, string>> = { ok: "ok", warn: "warn", broken: "BROKEN", skipped: "-" };
const COLOURS: Readonly<Record<Level, number>> = { ok: 32, warn: 33, broken: 31, skipped: 90 };
const MAX_SUBJECT = 44;

/** The findings as a table, one subject after the other, and below it what to do. */
export function renderFindings(findings: readonly Finding[], hasColour: boolean): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const lines: string[] = [];
  let subject = "";
  for (const finding of findings) {
    if (finding.subject !== subject) {
      if (subject !== "") lines.push("");
      lines.push(bold(finding.subject, hasColour));
      subject = finding.subject;
    }
    const symbol = paint(SYMBOLS[finding.level].padEnd(6), finding.level, hasColour);
    lines.push(`  ${symbol}  ${finding.check.padEnd(width)}  ${finding.result}`);
  }
  return `${[...lines, "", ...advice(findings, hasColour), summary(findings)].join("\n")}\n`;
}

function advice(findings: readonly Finding[], hasColour: boolean): readonly string[] {
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
    lines.push(`  ${paint(SYMBOLS[level].padEnd(6), level, hasColour)}  ${where.slice(0, 2).join("; ")}${more}:`);
    lines.push(`          ${next}`);
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
