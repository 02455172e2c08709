import { BlockList, isIPv4 } from "node:net";
import fc from "fast-check";
import t from "tap";
import { parseCidr } from "../../../src/config/cidr.js";
import { Refusal } from "../../../src/config/refusal.js";

const GOOD: readonly [written: string, canonical: string][] = [
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["203.0.113.5", "203.0.113.5"],
  ["203.0.113.5/32", "203.0.113.5"],
  ["128.0.0.0/1", "128.0.0.0/1"],
  ["2001:DB8:0:0::/32", "2001:db8::/32"],
  ["2001:db8:0:0:0:0:0:1", "2001:db8::1"],
  ["2001:db8::1/128", "2001:db8::1"],
  ["::/0", "::/0"],
  ["fe80::/10", "fe80::/10"],
  ["64:ff9b::/96", "64:ff9b::/96"],
  ["2001:db8::1.2.3.4", "2001:db8::102:304"],
];

for (const [written, canonical] of GOOD) {
  t.test(`${written} is ${canonical}`, async (t) => {
    t.equal(parseCidr(written), canonical);
  });
}

const BAD: readonly [written: string, hint: string][] = [
  ["10.0.0.1/8", "Write 10.0.0.0/8, or 10.0.0.1 for the one address."],
  ["203.0.113.66/26", "Write 203.0.113.64/26, or 203.0.113.66 for the one address."],
  ["2001:db8::1/64", "Write 2001:db8::/64, or 2001:db8::1 for the one address."],
  ["::ffff:10.0.0.1", "Write 10.0.0.1."],
  ["::ffff:10.0.0.0/104", "Write 10.0.0.0/8."],
  ["::ffff:a00:1/104", "Write 10.0.0.0/8, or 10.0.0.1 for the one address."],
  ["::ffff:0:0/96", "Write 0.0.0.0/0."],
  ["10.0.0.0/33", "The number behind the slash is 0 to 32."],
  ["10.0.0.0/08", "The number behind the slash is 0 to 32."],
  ["10.0.0.0/", "The number behind the slash is 0 to 32."],
  ["::/129", "The number behind the slash is 0 to 128."],
  ["10.0.0.0/255.0.0.0", "Write the length instead of the mask: 10.0.0.0/8."],
  ["10.0.0.0/0.0.0.255", "The number behind the slash is 0 to 32."],
  ["fe80::1%eth0", "Leave the zone out."],
  ["10.0.0.1-10.0.0.9", "Write a range as networks."],
  ["10.*", "Write the network with its length: 10.0.0.0/8 for 10.*."],
  ["10/8", "Write all four numbers of the address."],
  ["[2001:db8::1]:80", "Write it without brackets and port."],
  ["office.example.com", "A name is not taken here, because it can mean another address tomorrow."],
  ["010.0.0.1", ""],
  ["10.0.0.0/8/8", ""],
  ["", ""],
];

for (const [written, hint] of BAD) {
  t.test(`the network ${JSON.stringify(written)} is refused`, async (t) => {
    const refusal = parseCidr(written);
    t.ok(refusal instanceof Refusal);
    t.equal(refusal instanceof Refusal ? refusal.hint : null, hint);
  });
}

t.test("what is taken is its own canonical text, and has the address that was written", async () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const network = fc.tuple(address, fc.nat(128)).map(([ip, length]) => `${ip}/${isIPv4(ip) ? length % 33 : length}`);
  fc.assert(
    fc.property(fc.oneof(address, network), (text) => {
      const parsed = parseCidr(text);
      if (parsed instanceof Refusal) return;
      const [ip = "", length] = parsed.split("/");
      const family = isIPv4(ip) ? "ipv4" : "ipv6";
      const list = new BlockList();
      list.addSubnet(ip, Number(length ?? (family === "ipv4" ? 32 : 128)), family);
      if (parseCidr(parsed) !== parsed) throw new Error(`${parsed} is not canonical`);
      if (!list.check(text.split("/")[0] as string, family)) throw new Error(`${text} is not in ${parsed}`);
    }),
    { numRuns: 2000 },
  );
});

t.test("a network with host bits is told the one that has its address", async () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 31 }), (ip, length) => {
      const refusal = parseCidr(`${ip}/${length}`);
      if (!(refusal instanceof Refusal)) return;
      const hinted = /^Write (\S+), or/.exec(refusal.hint)?.[1] ?? "";
      if (parseCidr(hinted) !== hinted) throw new Error(`${hinted} is not taken`);
      const list = new BlockList();
      list.addSubnet(hinted.split("/")[0] as string, length, "ipv4");
      if (!list.check(ip, "ipv4")) throw new Error(`${ip} is not in ${hinted}`);
    }),
  );
});
