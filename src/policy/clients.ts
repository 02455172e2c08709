import { BlockList, isIP, isIPv4, SocketAddress } from "node:net";

/** A set of client addresses. */
export interface Clients {
  /**
   * 1 to 2 µs for an address that was not asked about lately, a few ns for others.
   * @param address canonical, see {@link canonicalClient}; anything else is in no set
   */
  has(address: string): boolean;
}

/**
 * Compiles CIDRs and single addresses, IPv4 and IPv6. IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) is IPv4; apart from
 * that the families are kept apart: `::/0` is every IPv6 client and no IPv4 client.
 * @throws Error with one sentence that names the entry which is none
 */
export function compileClients(cidrs: readonly string[]): Clients {
  // One list for both would have every IPv4 client in `::/0`.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const cidr of cidrs) {
    const { address, family, prefixBits } = parseCidr(cidr);
    lists[family].addSubnet(address, prefixBits, family);
  }
  const answers = new Map<string, boolean>();
  return {
    has(address) {
      const known = answers.get(address);
      if (known !== undefined) return known;
      const answer = isListed(lists, address);
      if (answers.size >= MAX_REMEMBERED) answers.clear();
      answers.set(address, answer);
      return answer;
    },
  };
}

/** Clients ask again and again, and a full map is begun anew, so that no client makes it grow. */
const MAX_REMEMBERED = 1024;

function isListed({ ipv4, ipv6 }: Readonly<Record<Cidr["family"], BlockList>>, address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return ipv4.check(address, "ipv4");
    case 6:
      return ipv6.check(address, "ipv6");
    default:
      return false;
  }
}

interface Cidr {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly prefixBits: number;
}

const MAPPED_PREFIX_BITS = 96;

function parseCidr(cidr: string): Cidr {
  const slash = cidr.indexOf("/");
  const written = slash === -1 ? cidr : cidr.slice(0, slash);
  const family = isIP(written);
  const address = canonicalClient(written);
  const maxBits = family === 4 ? 32 : 128;
  const writtenBits = slash === -1 ? maxBits : parseBits(cidr.slice(slash + 1));
  if (family === 0 || written.includes("%") || writtenBits > maxBits) {
    throw new Error(`"${cidr}" is neither an address nor a CIDR.`);
  }
  if (family === 4) return { address, family: "ipv4", prefixBits: writtenBits };
  if (isIPv4(address) && writtenBits >= MAPPED_PREFIX_BITS) {
    return { address, family: "ipv4", prefixBits: writtenBits - MAPPED_PREFIX_BITS };
  }
  return { address: written, family: "ipv6", prefixBits: writtenBits };
}

function parseBits(text: string): number {
  return /^\d{1,3}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

const MAPPED = "::ffff:";

/**
 * The one way to write a client's address: IPv4 in dotted decimal, also where it came as IPv6 (`::ffff:192.0.2.1`);
 * IPv6 as sockets report it, lower case, zeros compressed, without zone.
 * @returns `""` for what is no address
 */
export function canonicalClient(address: string): string {
  if (isIPv4(address)) return address;
  if (address.startsWith(MAPPED)) {
    // How a socket of both families reports IPv4.
    const mapped = address.slice(MAPPED.length);
    if (isIPv4(mapped)) return mapped;
  }
  if (isIP(address) === 0) return "";
  const zone = address.indexOf("%");
  const plain = zone === -1 ? address : address.slice(0, zone);
  const canonical = new SocketAddress({ address: plain, family: "ipv6" }).address;
  const mapped = canonical.startsWith(MAPPED) ? canonical.slice(MAPPED.length) : "";
  // ::ffff:0:c000:201 begins like it and is none.
  return isIPv4(mapped) ? mapped : canonical;
}
