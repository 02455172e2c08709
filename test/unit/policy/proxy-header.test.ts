import fc from "fast-check";
import t from "tap";
import { type ProxyHeader, readProxyHeader } from "../../../src/policy/proxy-header.js";
import { proxyV2 } from "../../support/proxy-header.js";

const SIGNATURE = proxyV2(0x21, 0x11, Buffer.alloc(0)).subarray(0, 12);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const V4_ADDRESSES = hex("c0000207 c6336401 9c40 01bb");
const V6_ADDRESSES = hex("20010db8000000000000000000000007 20010db8000000000000000000000001 9c40 01bb");
const MAPPED_ADDRESSES = hex("00000000000000000000ffffc0000207 00000000000000000000ffffc6336401 9c40 01bb");
const UNIX_ADDRESSES = Buffer.alloc(216, "/run/x");
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

const whole: readonly (readonly [what: string, header: Buffer, source: string | null])[] = [
  ["version 1, IPv4", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"), "192.0.2.7"],
  ["version 1, IPv6", latin1("PROXY TCP6 2001:DB8::7 2001:db8::1 40000 443\r\n"), "2001:db8::7"],
  ["version 1, mapped", latin1("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 0 65535\r\n"), "192.0.2.7"],
  [
    "version 1, as long as it gets",
    latin1(`PROXY TCP6 ${"ffff:".repeat(7)}fffe ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
  ],
  ["version 1, UNKNOWN", latin1("PROXY UNKNOWN\r\n"), null],
  ["version 1, UNKNOWN with words", latin1("PROXY UNKNOWN 192.0.2.7 what ever\r\n"), null],
  [
    "version 1, UNKNOWN of 107 bytes",
    latin1(`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    null,
  ],
  ["version 2, IPv4", proxyV2(0x21, 0x11, V4_ADDRESSES), "192.0.2.7"],
  ["version 2, IPv4 without a transport", proxyV2(0x21, 0x10, V4_ADDRESSES), "192.0.2.7"],
  ["version 2, IPv4 from datagrams", proxyV2(0x21, 0x12, V4_ADDRESSES), "192.0.2.7"],
  ["version 2, IPv6", proxyV2(0x21, 0x21, V6_ADDRESSES), "2001:db8::7"],
  ["version 2, mapped", proxyV2(0x21, 0x21, MAPPED_ADDRESSES), "192.0.2.7"],
  [
    "version 2 with TLVs",
    proxyV2(0x21, 0x11, Buffer.concat([V4_ADDRESSES, hex("04 0003 000000 ea 0001 00")])),
    "192.0.2.7",
  ],
  ["version 2 of 4 KiB", proxyV2(0x21, 0x11, Buffer.concat([V4_ADDRESSES, Buffer.alloc(4068, 4)])), "192.0.2.7"],
  ["version 2, AF_UNIX", proxyV2(0x21, 0x31, UNIX_ADDRESSES), null],
  ["version 2, AF_UNSPEC", proxyV2(0x21, 0x00, Buffer.alloc(0)), null],
  ["version 2, LOCAL", proxyV2(0x20, 0x00, Buffer.alloc(0)), null],
  ["version 2, LOCAL with addresses", proxyV2(0x20, 0x11, V4_ADDRESSES), null],
  ["version 2, LOCAL with anything", proxyV2(0x20, 0xff, Buffer.alloc(5)), null],
];

const none: readonly (readonly [what: string, header: Buffer])[] = [
  ["a request", latin1("GET / HTTP/1.1\r\n")],
  ["a request of a method that begins alike", latin1("PROPFIND / HTTP/1.1\r\n")],
  ["TLS", hex("16 0301 0200 01")],
  ["lower case", latin1("proxy TCP4 192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["empty lines before a request", latin1("\r\n\r\nGET / HTTP/1.1\r\n")],
  ["version 1 without addresses", latin1("PROXY TCP4\r\n")],
  ["version 1 of nothing", latin1("PROXY \r\n")],
  ["version 1 of another protocol", latin1("PROXY UDP4 192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["version 1 of an inherited name", latin1("PROXY toString 192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["version 1, IPv6 as IPv4", latin1("PROXY TCP4 2001:db8::7 2001:db8::1 40000 443\r\n")],
  ["version 1, IPv4 as IPv6", latin1("PROXY TCP6 192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["version 1, IPv6 with a zone", latin1("PROXY TCP6 fe80::1%eth0 2001:db8::1 40000 443\r\n")],
  ["version 1, a bad source", latin1("PROXY TCP4 192.0.2.777 198.51.100.1 40000 443\r\n")],
  ["version 1, a zero before", latin1("PROXY TCP4 192.0.02.7 198.51.100.1 40000 443\r\n")],
  ["version 1, a bad destination", latin1("PROXY TCP4 192.0.2.7 x 40000 443\r\n")],
  ["version 1, a port too high", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n")],
  ["version 1, a port with a zero before", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 040 443\r\n")],
  ["version 1, no ports", latin1("PROXY TCP4 192.0.2.7 198.51.100.1\r\n")],
  ["version 1, one port", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n")],
  ["version 1, a field more", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 1\r\n")],
  ["version 1, two spaces", latin1("PROXY TCP4  192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["version 1, a space behind", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n")],
  ["version 1, a tab", latin1("PROXY TCP4\t192.0.2.7 198.51.100.1 40000 443\r\n")],
  ["version 1, a bare LF inside", latin1("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\nHost: a\r\n")],
  ["version 1, an unknown word that begins alike", latin1("PROXY UNKNOWNS\r\n")],
  ["version 1 without end", latin1(`PROXY UNKNOWN ${"x".repeat(93)}`)],
  ["version 1 whose end is a byte too late", latin1(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`)],
  ["version 1 in a signature of version 2", proxyV2(0x11, 0x11, V4_ADDRESSES)],
  ["version 3", proxyV2(0x31, 0x11, V4_ADDRESSES)],
  ["version 2 of another command", proxyV2(0x22, 0x11, V4_ADDRESSES)],
  ["version 2 of another family", proxyV2(0x21, 0x41, UNIX_ADDRESSES)],
  ["version 2 of another transport", proxyV2(0x21, 0x13, V4_ADDRESSES)],
  ["version 2, too short for IPv4", proxyV2(0x21, 0x11, V4_ADDRESSES.subarray(1))],
  ["version 2, too short for IPv6", proxyV2(0x21, 0x21, V6_ADDRESSES.subarray(1))],
  ["version 2, too short for AF_UNIX", proxyV2(0x21, 0x31, UNIX_ADDRESSES.subarray(1))],
  ["version 2 of more than 4 KiB", proxyV2(0x21, 0x11, V4_ADDRESSES, 4081)],
  ["version 2, LOCAL, of 64 KiB", proxyV2(0x20, 0x00, Buffer.alloc(0), 65535)],
];

t.test("a whole header tells whom the connection is from and where it ends", (t) => {
  const rest = latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (const [what, header, source] of whole) {
    const expected: ProxyHeader = { kind: "whole", source, sizeBytes: header.length };
    t.strictSame(readProxyHeader(header), expected, what);
    t.strictSame(readProxyHeader(Buffer.concat([header, rest])), expected, `${what}, and a request`);
    t.strictSame(readProxyHeader(Buffer.concat([header, header])), expected, `${what}, twice`);
  }
  t.end();
});

t.test("each piece of a header from its front may become one", (t) => {
  for (const [what, header] of whole) {
    const kinds = new Set<string>();
    for (let size = 0; size < header.length; size += 1) kinds.add(readProxyHeader(header.subarray(0, size)).kind);
    t.strictSame([...kinds], ["part"], what);
  }
  t.end();
});

t.test("what is no header is said to be none", (t) => {
  for (const [what, bytes] of none) t.equal(readProxyHeader(bytes).kind, "none", what);
  t.end();
});

t.test("no more than 4 KiB are ever waited for", (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4096, maxLength: 4200 }),
      fc.constantFrom(latin1("PROXY "), latin1("PROXY UNKNOWN "), SIGNATURE, proxyV2(0x21, 0x11, V4_ADDRESSES)),
      (bytes, start) => {
        t.not(readProxyHeader(Buffer.concat([start, bytes])).kind, "part");
      },
    ),
  );
  t.end();
});

t.test("what has been decided stays, whatever comes behind it", (t) => {
  const inputs = fc.oneof(
    fc.constantFrom(...whole, ...none).map(([, header]) => header),
    fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.concat([SIGNATURE, bytes])),
    fc.string({ maxLength: 120 }).map((text) => latin1(`PROXY ${text}\r\n`)),
  );
  fc.assert(
    fc.property(inputs, fc.uint8Array({ maxLength: 50 }), (bytes, more) => {
      const first = readProxyHeader(bytes);
      if (first.kind !== "part") t.strictSame(readProxyHeader(Buffer.concat([bytes, more])), first);
    }),
  );
  t.end();
});
