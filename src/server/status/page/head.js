// The first line: does it serve?

import { byId, setClass, setText } from "./dom.js";
import { span, time } from "./words.js";

export function showHead(data) {
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
  document.title = level === "good" ? "ossgate status" : `${words} – ossgate status`;
}
