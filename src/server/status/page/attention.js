// What needs somebody, the worst first. An operator at night reads this, and needs no more when it is empty.

import { byId, h, setClass, setText, sync } from "./dom.js";
import { certificateState, namesOf } from "./keys.js";
import { known } from "./known.js";
import { count, plural, ratio, span } from "./words.js";

const FAILED_WARN = 0.005;
const FAILED_BAD = 0.05;
/** As the credentials of a role have it, they are renewed long before. */
const CREDENTIALS_LATE_MS = 5 * 60_000;
const SKEW_WARN_MS = 5_000;
const SKEW_BAD_MS = 5 * 60_000;
const LAG_WARN_MS = 100;
const NEARLY = 0.9;
const MOST_ITEMS = 15;
/** What has grown is told for so long. */
const GREW_FOR_MS = 10 * 60_000;

export function showAttention(data) {
  const items = attentionOf(data);
  const section = byId("problems");
  section.hidden = items.length === 0;
  setClass(section, `attention ${items.some(({ level }) => level === "bad") ? "bad" : "warn"}`);
  const more = items.length - MOST_ITEMS;
  const last = more > 0 ? [{ key: "more", level: "warn", text: `${more} more; see the lists below.` }] : [];
  sync(
    byId("attention"),
    [...items.slice(0, MOST_ITEMS), ...last],
    ({ key }) => key,
    () => h("li", {}, h("span"), " ", h("a")),
    (item, { level, text, place, label }) => {
      setClass(item, level);
      const [words, link] = item.children;
      setText(words, text);
      link.hidden = place === undefined;
      if (place === undefined) return;
      link.setAttribute("href", `#${place}`);
      setText(link, label);
    },
  );
}

const PLACES = {
  "h-buckets": "Buckets",
  "h-keys": "Credentials and certificates",
  "h-config": "Configuration",
  "h-workers": "Processes",
  "h-events": "Last errors",
  "h-quotas": "Thresholds",
};

/** Level, text, where to look, and a key where the text changes from time to time: its line stays, and the link in it. */
function attentionOf(data) {
  const items = [
    ...data.problems.map((text) => ["bad", text]),
    ...failures(data),
    ...reloads(data),
    ...ofBuckets(data),
    ...ofKeys(data),
    ...ofProcesses(data),
  ];
  const known = new Set();
  return items
    .map(([level, text, place, key = text]) => ({ level, text, place, key, label: PLACES[place] }))
    .filter(({ key }) => !known.has(key) && known.add(key))
    .toSorted((a, b) => Number(b.level === "bad") - Number(a.level === "bad"));
}

/** Whether the gateway itself has said it. */
const isSaid = ({ problems }, name) => problems.some((problem) => problem.includes(name));

function failures({ now, routes }) {
  if (now === null || !(now.failedRatio > FAILED_WARN)) return [];
  const worst = routes
    .filter((route) => route.now?.failedRatio > FAILED_WARN)
    .toSorted((a, b) => b.now.failedRatio * b.now.requests - a.now.failedRatio * a.now.requests)
    .slice(0, 3)
    .map((route) => route.name);
  const where = worst.length === 0 ? "" : `, most on ${worst.length === 1 ? "route" : "routes"} ${worst.join(", ")}`;
  const level = now.failedRatio > FAILED_BAD ? "bad" : "warn";
  return [[level, `${ratio(now.failedRatio)} of all answers fail${where}${failingFor()}.`, "h-events", "failing"]];
}

/** Since when each point has had failures. */
function failingFor() {
  const points = known.total.failed ?? [];
  const last = points.lastIndexOf(0);
  const length = points.length - 1 - last;
  if (length < 3) return "";
  return last === -1 && points.length >= known.kept ? ", for 15 min or longer" : `, for ${span(length * known.stepMs)}`;
}

function reloads({ state: { lastReload, workersServing, workersWanted } }) {
  const items = [];
  if (lastReload !== null && !lastReload.ok) {
    items.push(["warn", "The last reload failed; the configuration of before is served on.", "h-config"]);
  }
  if (workersServing < workersWanted) {
    const level = workersServing === 0 ? "bad" : "warn";
    items.push([level, `${workersServing} of ${plural(workersWanted, "worker")} serve.`, "h-workers", "serving"]);
  }
  return items;
}

