import { isIPv6 } from "node:net";
import fc from "fast-check";
import t from "tap";
import { clientGroup } from "../../../src/policy/client-group.js";
import { canonicalClient } from "../../../src/policy/clients.js";

const same: readonly (readonly [string, string])[] = [
  ["2001:db8::1", "2001:db8::2"],
  ["2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff"],
  ["2001:db8:1:2::", "2001:db8:1:2:3:4:5:6"],
  ["::1", "::2"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::2"],
  ["1:0:0:0:5::", "1::6:7:8"],
];

const other: readonly (readonly [string, string])[] = [
  ["192.0.2.1", "192.0.2.2"],
  ["2001:db8::1", "2001:db8:0:1::1"],
  ["2001:db8:1:2::1", "2001:db8:1:3::1"],
  ["::1", "1::"],
  ["1:2::", "0:1:2::"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.2"],
];

t.test("an IPv4 address is a client, of IPv6 a /64 is", (t) => {
  const groupOf = (address: string) => clientGroup(canonicalClient(address));
  for (const [a, b] of same) t.equal(groupOf(a), groupOf(b), `${a} and ${b} are one`);
  for (const [a, b] of other) t.not(groupOf(a), groupOf(b), `${a} and ${b} are two`);
  t.equal(groupOf("::ffff:192.0.2.1"), "192.0.2.1");
  t.equal(groupOf("2001:db8::1"), "2001:db8:0:0::/64");
  t.equal(clientGroup(""), "");
  t.end();
});

t.test("addresses are of one group exactly when their first 64 bits are the same", (t) => {
  const half = fc.tuple(...Array.from({ length: 4 }, () => fc.constantFrom(0, 0, 0, 1, 0xdb8, 0x2001)));
  const written = (a: readonly number[], b: readonly number[]) =>
    canonicalClient([...a, ...b].map((part) => part.toString(16)).join(":"));
  fc.assert(
    fc.property(half, half, half, half, (net, host, otherNet, otherHost) => {
      const [one, two] = [written(net, host), written(otherNet, otherHost)];
      fc.pre(isIPv6(one) && isIPv6(two));
      return (clientGroup(one) === clientGroup(two)) === (net.join() === otherNet.join());
    }),
  );
  t.end();
});

t.test("a group is its own group", (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const group = clientGroup(canonicalClient(address));
      return clientGroup(group) === group;
    }),
  );
  t.end();
});
