import * as z from "zod";
import type { SecretRef } from "./gateway-config.js";
import { typeNames } from "./leaves.js";
import { nearest } from "./nearest.js";
import { joinMessage, Refusal } from "./refusal.js";
import { parseFilePath } from "./values.js";

const EXPECTED = "{ env: NAME } or { file: PATH }";
const NEVER_HERE = "A secret is never written here: { env: NAME } or { file: PATH }.";
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const KINDS: readonly string[] = ["env", "file"];

type Written = { readonly env: string } | { readonly file: string };

/**
 * The name of a place where a secret is: exactly one of `env` and `file`. Whatever else stands there may be the secret
 * itself, so no message repeats any of it (see hidden-values).
 */
export function secretRef(): z.ZodType<SecretRef, Written> {
  const read = z.unknown().transform((input, context) => {
    const parsed = parseSecretRef(input);
    if (!("refusal" in parsed)) return parsed;
    const { path, refusal } = parsed;
    context.addIssue({ code: "custom", message: joinMessage(refusal.expected, refusal.hint), path: [...path] });
    return z.NEVER;
  });
  const asWritten = read.meta({ oneOf: [written("env", ENV_NAME.source), written("file", "^.")] });
  return asWritten.register(typeNames, { type: "`{ env: NAME }` or `{ file: PATH }`" }) as z.ZodType<
    SecretRef,
    Written
  >;
}

function written(key: string, pattern: string): Record<string, unknown> {
  const properties = { [key]: { type: "string", pattern } };
  return { type: "object", properties, required: [key], additionalProperties: false };
}

interface Wrong {
  readonly path: readonly string[];
  readonly refusal: Refusal;
}

function parseSecretRef(input: unknown): SecretRef | Wrong {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return wrong([], EXPECTED, input === undefined || input === null ? "" : NEVER_HERE);
  }
  const keys = Object.keys(input);
  const unknown = keys.find((key) => !KINDS.includes(key));
  if (unknown !== undefined) return wrong([], EXPECTED, unknownKeyHint(unknown));
  if (keys.length !== 1) return wrong([], "exactly one of env and file");
  const { env, file } = input as { readonly env?: unknown; readonly file?: unknown };
  return keys[0] === "env" ? parseEnv(env) : parseFile(file);
}

function unknownKeyHint(key: string): string {
  const near = nearest(key, KINDS);
  return near === null ? NEVER_HERE : `Did you mean ${near}?`;
}

function parseEnv(name: unknown): SecretRef | Wrong {
  if (typeof name === "string" && ENV_NAME.test(name)) return { kind: "env", name };
  const hint = "Write the variable's name, not what is in it.";
  return wrong(["env"], "the name of an environment variable such as LINK_SECRET", hint);
}

function parseFile(file: unknown): SecretRef | Wrong {
  const path = typeof file === "string" ? parseFilePath("the path of a file")(file) : new Refusal("the path of a file");
  return path instanceof Refusal ? { path: ["file"], refusal: path } : { kind: "file", path };
}

function wrong(path: readonly string[], expected: string, hint = ""): Wrong {
  return { path, refusal: new Refusal(expected, hint) };
}
