import t, { type Test } from "tap";
import { curl, needs } from "../clients/programs.js";
import { PROXY_V2_LOCAL, proxyV1, proxyV2, proxyV2From } from "../support/proxy-header.js";
import { answerTo, head, RawConnection } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, relay, startRelay } from "../support/relay-world.js";

const ROUTES = `
  - { name: all, match: { hosts: [all.test, 127.0.0.1] }, bucket: one, methods: [GET, PUT] }
  - { name: listed, match: { hosts: [listed.test] }, bucket: one, allow: { clients: [192.0.2.0/24, "2001:db8::/32"] } }
`;

interface Proxies {
  readonly address?: string;
  readonly proxyProtocol?: boolean;
  /** A flow list. */
  readonly trusted?: string;
}

async function startBehind(t: Test, { address = "127.0.0.1:0", proxyProtocol = false, trusted }: Proxies) {
  const listeners = `listeners: [{ name: web, address: "${address}", proxyProtocol: ${proxyProtocol} }]`;
  const world = await startRelay(t, ROUTES, `${listeners}\ntrustedProxies: ${trusted ?? "[127.0.0.1, 10.0.0.0/8]"}`);
  world.emulator.putObject(BUCKET, "k", "k");
  return world;
}

const forwarded = (...values: readonly string[]): string[] => values.flatMap((value) => ["X-Forwarded-For", value]);

let count = 0;

/** One request on a connection that begins with a PROXY header: its answer's status and its line in the log. */
async function askThrough({ gateway }: RelayWorld, header: Buffer, host = "all.test", headers: string[] = []) {
  count += 1;
  const mark = `proxy/${count}`;
  const request = head("GET", "/k", ["Host", host, "User-Agent", mark, ...headers]);
  const { status } = await answerTo(gateway.port, Buffer.concat([header, Buffer.from(request)]), "GET");
  const { client } = await gateway.logged(({ userAgent }) => userAgent === mark);
  return { status, client };
}

t.test("the client that a trusted proxy names is in the log and decides who may", async (t) => {
  const world = await startBehind(t, {});
  const table: readonly (readonly [values: readonly string[], client: string, status: number])[] = [
    [[], "127.0.0.1", 403],
    [["192.0.2.7"], "192.0.2.7", 200],
    [["198.51.100.9"], "198.51.100.9", 403],
    [["192.0.2.7, 198.51.100.9"], "198.51.100.9", 403],
    [["192.0.2.7, 198.51.100.9", "10.1.2.3"], "198.51.100.9", 403],
    [["198.51.100.9", "192.0.2.7", "10.1.2.3, 10.3.2.1"], "192.0.2.7", 200],
    [["[2001:db8::7]:40000"], "2001:db8::7", 200],
    [["::ffff:192.0.2.7"], "192.0.2.7", 200],
    [["192.0.2.7, unknown"], "127.0.0.1", 403],
    [["10.1.2.3"], "10.1.2.3", 403],
  ];
  for (const [values, client, status] of table) {
    const { answer, entry } = await relay(world, { host: "listed.test", target: "/k", headers: forwarded(...values) });
    t.equal(entry.client, client, values.join(" | "));
    t.equal(answer.status, status, values.join(" | "));
  }
});

t.test("requests of several clients on one connection of a proxy's are told apart", async (t) => {
  const { gateway } = await startBehind(t, {});
  const connection = await RawConnection.open(gateway.port);
  const clients = ["192.0.2.7", "198.51.100.9", "192.0.2.8"];
  for (const client of clients) {
    connection.send(head("GET", "/k", ["Host", "listed.test", "X-Forwarded-For", client, "User-Agent", client]));
  }
  const statuses = [await connection.answer(), await connection.answer(), await connection.answer()];
  t.strictSame(
    statuses.map(({ status }) => status),
    [200, 403, 200],
  );
  for (const client of clients) t.equal((await gateway.logged((e) => e.userAgent === client)).client, client);
  connection.close();
});

t.test("a proxy that arrives as IPv4 on a socket of both families is trusted as IPv4", async (t) => {
  const world = await startBehind(t, { address: "[::]:0" });
  const { entry } = await relay(world, { host: "all.test", target: "/k", headers: forwarded("192.0.2.7") });
  t.equal(entry.client, "192.0.2.7");
});

t.test("a request that is refused for its own form is logged with its client too", async (t) => {
  const { gateway } = await startBehind(t, {});
  const wrong: readonly (readonly [error: string, target: string, headers: readonly string[]])[] = [
    ["INVALID_HOST", "/k", ["Host", "all.test", "Host", "all.test"]],
    ["EXPECTATION_FAILED", "/k", ["Host", "all.test", "Expect", "wonders"]],
    ["MALFORMED_TARGET", "/%zz", ["Host", "all.test"]],
    ["NO_ROUTE", "/k", ["Host", "other.test"]],
  ];
  for (const [error, target, headers] of wrong) {
    await answerTo(gateway.port, head("GET", target, [...headers, ...forwarded("192.0.2.7")]));
    t.equal((await gateway.logged((entry) => entry.error === error)).client, "192.0.2.7", error);
  }
});

