/** Keys of the file's shape that a later version will have: the section's path without indexes and aliases → its keys. */
const LATER_KEYS: ReadonlyMap<string, readonly string[]> = new Map([["buckets.*", ["fallback"]]]);

/** @param section see {@link sectionOf} */
export function isLaterKey(section: string, key: string): boolean {
  return LATER_KEYS.get(section)?.includes(key) ?? false;
}

/** The path of a map without what differs from file to file: `routes[].match`, `buckets.*`. */
export function sectionOf(path: readonly (string | number)[]): string {
  let section = "";
  path.forEach((step, index) => {
    if (typeof step === "number") section += "[]";
    else if (index === 1 && isByName(path[0])) section += ".*";
    else section += section === "" ? step : `.${step}`;
  });
  return section;
}

/** Whether the keys of this top-level map are names that the file's writer chose. */
export function isByName(key: string | number | undefined): boolean {
  return key === "buckets" || key === "credentials" || key === "quotas";
}
