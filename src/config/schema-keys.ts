import * as z from "zod";
import { textLeaf, typeNames } from "./leaves.js";
import * as values from "./values.js";

/** What the parts of the schema have in common: how a key says what it means, and values that occur in many places. */

export function required<S extends z.ZodType>(schema: S, what: string, example?: z.input<S>): S {
  return schema.meta({ description: what, ...(example === undefined ? {} : { examples: [example] }) });
}

/** A key that may be absent; `absent` says what that means. */
export function optional<S extends z.ZodType>(
  schema: S,
  absent: string,
  what: string,
  example: z.input<S>,
): z.ZodOptional<S> {
  const key = schema.optional();
  typeNames.add(key, { type: typeNames.get(schema)?.type ?? "", default: absent });
  return key.meta({ description: what, examples: [example] });
}

export function withDefault<S extends z.ZodType>(
  schema: S,
  value: z.core.util.NoUndefined<z.input<S>>,
  what: string,
  example?: z.input<S>,
): z.ZodPrefault<S> {
  return schema.prefault(value).meta({ description: what, ...(example === undefined ? {} : { examples: [example] }) });
}

export const name = () =>
  textLeaf({ type: "name", expected: values.NAME_EXPECTED, parse: values.parseName, pattern: values.NAME });

/** The name of something else in the file; whether it is there is seen by the checks across fields. */
export const reference = (expected: string) => textLeaf({ type: "name", expected, parse: (text) => text });

/** A map whose keys are names that the file's writer chose. */
export function mapByName<S extends z.ZodType>(member: S, expected: string) {
  const key = z.string().regex(values.NAME, { error: values.NAME_EXPECTED });
  return z.record(key, member, { error: expected }).register(typeNames, { type: "map by name" });
}
