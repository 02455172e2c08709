import fc from "fast-check";
import t from "tap";
import { compileClientIp, joinForwardedFor } from "../../../src/policy/client-ip.js";
import { canonicalClient, compileClients } from "../../../src/policy/clients.js";

const TRUSTED = ["10.0.0.0/8", "2001:db8:aaaa::/48", "127.0.0.1"];
const trusted = compileClients(TRUSTED);
const find = compileClientIp(trusted);
const PEER = "10.0.0.1";

t.test("the rightmost address that is no trusted proxy's is the client", (t) => {
  const table: readonly (readonly [forwardedFor: string, client: string])[] = [
    ["", PEER],
    ["192.0.2.1", "192.0.2.1"],
    ["198.51.100.9, 192.0.2.1", "192.0.2.1"],
    ["198.51.100.9,192.0.2.1,10.2.3.4", "192.0.2.1"],
    ["198.51.100.9, 192.0.2.1, 10.2.3.4, 2001:db8:aaaa::5", "192.0.2.1"],
    ["10.9.9.9, 192.0.2.1, 10.2.3.4", "192.0.2.1"],
    ["192.0.2.1, 198.51.100.9, 192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0::7", "2001:db8::7"],
  ];
  for (const [forwardedFor, client] of table) t.equal(find({ peer: PEER, forwardedFor }), client, forwardedFor);
  t.end();
});

t.test("where all are trusted, the leftmost is the client", (t) => {
  t.equal(find({ peer: PEER, forwardedFor: "10.1.1.1" }), "10.1.1.1");
  t.equal(find({ peer: PEER, forwardedFor: "10.3.3.3, 10.2.2.2, 10.1.1.1" }), "10.3.3.3");
  t.equal(find({ peer: PEER, forwardedFor: "2001:db8:aaaa::1,127.0.0.1" }), "2001:db8:aaaa::1");
  t.end();
});

t.test("a peer that is not trusted is the client, whatever it writes", (t) => {
  for (const peer of ["192.0.2.1", "2001:db8::1", "127.0.0.2", ""]) {
    for (const forwardedFor of ["", "10.0.0.1", "198.51.100.9", "garbage", "198.51.100.9, 10.0.0.1"]) {
      t.equal(find({ peer, forwardedFor }), peer, `${peer} ${forwardedFor}`);
    }
  }
  t.end();
});

t.test("what is no address ends the walk at the last good one", (t) => {
  const noAddresses = [
    "unknown",
    "_hidden",
    "",
    " ",
    "localhost",
    "192.0.2",
    "192.0.2.300",
    "0192.0.2.1",
    "192.0.2.1/24",
    "192.0.2.1 192.0.2.2",
    '"192.0.2.1"',
    "for=192.0.2.1",
    "192.0.2.1:",
    "192.0.2.1:http",
    "192.0.2.1:123456",
    "192.0.2.1:80:80",
    "[192.0.2.1]",
    "[2001:db8::1",
    "2001:db8::1]",
    "[2001:db8::1]443",
    "[2001:db8::1]:",
    "[2001:db8::1]:x",
    "[]",
    "[",
    ":",
    ":80",
    "2001:db8::g",
    "\u00ff",
    "9".repeat(10_000),
    `fe80::1%${"a".repeat(10_000)}`,
    `[${":".repeat(10_000)}]`,
  ];
  for (const none of noAddresses) {
    const label = none.slice(0, 40);
    t.equal(find({ peer: PEER, forwardedFor: none }), PEER, label);
    t.equal(find({ peer: PEER, forwardedFor: `198.51.100.9,${none}` }), PEER, label);
    t.equal(find({ peer: PEER, forwardedFor: `198.51.100.9,${none},10.1.1.1` }), "10.1.1.1", label);
    t.equal(find({ peer: PEER, forwardedFor: `${none},192.0.2.1,10.1.1.1` }), "192.0.2.1", label);
  }
  t.end();
});

