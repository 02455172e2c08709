// The charts of the last 15 minutes.

import uPlot from "/status/uplot.js";
import { byId } from "./dom.js";
import { known } from "./known.js";
import { byteRate, millis, NONE, rate, time } from "./words.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const CHARTS = [
  { id: "c-requests", format: rate, lines: [["requests", "Requests", "--s1", true]] },
  {
    id: "c-bytes",
    format: byteRate,
    lines: [
      ["sentBytes", "To clients", "--s1", true],
      ["receivedBytes", "From clients", "--s2"],
    ],
  },
  {
    id: "c-latency",
    format: millis,
    lines: [
      ["p50", "50 %", "--s2"],
      ["p95", "95 %", "--s1"],
      ["p99", "99 %", "--s3"],
    ],
  },
  {
    id: "c-errors",
    format: rate,
    lines: [
      ["refused", "Refused", "--s3"],
      ["failed", "Failed", "--s4", true],
    ],
  },
];

const plots = new Map();
const LEGEND_PX = 28;

/** At low traffic most points stand alone, and a line has nothing to go to: those are dots. */
function aloneIn(plot, series) {
  const values = plot.data[series];
  const alone = [];
  values.forEach((value, i) => {
    if (value != null && values[i - 1] == null && values[i + 1] == null) alone.push(i);
  });
  return alone;
}

/** Seconds without a request, over which a line goes on. */
const SHORT_GAP_S = 65;

/** As uPlot asks for them: of a plot and a series from a place to another, the gaps that it has found, in pixels. */
function withoutShortGaps(plot, _series, _from, _to, gaps) {
  const secondsAt = (pixels) => plot.posToVal((pixels - plot.bbox.left) / devicePixelRatio, "x");
  return gaps.filter(([left, right]) => secondsAt(right) - secondsAt(left) > SHORT_GAP_S);
}

function makePlot({ id, format, lines }) {
  const place = byId(id);
  const axis = {
    stroke: css("--quiet"),
    grid: { stroke: css("--grid"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const shown = (_, value) => (value == null ? NONE : format(value));
  return new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight - LEGEND_PX,
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: "status" } },
      legend: { live: true },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
      axes: [
        {
          ...axis,
          size: 28,
          space: 64,
          values: [
            [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
            [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
          ],
        },
        { ...axis, size: 70, space: 34, values: (_, ticks) => ticks.map(format) },
      ],
      series: [
        { label: "Time", value: (_, at) => (at == null ? NONE : time(at * 1000)) },
        ...lines.map(([, label, color, isFilled]) => ({
          label,
          stroke: css(color),
          width: 1.5,
          value: shown,
          points: { show: true, size: 5, fill: css(color), filter: aloneIn },
          gaps: withoutShortGaps,
          ...(isFilled ? { fill: `${css(color)}1c` } : {}),
        })),
      ],
    },
    chartData(lines),
    place,
  );
}

function chartData(lines) {
  const times = [];
  for (let i = known.kept; i >= 1; i -= 1) times.push((known.endMs - (i - 1) * known.stepMs) / 1000);
  return [
    times,
    ...lines.map(([name]) => {
      const points = known.series[name] ?? [];
      return [...new Array(known.kept - points.length).fill(null), ...points];
    }),
  ];
}

export function showCharts() {
  for (const chart of CHARTS) {
    const plot = plots.get(chart.id);
    if (plot === undefined) plots.set(chart.id, makePlot(chart));
    else plot.setData(chartData(chart.lines));
    showLatest(plots.get(chart.id));
    const last = chart.lines.map(([name, label]) => `${label} ${chart.format(known.series[name]?.at(-1) ?? null)}`);
    const place = byId(chart.id);
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", `Chart of the last 15 minutes; now: ${last.join(", ")}`);
  }
}

/** Where nobody points at a place, the legend tells of the last one. */
function showLatest(plot) {
  if (plot.cursor.idx == null) plot.setLegend({ idx: known.kept - 1 }, false);
}

export function redrawCharts() {
  for (const plot of plots.values()) plot.destroy();
  plots.clear();
  if (known.bootMs !== 0) showCharts();
}

/** The page is as wide as it is now. */
export function resizeCharts() {
  for (const [id, plot] of plots) {
    const width = byId(id).clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
  }
}
