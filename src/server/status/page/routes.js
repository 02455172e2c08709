// The table of routes.

import { byId, h, setText, sync } from "./dom.js";
import { chosenRoute, known } from "./known.js";
import { drawSparkline, sparkline } from "./spark.js";
import { byteRate, count, millis, NONE, rate, ratio } from "./words.js";

/** What they may be sorted by, the greatest first; else they stand as in the configuration. */
const ORDERS = {
  requests: ({ now }) => now?.requests,
  sentBytes: ({ now }) => now?.sentBytes,
  failed: ({ now }) => now?.failedRatio,
  refused: ({ now }) => now?.refusedRatio,
  p95: ({ now }) => now?.p95,
};
/** With fewer nobody looks for one. */
const FEW = 12;

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

/** @param onChosen told the name of a route that was chosen */
export function showRoutes({ routes, routesLeftOut }, onChosen) {
  const table = byId("routes");
  if (table.tHead === null) {
    table.append(
      h("thead", {}, h("tr", {}, ...COLUMNS.map(([label, name]) => h("th", { scope: "col", class: name }, label)))),
      h("tbody"),
    );
  }
  byId("routes-tools").hidden = routes.length <= FEW;
  const make = (route) => makeRoute(route, onChosen);
  const shown = wanted(routes);
  sync(table.tBodies[0], shown, ({ name }) => name, make, fillRoute);
  byId("no-routes").hidden = shown.length > 0;
  const leftOut = byId("left-out");
  leftOut.hidden = routesLeftOut === 0;
  setText(leftOut, `${routesLeftOut} more of the configuration are not listed here; /metrics has them all.`);
}

function wanted(routes) {
  if (routes.length <= FEW) return routes;
  const text = byId("filter").value.trim().toLowerCase();
  const found = routes.filter(({ name, place, target }) => `${name} ${place} ${target}`.toLowerCase().includes(text));
  const amountOf = ORDERS[byId("order").value];
  return amountOf === undefined ? found : found.toSorted((a, b) => (amountOf(b) ?? -1) - (amountOf(a) ?? -1));
}

function makeRoute(route, onChosen) {
  const name = h("button", { type: "button", class: "name" }, route.name === "-" ? "(no route)" : route.name);
  name.addEventListener("click", () => onChosen(route.name));
  const graph = h("td", { class: "graph" }, sparkline());
  const cells = COLUMNS.slice(2).map(([label]) => h("td", { class: "num", "data-label": label }));
  return h("tr", {}, h("td", { class: "wide" }, name, h("span", { class: "sub" })), graph, ...cells);
}

function fillRoute(row, { name, place, target, now, inFlight, limited }) {
  const limits = limited === 0 ? "" : ` · ${count(limited)} limited`;
  setText(row.querySelector(".sub"), `${place}${target === "" ? "" : ` → ${target}`}${limits}`);
  row.querySelector("button").setAttribute("aria-pressed", String(name === chosenRoute()));
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
