// The numbers that come first.

import { byId, h, setClass, setText, sync } from "./dom.js";
import { known } from "./known.js";
import { drawSparkline, sparkline } from "./spark.js";
import { bytesParts, countParts, millis, NONE, ratio } from "./words.js";

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

export function showTiles(data) {
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
