/**
 * Whom limits of a client count as one: an IPv4 address itself, also where it came as IPv6; of IPv6 the /64, since that
 * is what one subscriber has at least, and every address in it costs him nothing.
 * @param address canonical (`canonicalClient`), or a group already
 * @returns `192.0.2.1` or `2001:db8:1:2::/64`
 */
export function clientGroup(address: string): string {
  if (!address.includes(":") || address.endsWith(GROUP_END)) return address;
  const known = groups.get(address);
  if (known !== undefined) return known;
  const group = groupOf(address);
  if (groups.size >= MAX_REMEMBERED) groups.clear();
  groups.set(address, group);
  return group;
}

const GROUP_END = "::/64";

/** Clients ask again and again, and a full map is begun anew, so that no client makes it grow. */
const MAX_REMEMBERED = 4096;
const groups = new Map<string, string>();

const MAPPED = "::ffff:";
const GROUP_COUNT = 4;

function groupOf(address: string): string {
  if (address.startsWith(MAPPED) && address.includes(".")) return address.slice(MAPPED.length);
  const [head = "", tail] = address.split("::");
  const before = parts(head);
  const after = parts(tail ?? "");
  // An IPv4 address at its end counts as one part here, which the first four never reach.
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const all = [...before, ...Array<string>(zeros).fill("0"), ...after];
  return all.slice(0, GROUP_COUNT).join(":") + GROUP_END;
}

function parts(text: string): readonly string[] {
  return text === "" ? [] : text.split(":");
}
