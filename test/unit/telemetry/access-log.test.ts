import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  type AccessEntry,
  accessLine,
  createAccessLog,
  createMask,
  maskTarget,
} from "../../../src/telemetry/access-log.js";
import { Stats } from "../../../src/telemetry/stats.js";

const ENTRY: AccessEntry = {
  requestId: "0123456789ABCDEF01234567",
  client: "192.0.2.7",
  host: "img.example.com",
  method: "GET",
  target: "/a.jpg",
  protocol: "HTTP/1.1",
  route: "files",
  status: 200,
  signature: "anonymous",
  receivedBytes: 0,
  sentBytes: 5,
  durationMs: 1.5,
};

// Required: a field that the line lacks is found out here.
const FULL: Required<AccessEntry> = {
  ...ENTRY,
  requestLine: "GET http://img.example.com/a.jpg HTTP/1.1",
  remoteUser: "reader",
  clientSubject: "CN=partner.example.com,O=Example Ltd",
  referer: "https://example.com/",
  userAgent: "curl/8",
  bucket: "media",
  upstreamMs: 1.2,
  upstream: "10.0.0.1",
  attempts: 2,
  ossRequestId: "65A0F2D23B39C23533D8A111",
  ossEc: "0003-00000001",
  error: "UPSTREAM_RESET",
  detail: "10.0.0.1: read ECONNRESET",
  reported: "REFERER_DENIED",
};

t.test("a line is JSON with the entry's fields and the time in UTC; absent ones are left out", async (t) => {
  const time = "2026-01-02T03:04:05.006Z";
  for (const entry of [ENTRY, FULL]) {
    const line = accessLine(entry, Date.parse(time));
    t.equal(line.indexOf("\n"), line.length - 1);
    t.same(JSON.parse(line), { log: "access", time, ...entry });
  }
});

t.test("the time is right across the ends of seconds, in any order", async (t) => {
  for (const time of ["2026-01-02T03:04:05.999Z", "2026-01-02T03:04:06.000Z", "2025-12-31T23:59:59.010Z"]) {
    t.equal((JSON.parse(accessLine(ENTRY, Date.parse(time))) as { time: string }).time, time);
  }
});

t.test("what a client writes cannot break a line or begin another", async (t) => {
  const hostile = [
    '"',
    "\\",
    'x","status":200,"y":"',
    "\n",
    "\r\n{}",
    "\u0000\u001f\u007f",
    "\u2028\u2029",
    "é",
    "图\ud83d\ude00",
    "\ud800",
  ];
  for (const [index, text] of hostile.entries()) {
    const entry = {
      ...FULL,
      host: text,
      method: text,
      target: text,
      referer: text,
      userAgent: text,
      detail: text,
      remoteUser: text,
      clientSubject: text,
      requestLine: text,
    };
    const line = accessLine(entry, 0);
    t.ok(/^[\x20-\x7e]*\n$/.test(line), `row ${index}`);
    const read = JSON.parse(line) as Required<AccessEntry>;
    const { host, method, target, referer, userAgent, detail, remoteUser, clientSubject, requestLine } = read;
    const values = [host, method, target, referer, userAgent, detail, remoteUser, clientSubject, requestLine];
    t.ok(values.every((value) => value === text));
  }
});

const MASKED: readonly (readonly [target: string, masked: string])[] = [
  ["/a", "/a"],
  ["/a?", "/a?"],
  ["/Signature=x", "/Signature=x"],
  ["/a?b=c&d", "/a?b=c&d"],
  ["/a?Signature=x", "/a?Signature=***"],
  ["/a?signature=x", "/a?signature=***"],
  ["/a?Signature=", "/a?Signature=***"],
  ["/a?Signature", "/a?Signature"],
  ["/a?Signature=x=y?z", "/a?Signature=***"],
  ["/a?OSSAccessKeyId=k&Expires=1&Signature=s", "/a?OSSAccessKeyId=***&Expires=1&Signature=***"],
  ["/a?security-token=t&x=1", "/a?security-token=***&x=1"],
  [
    "/a?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=k%2F20260101&x-oss-signature=s&x-oss-expires=60",
    "/a?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=***&x-oss-signature=***&x-oss-expires=60",
  ],
  ["/a?x-oss-security-token=t&x-oss-access-key-id=k", "/a?x-oss-security-token=***&x-oss-access-key-id=***"],
  [
    "/a?X-Amz-Signature=s&X-Amz-Credential=c&X-Amz-Security-Token=t&X-Amz-Date=d",
    "/a?X-Amz-Signature=***&X-Amz-Credential=***&X-Amz-Security-Token=***&X-Amz-Date=d",
  ],
  // OSS decodes names, so an encoded one signs as well.
  ["/a?%53ignature=x", "/a?%53ignature=***"],
  ["/a?%73%69%67%6e%61%74%75%72%65=x", "/a?%73%69%67%6e%61%74%75%72%65=***"],
  ["/a?x%2Doss%2dsignature=x", "/a?x%2Doss%2dsignature=***"],
  ["/a?b=%zz&Signature=x", "/a?b=%zz&Signature=***"],
  ["/a?b=1&b=2&Signature=x&Signature=y", "/a?b=1&b=2&Signature=***&Signature=***"],
  ["https://example.com/p?Signature=x&b=1", "https://example.com/p?Signature=***&b=1"],
];

