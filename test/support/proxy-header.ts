/** Headers of the PROXY protocol, as proxies write them. */

const V2_SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

/** A version 1 header for a connection from an address; IPv4 where it has no colon. */
export function proxyV1(source: string): Buffer {
  const destination = source.includes(":") ? "2001:db8::1" : "198.51.100.1";
  return Buffer.from(
    `PROXY ${source.includes(":") ? "TCP6" : "TCP4"} ${source} ${destination} 40000 443\r\n`,
    "latin1",
  );
}

/**
 * A version 2 header, byte for byte.
 * @param command byte 12, 0x21 for PROXY and 0x20 for LOCAL
 * @param family byte 13, 0x11 for TCP over IPv4 and 0x21 over IPv6
 * @param rest addresses, ports and TLVs
 * @param length what the header says that `rest` has
 */
export function proxyV2(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  return Buffer.concat([V2_SIGNATURE, Buffer.from([command, family, length >> 8, length & 255]), rest]);
}

/** A version 2 header for a connection from an IPv4 address, with a TLV behind the addresses. */
export function proxyV2From(source: string, tlvBytes = 4): Buffer {
  const addresses = Buffer.from([...source.split("."), 198, 51, 100, 1].map(Number));
  const ports = Buffer.from([0x9c, 0x40, 0x01, 0xbb]);
  const tlv = Buffer.alloc(tlvBytes, 0);
  tlv.writeUInt8(0x04, 0);
  tlv.writeUInt16BE(tlvBytes - 3, 1);
  return proxyV2(0x21, 0x11, Buffer.concat([addresses, ports, tlv]));
}

/** The proxy's own connection, to see whether the server is well. */
export const PROXY_V2_LOCAL = proxyV2(0x20, 0x00, Buffer.alloc(0));
