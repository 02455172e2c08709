import type * as z from "zod";
import { isLaterKey, sectionOf } from "./later-keys.js";
import { nearest } from "./nearest.js";
import { nginxHint } from "./nginx-keys.js";
import { type Path, type Problem, quote } from "./problem.js";
import { splitMessage } from "./refusal.js";
import { configSchema } from "./schema.js";
import { isSecretKey, KEYS_HINT } from "./schema-credentials.js";
import type { Source } from "./source.js";
import { type SchemaKey, schemaKeys } from "./walk-schema.js";

const KEYS: readonly SchemaKey[] = schemaKeys(configSchema);

/** What zod found, put into words and to its place. */
export function shapeProblems(issues: readonly z.core.$ZodIssue[], source: Source): readonly Problem[] {
  return issues.flatMap((issue) => {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, source));
    if (issue.code === "invalid_key") {
      const { expected } = splitMessage(issue.issues[0]?.message ?? "another name");
      return [source.problem(path, { expected, found: quote(String(path.at(-1))), atKey: true })];
    }
    return [wrongValue(path, issue.message, source)];
  });
}

function wrongValue(path: Path, message: string, source: Source): Problem {
  const { expected, hint } = splitMessage(message);
  if (source.has(path)) return source.problem(path, { expected, hint });
  return source.problem(path, { expected, hint, found: "no such key" });
}

function unknownKey(parent: Path, key: string, source: Source): Problem {
  const section = sectionOf(parent);
  const variant = source.textAt([...parent, "type"]);
  const here = KEYS.filter((candidate) => candidate.section === section);
  const known = here.filter((candidate) => candidate.variant === null || candidate.variant === variant);
  const names = known.map((candidate) => candidate.name);
  return source.problem([...parent, key], {
    found: quote(key),
    atKey: true,
    expected: names.length === 1 ? `${names[0]} alone` : `one of ${names.join(", ")}`,
    hint: isLaterKey(section, key) ? LATER_HINT : unknownKeyHint(key, names, here),
  });
}

const LATER_HINT = "This version does not have it yet; take it out.";

/** @param here all keys of the section, those of other types too */
function unknownKeyHint(key: string, known: readonly string[], here: readonly SchemaKey[]): string {
  if (key === "<<") return "Merge keys are not supported.";
  const types = here.flatMap(({ name, variant }) => (name === key && variant !== null ? variant : []));
  if (types.length > 0) return `It belongs to type: ${types.join(" or ")}.`;
  const isOfCredentials = here.some(({ variant }) => variant !== null);
  if (isOfCredentials && isSecretKey(key)) return KEYS_HINT;
  const nginx = nginxHint(key);
  if (nginx !== null) return nginx;
  const near = nearest(key, known);
  if (near !== null) return `Did you mean ${near}?`;
  const elsewhere = KEYS.find((candidate) => candidate.name === key);
  return elsewhere === undefined ? "" : `It belongs at ${elsewhere.path}.`;
}
