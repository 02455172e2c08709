/** Reads a number with a unit; every unit is a factor on the base unit. `null` when the text is none. */
function parseWithUnit(text: string, factors: ReadonlyMap<string, number>): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z/]*)$/.exec(text);
  if (match === null) return null;
  const factor = factors.get(match[2] as string);
  if (factor === undefined) return null;
  const value = Number(match[1]) * factor;
  return Number.isSafeInteger(Math.round(value)) ? Math.round(value) : null;
}

const DURATION_MS = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const SIZE_BYTES = new Map([
  ["B", 1],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["TB", 1e12],
]);

/** `250ms`, `30s`, `5m`, `12h`, `7d` → milliseconds; `null` for anything else, a bare number included. */
export function parseDurationMs(text: string): number | null {
  return parseWithUnit(text, DURATION_MS);
}

/** `64KiB`, `5GiB`, `1MB`, `100B` → bytes; `null` for anything else, a bare number included. */
export function parseSizeBytes(text: string): number | null {
  return parseWithUnit(text, SIZE_BYTES);
}

const PER_SECOND = "/s";

/** `2000/s`, `0.5/s` → per second; `null` for anything else. */
export function parseRequestsPerSecond(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\/s$/.exec(text);
  return match === null ? null : Number(match[1]);
}

const BITS = new Map([
  ["bit", 1],
  ["Kbit", 1e3],
  ["Mbit", 1e6],
  ["Gbit", 1e9],
  ["Tbit", 1e12],
]);

/** `50MiB/s`, `10Gbit/s` → bytes per second; `null` for anything else. */
export function parseBytesPerSecond(text: string): number | null {
  if (!text.endsWith(PER_SECOND)) return null;
  const amount = text.slice(0, -PER_SECOND.length);
  const bits = parseWithUnit(amount, BITS);
  return bits === null ? parseSizeBytes(amount) : Math.round(bits / 8);
}
