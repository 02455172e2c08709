import type * as z from "zod";
import { parseBytesPerSecond, parseRequestsPerSecond } from "../core/units.js";
import { type Quantity, quantityParser, textLeaf } from "./leaves.js";
import { Refusal } from "./refusal.js";

/** Rates as text with a unit. */

const REQUESTS: Quantity = { min: "0.1/s", max: "1000000/s", example: "2000/s" };
const BYTES: ByteQuantity = { min: "16KiB/s", max: "1TiB/s", example: "50MiB/s", inBits: "" };

/** `2000/s` → requests per second, with decimals. */
export function requestRate(): z.ZodType<number, string> {
  const expected = `requests per second from ${REQUESTS.min} to ${REQUESTS.max}, ${REQUESTS.example} say`;
  const numberHint = "Add a unit: /s.";
  const read = quantityParser(parseRequestsPerSecond, REQUESTS, new Refusal(expected));
  const parse = withHint(read, parseRequestsPerSecond, requestRateHint);
  return textLeaf({ type: "requests per second", expected, numberHint, parse, pattern: /^\d+(\.\d+)?\/s$/ });
}

interface ByteQuantity extends Quantity {
  /** The range once more, for those who know it in bits; `""`: no need. */
  readonly inBits: string;
}

/** `50MiB/s`, `10Gbit/s` → bytes per second, a whole number. */
export function byteRate(quantity: ByteQuantity = BYTES): z.ZodType<number, string> {
  const { min, max, example, inBits } = quantity;
  const range = `from ${min} to ${max}${inBits === "" ? "" : ` (${inBits})`}`;
  const expected = `bytes or bits per second ${range}, ${example} say`;
  const read = quantityParser(parseBytesPerSecond, quantity, new Refusal(expected));
  const parse = withHint(read, parseBytesPerSecond, byteRateHint);
  return textLeaf({ type: "bytes per second", expected, numberHint: BYTE_UNITS, parse, pattern: BYTE_RATE });
}

const BYTE_UNITS = "Add a unit: KiB/s, MiB/s, GiB/s in bytes or Kbit/s, Mbit/s, Gbit/s in bits.";
const BYTE_RATE = /^\d+(\.\d+)?(B|[KMGT]i?B|bit|[KMGT]bit)\/s$/;

type Parse = (text: string) => number | Refusal;

/** Adds what to write instead, where a text is no rate at all; a rate outside its range is told the range alone. */
function withHint(parse: Parse, read: (text: string) => number | null, hint: (text: string) => string): Parse {
  return (text) => {
    const value = parse(text);
    return value instanceof Refusal && read(text) === null ? new Refusal(value.expected, hint(text)) : value;
  };
}

const SECONDS_OF: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600 };

/** NGINX writes `10r/s` and `5r/m`. */
function requestRateHint(text: string): string {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)\s?(?:r|req|requests)?\s?(?:\/\s?(s|m|min|h))?$/i.exec(text);
  if (match === null) return "";
  const [, amount = "", unit] = match;
  if (unit === undefined) return `Add a unit: ${amount}/s.`;
  const perSecond = Number(amount) / (SECONDS_OF[unit.toLowerCase()] ?? 1);
  const written = `${Number(perSecond.toPrecision(4))}/s`;
  return parseRequestsPerSecond(written) === null || perSecond < (parseRequestsPerSecond(REQUESTS.min) ?? 0)
    ? `That is less than ${REQUESTS.min}, which is the least.`
    : `Write ${written}.`;
}

/** NGINX writes `limit_rate 50m`; others leave `/s` out, or write bits in a way that may be bytes. */
function byteRateHint(text: string): string {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s?([A-Za-z]*)(\/s)?$/.exec(text);
  if (match === null) return "";
  const [, amount = "", unit = ""] = match;
  if (unit === "") return BYTE_UNITS;
  const prefix = unit.slice(0, 1).toUpperCase();
  if (/^[kmgt]$/i.test(unit)) return `Write ${amount}${prefix}iB/s.`;
  if (/^[kmgt]b\/?ps$|^[kmgt]bits?(?:ps)?$/i.test(unit)) return `Write ${amount}${prefix}bit/s.`;
  if (/^[kmgt]b$/.test(unit) || /^[KMGT]b$/.test(unit))
    return `Write ${amount}${prefix}B/s for bytes or ${amount}${prefix}bit/s for bits.`;
  if (/^[kmgt]i?b$/i.test(unit)) return `Write ${amount}${prefix}${/i/i.test(unit) ? "i" : ""}B/s.`;
  return BYTE_UNITS;
}
