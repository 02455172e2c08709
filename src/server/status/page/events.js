// What was refused last, and what failed.

import { byId, h, setClass, setText, sync } from "./dom.js";
import { count, span, time } from "./words.js";

const EVENT_COLUMNS = ["When", "Route", "Answer", "What and why"];

/** At first no more, so that what follows stays near. */
const FEW = 6;
let showsAll = false;

/** @param onMore told when all are wanted */
export function showEvents({ events, nowMs }, onMore) {
  const more = byId("more-events");
  more.hidden = showsAll || events.length <= FEW;
  setText(more, `Show all ${events.length}`);
  more.onclick = () => {
    showsAll = true;
    onMore();
  };
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
    showsAll ? events : events.slice(0, FEW),
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
