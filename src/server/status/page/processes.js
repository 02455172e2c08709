// The processes, and the configuration that they serve.

import { byId, h, setText, sync } from "./dom.js";
import { fillItem, makeItem } from "./item.js";
import { bytes, count, digits, millis, span } from "./words.js";

let lastCpu = new Map();

export function showWorkers({ workers, nowMs, version: own }) {
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

export function showConfig({ state, nowMs, clients, droppedLogLines, sharedUp }) {
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
