import * as z from "zod";
import { parseDurationMs, parseSizeBytes } from "../core/units.js";
import { nearest } from "./nearest.js";
import { joinMessage, Refusal } from "./refusal.js";

/** What the reference says of a value; `default` where the schema has none, but the key may be absent. */
export const typeNames = z.registry<{ readonly type: string; readonly default?: string }>();

/** A text value: what the reference calls it, what is expected, and how it is read. */
interface TextLeaf<T> {
  readonly type: string;
  /** Completes "expected …". */
  readonly expected: string;
  readonly parse: (text: string) => T | Refusal;
  /** For the JSON Schema: necessary, and not always enough. */
  readonly pattern?: RegExp;
  /** What to do about a bare number; absent: put it in quotes. */
  readonly numberHint?: string;
}

export function textLeaf<T>(leaf: TextLeaf<T>): z.ZodType<T, string> {
  const numberHint = leaf.numberHint ?? "Put it in quotes.";
  const text = z.string({
    error: ({ input }) => joinMessage(leaf.expected, typeof input === "number" ? numberHint : ""),
  });
  const described = leaf.pattern === undefined ? text : text.meta({ pattern: leaf.pattern.source });
  const read = described.transform((value, context) => {
    const parsed = leaf.parse(value);
    if (!(parsed instanceof Refusal)) return parsed;
    context.addIssue({ code: "custom", message: joinMessage(parsed.expected, parsed.hint) });
    return z.NEVER;
  });
  return read.register(typeNames, { type: leaf.type }) as z.ZodType<T, string>;
}

/** A number with a unit, from `min` to `max`, both written like the value. */
export interface Quantity {
  readonly min: string;
  readonly max: string;
  readonly example: string;
}

/** `30s` → milliseconds. */
export function duration({ min, max, example }: Quantity): z.ZodType<number, string> {
  const expected = `a duration from ${min} to ${max}, ${example} say`;
  const numberHint = "Add a unit: ms, s, m, h or d.";
  const parse = quantityParser(parseDurationMs, { min, max, example }, new Refusal(expected, numberHint));
  return textLeaf({ type: "duration", expected, numberHint, parse, pattern: /^\d+(\.\d+)?(ms|s|m|h|d)$/ });
}

/** `32KiB` → bytes. */
export function size({ min, max, example }: Quantity): z.ZodType<number, string> {
  const expected = `a size from ${min} to ${max}, ${example} say`;
  const numberHint = "Add a unit: B, KiB, MiB, GiB (powers of 1024) or KB, MB, GB (powers of 1000).";
  const parse = quantityParser(parseSizeBytes, { min, max, example }, new Refusal(expected, numberHint));
  return textLeaf({ type: "size", expected, numberHint, parse, pattern: /^\d+(\.\d+)?(B|[KMGT]i?B)$/ });
}

/** @param noUnit what is said of a text that is none; outside of the range it is said without its hint */
export function quantityParser(read: (text: string) => number | null, { min, max }: Quantity, noUnit: Refusal) {
  const outside = new Refusal(noUnit.expected);
  const [least, most] = [read(min) ?? 0, read(max) ?? 0];
  return (text: string): number | Refusal => {
    const value = read(text);
    if (value === null) return noUnit;
    return value < least || value > most ? outside : value;
  };
}

export function wholeNumber(min: number, max: number): z.ZodInt {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).register(typeNames, { type: "whole number" });
}

/** One of a closed set of numbers. */
export function oneOfNumbers<const N extends number>(numbers: readonly N[]): z.ZodLiteral<N> {
  const expected = numbers.join(" or ");
  const error = ({ input }: { readonly input?: unknown }): string =>
    joinMessage(expected, typeof input === "string" ? "Write it without quotes." : "");
  const type = numbers.map((number) => `\`${number}\``).join(" or ");
  const literal = z.literal([...numbers], { error });
  typeNames.add(literal as z.ZodType, { type });
  return literal;
}

/** Text by names that the file's writer chose, header names say. `key` decides what is one. */
export function textByName<S extends z.ZodType<string, string>>(key: z.ZodString, value: S, expected: string) {
  return z.record(key, value, { error: `a ${expected}` }).register(typeNames, { type: expected });
}

