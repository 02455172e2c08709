import { once } from "node:events";
import { connect, createServer } from "node:net";
import fc from "fast-check";
import t from "tap";
import { canonicalClient, compileClients } from "../../../src/policy/clients.js";

t.test("an address is written in one way", (t) => {
  const table: readonly (readonly [written: string, canonical: string])[] = [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["0000:0000:0000:0000:0000:FFFF:C000:0201", "192.0.2.1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["FE80::1%1", "fe80::1"],
    ["::ffff:0:192.0.2.1", "::ffff:0:c000:201"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
  ];
  for (const [written, canonical] of table) t.equal(canonicalClient(written), canonical, written);
  t.end();
});

t.test("what is no address has no canonical form", (t) => {
  for (const none of [
    "",
    "localhost",
    "010.0.0.1",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "[::1]",
    "::ffff:1.2.3",
    "::ffff:",
    "1.2.3.4:80",
    " ::1",
    ":::",
    "192.0.2.1%eth0",
  ]) {
    t.equal(canonicalClient(none), "", JSON.stringify(none));
  }
  t.end();
});

t.test("an address that a socket reports is canonical, but for IPv4 on a socket of both families", async (t) => {
  for (const [listen, expected] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::", "127.0.0.1"],
  ] as const) {
    const server = createServer().listen(0, listen);
    await once(server, "listening");
    const { port } = server.address() as { readonly port: number };
    const client = connect(port, "127.0.0.1");
    const [socket] = await once(server, "connection");
    t.equal(canonicalClient(socket.remoteAddress), expected, listen);
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, "close");
  }
});

t.test("an address is in a list when one of its networks has it", (t) => {
  const clients = compileClients([
    "203.0.113.0/24",
    "192.0.2.7",
    "10.1.2.3/8",
    "2001:db8::/32",
    "::1",
    "::ffff:198.51.100.0/120",
    "::ffff:198.18.0.1",
  ]);
  for (const address of [
    "203.0.113.0",
    "203.0.113.255",
    "192.0.2.7",
    "10.255.0.1",
    "2001:db8::",
    "2001:db8:ffff::1",
    "::1",
    "198.51.100.9",
    "198.18.0.1",
  ]) {
    t.ok(clients.has(address), address);
    t.ok(clients.has(address), `${address}, asked again`);
  }
  for (const address of [
    "203.0.112.255",
    "203.0.114.0",
    "192.0.2.8",
    "11.0.0.0",
    "2001:db9::",
    "::2",
    "198.51.101.0",
    "198.18.0.2",
    "",
    "localhost",
    "::ffff:192.0.2.7x",
  ]) {
    t.notOk(clients.has(address), address);
    t.notOk(clients.has(address), `${address}, asked again`);
  }
  t.end();
});

t.test("every IPv6 address is no IPv4 address, and the other way round", (t) => {
  const ipv6 = compileClients(["::/0"]);
  t.same(["::1", "2001:db8::1", "192.0.2.1"].map(ipv6.has), [true, true, false]);
  const ipv4 = compileClients(["0.0.0.0/0"]);
  t.same(["::1", "192.0.2.1"].map(ipv4.has), [false, true]);
  t.equal(compileClients([]).has("192.0.2.1"), false);
  t.end();
});

t.test("an entry that is no network is named", (t) => {
  for (const wrong of [
    "",
    "localhost",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "10.0.0.0/255.0.0.0",
    "fe80::1%eth0",
    "10.0.0.0/1e1",
    "/8",
  ]) {
    t.throws(() => compileClients(["10.0.0.0/8", wrong]), { message: `"${wrong}" is neither an address nor a CIDR.` });
  }
  t.end();
});

t.test("a list says what arithmetic on addresses says", (t) => {
  const ipv4 = fc.integer({ min: 0, max: 0xffff_ffff }).map(BigInt);
  const ipv6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).filter((value) => value >> 32n !== 0xffffn);
  const network = fc.oneof(
    fc.tuple(fc.constant(32), ipv4, fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.constant(128), ipv6, fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(fc.array(network, { maxLength: 5 }), fc.nat(127), (networks, flip) => {
      const clients = compileClients(networks.map(([bits, value, length]) => `${write(value, bits)}/${length}`));
      for (const [bits, value] of networks) {
        // One bit away from a network's address: on either side of its border.
        const address = value ^ (1n << BigInt(flip % bits));
        if (bits === 128 && address >> 32n === 0xffffn) continue;
        const isIn = networks.some(([otherBits, other, length]) => {
          const rest = BigInt(otherBits - length);
          return otherBits === bits && other >> rest === address >> rest;
        });
        t.equal(clients.has(canonicalClient(write(address, bits))), isIn);
      }
    }),
  );
  t.end();
});

t.test("answers are right however many addresses were asked about", (t) => {
  const clients = compileClients(["10.0.0.0/16"]);
  for (let round = 0; round < 2; round += 1) {
    let listed = 0;
    for (let i = 0; i < 5000; i += 1) {
      if (clients.has(`10.${i % 2}.${(i >> 8) & 255}.${i & 255}`)) listed += 1;
    }
    t.equal(listed, 2500);
  }
  t.end();
});

function write(value: bigint, bits: number): string {
  const [groupBits, separator, radix] = bits === 32 ? [8n, ".", 10] : [16n, ":", 16];
  const groups: string[] = [];
  for (let rest = BigInt(bits) - groupBits; rest >= 0n; rest -= groupBits) {
    groups.push(((value >> rest) & ((1n << groupBits) - 1n)).toString(radix));
  }
  return groups.join(separator);
}
