// The status page's script. Runs in the browser as it is written here: no build step.

import { showAttention } from "./attention.js";
import { showBuckets, showQuotas } from "./buckets.js";
import { redrawCharts, resizeCharts, showCharts } from "./charts.js";
import { byId, setClass, setText } from "./dom.js";
import { showEvents } from "./events.js";
import { showHead } from "./head.js";
import { showKeys } from "./keys.js";
import { chooseRoute, chosenRoute, known, take } from "./known.js";
import { showConfig, showWorkers } from "./processes.js";
import { showRoutes } from "./routes.js";
import { showTiles } from "./tiles.js";
import { span } from "./words.js";

const POLL_MS = 2000;
const ANSWER_LIMIT_MS = 8000;
let latest = null;

function show(data) {
  latest = data;
  showHead(data);
  showAttention(data);
  showTiles(data);
  showCharts();
  showRoutes(data, select);
  showBuckets(data);
  showKeys(data);
  showConfig(data);
  showWorkers(data);
  showQuotas(data);
  showEvents(data, () => show(data));
}

function select(name) {
  const chosen = chosenRoute() === name ? null : name;
  chooseRoute(chosen);
  byId("all").hidden = chosen === null;
  setText(byId("scope"), chosen === null ? "All routes" : chosen === "-" ? "What no route took" : `Route ${chosen}`);
  poll();
}

byId("all").addEventListener("click", () => {
  if (chosenRoute() !== null) select(chosenRoute());
});
for (const id of ["filter", "order"]) {
  byId(id).addEventListener("input", () => {
    if (latest !== null) showRoutes(latest, select);
  });
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
  if (chosenRoute() !== null) query.set("route", chosenRoute());
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
new ResizeObserver(resizeCharts).observe(document.body);
poll();
