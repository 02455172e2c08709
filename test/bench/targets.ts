/** What ossgate has to reach, as ratios within one run, or as a figure of its own. */
import type { Figures, RowResult } from "./measure.js";
import type { ScrapeFigures } from "./scrape.js";
import { ratio } from "./statistics.js";

export interface Target extends Bound {
  readonly row: string;
  readonly figure: keyof Figures;
  /** Whose figure it is. */
  readonly subject: string;
  /** Whose figure it is divided by; `null`: the figure counts itself. */
  readonly against: string | null;
}

export interface Bound {
  readonly text: string;
  readonly bound: number;
  readonly sense: "at most" | "at least";
}

export interface Verdict extends Bound {
  /** ossgate's median over the other's, or the figure itself; `null` when it could not be measured. */
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
  withinGateway("signed 1 KiB GET", "signed1k", "ossgate-signed", 1.15),
  withinGateway("verified 1 KiB GET", "verified1k", "ossgate-verified", 1.5),
  throughputTarget("100 MiB GET", "get100m", "nginx-recipe"),
  throughputTarget("100 MiB GET", "get100m", "nginx-pool"),
  throughputTarget("100 MiB PUT", "put100m", "nginx-recipe"),
  throughputTarget("100 MiB PUT", "put100m", "nginx-pool"),
  ...["paced", "paced100"].flatMap(sharingTargets),
  pacedCpuTarget("ossgate-paced", SUBJECT, "an unlimited transfer"),
  pacedCpuTarget("ossgate-paced", "ossgate-sipped", "an unlimited transfer at that speed"),
  pacedCpuTarget("ossgate-paced-fast", SUBJECT, "an unlimited transfer"),
  withinGateway("two workers", "workers", "ossgate-workers", 1.1, "one worker"),
  {
    text: "two workers: requests per second, by one worker's on the same core (printed, no target)",
    row: "workers",
    figure: "requestsPerSecond",
    subject: "ossgate-workers",
    against: SUBJECT,
    bound: 0,
    sense: "at least",
  },
  printed("workers", "nginx-pool-workers", "nginx-pool", "NGINX with two workers: CPU per request, by one worker's"),
  ...["nginx-recipe", "nginx-pool"].map((against) =>
    printed("connections", SUBJECT, against, `a connection for each request: CPU per request, by ${against}'s`),
  ),
  ...["ossgate-denied", "ossgate-referer", "ossgate-limited"].map((subject) =>
    withinGateway(`refused by ${subject}`, "refused", subject, 0.5),
  ),
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
  const subject = mediansOf(result, target.subject);
  const other = target.against === null ? undefined : mediansOf(result, target.against);
  const measured =
    target.against === null
      ? (subject?.[target.figure] ?? null)
      : ratio(subject?.[target.figure], other?.[target.figure]);
  const othersCoreShare = Math.max(subject?.othersCoreShare ?? 0, other?.othersCoreShare ?? 0);
  return {
    ...target,
    measured,
    roundRange: rangeOf(target, result),
    outcome: outcomeOf(target, measured),
    isDisturbed: measured !== null && othersCoreShare > DISTURBED_CORE_SHARE,
  };
}

/** The target of rewriting a playlist, whose CPU was measured apart from the serving. */
export function judgeRewriting(cpuUs: { readonly median: number; readonly rounds: readonly number[] }): Verdict {
  const target: Bound = {
    text: "playlist of 1,000 segments rewritten, in process: CPU us at most 2000",
    bound: 2_000,
    sense: "at most",
  };
  const roundRange = [Math.min(...cpuUs.rounds), Math.max(...cpuUs.rounds)] as const;
  return {
    ...target,
    measured: cpuUs.median,
    roundRange,
    outcome: outcomeOf(target, cpuUs.median),
    isDisturbed: false,
  };
}

/** The target of how two workers share requests, which their access log tells. */
export function judgeSplit(leastShare: number | null): Verdict {
  const target: Bound = { text: "two workers: share of who serves least at least 0.4", bound: 0.4, sense: "at least" };
  const outcome = outcomeOf(target, leastShare);
  return { ...target, measured: leastShare, roundRange: null, outcome, isDisturbed: false };
}

