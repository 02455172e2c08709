/** Keys of the file's shape that a later version will have: the section's path without indexes and aliases → its keys. */
const LATER_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["workers", "trustedProxies"]],
  ["listeners[]", ["tls", "proxyProtocol"]],
  ["buckets.*", ["fallback", "quota"]],
  ["routes[]", ["preview", "referer", "cors", "priority", "responseHeaders"]],
  ["routes[].allow", ["basic", "forwardAuth", "certificates"]],
  ["routes[].limits", ["requests", "egress", "perClient"]],
]);

/** @param section see {@link sectionOf} */
export function isLaterKey(section: string, key: string): boolean {
  return LATER_KEYS.get(section)?.includes(key) ?? false;
}

/** The path of a map without what differs from file to file: `routes[].match`, `buckets.*`. */
export function sectionOf(path: readonly (string | number)[]): string {
  let section = "";
  path.forEach((step, index) => {
    if (typeof step === "number") section += "[]";
    else if (index === 1 && (path[0] === "buckets" || path[0] === "credentials")) section += ".*";
    else section += section === "" ? step : `.${step}`;
  });
  return section;
}