t.test("what signs a request, or would let another sign one, is not in the log", async (t) => {
  for (const [target, masked] of MASKED) t.equal(maskTarget(target), masked);
});

t.test("lines that were written are in the file after close", async (t) => {
  const path = join(t.testdir(), "access.log");
  const fd = openSync(path, "w");
  const stats = new Stats();
  const log = createAccessLog("json", stats, { fd });
  for (let i = 0; i < 1_000; i += 1) log.write({ ...ENTRY, sentBytes: i });
  await log.close();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  t.same(
    lines.map((line) => (JSON.parse(line) as AccessEntry).sentBytes),
    Array.from({ length: 1_000 }, (_, index) => index),
  );
  t.equal(stats.droppedLogLines, 0);
});

t.test("a log that is off writes nothing", async (t) => {
  const path = join(t.testdir(), "access.log");
  const log = createAccessLog("off", new Stats(), { fd: openSync(path, "w") });
  log.write(ENTRY);
  await log.close();
  t.equal(readFileSync(path, "utf8"), "");
});

interface Pipe {
  /** Takes 64 KiB, and then blocks who writes until somebody reads. */
  readonly writeFd: number;
  /** All that is in the pipe now. */
  read(): string;
}

function makePipe(t: Test): Pipe {
  const path = join(t.testdir(), "pipe");
  execFileSync("mkfifo", [path]);
  const writeFd = openSync(path, constants.O_RDWR);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.teardown(() => closeSync(readFd));
  const piece = Buffer.alloc(1024 * 1024);
  const read = (): string => {
    try {
      return piece.toString("latin1", 0, readSync(readFd, piece));
    } catch {
      return "";
    }
  };
  return { writeFd, read };
}

t.test(
  "lines beyond what a slow reader may be behind are dropped whole and counted, and the rest arrives",
  async (t) => {
    const pipe = makePipe(t);
    const stats = new Stats();
    const log = createAccessLog("json", stats, { fd: pipe.writeFd });
    const count = 60_000;
    for (let i = 0; i < count; i += 1) log.write(FULL);
    t.ok(stats.droppedLogLines > 0, "requests do not wait for the log");
    let text = "";
    const timer = setInterval(() => {
      text += pipe.read();
    }, 0);
    await log.close();
    clearInterval(timer);
    text += pipe.read();
    const lines = text.split("\n").slice(0, -1);
    t.equal(lines.length, count - stats.droppedLogLines);
    t.ok(lines.every((line) => (JSON.parse(line) as AccessEntry).target === FULL.target));
  },
);

t.test("a route's own name for a secret parameter is masked too, encoded or not", async (t) => {
  const mask = createMask(["st", "We.ird[x]"]);
  for (const [target, masked] of [
    ["/a?st=abc&e=1", "/a?st=***&e=1"],
    ["/a?%73t=abc&e=1", "/a?%73t=***&e=1"],
    ["/a?ST=abc&e=1", "/a?ST=***&e=1"],
    ["/a?we.ird[x]=abc", "/a?we.ird[x]=***"],
    ["/a?weXird[x]=abc&first=1", "/a?weXird[x]=abc&first=1"],
    ["https://viewer.test/?src=https%3A%2F%2Fimg.test%2Fa%3Fe%3D1%26st%3Dabc", "https://viewer.test/?src=***"],
    ["https://viewer.test/?src=https://img.test/a?st=abc", "https://viewer.test/?src=***"],
    ["/a?Signature=x&st=y", "/a?Signature=***&st=***"],
  ] as const) {
    t.equal(mask(target), masked);
  }
  t.equal(maskTarget("/a?st=abc&e=1"), "/a?st=abc&e=1");
});
