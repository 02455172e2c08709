const TIME_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};

/** NGINX's times: `60`, `60s`, `1h 30m`, `500ms` → milliseconds; `null`: it is none. */
export function timeMs(text: string): number | null {
  if (!/^(?:\d{1,9}(?:ms|[smhdwMy])?\s*)+$/.test(text)) return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdwMy])?/g))
    sum += Number(amount) * (TIME_MS[unit ?? "s"] ?? 0);
  return sum;
}

/** NGINX's sizes: `8k`, `10m`, `1g`, `512` → bytes; `null`: it is none. */
export function sizeBytes(text: string): number | null {
  const match = /^(\d{1,12})([kKmMgG])?$/.exec(text);
  if (match === null) return null;
  const factor = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[(match[2] ?? "").toLowerCase() as "k"] ?? 1;
  return Number(match[1]) * factor;
}

/** As the configuration file writes durations, never below a millisecond. */
export function durationText(ms: number): string {
  for (const [unit, factor] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
  ] as const) {
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${Math.max(1, Math.round(ms))}ms`;
}

/** As the configuration file writes sizes. */
export function sizeText(bytes: number): string {
  for (const [unit, factor] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}