function ofBuckets(data) {
  const items = [];
  for (const bucket of data.buckets) items.push(...ofBucket(bucket));
  for (const { name, scope, isAlert, isThrottled } of data.quotas) {
    const whose = scope === "account" ? `account ${name}` : `bucket ${name}`;
    if (isThrottled) items.push(["bad", `OSS throttles ${whose} now.`, "h-quotas"]);
    else if (isAlert) items.push(["warn", `OSS was near to throttling ${whose} in the last 10 minutes.`, "h-quotas"]);
  }
  return items;
}

function ofBucket({ alias, addresses, setAside, pools, clockSkewMs }) {
  const items = [];
  if (setAside > 0) {
    const which = pools.filter((pool) => pool.isSetAside).map(({ address }) => address);
    const level = setAside === addresses ? "bad" : "warn";
    const names = which.length > 0 && which.length <= 4 ? `: ${which.join(", ")}` : "";
    items.push([
      level,
      `Bucket ${alias}: ${setAside} of ${plural(addresses, "address")} set aside${names}.`,
      "h-buckets",
      `aside/${alias}`,
    ]);
  }
  const skewMs = Math.abs(clockSkewMs ?? 0);
  if (skewMs > SKEW_WARN_MS) {
    const text = `Bucket ${alias}: this machine's clock and that of OSS differ by ${span(skewMs)}.`;
    items.push([skewMs > SKEW_BAD_MS ? "bad" : "warn", text, "h-buckets", `skew/${alias}`]);
  }
  return items;
}

function ofKeys(data) {
  const { credentials, certificates, nowMs } = data;
  const items = [];
  for (const { name, isValid, expiresAtMs } of credentials) {
    if (!isValid && !isSaid(data, name)) items.push(["bad", `Credentials ${name} are not valid.`, "h-keys"]);
    else if (isValid && expiresAtMs !== null && expiresAtMs - nowMs < CREDENTIALS_LATE_MS) {
      items.push(["warn", `Credentials ${name} end in less than five minutes and are not renewed.`, "h-keys"]);
    }
  }
  for (const certificate of certificates) {
    const { level, words } = certificateState(certificate, nowMs);
    const what = `Certificate ${namesOf(certificate)}`;
    if (level !== "good") items.push([level, `${what}: ${words}.`, "h-keys"]);
    if (certificate.problem !== null) items.push(["warn", `${what}: what is on the disk cannot be used.`, "h-keys"]);
  }
  return items;
}

function ofProcesses({ clients, droppedLogLines, sharedUp, workers, nowMs }) {
  const items = [];
  if (clients.open > NEARLY * clients.limit) {
    items.push(["bad", "Nearly all connections that limits.connections allows are open.", "h-config"]);
  }
  if (hasGrown("refused", clients.refused, nowMs)) {
    items.push([
      "bad",
      `${count(clients.refused)} connections were turned away since the start.`,
      "h-config",
      "refused",
    ]);
  }
  if (hasGrown("dropped", droppedLogLines, nowMs)) {
    items.push(["warn", `${count(droppedLogLines)} lines of the log were lost since the start.`, "h-config", "lost"]);
  }
  if (sharedUp === false) items.push(["warn", "The server of shared limits does not answer.", "h-config"]);
  for (const { worker, lagMs } of workers) {
    if (lagMs > LAG_WARN_MS) items.push(["warn", `Worker ${worker} is busy: what it does waits.`, "h-workers"]);
  }
  return items;
}

/** By name: a count, and when it grew last, as far as this page has seen it. */
const counts = new Map();

function hasGrown(name, value, nowMs) {
  const before = counts.get(name);
  const grewMs = before !== undefined && value > before.value ? nowMs : (before?.grewMs ?? Number.NEGATIVE_INFINITY);
  counts.set(name, { value, grewMs });
  return nowMs - grewMs < GREW_FOR_MS;
}