/** The target of a scrape with 200 routes, which is measured apart. */
export function judgeScrape({ medianMs, roundsMs, firstMs, cpuMs, lineCount }: ScrapeFigures): Verdict {
  const about = `${lineCount} lines; CPU ${cpuMs.toFixed(1)} ms; the first of a new program ${firstMs.toFixed(0)} ms`;
  const target: Bound = { text: `scrape with 200 routes: ms at most 20 (${about})`, bound: 20, sense: "at most" };
  const roundRange = [Math.min(...roundsMs), Math.max(...roundsMs)] as const;
  return { ...target, measured: medianMs, roundRange, outcome: outcomeOf(target, medianMs), isDisturbed: false };
}

function outcomeOf({ bound, sense }: Bound, measured: number | null): Verdict["outcome"] {
  if (measured === null) return "not measured";
  return (sense === "at most" ? measured <= bound : measured >= bound) ? "met" : "missed";
}

function rangeOf(target: Target, result: RowResult | undefined): readonly [number, number] | null {
  const { against, figure } = target;
  const others = against === null ? [] : roundsOf(result, against);
  const ratios = roundsOf(result, target.subject)
    .map((figures, index) => (against === null ? figures[figure] : ratio(figures[figure], others[index]?.[figure])))
    .filter((value) => value !== null);
  return ratios.length === 0 ? null : [Math.min(...ratios), Math.max(...ratios)];
}

function roundsOf(result: RowResult | undefined, name: string): readonly Figures[] {
  const line = result?.lines.find((candidate) => candidate.name === name);
  return line !== undefined && "rounds" in line ? line.rounds : [];
}

function cpuTarget(against: string, bound: number): Target {
  const text = `1 KiB GET: CPU per request at most ${bound} x ${against}`;
  return { text, row: "1k", figure: "cpuUsPerRequest", subject: SUBJECT, against, bound, sense: "at most" };
}

/** What a way of serving may cost, by the gateway that relays. */
function withinGateway(
  title: string,
  row: string,
  subject: string,
  bound: number,
  what = "ossgate that relays",
): Target {
  const text = `${title}: CPU per request at most ${bound} x ${what}`;
  return { text, row, figure: "cpuUsPerRequest", subject, against: SUBJECT, bound, sense: "at most" };
}

/** For comparison only. */
function printed(row: string, subject: string, against: string, text: string): Target {
  const shown = `${text} (printed, no target)`;
  return { text: shown, row, figure: "cpuUsPerRequest", subject, against, bound: 0, sense: "at least" };
}

function throughputTarget(title: string, row: string, against: string): Target {
  const text = `${title}: throughput at least 1 x ${against}`;
  return { text, row, figure: "mebibytesPerSecond", subject: SUBJECT, against, bound: 1.0, sense: "at least" };
}

/** 5 ± 1 MiB/s for each, and all of them within 5 % of the limit. */
function sharingTargets(row: string): readonly Target[] {
  return [
    {
      ...pacedTarget(row, "least of a client at least 4 MiB/s", "leastMebibytesPerSecond"),
      bound: 4,
      sense: "at least",
    },
    { ...pacedTarget(row, "most of a client at most 6 MiB/s", "mostMebibytesPerSecond"), bound: 6, sense: "at most" },
    { ...pacedTarget(row, "all at least 19 MiB/s", "mebibytesPerSecond"), bound: 19, sense: "at least" },
    { ...pacedTarget(row, "all at most 21 MiB/s", "mebibytesPerSecond"), bound: 21, sense: "at most" },
  ];
}

function pacedTarget(row: string, text: string, figure: keyof Figures): Omit<Target, "bound" | "sense"> {
  return { text: `${row}, 20 MiB/s: ${text}`, row, figure, subject: "ossgate-paced", against: null };
}

function pacedCpuTarget(subject: string, against: string, what: string): Target {
  const rate = subject === "ossgate-paced" ? "20 MiB/s" : "300 MiB/s";
  const text = `paced, ${rate}: CPU per byte at most 1.2 x ${what}`;
  return { text, row: "paced", figure: "cpuUsPerMebibyte", subject, against, bound: 1.2, sense: "at most" };
}
