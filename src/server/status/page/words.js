// Numbers for people.

export const NONE = "–";

export function digits(value) {
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

export const countParts = (value) => scaled(value, ["", "k", "M", "G"], 1000);
export const bytesParts = (value) => scaled(value, ["B", "KB", "MB", "GB", "TB"], 1000);
/** A number and its unit stay on one line. */
const joined = (parts) => parts.join("\u00a0").trim();
export const count = (value) => joined(countParts(value));
export const bytes = (value) => joined(bytesParts(value));
export const rate = (value) => (value === null ? NONE : `${count(value)}/s`);
export const byteRate = (value) => (value === null ? NONE : `${bytes(value)}/s`);

export function millis(value) {
  if (value === null) return NONE;
  return value >= 1000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

export function ratio(value) {
  if (value === null) return NONE;
  if (value > 0 && value < 0.0001) return "< 0.01 %";
  return `${digits(value * 100)} %`;
}

export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  const days = Math.floor(seconds / 86_400);
  return `${days} ${days === 1 ? "day" : "days"}`;
}

export const plural = (amount, noun) => `${amount} ${noun}${amount === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
export const time = (ms) =>
  new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export const dayAndTime = (ms) => new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
