import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { HOST } from "../fault/support/rig.js";
import { startWorkers, type WorkersRig } from "../integration/workers-rig.js";
import { answerOf, get, openSession, startHttp2, HOST as WORLD_HOST } from "../support/http2-client.js";
import {
  FLAG,
  FRAME,
  FrameClient,
  frame,
  headerBlock,
  requestBlock,
  setting,
  uint32,
} from "../support/http2-frames.js";
import { BUCKET } from "../support/relay-world.js";
import { TestAuthority } from "../support/tls-world.js";

/** What a worker's memory may grow by, all floods together; most of it is what V8 has not tidied up yet. */
const MAX_GROWTH_MB = 200;

const END = FLAG.endHeaders | FLAG.endStream;
const INITIAL_WINDOW_SIZE = 4;
/** NGHTTP2_ENHANCE_YOUR_CALM. */
const CALM = 11;

interface Flood {
  readonly title: string;
  /** The n-th piece. */
  readonly piece: (n: number) => Buffer;
  /** Pieces, unless the connection ends before. */
  readonly most: number;
  /** Whether the connection must end before all were sent; else it must be good for a request behind them. */
  readonly isEnded: boolean;
  /** Answers that are waited for open no more streams than there may be at once; without that it may end. */
  readonly mayEnd?: boolean;
  /** Frames that do nothing, of which newer versions of nghttp2 take some ten thousand at once. */
  readonly isGlitch?: boolean;
  /** Of the GOAWAY, where there is time for one. */
  readonly code?: number;
}

const [major = 0, minor = 0] = (process.versions.nghttp2 ?? "").split(".").map(Number);
const COUNTS_GLITCHES = major > 1 || minor >= 66;

const stream = (n: number): number => 1 + 2 * n;
const request = (n: number, flags: number): Buffer =>
  frame(FRAME.headers, flags, stream(n), requestBlock(HOST, "/hello.txt"));

/** One field of 4 kB that stays in the dynamic table, and a thousand references to it (RFC 7541 §7.3). */
function bomb(n: number): Buffer {
  const field = headerBlock([["x", "v".repeat(3_900)]]);
  field[0] = 0x40;
  const block = Buffer.concat([requestBlock(HOST, "/hello.txt"), field, Buffer.alloc(1_000, 0x80 | 62)]);
  return frame(FRAME.headers, END, stream(n), block);
}

const FLOODS: readonly Flood[] = [
  { title: "SETTINGS", piece: () => frame(FRAME.settings, 0, 0), most: 200_000, isEnded: true, code: CALM },
  {
    title: "SETTINGS that touch the windows of a hundred streams",
    piece: (n) =>
      n < 100
        ? frame(FRAME.headers, FLAG.endHeaders, stream(n), headerBlock(UPLOAD))
        : frame(FRAME.settings, 0, 0, Buffer.concat(Array(32).fill(setting(INITIAL_WINDOW_SIZE, 1_000 + (n % 2))))),
    most: 100_000,
    isEnded: true,
    code: CALM,
  },
  { title: "PING", piece: () => frame(FRAME.ping, 0, 0, Buffer.alloc(8)), most: 200_000, isEnded: true, code: CALM },
  {
    title: "resets of streams",
    piece: (n) => Buffer.concat([request(n, END), frame(FRAME.reset, 0, stream(n), uint32(8))]),
    most: 20_000,
    isEnded: true,
    code: CALM,
  },
  {
    title: "streams beyond those that it may have",
    piece: (n) => request(n, FLAG.endHeaders),
    most: 50_000,
    isEnded: true,
  },
  {
    title: "CONTINUATION",
    piece: (n) =>
      n === 0 ? request(0, FLAG.endStream) : frame(FRAME.continuation, 0, 1, headerBlock([["x", "v".repeat(5_000)]])),
    most: 50_000,
    isEnded: true,
  },
  {
    title: "empty CONTINUATION",
    piece: (n) => (n === 0 ? request(0, FLAG.endStream) : frame(FRAME.continuation, 0, 1)),
    most: 200_000,
    isEnded: true,
  },
  {
    title: "empty DATA",
    piece: (n) => (n === 0 ? frame(FRAME.headers, FLAG.endHeaders, 1, headerBlock(UPLOAD)) : frame(FRAME.data, 0, 1)),
    most: 200_000,
    isEnded: true,
  },
  { title: "heads that grow when they are decoded", piece: bomb, most: 2_000, isEnded: false, mayEnd: true },
  {
    title: "PRIORITY",
    piece: (n) => frame(FRAME.priority, 0, stream(n), Buffer.from([0, 0, 0, 0, 7])),
    most: 100_000,
    isEnded: false,
    isGlitch: true,
  },
  { title: "WINDOW_UPDATE", piece: () => frame(FRAME.windowUpdate, 0, 0, uint32(1)), most: 100_000, isEnded: false },
  {
    title: "frames of no known type",
    piece: () => frame(0x55, 0, 0, Buffer.alloc(1_000)),
    most: 50_000,
    isEnded: false,
    isGlitch: true,
  },
];

const UPLOAD = [
  [":method", "PUT"],
  [":scheme", "https"],
  [":path", "/up"],
  [":authority", HOST],
] as const;

async function startSecure(t: Test): Promise<WorkersRig> {
  const tls = { certificates: [new TestAuthority(t).issue({ san: `DNS:${HOST}` })] };
  const listeners = [{ name: "web", address: "127.0.0.1:0", tls }];
  // So long may what reads no answers, and is not told of its end, keep its connection.
  return startWorkers(t, { workers: 1, limits: { clientIdleTimeout: "1s" }, more: { listeners } });
}

