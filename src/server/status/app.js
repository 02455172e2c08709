// The status page's script. Runs in the browser as it is written here: no build step, and only text is ever put into
// the page (`textContent`), for targets and referers are whatever clients wrote.
import uPlot from "/status/uplot.js";

const POLL_MS = 2000;
const ANSWER_LIMIT_MS = 8000;
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is text. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

/** Keeps one child per item, in order; what is focused or selected stays when its item does. */
function sync(parent, items, keyOf, make, fill) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    } else known.delete(key);
    if (child !== at) parent.insertBefore(child, at);
    else at = at.nextElementSibling;
    fill(child, item);
  }
  for (const left of known.values()) left.remove();
}

// Numbers for people

const NONE = "–";

function digits(value) {
  if (Number.isInteger(value)) return String(value);
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
}

function scaled(value, units, factor) {
  let at = 0;
  let left = value;
  while (left >= factor * 0.9995 && at < units.length - 1) {
    left /= factor;
    at += 1;
  }
  return [digits(left), units[at]];
}

const countParts = (value) => scaled(value, ["", "k", "M", "G"], 1000);
const bytesParts = (value) => scaled(value, ["B", "KB", "MB", "GB", "TB"], 1000);
/** A number and its unit stay on one line. */
const joined = (parts) => parts.join("\u00a0").trim();
const count = (value) => joined(countParts(value));
const bytes = (value) => joined(bytesParts(value));
const rate = (value) => (value === null ? NONE : `${count(value)}/s`);
const byteRate = (value) => (value === null ? NONE : `${bytes(value)}/s`);

function millis(value) {
  if (value === null) return NONE;
  return value >= 1000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

function ratio(value) {
  if (value === null) return NONE;
  if (value > 0 && value < 0.0001) return "< 0.01 %";
  return `${digits(value * 100)} %`;
}

function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  const days = Math.floor(seconds / 86_400);
  return `${days} ${days === 1 ? "day" : "days"}`;
}