t.test("an address is read as proxies write it", (t) => {
  const table: readonly (readonly [written: string, client: string])[] = [
    ["192.0.2.1:567", "192.0.2.1"],
    ["192.0.2.1:65535", "192.0.2.1"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["2001:0DB8:0000::0001", "2001:db8::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["[::ffff:192.0.2.1]:80", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::1"],
    ["[fe80::1%25]:80", "fe80::1"],
    [" \t 192.0.2.1 \t ", "192.0.2.1"],
    ["  [2001:db8::1]:443 ", "2001:db8::1"],
  ];
  for (const [written, client] of table) {
    t.equal(find({ peer: PEER, forwardedFor: written }), client, written);
    t.equal(find({ peer: PEER, forwardedFor: `198.51.100.9,${written},10.1.1.1:80` }), client, written);
  }
  t.equal(find({ peer: PEER, forwardedFor: "192.0.2.1, ::ffff:10.1.1.1, [2001:db8:aaaa::1]:80" }), "192.0.2.1");
  t.end();
});

t.test("a chain is walked for 32 addresses, however long the header is", (t) => {
  const chain = (count: number): string =>
    Array.from({ length: count }, (_, i) => `10.0.${(count - i) >> 8}.${(count - i) & 255}`).join(", ");
  t.equal(find({ peer: PEER, forwardedFor: `192.0.2.1, ${chain(31)}` }), "192.0.2.1");
  t.equal(find({ peer: PEER, forwardedFor: `192.0.2.1, ${chain(32)}` }), "10.0.0.32");
  t.equal(find({ peer: PEER, forwardedFor: chain(30_000) }), "10.0.0.32");
  let asked = 0;
  const counting = compileClientIp({
    has: (address) => {
      asked += 1;
      return trusted.has(address);
    },
  });
  counting({ peer: PEER, forwardedFor: chain(30_000) });
  t.equal(asked, 33, "the peer and 32 more");
  t.end();
});

const anyAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.7.${a}.${b}`),
);
const anyText = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.array(fc.oneof(anyAddress, fc.constantFrom("unknown", "", " ", "[", "::", "%")), { maxLength: 40 }).map(String),
);
const untrusted = anyAddress.map(canonicalClient).filter((address) => !trusted.has(address));
const trustedChain = fc.array(
  fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.7.${a}.${b}`),
  { maxLength: 5 },
);

t.test("whatever a client writes, it is the address that the first trusted proxy saw", (t) => {
  fc.assert(
    fc.property(anyText, untrusted, trustedChain, (forged, client, proxies) => {
      const forwardedFor = [forged, client, ...proxies].join(", ");
      t.equal(find({ peer: PEER, forwardedFor }), client);
    }),
  );
  t.end();
});

t.test("nothing that stands left of what ends the walk changes the client", (t) => {
  const ends = fc.oneof(untrusted, fc.constantFrom("unknown", "_hidden", "", "[2001:db8::1", "192.0.2.1:x"));
  fc.assert(
    fc.property(anyText, anyText, ends, trustedChain, (forged, otherForged, end, proxies) => {
      const clientBehind = (text: string) =>
        find({ peer: PEER, forwardedFor: `${text},${[end, ...proxies].join(",")}` });
      t.equal(clientBehind(forged), clientBehind(otherForged));
    }),
  );
  t.end();
});

t.test("what is found is canonical", (t) => {
  fc.assert(
    fc.property(anyText, (forwardedFor) => {
      const client = find({ peer: PEER, forwardedFor });
      t.equal(canonicalClient(client), client);
    }),
  );
  t.end();
});

t.test("several lines are one, in their order", (t) => {
  t.equal(joinForwardedFor([]), "");
  t.equal(
    joinForwardedFor(["Host", "a", "X-Forwarded-For", "1.1.1.1", "x-forwarded-for", "2.2.2.2"]),
    "1.1.1.1,2.2.2.2",
  );
  t.equal(joinForwardedFor(["X-FORWARDED-FOR", "", "X-Forwarded-For", "2.2.2.2"]), ",2.2.2.2");
  t.equal(joinForwardedFor(["X-Forwarded-Fox", "1.1.1.1", "X-Forwarded", "2.2.2.2"]), "");
  t.end();
});
