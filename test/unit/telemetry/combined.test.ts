import t from "tap";
import type { AccessEntry } from "../../../src/telemetry/access-log.js";
import { combinedLine, remoteUser } from "../../../src/telemetry/access-log-combined.js";

const ENTRY: AccessEntry = {
  requestId: "0123456789ABCDEF01234567",
  client: "192.0.2.7",
  host: "img.example.com",
  method: "GET",
  target: "/a.jpg?Signature=***",
  protocol: "HTTP/1.1",
  route: "files",
  status: 200,
  signature: "v1-url",
  receivedBytes: 0,
  sentBytes: 5,
  durationMs: 1.5,
};

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A year's two halves, ahead, behind and by half an hour; without a restart, as summer time comes. */
const ZONES: readonly (readonly [zone: string, nowMs: number, time: string])[] = [
  ["UTC", TIME, "02/Jan/2026:03:04:05 +0000"],
  ["Asia/Shanghai", TIME + 1_000, "02/Jan/2026:11:04:06 +0800"],
  ["America/St_Johns", TIME + 2_000, "01/Jan/2026:23:34:07 -0330"],
  ["Asia/Kathmandu", TIME + 3_000, "02/Jan/2026:08:49:08 +0545"],
  ["Europe/Berlin", Date.UTC(2026, 6, 1), "01/Jul/2026:02:00:00 +0200"],
  ["Europe/Berlin", Date.UTC(2026, 11, 1), "01/Dec/2026:01:00:00 +0100"],
];

t.test("the time is local, with its offset", async (t) => {
  const before = process.env.TZ;
  t.teardown(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });
  for (const [zone, nowMs, time] of ZONES) {
    process.env.TZ = zone;
    t.equal(combinedLine(ENTRY, nowMs), `192.0.2.7 - - [${time}] "GET /a.jpg?Signature=*** HTTP/1.1" 200 5 "-" "-"\n`);
  }
});

t.test("HTTP/2, absolute-form and what was never read are as NGINX has them", async (t) => {
  const requestOf = (entry: Partial<AccessEntry>): string | undefined =>
    /\] "(.*?)" \d{3} /.exec(combinedLine({ ...ENTRY, ...entry }, TIME))?.[1];
  t.equal(requestOf({ target: "/x", protocol: "HTTP/2.0" }), "GET /x HTTP/2.0");
  t.equal(requestOf({ requestLine: "GET http://a/x HTTP/1.1" }), "GET http://a/x HTTP/1.1");
  t.equal(requestOf({ method: "", target: "", protocol: "" }), "-");
});

t.test("no text breaks a line or ends a field: what is no plain ASCII is \\xHH", async (t) => {
  for (const text of ['"', "\\", "\n", "\r\n", "\0\x1f\x7f", "\xff", "图", "\u{1f600}", "\ud800", '" 200 0 "']) {
    const line = combinedLine({ ...ENTRY, referer: text, userAgent: text, remoteUser: text, requestLine: text }, TIME);
    t.ok(/^[\x20-\x7e]*\n$/.test(line), JSON.stringify(text));
    t.equal(line.split('"').length, 7, "six quotes, ours");
  }
  t.match(combinedLine({ ...ENTRY, userAgent: 'a"\\\x7f\xe9' }, TIME), '"a\\x22\\x5C\\x7F\\xE9"');
});

t.test("absent is a dash, and empty is empty", async (t) => {
  t.match(combinedLine({ ...ENTRY, referer: "" }, TIME), ' "" "-"\n');
});

t.test("the name is taken from Basic alone, and never the password", async (t) => {
  t.equal(remoteUser(`Basic ${Buffer.from("alice:secret").toString("base64")}`), "alice");
  t.equal(remoteUser("OSS ak:c2lnbmF0dXJl"), undefined);
  t.equal(remoteUser(`Basic ${"A".repeat(100_000)}`), undefined);
});
