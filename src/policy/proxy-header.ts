import { isIPv4, isIPv6 } from "node:net";
import { canonicalClient } from "./clients.js";

/** What the first bytes of a connection are, when it should begin with a PROXY header. */
export type ProxyHeader =
  | {
      readonly kind: "whole";
      /**
       * Whom the connection was accepted from, canonical; `null` where the header names no IP address: the proxy's own
       * connection (LOCAL), UNKNOWN, AF_UNSPEC, AF_UNIX. Then the socket's own peer counts.
       */
      readonly source: string | null;
      /** The header's size; what follows is the client's. */
      readonly sizeBytes: number;
    }
  /** So far it may be one. */
  | { readonly kind: "part" }
  /** @property reason half a sentence, without anything the peer sent */
  | { readonly kind: "none"; readonly reason: string };

/** The longest version 1, its CRLF included (proxy-protocol §2.1). */
const MAX_V1_BYTES = 107;
/** Addresses and a screenful of TLVs; the specification's 64 KiB are for nobody who is in use. */
const MAX_V2_BYTES = 4096;

const V1_START = Buffer.from("PROXY ", "latin1");
const V2_START = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_FIXED_BYTES = 16;

const PART: ProxyHeader = Object.freeze({ kind: "part" });

/**
 * Reads a PROXY header, version 1 or 2, off the front of a connection (HAProxy's proxy-protocol.txt).
 * @param bytes all that has come so far
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V1_START)) return bytes.length < V1_START.length ? PART : readV1(bytes);
  if (startsLike(bytes, V2_START)) return bytes.length < V2_FIXED_BYTES ? PART : readV2(bytes);
  return none("it does not begin like one");
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function none(reason: string): ProxyHeader {
  return { kind: "none", reason };
}

/** `PROXY TCP4 192.0.2.1 198.51.100.1 40000 443` and CRLF; one space between, nothing else. */
function readV1(bytes: Buffer): ProxyHeader {
  const lineEnd = bytes.subarray(0, MAX_V1_BYTES).indexOf("\r\n", V1_START.length, "latin1");
  if (lineEnd === -1) {
    return bytes.length < MAX_V1_BYTES ? PART : none(`version 1 has no line end within ${MAX_V1_BYTES} bytes`);
  }
  const fields = bytes.toString("latin1", V1_START.length, lineEnd).split(" ");
  const sizeBytes = lineEnd + 2;
  // What may stand behind UNKNOWN is to be ignored (§2.1).
  if (fields[0] === "UNKNOWN") return { kind: "whole", source: null, sizeBytes };
  const [protocol = "", source = "", destination = "", sourcePort = "", destinationPort = ""] = fields;
  const isAddress = V1_ADDRESSES.get(protocol);
  const isWellFormed =
    fields.length === 5 &&
    isAddress?.(source) === true &&
    isAddress(destination) &&
    isPort(sourcePort) &&
    isPort(destinationPort);
  return isWellFormed
    ? { kind: "whole", source: canonicalClient(source), sizeBytes }
    : none("version 1 is neither UNKNOWN nor two addresses and two ports");
}

const V1_ADDRESSES: ReadonlyMap<string, (address: string) => boolean> = new Map([
  ["TCP4", isIPv4],
  // A zone means nothing on another machine.
  ["TCP6", (address) => isIPv6(address) && !address.includes("%")],
]);

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 0xffff;
}

const LOCAL = 0x20;
const PROXY = 0x21;

/** Bytes of the addresses and ports, by the upper half of byte 13. */
const V2_ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];
const [AF_INET, AF_INET6] = [1, 2];
const [MAX_FAMILY, MAX_TRANSPORT] = [3, 2];

/** Twelve bytes of signature, version and command, family and transport, two bytes of length, addresses, TLVs (§2.2). */
function readV2(bytes: Buffer): ProxyHeader {
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13) >> 4;
  const transport = bytes.readUInt8(13) & 0xf;
  const sizeBytes = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (command !== PROXY && command !== LOCAL) return none("version 2 has another version or command");
  if (sizeBytes > MAX_V2_BYTES) return none(`version 2 is longer than ${MAX_V2_BYTES} bytes`);
  if (command === LOCAL) return bytes.length < sizeBytes ? PART : { kind: "whole", source: null, sizeBytes };
  if (family > MAX_FAMILY || transport > MAX_TRANSPORT) return none("version 2 has an unknown family or transport");
  if (sizeBytes < V2_FIXED_BYTES + (V2_ADDRESS_BYTES[family] as number)) {
    return none("version 2 is too short for its addresses");
  }
  return bytes.length < sizeBytes ? PART : { kind: "whole", source: v2Source(bytes, family), sizeBytes };
}

function v2Source(bytes: Buffer, family: number): string | null {
  if (family === AF_INET) return bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + 4).join(".");
  if (family !== AF_INET6) return null;
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(V2_FIXED_BYTES + 2 * i).toString(16));
  return canonicalClient(groups.join(":"));
}
