/** What ossgate has to reach, as ratios within one run. */
import type { Figures, RowResult } from "./measure.js";
import { ratio } from "./statistics.js";

export interface Target {
  readonly text: string;
  readonly row: string;
  readonly figure: keyof Figures;
  readonly against: string;
  readonly bound: number;
  readonly sense: "at most" | "at least";
}

export interface Verdict extends Target {
  /** ossgate's median over the other's; `null` when one of them was not measured. */
  readonly measured: number | null;
  /** The smallest and the largest ratio of a single round: how far the machine's noise reaches. */
  readonly roundRange: readonly [number, number] | null;
  readonly outcome: "met" | "missed" | "not measured";
  /** Other programs took so much of the core, from one side or both, that speeds say little; CPU per request bears it. */
  readonly isDisturbed: boolean;
}

const SUBJECT = "ossgate";
const DISTURBED_CORE_SHARE = 0.15;

export const TARGETS: readonly Target[] = [
  cpuTarget("nginx-recipe", 1.0),
  cpuTarget("http-proxy", 0.5),
  throughputTarget("100 MiB GET", "get100m", "nginx-recipe"),
  throughputTarget("100 MiB GET", "get100m", "nginx-pool"),
  throughputTarget("100 MiB PUT", "put100m", "nginx-recipe"),
  throughputTarget("100 MiB PUT", "put100m", "nginx-pool"),
];

/** Judges the targets whose rows were part of the run. */
export function judge(results: readonly RowResult[]): readonly Verdict[] {
  const measuredRows = new Set(results.map((result) => result.name));
  return TARGETS.filter((target) => measuredRows.has(target.row)).map((target) => judgeOne(target, results));
}

/** The line's medians; `undefined` when it was not measured. */
export function mediansOf(result: RowResult | undefined, name: string): Figures | undefined {
  const line = result?.lines.find((candidate) => candidate.name === name);
  return line !== undefined && "medians" in line ? line.medians : undefined;
}

function judgeOne(target: Target, results: readonly RowResult[]): Verdict {
  const result = results.find((candidate) => candidate.name === target.row);
  const subject = mediansOf(result, SUBJECT);
  const other = mediansOf(result, target.against);
  const measured = ratio(subject?.[target.figure], other?.[target.figure]);
  const othersCoreShare = Math.max(subject?.othersCoreShare ?? 0, other?.othersCoreShare ?? 0);
  return {
    ...target,
    measured,
    roundRange: rangeOf(target, result),
    outcome: outcomeOf(target, measured),
    isDisturbed: measured !== null && othersCoreShare > DISTURBED_CORE_SHARE,
  };
}

function outcomeOf({ bound, sense }: Target, measured: number | null): Verdict["outcome"] {
  if (measured === null) return "not measured";
  return (sense === "at most" ? measured <= bound : measured >= bound) ? "met" : "missed";
}

function rangeOf(target: Target, result: RowResult | undefined): readonly [number, number] | null {
  const others = roundsOf(result, target.against);
  const ratios = roundsOf(result, SUBJECT)
    .map((figures, index) => ratio(figures[target.figure], others[index]?.[target.figure]))
    .filter((value) => value !== null);
  return ratios.length === 0 ? null : [Math.min(...ratios), Math.max(...ratios)];
}

function roundsOf(result: RowResult | undefined, name: string): readonly Figures[] {
  const line = result?.lines.find((candidate) => candidate.name === name);
  return line !== undefined && "rounds" in line ? line.rounds : [];
}

function cpuTarget(against: string, bound: number): Target {
  const text = `1 KiB GET: CPU per request at most ${bound} x ${against}`;
  return { text, row: "1k", figure: "cpuUsPerRequest", against, bound, sense: "at most" };
}

function throughputTarget(title: string, row: string, against: string): Target {
  const text = `${title}: throughput at least 1 x ${against}`;
  return { text, row, figure: "mebibytesPerSecond", against, bound: 1.0, sense: "at least" };
}
