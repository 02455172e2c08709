import { isIPv4, isIPv6 } from "node:net";
import { type HeaderList, headerValues } from "../core/headers.js";
import { type Clients, canonicalClient } from "./clients.js";

/** Where a request comes from, as the connection and its head tell it. */
export interface ClientIpFacts {
  /** The peer, of the socket or of a PROXY header that is believed. Canonical (see `canonicalClient`). */
  readonly peer: string;
  /** All values of X-Forwarded-For, joined with commas in order; `""` for none. */
  readonly forwardedFor: string;
}

/** The client's address, canonical. The rightmost address that is no trusted proxy's wins (RFC 7239 §8.1 on trust). */
export type FindClientIp = (facts: ClientIpFacts) => string;

/** Addresses that are looked at, from the right; longer chains of trusted proxies are nobody's. */
const MAX_WALKED = 32;

/** An IPv6 address in full with a zone, brackets and a port is shorter. */
const MAX_ADDRESS_CHARS = 80;

/**
 * Compiles the walk along X-Forwarded-For (peers row 49; NGINX's `real_ip_recursive on`). Each proxy appends the address
 * that it saw, so an entry is believed as far as all that stand right of it, and the peer, are trusted proxies. What is
 * no address (`unknown`, `_hidden`, nothing) ends the walk at the last good one: whoever wrote further left is unknown.
 * Where all are trusted, the leftmost is the client.
 * @param trusted the proxies whose word counts
 */
export function compileClientIp(trusted: Clients): FindClientIp {
  return ({ peer, forwardedFor }) =>
    forwardedFor === "" || !trusted.has(peer) ? peer : walk(trusted, peer, forwardedFor);
}

function walk(trusted: Clients, peer: string, forwardedFor: string): string {
  let client = peer;
  let end = forwardedFor.length;
  for (let walked = 0; walked < MAX_WALKED && end >= 0; walked += 1) {
    const comma = forwardedFor.lastIndexOf(",", end - 1);
    const address = addressOf(forwardedFor.slice(comma + 1, end));
    if (address === "") return client;
    client = address;
    if (!trusted.has(address)) return client;
    end = comma;
  }
  return client;
}

const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/;
const PORT = /^\d{1,5}$/;

/** An address as proxies write it, some with a port; `""` for what is none. */
function addressOf(element: string): string {
  const text = element.trim();
  if (text.length > MAX_ADDRESS_CHARS) return "";
  if (text.startsWith("[")) {
    const inside = BRACKETED.exec(text)?.[1] ?? "";
    return isIPv6(inside) ? canonicalClient(inside) : "";
  }
  const colon = text.indexOf(":");
  if (colon === -1 || text.includes(":", colon + 1)) return canonicalClient(text);
  const host = text.slice(0, colon);
  return isIPv4(host) && PORT.test(text.slice(colon + 1)) ? host : "";
}

/**
 * All lines of X-Forwarded-For as one (RFC 9110 §5.3): some proxies append to the last line, others add one.
 * @param headers names and values in turn
 */
export function joinForwardedFor(headers: HeaderList): string {
  return headerValues(headers, "x-forwarded-for").join(",");
}
