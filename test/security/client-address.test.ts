import { randomBytes } from "node:crypto";
import fc from "fast-check";
import t, { type Test } from "tap";
import { PROXY_V2_LOCAL, proxyV1, proxyV2From } from "../support/proxy-header.js";
import { answersTo, answerTo, head, valuesOf } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, relay, startRelay } from "../support/relay-world.js";

/** Who is let in, and who is kept out; the tests' own connections come from 127.0.0.1. */
const INSIDE = "192.0.2.7";
const OUTSIDE = "198.51.100.9";

const ROUTES = `
  - { name: allowed, match: { hosts: [allowed.test] }, bucket: one, allow: { clients: [${INSIDE}] } }
  - { name: denied, match: { hosts: [denied.test] }, bucket: one, deny: { clients: [127.0.0.1, ${OUTSIDE}] } }
`;

/** @param top the gateway's listeners and proxies */
async function start(t: Test, proxyProtocol: boolean, trusted: string): Promise<RelayWorld> {
  const listeners = `listeners: [{ name: web, address: "127.0.0.1:0", proxyProtocol: ${proxyProtocol} }]`;
  const world = await startRelay(t, ROUTES, `${listeners}\ntrustedProxies: ${trusted}`);
  world.emulator.putObject(BUCKET, "k", "k");
  return world;
}

/** Headers in which clients and proxies name addresses. */
const NAMES = [
  "X-Forwarded-For",
  "x-forwarded-for",
  "Forwarded",
  "X-Real-IP",
  "X-Client-IP",
  "True-Client-IP",
  "CF-Connecting-IP",
  "X-Forwarded",
  "X-ProxyUser-Ip",
  "Client-IP",
  "Via",
];

/** The two decisions on a request with these headers. */
async function decisions(world: RelayWorld, headers: readonly string[]) {
  const allowed = await relay(world, { host: "allowed.test", target: "/k", headers });
  const denied = await relay(world, { host: "denied.test", target: "/k", headers });
  t.equal(allowed.entry.client, denied.entry.client);
  return { allowed: allowed.answer.status, denied: denied.answer.status, client: denied.entry.client };
}

t.test("headers of a client that is no trusted proxy change nothing", async (t) => {
  for (const [trusted, proxyProtocol] of [
    ["[]", false],
    ["[127.0.0.9]", false],
    ["[127.0.0.9]", true],
    ['["::/0"]', true],
  ] as const) {
    const world = await start(t, proxyProtocol, trusted);
    for (const name of NAMES) {
      for (const value of [INSIDE, `for=${INSIDE}`, `${INSIDE}, 127.0.0.9`, "127.0.0.9", "unknown"]) {
        const got = await decisions(world, [name, value]);
        t.strictSame(got, { allowed: 403, denied: 403, client: "127.0.0.1" }, `${trusted} ${name}: ${value}`);
      }
    }
  }
});

t.test("only X-Forwarded-For is read from a trusted proxy", async (t) => {
  const world = await start(t, false, "[127.0.0.1]");
  for (const name of NAMES) {
    const isRead = name.toLowerCase() === "x-forwarded-for";
    const expected = { allowed: isRead ? 200 : 403, denied: isRead ? 200 : 403, client: isRead ? INSIDE : "127.0.0.1" };
    t.strictSame(await decisions(world, [name, INSIDE]), expected, name);
  }
});

t.test("what a client writes before it reaches the trusted proxy changes nothing", async (t) => {
  const world = await start(t, false, "[127.0.0.1]");
  const forged = [
    INSIDE,
    `${INSIDE}, ${INSIDE}`,
    `${INSIDE}, 127.0.0.1`,
    "127.0.0.1",
    "unknown",
    "",
    ",,,,",
    "[",
    "::ffff:192.0.2.7",
    `${INSIDE}:80`,
    Array.from({ length: 1_500 }, () => INSIDE).join(","),
    Array.from({ length: 1_500 }, () => "127.0.0.1").join(","),
    `${INSIDE}\t`,
    `"${INSIDE}`,
    `${INSIDE};`,
  ];
  for (const text of forged) {
    for (const headers of [
      ["X-Forwarded-For", `${text}, ${OUTSIDE}`],
      ["X-Forwarded-For", `${text},${OUTSIDE},127.0.0.1`],
      ["X-Forwarded-For", text, "X-Forwarded-For", OUTSIDE],
      ["X-Forwarded-For", text, "Connection", "X-Forwarded-For", "X-FORWARDED-FOR", OUTSIDE],
    ]) {
      const got = await decisions(world, headers);
      t.strictSame(got, { allowed: 403, denied: 403, client: OUTSIDE }, text.slice(0, 40));
    }
  }
});

