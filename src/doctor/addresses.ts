import { BlockList, isIP } from "node:net";
import type { Level } from "./finding.js";

/** What an address says about where a name leads. */
export interface AddressVerdict {
  readonly level: Level;
  readonly note: string;
  readonly next: string | null;
}

const METADATA = "100.100.100.200";

const privateRanges = new BlockList();
for (const [network, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  // Where OSS's internal addresses are (oss-semantics §1.2).
  ["100.64.0.0", 10],
] as const) {
  privateRanges.addSubnet(network, bits, "ipv4");
}
privateRanges.addSubnet("fc00::", 7, "ipv6");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether a host name of OSS is of its internal network; `null`: it is none of OSS's. */
export function isInternalName(host: string): boolean | null {
  if (!host.endsWith(".aliyuncs.com")) return null;
  return /-internal\.aliyuncs\.com$|(?:^|\.)vpc100-oss-/.test(host);
}

/**
 * Says whether a name of OSS's leads where it should: an internal one into the internal network, a public one out of it
 * (oss-semantics §1.1, §1.2).
 * @param host of the endpoint
 */
export function judgeAddress(host: string, address: string): AddressVerdict {
  const isInternal = isInternalName(host);
  if (address === METADATA) {
    return {
      level: "broken",
      note: `${address} is the metadata service of this machine`,
      next: `Find out why ${host} leads to the metadata service; no bucket is there.`,
    };
  }
  if (isInternal === null || isIn(loopback, address)) return { level: "ok", note: address, next: null };
  const isPrivate = isIn(privateRanges, address);
  if (isInternal && !isPrivate) {
    return {
      level: "broken",
      note: `${address} is a public address, and the name is an internal one`,
      next: "Ask the DNS servers of the VPC (100.100.2.136, 100.100.2.138) in dns.servers: traffic to this address would leave the internal network and be billed.",
    };
  }
  if (!isInternal && isPrivate) {
    return {
      level: "warn",
      note: `${address} is an internal address, and the name is a public one`,
      next: "If a private link or a DNS of your own leads there on purpose this is well; otherwise use endpoint: internal.",
    };
  }
  return { level: "ok", note: address, next: null };
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
}