t.test("a PROXY header of a trusted proxy names the client, version 1 and 2", async (t) => {
  const world = await startBehind(t, { proxyProtocol: true });
  const v6 = Buffer.concat([Buffer.from(`20010db8${"00".repeat(11)}07`.repeat(2), "hex"), Buffer.from([0, 1, 0, 2])]);
  const table: readonly (readonly [what: string, header: Buffer, client: string, status: number])[] = [
    ["version 1", proxyV1("192.0.2.7"), "192.0.2.7", 200],
    ["version 1, IPv6", proxyV1("2001:db8::7"), "2001:db8::7", 200],
    ["version 1, mapped", proxyV1("::ffff:192.0.2.7"), "192.0.2.7", 200],
    ["version 1, not listed", proxyV1("198.51.100.9"), "198.51.100.9", 403],
    ["version 1, UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), "127.0.0.1", 403],
    ["version 2", proxyV2From("192.0.2.7"), "192.0.2.7", 200],
    ["version 2, 4 KiB of it", proxyV2From("192.0.2.7", 4068), "192.0.2.7", 200],
    ["version 2, IPv6", proxyV2(0x21, 0x21, v6), "2001:db8::7", 200],
    ["version 2, not listed", proxyV2From("198.51.100.9"), "198.51.100.9", 403],
    ["version 2, AF_UNIX", proxyV2(0x21, 0x31, Buffer.alloc(216, "/run/x")), "127.0.0.1", 403],
    ["version 2, LOCAL", PROXY_V2_LOCAL, "127.0.0.1", 403],
  ];
  for (const [what, header, client, status] of table) {
    t.strictSame(await askThrough(world, header, "listed.test"), { status, client }, what);
  }
});

t.test("X-Forwarded-For behind a PROXY header counts where the header names a trusted proxy", async (t) => {
  const world = await startBehind(t, { proxyProtocol: true });
  const headers = forwarded("192.0.2.7");
  for (const [header, client] of [
    [proxyV1("10.1.2.3"), "192.0.2.7"],
    [proxyV2From("10.1.2.3"), "192.0.2.7"],
    [PROXY_V2_LOCAL, "192.0.2.7"],
    [proxyV1("198.51.100.9"), "198.51.100.9"],
    [proxyV2From("198.51.100.9"), "198.51.100.9"],
  ] as const) {
    t.equal((await askThrough(world, header, "all.test", headers)).client, client);
  }
});

t.test("the header goes with the connection: all its requests are of that client", async (t) => {
  const { gateway, emulator } = await startBehind(t, { proxyProtocol: true });
  const connection = await RawConnection.open(gateway.port);
  connection.send(proxyV2From("192.0.2.7"));
  const put = (i: number): string =>
    head("PUT", "/p", ["Host", "all.test", "Content-Length", "2", "User-Agent", `p${i}`]);
  for (let i = 0; i < 3; i += 1) connection.send(`${put(i)}b${i}`);
  for (let i = 0; i < 3; i += 1) t.equal((await connection.answer("PUT")).status, 200);
  connection.send(head("GET", "/p", ["Host", "listed.test", "User-Agent", "last"]));
  t.equal((await connection.answer()).body.toString(), "b2");
  for (const mark of ["p0", "p1", "p2", "last"]) {
    t.equal((await gateway.logged(({ userAgent }) => userAgent === mark)).client, "192.0.2.7");
  }
  t.notMatch(JSON.stringify(emulator.captures), "192.0.2.7", "the upstream is not told");
  connection.close();
});

t.test("a peer that is no trusted proxy speaks HTTP on the same listener", async (t) => {
  const world = await startBehind(t, { proxyProtocol: true, trusted: "[127.0.0.9]" });
  const { answer, entry } = await relay(world, { host: "all.test", target: "/k", headers: forwarded("192.0.2.7") });
  t.equal(answer.status, 200);
  t.equal(entry.client, "127.0.0.1");
});

t.test("curl --haproxy-protocol is understood", needs("curl", "curl"), async (t) => {
  const world = await startBehind(t, { proxyProtocol: true, trusted: "[127.0.0.0/8]" });
  const { url } = world.gateway;
  // Its header names its own address; both requests go over one connection.
  const args = ["--haproxy-protocol", "--interface", "127.0.0.5", "--user-agent", "curl/proxy", `${url}/k`, `${url}/k`];
  const { code, stdout } = await curl(args);
  t.equal(code, 0);
  t.equal(stdout.toString(), "kk");
  t.equal((await world.gateway.logged(({ userAgent }) => userAgent === "curl/proxy")).client, "127.0.0.5");
  const without = await curl([`${url}/k`]);
  t.not(without.code, 0);
  t.equal(without.stdout.length, 0, "without the header nothing is answered");
});