t.test("a client that is kept out cannot become another by random bytes before its address", async (t) => {
  const world = await start(t, false, "[127.0.0.1]");
  const visible = fc.string({ unit: fc.constantFrom(...'0123456789abcdef.:,[]%_ \t"unkow/'), maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(visible, async (text) => {
      const { entry, answer } = await relay(world, {
        host: "denied.test",
        target: "/k",
        headers: ["X-Forwarded-For", `${text.trim()},${OUTSIDE}`],
      });
      t.equal(entry.client, OUTSIDE);
      t.equal(answer.status, 403);
    }),
    { numRuns: 60 },
  );
});

const REQUEST = head("GET", "/k", ["Host", "allowed.test"]);

t.test("a PROXY header from anybody else is a malformed request", async (t) => {
  for (const [proxyProtocol, trusted] of [
    [true, "[127.0.0.9]"],
    [true, "[]"],
    [false, "[127.0.0.1]"],
    [false, "[]"],
  ] as const) {
    const world = await start(t, proxyProtocol, trusted);
    for (const header of [proxyV1(INSIDE), proxyV2From(INSIDE), PROXY_V2_LOCAL, Buffer.from("PROXY UNKNOWN\r\n")]) {
      const answers = await answersTo(world.gateway.port, Buffer.concat([header, Buffer.from(REQUEST)]));
      t.strictSame(
        answers.map(({ status }) => status),
        [400],
      );
    }
    t.equal(world.emulator.captures.length, 0);
    for (const { client, error } of world.gateway.accessLog) {
      t.strictSame({ client, error }, { client: "127.0.0.1", error: "MALFORMED_REQUEST" });
    }
    t.equal(world.gateway.accessLog.length, 4);
  }
});

t.test("a client behind a proxy cannot send a PROXY header of its own", async (t) => {
  const world = await start(t, true, "[127.0.0.1]");
  for (const outer of [proxyV1(OUTSIDE), proxyV2From(OUTSIDE)]) {
    for (const inner of [proxyV1(INSIDE), proxyV2From(INSIDE), PROXY_V2_LOCAL]) {
      for (const before of ["", head("GET", "/k", ["Host", "allowed.test"])]) {
        const bytes = Buffer.concat([outer, Buffer.from(before), inner, Buffer.from(REQUEST)]);
        const statuses = (await answersTo(world.gateway.port, bytes)).map(({ status }) => status);
        t.notOk(statuses.includes(200));
        t.equal(statuses.at(-1), before === "" ? 400 : 403, "no request behind the inner header is served");
      }
    }
  }
  t.equal(world.emulator.captures.length, 0);
  for (const { client } of world.gateway.accessLog) t.equal(client, OUTSIDE);
});

t.test("the address of one connection is not another's", async (t) => {
  const world = await start(t, true, "[127.0.0.1]");
  const clients = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? INSIDE : OUTSIDE));
  const statuses = await Promise.all(
    clients.map(async (client, i) => {
      const header = i % 3 === 0 ? proxyV1(client) : proxyV2From(client, 3 + i);
      return (await answerTo(world.gateway.port, Buffer.concat([header, Buffer.from(REQUEST)]), "GET")).status;
    }),
  );
  t.strictSame(
    statuses,
    clients.map((client) => (client === INSIDE ? 200 : 403)),
  );
});

t.test("random bytes from a trusted proxy open nothing, and the gateway goes on", async (t) => {
  const world = await start(t, true, "[127.0.0.1]");
  for (let i = 0; i < 200; i += 1) {
    const start = [Buffer.alloc(0), PROXY_V2_LOCAL.subarray(0, 12), Buffer.from("PROXY ")][i % 3] as Buffer;
    // With a byte that begins no header behind an empty start, and line ends, so that nothing is waited for.
    const bytes = Buffer.concat([start, Buffer.from("G"), randomBytes(i), Buffer.from("\r\n".repeat(60))]);
    const answers = await answersTo(world.gateway.port, bytes);
    t.strictSame(answers, []);
  }
  const answer = await answerTo(world.gateway.port, Buffer.concat([proxyV1(INSIDE), Buffer.from(REQUEST)]), "GET");
  t.equal(answer.status, 200);
  t.strictSame(valuesOf(answer.rawHeaders, "x-forwarded-for"), []);
  t.equal(world.emulator.captures.length, 1);
});
