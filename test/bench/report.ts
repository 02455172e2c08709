/** Results as aligned text. */
import type { Figures, Line, RowResult } from "./measure.js";
import { ratio } from "./statistics.js";
import { mediansOf, type Verdict } from "./targets.js";

interface Column {
  readonly title: string;
  readonly digits: number;
  pick(figures: Figures, references: References): number | null;
}

interface References {
  readonly recipe: Figures | undefined;
  readonly httpProxy: Figures | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: "req/s", digits: 1, pick: (figures) => figures.requestsPerSecond },
  { title: "MiB/s", digits: 1, pick: (figures) => figures.mebibytesPerSecond },
  { title: "CPU us/req", digits: 1, pick: (figures) => figures.cpuUsPerRequest },
  { title: "CPU us/MiB", digits: 0, pick: (figures) => figures.cpuUsPerMebibyte },
  { title: "least MiB/s", digits: 2, pick: (figures) => figures.leastMebibytesPerSecond },
  { title: "most MiB/s", digits: 2, pick: (figures) => figures.mostMebibytesPerSecond },
  { title: "core %", digits: 0, pick: (figures) => percent(figures.coreShare) },
  { title: "others %", digits: 0, pick: (figures) => percent(figures.othersCoreShare) },
  { title: "p50 ms", digits: 2, pick: (figures) => figures.p50Ms },
  { title: "p99 ms", digits: 2, pick: (figures) => figures.p99Ms },
  { title: "RSS MiB", digits: 0, pick: (figures) => figures.rssMebibytes },
  { title: "peak MiB", digits: 0, pick: (figures) => figures.peakRssMebibytes },
  ratioColumn("CPU:recipe", "cpuUsPerRequest", "recipe"),
  ratioColumn("CPU:http-proxy", "cpuUsPerRequest", "httpProxy"),
  ratioColumn("speed:recipe", "requestsPerSecond", "recipe"),
  ratioColumn("speed:http-proxy", "requestsPerSecond", "httpProxy"),
];

const NO_FIGURE = "-";

/** One row's table: a line for each proxy, medians of the rounds. */
export function formatRow(result: RowResult): string {
  const references = { recipe: mediansOf(result, "nginx-recipe"), httpProxy: mediansOf(result, "http-proxy") };
  const header = ["", ...COLUMNS.map((column) => column.title)];
  const measured = result.lines.flatMap((line) =>
    "medians" in line ? [cellsOf(line.name, line.medians, references)] : [],
  );
  const others = result.lines.flatMap(explain);
  return [`${result.name}: ${result.title}`, ...alignColumns([header, ...measured]), ...others].join("\n");
}

/** The table of targets. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    verdict.text,
    verdict.measured?.toFixed(3) ?? NO_FIGURE,
    verdict.roundRange?.map((value) => value.toFixed(3)).join(" to ") ?? NO_FIGURE,
    verdict.isDisturbed ? `${verdict.outcome}, core shared with others` : verdict.outcome,
  ]);
  return alignColumns([["target", "measured", "single rounds", ""], ...rows]).join("\n");
}

function ratioColumn(title: string, figure: keyof Figures, reference: keyof References): Column {
  return { title, digits: 2, pick: (figures, references) => ratio(figures[figure], references[reference]?.[figure]) };
}

function percent(share: number | null): number | null {
  return share === null ? null : share * 100;
}

function cellsOf(name: string, figures: Figures, references: References): readonly string[] {
  const cells = COLUMNS.map((column) => column.pick(figures, references)?.toFixed(column.digits) ?? NO_FIGURE);
  return [name, ...cells];
}

function explain(line: Line): readonly string[] {
  if ("absent" in line) return [`${line.name}: ${line.absent}`];
  if ("error" in line) return [`${line.name}: ERROR ${line.error}`];
  return [];
}

/** The first column flush left, the others flush right. */
function alignColumns(table: readonly (readonly string[])[]): readonly string[] {
  const columnCount = Math.max(...table.map((cells) => cells.length));
  const widths = Array.from({ length: columnCount }, (_, index) =>
    Math.max(...table.map((cells) => cells[index]?.length ?? 0)),
  );
  return table.map((cells) =>
    cells
      .map((cell, index) => pad(cell, widths[index] ?? 0, index))
      .join("  ")
      .trimEnd(),
  );
}

function pad(cell: string, width: number, index: number): string {
  return index === 0 ? cell.padEnd(width) : cell.padStart(width);
}
