// What is known of the last 15 minutes, and which route is chosen.

const SERIES = ["requests", "refused", "failed", "sentBytes", "receivedBytes", "p50", "p95", "p99"];
/** Points up to `next`, oldest first; those of routes are of requests alone. */
export const known = {
  bootMs: 0,
  next: 0,
  kept: 180,
  stepMs: 5000,
  endMs: 0,
  series: {},
  routes: new Map(),
  total: {},
};
/** The route whose series are shown in full; `null`: all together. */
let selected = null;
export const chosenRoute = () => selected;
export function chooseRoute(name) {
  selected = name;
  known.next = 0;
}

function keep(points, more) {
  return [...points, ...more].slice(-known.kept);
}

export function take(data, isFresh) {
  const { points } = data;
  if (isFresh || data.bootMs !== known.bootMs) {
    known.series = {};
    known.total = {};
    known.routes = new Map();
  }
  Object.assign(known, {
    bootMs: data.bootMs,
    next: points.next,
    kept: points.kept,
    stepMs: points.stepMs,
    endMs: points.endMs,
  });
  for (const name of SERIES) known.series[name] = keep(known.series[name] ?? [], data.series[name] ?? []);
  for (const [name, more] of Object.entries(data.total)) known.total[name] = keep(known.total[name] ?? [], more);
  const routes = new Map();
  for (const { name, requests } of data.routes) routes.set(name, keep(known.routes.get(name) ?? [], requests));
  known.routes = routes;
}
