import { type HeaderList, headerValues } from "../core/headers.js";

/** The fields after the scheme of an `Authorization` header of V2 or V4, by their names. */
export type AuthorizationFields = ReadonlyMap<string, string>;

/**
 * Reads `Name=value,Name=value` (V4) or `Name:value,…` (V2). The SDKs differ in order and in blanks around the commas,
 * so neither counts (oss-semantics §2.4).
 * @param text what follows the scheme
 * @returns `null` when a part is no pair, is repeated, or is none of `names`
 */
export function parseFields(text: string, separator: "=" | ":", names: readonly string[]): AuthorizationFields | null {
  const fields = new Map<string, string>();
  for (const part of text.split(",")) {
    const at = part.indexOf(separator);
    if (at === -1) return null;
    const name = part.slice(0, at).trim();
    if (!names.includes(name) || fields.has(name)) return null;
    fields.set(name, part.slice(at + 1).trim());
  }
  return fields;
}

/** What follows the scheme; `null` when the header has another scheme. The scheme must be written exactly so. */
export function afterScheme(authorization: string, scheme: string): string | null {
  return authorization.startsWith(`${scheme} `) ? authorization.slice(scheme.length + 1).trim() : null;
}

/** Both forms of a list of additional headers, `a;b`: names without blanks around them, their case kept. */
export function splitHeaderNames(list: string): readonly string[] {
  return list.split(";").map((name) => name.trim());
}

/** Why a list of additional headers cannot stand, each with an EC of its own (oss-semantics §2.4); `null` when it can. */
export function additionalHeadersProblem(
  list: string,
  headers: HeaderList,
): "empty-list" | "empty-name" | "unknown-name" | null {
  if (list.trim() === "") return "empty-list";
  for (const name of splitHeaderNames(list)) {
    if (name === "") return "empty-name";
    if (name.includes("_") || headerValues(headers, name.toLowerCase()).length === 0) return "unknown-name";
  }
  return null;
}
