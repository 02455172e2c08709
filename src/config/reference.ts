import * as z from "zod";
import { typeNames } from "./leaves.js";
import { configSchema } from "./schema.js";
import { type SchemaKey, schemaKeys } from "./walk-schema.js";

/** All keys of the file as a Markdown table: key, type, default, meaning. */
export function configReference(): string {
  const rows = schemaKeys(configSchema).map(referenceRow);
  return ["| Key | Type | Default | What it means |", "|---|---|---|---|", ...rows, ""].join("\n");
}

function referenceRow(key: SchemaKey): string {
  const type = key.variant === null || key.name === "type" ? "" : `With \`type: ${key.variant}\`: `;
  const what = type + (key.schema.description ?? "");
  return `| \`${key.path}\` | ${typeOf(key)} | ${defaultOf(key)} | ${what.replaceAll("|", "\\|")} |`;
}

function typeOf({ inner }: SchemaKey): string {
  return typeNames.get(inner)?.type ?? inner.def.type;
}

function defaultOf({ schema, inner }: SchemaKey): string {
  if (schema instanceof z.ZodOptional) return typeNames.get(schema)?.default ?? "";
  if (!(schema instanceof z.ZodPrefault)) return "**required**";
  return inner instanceof z.ZodObject ? "" : `\`${JSON.stringify(schema.def.defaultValue).replaceAll('","', '", "')}\``;
}

/** The JSON Schema (2020-12) of the file as it is written: what editors complete and check. Ends with a line break. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    target: "draft-2020-12",
    // zod takes examples of values that it transforms for results; ours are what stands in the file.
    override: ({ zodSchema, jsonSchema }) => {
      const examples = z.globalRegistry.get(zodSchema)?.examples;
      if (Array.isArray(examples)) jsonSchema.examples = examples;
    },
  });
  const { $schema, ...rest } = schema;
  const title = "ossgate configuration";
  const description = "Generated from src/config/schema.ts. `ossgate check` also finds what a schema cannot express.";
  return `${JSON.stringify({ $schema, title, description, ...rest }, null, 2)}\n`;
}
