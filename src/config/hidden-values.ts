import { isByName } from "./later-keys.js";

/** Keys under which somebody may have written a secret itself, by mistake or not knowing better. */
const SECRET_KEY = /secret|password|externalId|^secureLink$|^shared$/i;

/** Whether what stands under this key is never shown, at whatever depth. */
export function hidesAll(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Whether a problem at this place is told without the value that stands there. */
export function isHidden(path: readonly (string | number)[]): boolean {
  const keys = path.filter((step, index) => typeof step === "string" && !isAlias(path, index)) as string[];
  if (keys.some(hidesAll)) return true;
  // Maps that hold secrets' names: a plain text in their place may be the secret.
  return (path[0] === "credentials" && path.length <= 2) || ["links", "basic"].includes(keys.at(-1) ?? "");
}

/** An alias is a name that the writer chose: `my-secret-bucket` hides nothing. */
function isAlias(path: readonly (string | number)[], index: number): boolean {
  return index === 1 && isByName(path[0]);
}
