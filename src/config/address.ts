import { isIP, isIPv6 } from "node:net";
import type { ListenAddress, SocketAddress } from "./gateway-config.js";
import { Refusal } from "./refusal.js";

/** What every ECS instance asks for its credentials; a gateway that can be pointed there hands them out. */
const METADATA_ADDRESS = "100.100.100.200";

/**
 * One spelling for one address: IPv6 in lower case and compressed, IPv4-mapped IPv6 as IPv4. `null` when it is no address.
 * @param text without brackets
 */
export function canonicalIp(text: string): string | null {
  if (isIP(text) === 0) return null;
  const compressed = compressIp(text);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compressed);
  if (mapped === null) return compressed;
  const [high, low] = [Number.parseInt(mapped[1] as string, 16), Number.parseInt(mapped[2] as string, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** One spelling for each IPv6 address, as the `Host` of a request gets it too; IPv4 stays as it is. */
export function compressIp(ip: string): string {
  if (!isIPv6(ip) || ip.includes("%")) return ip.toLowerCase();
  return new URL(`http://[${ip}]`).hostname.slice(1, -1);
}

/** @param ip canonical, see {@link canonicalIp} */
export function isMetadataAddress(ip: string): boolean {
  return ip === METADATA_ADDRESS;
}

/** An upstream's address: any but the metadata service and "all addresses". */
export function parseUpstreamIp(text: string): string | Refusal {
  const expected = "an IPv4 or IPv6 address";
  const ip = canonicalIp(text);
  if (ip === null) return new Refusal(expected);
  if (isMetadataAddress(ip)) return metadataRefusal();
  if (ip === "0.0.0.0" || ip === "::") return new Refusal(`${expected} of OSS`, "This one means every address.");
  return ip;
}

export function metadataRefusal(): Refusal {
  return new Refusal("an address of OSS", "This one is the metadata service of ECS, which hands out credentials.");
}

const SOCKET_ADDRESS = 'an address and a port, 0.0.0.0:80 or "[::]:80"';

/**
 * `ip:port` or `[ipv6]:port`.
 * @param expected what is said of a text that is neither
 */
export function parseSocketAddress(text: string, expected = SOCKET_ADDRESS): SocketAddress | Refusal {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) return new Refusal(expected, socketAddressHint(text));
  const [, bracketed, plain = "", portText] = match;
  const port = Number(portText);
  if (port > 65_535) return new Refusal("a port from 0 to 65535");
  if (bracketed !== undefined && !isIPv6(bracketed)) return new Refusal("an IPv6 address in the brackets");
  if (bracketed === undefined && isIP(plain) === 0) return new Refusal(expected, socketAddressHint(text));
  return { host: canonicalIp(bracketed ?? plain) ?? plain, port };
}

/** `systemd:NAME`; systemd allows any text without colons and control characters as a name, 255 bytes at most. */
export function parseSystemdName(text: string, expected: string): ListenAddress | Refusal {
  const systemd = text.slice("systemd:".length);
  if (!/^[\x21-\x39\x3b-\x7e]{1,255}$/.test(systemd)) {
    return new Refusal(expected, "NAME is the FileDescriptorName= of a socket unit.");
  }
  return { host: "", port: 0, systemd };
}

function socketAddressHint(text: string): string {
  if (isIPv6(text)) return `Write an IPv6 address in brackets and quotes: "[${text}]:80".`;
  const port = /:(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined && (text.startsWith(":") || text.startsWith("*:")))
    return `For every address write 0.0.0.0:${port}.`;
  if (port !== undefined && text.startsWith("localhost:")) return `Write 127.0.0.1:${port}.`;
  if (isIP(text) !== 0) return `Add a port: ${text}:80.`;
  if (/^\d+$/.test(text)) return `Add an address: 0.0.0.0:${text}.`;
  return port === undefined ? "" : "A name is not taken here, because it can mean another address tomorrow.";
}

/** A DNS server: `ip`, `ip:port` or `[ipv6]:port`, as Node's resolver takes them. */
export function parseDnsServer(text: string): string | Refusal {
  const expected = 'the address of a DNS server, 100.100.2.136 or 10.0.0.2:5353 or "[fd00::1]:53"';
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const address = isIP(text) !== 0 ? text : (match?.[1] ?? match?.[2] ?? "");
  if (isIP(address) === 0) return new Refusal(expected);
  if (isIP(text) === 0 && match?.[3] !== undefined && !isPort(Number(match[3])))
    return new Refusal("a port from 1 to 65535");
  return text;
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/**
 * Whether both cannot be bound at once. `[::]` takes IPv4 as well, as Node binds it. Port 0 is another port each time.
 */
export function addressesOverlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  if (a.host === b.host || a.host === "::" || b.host === "::") return true;
  const sameFamily = isIPv6(a.host) === isIPv6(b.host);
  return sameFamily && (a.host === "0.0.0.0" || b.host === "0.0.0.0");
}

/** `ip:port`, with brackets around IPv6. */
export function formatSocketAddress(address: SocketAddress): string {
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
