// One line of a list: a name, how it stands, and what is below.

import { h, setClass, setText } from "./dom.js";

export function makeItem() {
  return h("li", {}, h("span", { class: "main" }), h("span", { class: "state" }), h("span", { class: "sub" }));
}

export function fillItem(item, { title, state, level = "", sub = "" }) {
  setText(item.querySelector(".main"), title);
  const place = item.querySelector(".state");
  setText(place, state);
  setClass(place, `state ${level}`);
  const below = item.querySelector(".sub");
  setText(below, sub);
  below.hidden = sub === "";
}