const plural = (amount, noun) => `${amount} ${noun}${amount === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
const time = (ms) =>
  new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const dayAndTime = (ms) => new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });

// What is known

const SERIES = ["requests", "refused", "failed", "sentBytes", "receivedBytes", "p50", "p95", "p99"];
/** Points up to `next`, oldest first; those of routes are of requests alone. */
const known = { bootMs: 0, next: 0, kept: 180, stepMs: 5000, endMs: 0, series: {}, routes: new Map(), total: {} };
let selected = null;
let lastCpu = new Map();

function keep(points, more) {
  return [...points, ...more].slice(-known.kept);
}

function take(data, isFresh) {
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

// Sparklines

const SVG = "http://www.w3.org/2000/svg";

function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 180 28");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["area", "line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
  }
  return svg;
}

function drawSparkline(svg, points) {
  const [area, line] = svg.children;
  const max = Math.max(...points.map((point) => point ?? 0), 1e-9);
  const offset = known.kept - points.length;
  let path = "";
  let filled = "";
  let isDown = false;
  let startX = 0;
  let lastX = 0;
  const close = () => {
    if (isDown) filled += `L${lastX} 28L${startX} 28Z`;
    isDown = false;
  };
  points.forEach((point, i) => {
    if (point === null) {
      close();
      return;
    }
    const x = offset + i + 0.5;
    const step = `${x} ${(27 - (25 * point) / max).toFixed(1)}`;
    path += (isDown ? "L" : "M") + step;
    filled += (isDown ? "L" : "M") + step;
    if (!isDown) startX = x;
    lastX = x;
    isDown = true;
  });
  close();
  line.setAttribute("d", path);
  area.setAttribute("d", filled);
}

// Tiles

const TILES = [
  { id: "requests", label: "Requests", series: "requests", parts: ({ now }) => [...countParts(now.requests), "/s"] },
  { id: "sent", label: "To clients", series: "sentBytes", parts: ({ now }) => [...bytesParts(now.sentBytes), "/s"] },
  {
    id: "received",
    label: "From clients",
    series: "receivedBytes",
    parts: ({ now }) => [...bytesParts(now.receivedBytes), "/s"],
  },
  {
    id: "failed",
    label: "Failed, last minute",
    series: "failed",
    parts: ({ now }) => (now.failedRatio === null ? [NONE, ""] : ratio(now.failedRatio).split(/ (?=%)/)),
    state: ({ now }) => (now.failedRatio > 0.05 ? "bad" : now.failedRatio > 0.005 ? "warn" : ""),
  },
  {
    id: "p95",
    label: "95 % answered within",
    series: "p95",
    parts: ({ now }) => (now.p95 === null ? [NONE, ""] : millis(now.p95).split(" ")),
  },
];

function showTiles(data) {
  sync(
    byId("tiles"),
    TILES,
    ({ id }) => id,
    ({ label }) =>
      h(
        "div",
        { class: "tile" },
        h("dl", {}, h("dt", {}, label), h("dd", {}, h("span"), " ", h("small"))),
        sparkline(),
      ),
    (tile, { parts, state, series }) => {
      const [value, unit = "", per = ""] = parts(data);
      const [number, small] = tile.querySelector("dd").children;
      setText(number, value);
      setText(small, unit + per);
      setClass(number, state?.(data) ?? "");
      drawSparkline(tile.querySelector("svg"), known.total[series] ?? []);
    },
  );
}

// Charts

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
          points: { show: false },
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

function showCharts() {
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

function redrawCharts() {
  for (const plot of plots.values()) plot.destroy();
  plots.clear();
  if (known.bootMs !== 0) showCharts();
}

// Routes

const COLUMNS = [
  ["Route", ""],
  ["Last 15 minutes", ""],
  ["Requests", "num"],
  ["To clients", "num"],
  ["From clients", "num"],
  ["Failed", "num"],
  ["Refused", "num"],
  ["50 %", "num"],
  ["95 %", "num"],
  ["99 %", "num"],
  ["Running", "num"],
];

function showRoutes(data) {
  const table = byId("routes");
  if (table.tHead === null) {
    table.append(
      h("thead", {}, h("tr", {}, ...COLUMNS.map(([label, name]) => h("th", { scope: "col", class: name }, label)))),
      h("tbody"),
    );
  }
  sync(table.tBodies[0], data.routes, ({ name }) => name, makeRoute, fillRoute);
}

function makeRoute(route) {
  const name = h("button", { type: "button", class: "name" }, route.name === "-" ? "(no route)" : route.name);
  name.addEventListener("click", () => select(route.name));
  const graph = h("td", { class: "graph" }, sparkline());
  const cells = COLUMNS.slice(2).map(([label]) => h("td", { class: "num", "data-label": label }));
  return h("tr", {}, h("td", { class: "wide" }, name, h("span", { class: "sub" })), graph, ...cells);
}

function fillRoute(row, { name, place, target, now, inFlight, limited }) {
  const limits = limited === 0 ? "" : ` · ${count(limited)} limited`;
  setText(row.querySelector(".sub"), `${place}${target === "" ? "" : ` → ${target}`}${limits}`);
  row.setAttribute("aria-selected", String(name === selected));
  drawSparkline(row.querySelector("svg"), known.routes.get(name) ?? []);
  const values =
    now === null
      ? null
      : [
          rate(now.requests),
          byteRate(now.sentBytes),
          byteRate(now.receivedBytes),
          ratio(now.failedRatio),
          ratio(now.refusedRatio),
          millis(now.p50),
          millis(now.p95),
          millis(now.p99),
        ];
  [...row.querySelectorAll("td.num")].forEach((cell, i) => {
    setText(cell, i === 8 ? String(inFlight) : (values?.[i] ?? NONE));
    if (i === 3) cell.classList.toggle("bad", (now?.failedRatio ?? 0) > 0.005);
  });
}

function select(name) {
  selected = selected === name ? null : name;
  byId("all").hidden = selected === null;
  setText(
    byId("scope"),
    selected === null ? "All routes" : selected === "-" ? "What no route took" : `Route ${selected}`,
  );
  known.next = 0;
  poll();
}

byId("all").addEventListener("click", () => {
  if (selected !== null) select(selected);
});

// Lists

function makeItem() {
  return h("li", {}, h("span", { class: "main" }), h("span", { class: "state" }), h("span", { class: "sub" }));
}

function fillItem(item, { title, state, level = "", sub = "" }) {
  setText(item.querySelector(".main"), title);
  const place = item.querySelector(".state");
  setText(place, state);
  setClass(place, `state ${level}`);
  const below = item.querySelector(".sub");
  setText(below, sub);
  below.hidden = sub === "";
}

function showBuckets({ buckets }) {
  const make = () => {
    const item = makeItem();
    item.append(h("span", { class: "chips" }));
    return item;
  };
  sync(
    byId("buckets"),
    buckets,
    ({ alias }) => alias,
    make,
    (item, bucket) => {
      const { alias, host, addresses, setAside, inFlight, pools, clockSkewMs, throttled } = bucket;
      const level =
        addresses === 0 || (setAside > 0 && setAside === addresses)
          ? "bad"
          : setAside > 0 || throttled > 0
            ? "warn"
            : "good";
      const state =
        addresses === 0
          ? "no address known"
          : setAside > 0
            ? `${setAside} of ${addresses} set aside`
            : plural(addresses, "address");
      const details = [host, `${inFlight} running`];
      if (throttled > 0) details.push(`OSS refused ${count(throttled)} for load`);
      if (clockSkewMs !== null && Math.abs(clockSkewMs) > 5000)
        details.push(`clock differs by ${span(Math.abs(clockSkewMs))}`);
      fillItem(item, {
        title: alias === bucket.bucket ? alias : `${alias} (${bucket.bucket})`,
        state,
        level,
        sub: details.join(" · "),
      });
      sync(
        item.querySelector(".chips"),
        pools,
        ({ address }) => address,
        () => h("span"),
        (chip, pool) => {
          setClass(chip, `chip ${pool.isSetAside ? "bad" : "good"}`);
          setText(chip, `${pool.address}${pool.isSetAside ? " set aside" : ""}`);
        },
      );
    },
  );
}

const WARN_DAYS = 14;
const BAD_DAYS = 3;

function keysOf({ credentials, certificates, nowMs }) {
  const ofCredentials = credentials.map(({ name, isValid, expiresAtMs }) => ({
    key: `credentials/${name}`,
    title: name,
    state: !isValid
      ? "not valid"
      : expiresAtMs === null
        ? "valid, does not expire"
        : `valid, ${span(expiresAtMs - nowMs)} left`,
    level: isValid ? "good" : "bad",
    sub: "credentials",
  }));
  const ofCertificates = certificates.map(({ listener, name, notAfterMs, problem }) => {
    const days = (notAfterMs - nowMs) / 86_400_000;
    const level = days < BAD_DAYS ? "bad" : days < WARN_DAYS ? "warn" : "good";
    const state = days < 0 ? "expired" : `${span(notAfterMs - nowMs)} left`;
    const sub = [`certificate of listener ${listener}, until ${dayAndTime(notAfterMs)}`, problem ?? ""];
    return {
      key: `certificate/${listener}/${name}`,
      title: name,
      state,
      level: problem && level === "good" ? "warn" : level,
      sub: sub.filter(Boolean).join(" · "),
    };
  });
  return [...ofCredentials, ...ofCertificates];
}

function showKeys(data) {
  const keys = keysOf(data);
  const none = {
    key: "none",
    title: "None",
    state: "",
    sub: "This configuration signs nothing and has no certificate.",
  };
  sync(byId("keys"), keys.length === 0 ? [none] : keys, ({ key }) => key, makeItem, fillItem);
}

function showWorkers({ workers, nowMs, version: own }) {
  const cpu = new Map();
  const items = workers.map(({ worker, pid, generation, version, lagMs, rssBytes, cpuSeconds, problems }) => {
    cpu.set(pid, { nowMs, cpuSeconds });
    const before = lastCpu.get(pid);
    const passedS = before === undefined ? 0 : (nowMs - before.nowMs) / 1000;
    const share =
      passedS > 0.5 ? `${digits(Math.max(0, ((cpuSeconds - before.cpuSeconds) / passedS) * 100))} % CPU` : "";
    const details = [`pid ${pid}`, `generation ${generation}`, `event loop late by ${millis(lagMs)}`, ...problems];
    // After an upgrade, until the whole program is started again.
    if (version !== null && version !== own) details.unshift(`version ${version}, the main process ${own}`);
    return {
      key: String(worker),
      title: `Worker ${worker}`,
      state: [share, bytes(rssBytes)].filter(Boolean).join(" · "),
      level: "",
      sub: details.join(" · "),
    };
  });
  lastCpu = cpu;
  sync(byId("workers"), items, ({ key }) => key, makeItem, fillItem);
}

const QOS = { Qps: "requests", IngressBandwidth: "bandwidth in", EgressBandWidth: "bandwidth out" };

function showQuotas({ quotas }) {
  byId("quotas-section").hidden = quotas.length === 0;
  const make = () => {
    const item = makeItem();
    item.append(
      h(
        "span",
        { class: "bar" },
        h("progress", { max: "1", "aria-label": "busiest second of the last minute, as a share" }),
      ),
    );
    return item;
  };
  sync(
    byId("quotas"),
    quotas,
    ({ scope, name, qos }) => `${scope}/${name}/${qos}`,
    make,
    (item, quota) => {
      const { scope, name, qos, threshold, usage, isThrottled, isAlert } = quota;
      const level = isThrottled ? "bad" : isAlert || usage > 0.8 ? "warn" : "good";
      const limit = qos === "Qps" ? rate(threshold) : byteRate(threshold);
      const words = isThrottled ? "OSS throttles now" : isAlert ? "was near in the last 10 minutes" : "far";
      fillItem(item, {
        title: `${scope === "account" ? "account " : ""}${name}: ${QOS[qos]}`,
        state: `${ratio(usage)} of ${limit}`,
        level,
        sub: words,
      });
      setClass(item.querySelector(".bar"), `bar ${level}`);
      item.querySelector("progress").value = Math.min(1, usage);
    },
  );
}

function showConfig({ state, nowMs, clients, droppedLogLines, sharedUp }) {
  const { generation, configLoadedAtMs, lastReload, workersServing, workersWanted } = state;
  const rows = [
    ["Generation", `${generation}, served for ${span(nowMs - configLoadedAtMs)}`],
    [
      "Last reload",
      lastReload === null
        ? "none since the start"
        : `${lastReload.ok ? "succeeded" : "failed: nothing was changed"}, ${span(nowMs - lastReload.atMs)} ago`,
    ],
    ["Workers", `${workersServing} of ${workersWanted} serve`],
    [
      "Connections",
      `${count(clients.open)} of ${count(clients.limit)} open${clients.refused > 0 ? `, ${count(clients.refused)} turned away` : ""}`,
    ],
    [
      "Log",
      droppedLogLines === 0
        ? "no line was lost"
        : `${count(droppedLogLines)} lines were lost: their reader is too slow, or the disk full`,
    ],
  ];
  if (sharedUp !== null)
    rows.push([
      "Shared limits",
      sharedUp ? "their server answers" : "their server does not answer: this machine's share holds",
    ]);
  const place = byId("config");
  if (place.firstElementChild === null) place.append(h("dl"), h("pre"));
  const [list, problems] = place.children;
  const flat = rows.flatMap(([name, value]) => [
    { key: `${name}/name`, tag: "dt", text: name },
    { key: `${name}/value`, tag: "dd", text: value },
  ]);
  sync(
    list,
    flat,
    ({ key }) => key,
    ({ tag }) => h(tag),
    (element, { text }) => setText(element, text),
  );
  const lines = lastReload === null ? [] : lastReload.ok ? lastReload.warnings : lastReload.problems;
  setText(problems, lines.join("\n"));
  problems.hidden = lines.length === 0;
}

// Events

const EVENT_COLUMNS = ["When", "Route", "Answer", "What and why"];

function showEvents({ events, nowMs }) {
  byId("no-events").hidden = events.length > 0;
  const table = byId("events");
  table.parentElement.hidden = events.length === 0;
  if (table.tHead === null) {
    table.append(
      h("thead", {}, h("tr", {}, ...EVENT_COLUMNS.map((label) => h("th", { scope: "col" }, label)))),
      h("tbody"),
    );
  }
  sync(
    table.tBodies[0],
    events,
    ({ route, code, firstMs }) => `${route}/${code}/${firstMs}`,
    makeEvent,
    (row, event) => fillEvent(row, event, nowMs),
  );
}

function makeEvent() {
  const sub = () => h("span", { class: "sub" });
  return h(
    "tr",
    {},
    h("td", { class: "when" }, h("span"), sub()),
    h("td", {}, h("span"), sub()),
    h("td", {}, h("span", { class: "code" }), sub()),
    h("td", {}, h("span"), h("span", { class: "sub mono" }), sub()),
  );
}

function fillEvent(row, { lastMs, count: times, route, code, status, sample }, nowMs) {
  const [when, where, what, why] = [...row.cells].map((cell) => [...cell.children]);
  setText(when[0], time(lastMs));
  setText(when[1], `${span(nowMs - lastMs)} ago${times > 1 ? `, ${count(times)} times` : ""}`);
  setText(where[0], route === "-" ? "(no route)" : route);
  setText(where[1], [sample.bucket, sample.client].filter(Boolean).join(" · "));
  setText(what[0], String(status));
  setClass(what[0], `code ${status >= 500 ? "bad" : "warn"}`);
  setText(what[1], code);
  setText(why[0], sample.detail);
  setText(why[1], `${sample.method} ${sample.host}${sample.target}`);
  const ids = [
    `request ${sample.requestId}`,
    sample.ossRequestId === null ? "" : `OSS ${sample.ossRequestId}`,
    sample.ossEc === null ? "" : `EC ${sample.ossEc}`,
  ];
  setText(why[2], ids.filter(Boolean).join(" · "));
}

// The head

function showHead(data) {
  const { state, problems, version, nowMs, bootMs } = data;
  const isShort = state.workersServing < state.workersWanted;
  const isReloadBad = state.lastReload !== null && !state.lastReload.ok;
  const [words, level] = state.isDraining
    ? ["Shutting down", "warn"]
    : problems.length > 0
      ? ["Not ready", "bad"]
      : isShort
        ? [`${state.workersServing} of ${state.workersWanted} workers`, "warn"]
        : isReloadBad
          ? ["Ready, last reload failed", "warn"]
          : ["Ready", "good"];
  const pill = byId("state");
  setText(pill, words);
  setClass(pill, `pill ${level}`);
  setText(byId("summary"), `version ${version}, up ${span(nowMs - bootMs)}`);
  setText(byId("clock"), `as of ${time(nowMs)}`);
  const banner = byId("problems");
  setText(banner, problems.join("\n"));
  banner.hidden = problems.length === 0;
  document.title = level === "good" ? "ossgate status" : `${words} – ossgate status`;
}

function show(data) {
  showHead(data);
  showTiles(data);
  showCharts();
  showRoutes(data);
  showBuckets(data);
  showKeys(data);
  showConfig(data);
  showWorkers(data);
  showQuotas(data);
  showEvents(data);
}

// Asking, again and again

let timer;
let running = null;
let lastGoodMs = Date.now();

function showLost(cause) {
  document.body.classList.add("is-lost");
  const banner = byId("lost");
  setText(
    banner,
    `Connection lost ${span(Date.now() - lastGoodMs)} ago (${cause}). What is shown is old; trying again.`,
  );
  banner.hidden = false;
  const pill = byId("state");
  setText(pill, "Connection lost");
  setClass(pill, "pill bad");
  document.title = "Connection lost – ossgate status";
}

function showFound() {
  lastGoodMs = Date.now();
  document.body.classList.remove("is-lost");
  byId("lost").hidden = true;
}

async function ask(signal) {
  const isFresh = known.next === 0;
  const query = new URLSearchParams({ since: String(known.next) });
  if (selected !== null) query.set("route", selected);
  const answer = await fetch(`/status.json?${query}`, { signal, cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const data = await answer.json();
  if (signal.aborted) return;
  const isOther = !isFresh && data.bootMs !== known.bootMs;
  if (isOther) {
    // The program is another one: its points begin anew.
    known.next = 0;
    await ask(signal);
    return;
  }
  take(data, isFresh);
  showFound();
  show(data);
}

async function poll() {
  clearTimeout(timer);
  running?.abort();
  const own = new AbortController();
  running = own;
  const limit = setTimeout(() => own.abort(new Error("no answer")), ANSWER_LIMIT_MS);
  try {
    await ask(own.signal);
  } catch (error) {
    if (running === own)
      showLost(own.signal.reason?.message ?? (error.name === "TypeError" ? "no connection" : error.message));
  } finally {
    clearTimeout(limit);
    if (running === own && !document.hidden) timer = setTimeout(poll, POLL_MS);
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else poll();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
new ResizeObserver(() => {
  for (const [id, plot] of plots) {
    const width = byId(id).clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: plot.height });
  }
}).observe(document.body);
poll();
