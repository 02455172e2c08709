import { parseQuery as parsePairs } from "../signing/canonical.js";

/** Decoded query parameters; of duplicates the first wins (oss-semantics §2.2). A value is `""` without `=`. */
export type Query = ReadonlyMap<string, string>;

/** Parses a raw query without `?`, decoding as the signature does. */
export function parseQuery(rawQuery: string): Query {
  const query = new Map<string, string>();
  for (const [name, value] of parsePairs(rawQuery)) if (!query.has(name)) query.set(name, value ?? "");
  return query;
}

/** A whole number in `[min, max]`, or `null`. */
export function parseCount(text: string, min: number, max: number): number | null {
  if (!/^\d{1,15}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}