export function yesOrNo(): z.ZodBoolean {
  const hints = new Map([
    ["yes", "Write true."],
    ["on", "Write true."],
    ["true", "Write true without quotes."],
    ["no", "Write false."],
    ["off", "Write false."],
    ["false", "Write false without quotes."],
  ]);
  const error = ({ input }: { readonly input: unknown }): string =>
    joinMessage("true or false", typeof input === "string" ? hints.get(input.toLowerCase()) : "");
  return z.boolean({ error }).register(typeNames, { type: "true or false" });
}

interface WordOptions {
  /** Words that another version will know. */
  readonly later?: readonly string[];
  /** Completes "expected …"; absent: all words, which is too long for many. */
  readonly expected?: string;
  /** What the reference says; absent: all words. */
  readonly type?: string;
  /** What to do when no word is near. */
  readonly hint?: (input: string) => string;
}

/** One of a closed set of words. */
export function oneOf<const W extends string>(
  words: readonly W[],
  options: WordOptions = {},
): z.ZodEnum<{ [K in W]: K }> {
  const expected = options.expected ?? (words.length === 1 ? (words[0] as string) : `one of ${words.join(", ")}`);
  const error = ({ input }: { readonly input: unknown }): string => {
    if (typeof input !== "string") return expected;
    return joinMessage(expected, wordHint(input, words, options));
  };
  const type = options.type ?? words.map((word) => `\`${word}\``).join(" or ");
  return z.enum(words, { error }).register(typeNames, { type });
}

function wordHint(input: string, words: readonly string[], { later = [], hint = () => "" }: WordOptions): string {
  if (later.includes(input)) return `This version does not have ${input} yet.`;
  const sameWord = words.find((word) => word.toLowerCase() === input.toLowerCase());
  if (sameWord !== undefined) return `Write ${sameWord}.`;
  const special = hint(input);
  if (special !== "") return special;
  const near = nearest(input, words);
  return near === null ? "" : `Did you mean ${near}?`;
}

export function listOf<S extends z.ZodType>(item: S, type: string, least: 0 | 1 = 0): z.ZodArray<S> {
  const list = z.array(item, { error: `a list of ${type}` }).register(typeNames, { type: `list of ${type}` });
  return least === 0 ? list : list.min(1, { error: `a list of one or more ${type}` });
}

/** @param hint what to do about a value that is no map; `""` where nothing is known */
export function mapOf<S extends z.ZodRawShape>(
  shape: S,
  hint: (input: unknown) => string = () => "",
): z.ZodObject<S, z.core.$strict> {
  const expected = `a map of these keys: ${Object.keys(shape).join(", ")}`;
  const error = (issue: { readonly code?: string; readonly input?: unknown }): string | undefined =>
    issue.code === "unrecognized_keys" ? undefined : joinMessage(expected, hint(issue.input));
  return z.strictObject(shape, { error }).register(typeNames, { type: "map" });
}

/**
 * A map with other keys for each value of its key `type`, which every variant has as {@link oneOf} a single word.
 * @param hint what to do about a map of another `type`, or of none; `""` leaves it to the nearest word
 */
export function variantsOf<const S extends readonly [z.ZodObject, ...z.ZodObject[]]>(
  variants: S,
  what: string,
  hint: (written: Readonly<Record<string, unknown>>) => string,
) {
  const words = variants.flatMap((variant) => (variant.shape.type as z.ZodEnum).options as string[]);
  const error = (issue: { readonly code?: string; readonly input?: unknown }): string => {
    if (issue.code !== "invalid_union") return `${what} with a type: ${words.join(", ")}`;
    const written = issue.input as Readonly<Record<string, unknown>>;
    const special = hint(written);
    const near = typeof written.type === "string" ? wordHint(written.type, words, { hint: () => special }) : special;
    return joinMessage(`one of ${words.join(", ")}`, near);
  };
  const union = z.discriminatedUnion("type", variants, { error });
  typeNames.add(union as z.ZodType, { type: "map" });
  return union;
}
