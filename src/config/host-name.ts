import { isIP, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { compressIp } from "./address.js";
import { Refusal } from "./refusal.js";

/**
 * A host that a route answers to: a name, `*.` and a name, or an address (brackets are taken off).
 * Gives it in lower case, without trailing dot, addresses in canonical form.
 */
export function parseRouteHost(text: string): string | Refusal {
  if (text === "*")
    return new Refusal("a host name", "Every host at once is not possible. Name them, or write *.example.com.");
  if (!text.startsWith("*.")) return parseHost(text, "a host name, a wildcard such as *.example.com, or an address");
  const rest = parseDomain(text.slice(2));
  return rest instanceof Refusal ? rest : `*.${rest}`;
}

/** A host name that is no address and no wildcard, in lower case, without trailing dot. */
export function parseDomain(text: string): string | Refusal {
  const host = parseHost(text, "a domain name");
  if (host instanceof Refusal) return host;
  return isIP(host) === 0 ? host : new Refusal("a domain name", "An address is not one.");
}

/** A domain that can be bound to a bucket (oss-semantics §1.3: none under aliyuncs.com). */
export function parseBoundDomain(text: string): string | Refusal {
  const domain = parseDomain(text);
  if (domain instanceof Refusal || !/(?:^|\.)aliyuncs\.com$/.test(domain)) return domain;
  return new Refusal("a domain of your own", "Host names of OSS itself are known and need not be listed.");
}

function parseHost(text: string, expected: string): string | Refusal {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (isIPv6(bare) || (isIP(bare) !== 0 && bare === text)) return compressIp(bare);
  const shape = shapeHint(text);
  if (shape !== null) return new Refusal(expected, shape);
  const name = text.toLowerCase().replace(/\.$/, "");
  const label = labelHint(name);
  return label === null ? name : new Refusal(expected, label);
}

/** What is in the text besides a name. */
function shapeHint(text: string): string | null {
  if (text.includes("*")) return "A wildcard can only be the whole first label: *.example.com.";
  if (text.includes("://")) return `Leave the scheme out: ${shortHost(text.slice(text.indexOf("://") + 3))}.`;
  if (/[/?#]/.test(text)) return "Leave the path out; match.pathPrefix is the place for it.";
  if (/^[^:]*:\d*$/.test(text) || /^\[.*\]:\d*$/.test(text)) {
    return `Leave the port out: ${shortHost(text.replace(/:\d*$/, ""))}. Hosts are compared without it.`;
  }
  if (/\s/.test(text)) return "A name has no blanks.";
  if (/[^\x21-\x7e]/.test(text)) return punycodeHint(text);
  return null;
}

function shortHost(text: string): string {
  const host = text.replace(/[/?#].*$/s, "").replace(/^.*@/s, "");
  return host.length > 80 || /[^\x21-\x7e]/.test(host) ? "the name alone" : host;
}

function punycodeHint(text: string): string {
  const ascii = domainToASCII(text);
  return ascii === "" ? "Letters outside ASCII need the punycode form." : `Write the punycode form: ${ascii}.`;
}

/** What is wrong with a lower-case name by its labels. `_` is allowed, because real names have it. */
function labelHint(name: string): string | null {
  if (name === "") return "The name is empty.";
  if (name.length > 253) return "A name has at most 253 characters.";
  const labels = name.split(".");
  if (labels.includes("")) return "There is an empty label between two dots.";
  const bad = labels.find((label) => !/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
  if (bad !== undefined) return "Each label has 1 to 63 letters, digits, '-' or '_', and no '-' at its ends.";
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "") ? "It looks like an IPv4 address, but is none." : null;
}
