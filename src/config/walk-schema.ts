import * as z from "zod";

/** One key of the file. */
export interface SchemaKey {
  /** `routes[].match.hosts`, `buckets.<alias>.region`. */
  readonly path: string;
  /** The map it belongs to, see sectionOf in later-keys: `routes[].match`, `buckets.*`. */
  readonly section: string;
  readonly name: string;
  /** The `type` whose maps have this key; `null`: all have it. */
  readonly variant: string | null;
  /** With its wrappers: default, optional, description. */
  readonly schema: z.ZodType;
  /** Without them. */
  readonly inner: z.ZodType;
}

/** Takes the wrappers off that say what a missing key means. */
export function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.ZodType);
  return schema;
}

/** The schema of the members of a list or of a map by alias, and the schema itself otherwise. */
function memberSchema(schema: z.ZodType): z.ZodType {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return unwrap(inner.element as z.ZodType);
  if (inner instanceof z.ZodRecord) return unwrap(inner.valueType as z.ZodType);
  return inner;
}

/** Every key below a map, parents before children, in the schema's order; of variants, one after the other. */
export function schemaKeys(schema: z.ZodType, path = "", section = ""): readonly SchemaKey[] {
  const map = unwrap(schema);
  if (map instanceof z.ZodDiscriminatedUnion) {
    return variants(map).flatMap(([variant, member]) => mapKeys(member, { path, section, variant }));
  }
  return map instanceof z.ZodObject ? mapKeys(map, { path, section, variant: null }) : [];
}

type Place = Pick<SchemaKey, "path" | "section" | "variant">;

function mapKeys(map: z.ZodObject, { path, section, variant }: Place): readonly SchemaKey[] {
  return Object.entries(map.shape as Record<string, z.ZodType>).flatMap(([name, child]) => {
    const inner = unwrap(child);
    const key = { path: joined(path, name), section, name, variant, schema: child, inner };
    return [key, ...schemaKeys(memberSchema(inner), ...below(inner, key.path, joined(section, name)))];
  });
}

/** The maps of a union by the value of their `type`. */
export function variants(union: z.ZodDiscriminatedUnion): readonly (readonly [type: string, map: z.ZodObject])[] {
  return (union.options as readonly z.ZodObject[]).map((map) => {
    const [type = ""] = (unwrap(map.shape.type as z.ZodType) as z.ZodEnum).options;
    return [String(type), map];
  });
}

function below(inner: z.ZodType, path: string, section: string): [string, string] {
  if (inner instanceof z.ZodArray) return [`${path}[]`, `${section}[]`];
  if (inner instanceof z.ZodRecord) return [`${path}.<alias>`, `${section}.*`];
  return [path, section];
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