/** The most memory that a process has had. */
function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) / 1_024;
}

/** @returns how many pieces went out before the connection ended */
async function sendAll(client: FrameClient, { piece, most }: Flood): Promise<number> {
  const PIECES_AT_ONCE = 100;
  let sent = 0;
  while (sent < most && !client.isClosed) {
    const from = sent;
    await client.send(...Array.from({ length: Math.min(PIECES_AT_ONCE, most - sent) }, (_, i) => piece(from + i)));
    sent += PIECES_AT_ONCE;
    // A socket that is never full would leave no turn to hear of the end.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

/** Asks for the object on a stream of its own. */
async function isServed(client: FrameClient, streamId: number): Promise<boolean> {
  await client.send(frame(FRAME.headers, END, streamId, requestBlock(HOST, "/hello.txt")));
  await client.until(({ received }) =>
    received.some(({ type, streamId: id }) => type === FRAME.headers && id === streamId),
  );
  return client.received.some(({ type, streamId: id }) => type === FRAME.headers && id === streamId);
}

/** Whether a client that comes newly is served. */
async function isOpen(t: Test, { port }: WorkersRig): Promise<boolean> {
  const client = await FrameClient.open(t, port, HOST);
  const hasAnswer = await isServed(client, 1);
  client.destroy();
  return hasAnswer;
}

/** Streams beyond those of any flood. */
const LATER = 1_000_001;

t.test("floods of frames, read or not read", async (t) => {
  const rig = await startSecure(t);
  const [pid = 0] = await rig.workerPids();
  t.ok(await isOpen(t, rig));
  const beforeMb = peakMb(pid);
  for (const isReading of [true, false]) {
    for (const flood of FLOODS) {
      await t.test(`${flood.title}, ${isReading ? "with" : "without"} reading the answers`, async (t) => {
        const client = await FrameClient.open(t, rig.port, HOST);
        await client.until(() => client.countOf(FRAME.settings) > 0);
        if (!isReading) client.stopReading();
        const sent = await sendAll(client, flood);
        client.read();
        if (flood.isEnded) await client.closed;
        else if (isReading && flood.mayEnd !== true && !(flood.isGlitch && COUNTS_GLITCHES)) {
          t.ok(await isServed(client, LATER), `the connection is good after ${sent}`);
        }
        if (flood.isEnded && isReading) t.ok(sent < flood.most, `the connection ended after ${sent} of ${flood.most}`);
        if (flood.code !== undefined && client.goAwayCode !== null) t.equal(client.goAwayCode, flood.code);
        client.destroy();
        t.ok(await isOpen(t, rig), "others are served");
      });
    }
  }
  const grownMb = peakMb(pid) - beforeMb;
  t.ok(grownMb < MAX_GROWTH_MB, `it took ${grownMb.toFixed()} MB more at most`);
  t.strictSame(await rig.workerPids(), [pid], "no worker has died");
  await rig.until(async () => (await rig.metric("ossgate_client_connections")) === 0);
  await rig.emulator.until(() => rig.emulator.requestsInFlight() === 0);
});

t.test("a hundred streams whose windows stay shut hold little of what OSS would send, and nobody up", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putGenerated(BUCKET, "large", 50_000_000);
  world.emulator.putObject(BUCKET, "a", Buffer.alloc(30_000));
  const client = await FrameClient.open(t, world.port, WORLD_HOST, setting(INITIAL_WINDOW_SIZE, 0));
  for (let n = 0; n < 100; n += 1) {
    await client.send(frame(FRAME.headers, END, stream(n), requestBlock(WORLD_HOST, "/large")));
  }
  await client.until(() => client.countOf(FRAME.headers) === 100);
  t.equal(client.dataBytes, 0);
  const session = await openSession(t, world);
  for (let i = 0; i < 20; i += 1) t.equal((await answerOf(get(session, "/a"))).body.length, 30_000);
  client.destroy();
  await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
  const entries = world.gateway.accessLog.filter(({ target }) => target === "/large");
  t.equal(entries.length, 100);
  const most = Math.max(...entries.map(({ sentBytes }) => sentBytes));
  t.ok(most < 512 * 1_024, `at most ${most} bytes of 50000000 were taken for one`);
  t.ok(
    entries.every(({ error }) => error === "CLIENT_GONE"),
    "each is ended with its connection",
  );
});

t.test("a window that grows byte by byte is served byte by byte", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "0123456789");
  const client = await FrameClient.open(t, world.port, WORLD_HOST, setting(INITIAL_WINDOW_SIZE, 0));
  await client.send(frame(FRAME.headers, END, 1, requestBlock(WORLD_HOST, "/a")));
  await client.until(() => client.countOf(FRAME.headers) === 1);
  for (let bytes = 1; bytes <= 10; bytes += 1) {
    await client.send(frame(FRAME.windowUpdate, 0, 1, uint32(1)));
    await client.until(() => client.dataBytes >= bytes);
    t.equal(client.dataBytes, bytes);
  }
  t.equal((await world.gateway.logged(({ target }) => target === "/a")).status, 200);
});

t.test("a window that is opened too far ends its connection alone", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  const client = await FrameClient.open(t, world.port, WORLD_HOST);
  await client.send(frame(FRAME.windowUpdate, 0, 0, uint32(2 ** 31 - 1)));
  await client.closed;
  t.equal((await answerOf(get(session, "/a"))).status, 200);
});
