import { isIP } from "node:net";
import { canonicalIp, compressIp } from "./address.js";
import { Refusal } from "./refusal.js";

const EXPECTED = "a network such as 203.0.113.0/24 or 2001:db8::/32, or an address";

/**
 * A network or a single address, IPv4 or IPv6.
 * @returns one spelling for each: compressed, lower case, a network of one address as that address
 */
export function parseCidr(text: string): string | Refusal {
  const [address = "", length, ...rest] = text.split("/");
  if (rest.length > 0 || isIP(address) === 0 || address.includes("%")) return new Refusal(EXPECTED, shapeHint(text));
  const bits = isIP(address) === 4 ? 32 : 128;
  if (length !== undefined && !isLength(length, bits)) return new Refusal(EXPECTED, lengthHint(address, length, bits));
  const prefix = length === undefined ? bits : Number(length);
  return mappedRefusal(address, prefix) ?? network(address, prefix, bits);
}

function isLength(text: string, bits: number): boolean {
  return /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) <= bits;
}

function network(address: string, prefix: number, bits: number): string | Refusal {
  const value = toNumber(address);
  const hostBits = BigInt(bits - prefix);
  const base = (value >> hostBits) << hostBits;
  const text = prefix === bits ? toText(base, bits) : `${toText(base, bits)}/${prefix}`;
  if (base === value) return text;
  return new Refusal("a network without host bits", `Write ${text}, or ${toText(value, bits)} for the one address.`);
}

/** Clients are compared as IPv4 when they come by IPv4, whatever the socket calls them. */
function mappedRefusal(address: string, prefix: number): Refusal | null {
  const mapped = isIP(address) === 6 ? canonicalIp(address) : null;
  if (mapped === null || isIP(mapped) !== 4 || prefix < 96) return null;
  const ipv4 = network(mapped, prefix - 96, 32);
  const hint = ipv4 instanceof Refusal ? ipv4.hint : `Write ${ipv4}.`;
  return new Refusal("IPv4 without IPv6 around it", hint);
}

function shapeHint(text: string): string {
  if (text.includes("%")) return "Leave the zone out.";
  if (/^[\da-f.:]+\s*-\s*[\da-f.:]+$/i.test(text)) return "Write a range as networks.";
  if (/^\[.*\](?::\d+)?$/.test(text)) return "Write it without brackets and port.";
  if (/^\d+(?:\.\d+)*\.?\*$/.test(text)) return "Write the network with its length: 10.0.0.0/8 for 10.*.";
  if (/^\d+(?:\.\d+){0,2}\/\d+$/.test(text)) return "Write all four numbers of the address.";
  return /[a-z]/i.test(text) && !text.includes(":")
    ? "A name is not taken here, because it can mean another address tomorrow."
    : "";
}

function lengthHint(address: string, length: string, bits: number): string {
  const prefix = bits === 32 && isIP(length) === 4 ? maskLength(length) : null;
  if (prefix !== null) return `Write the length instead of the mask: ${address}/${prefix}.`;
  return `The number behind the slash is 0 to ${bits}.`;
}

/** 255.255.0.0 → 16; `null` when the ones are not in one piece. */
function maskLength(mask: string): number | null {
  const digits = toNumber(mask).toString(2).padStart(32, "0");
  return /^1*0*$/.test(digits) ? digits.replace(/0+$/, "").length : null;
}

function toNumber(address: string): bigint {
  if (isIP(address) === 4) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [head = "", tail] = compressIp(address).split("::");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(tail === undefined ? 0 : 8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}

function groups(text: string): readonly string[] {
  return text === "" ? [] : text.split(":");
}

function toText(value: bigint, bits: number): string {
  const [width, radix, separator, count] = bits === 32 ? [8n, 10, ".", 4] : [16n, 16, ":", 8];
  const mask = (1n << width) - 1n;
  const parts = Array.from({ length: count }, (_, i) =>
    ((value >> (width * BigInt(count - 1 - i))) & mask).toString(radix),
  );
  return compressIp(parts.join(separator));
}
