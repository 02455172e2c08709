const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const ISO_BASIC = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;

/** Reads `Wed, 01 Jan 2025 00:00:00 GMT` (RFC 1123, the only form of V1 and V2) as Unix milliseconds; `null` for anything else. */
export function parseHttpDateMs(text: string): number | null {
  if (!HTTP_DATE.test(text)) return null;
  const timeMs = Date.parse(text);
  // Date.parse turns 31 Feb into 3 Mar; a date that does not read back is none.
  if (Number.isNaN(timeMs) || httpDate(timeMs).slice(5) !== text.slice(5)) return null;
  return timeMs;
}

/** Reads `20250101T000000Z` (ISO 8601 basic form, V4) as Unix milliseconds; `null` for anything else. */
export function parseIsoBasicMs(text: string): number | null {
  const match = ISO_BASIC.exec(text);
  if (match === null) return null;
  const timeMs = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
  return Number.isNaN(timeMs) || isoBasic(timeMs) !== text ? null : timeMs;
}

/** `Wed, 01 Jan 2025 00:00:00 GMT`. */
export function httpDate(timeMs: number): string {
  return new Date(timeMs).toUTCString();
}

/** `20250101T000000Z`. */
export function isoBasic(timeMs: number): string {
  const iso = new Date(timeMs).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}

/** `2025-01-01T00:00:00.000Z`, as the elements of OSS's error XML have it. */
export function isoExtended(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
