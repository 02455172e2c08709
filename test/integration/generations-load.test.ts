/** A hundred reloads under load: clients that reuse their connections and do not try again notice none of them. */
import { Agent, type IncomingMessage, request } from "node:http";
import t, { type Test } from "tap";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { OWN, REGION } from "../support/sign-world.js";

const RELOADS = 100;
const CLIENTS = 3;
const OBJECT = Buffer.alloc(300_000, "0123456789");
const PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nseg1.ts\n#EXT-X-ENDLIST\n";
const SECRET = "link-secret-0123456789abcdef";

interface Outcome {
  readonly status: number;
  readonly body: Buffer;
}

/** On a kept-alive connection, once: what breaks is an error. */
function send(port: number, agent: Agent, options: { host: string; path: string; method?: string; body?: Buffer }) {
  const { host, path, method = "GET", body } = options;
  return new Promise<Outcome>((resolve, reject) => {
    const req = request({ port, host: "127.0.0.1", path, method, agent, headers: { Host: host } });
    req.on("error", reject);
    req.on("response", (res: IncomingMessage) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => resolve({ status: res.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    req.end(body);
  });
}

/** Each differs from the one before in what requests are served by: limits, upstreams, routes, signing, sizes. */
function textOf(generation: number, endpoint: string, directory: string): string {
  const isOdd = generation % 2 === 1;
  const open = { bucket: "openbucket", region: REGION, endpoint, connections: 50 + (generation % 3) };
  return JSON.stringify({
    listeners: [{ name: "web", address: "127.0.0.1:0" }],
    admin: { address: "127.0.0.1:0" },
    limits: { headerSize: isOdd ? "32KiB" : "24KiB", connections: 1_000 + generation },
    credentials: { reader: { type: "file", path: `${directory}/oss.json` } },
    buckets: {
      open,
      closed: { bucket: "closedbucket", region: REGION, endpoint },
    },
    routes: [
      {
        name: "files",
        match: { hosts: ["files.test"] },
        bucket: "open",
        methods: ["GET", "PUT"],
        limits: { requests: "100000/s", burst: isOdd ? 90_000 : 80_000, egress: "4GiB/s", connections: 900 },
      },
      ...(isOdd ? [{ name: "more", match: { hosts: ["more.test"] }, bucket: "open" }] : []),
      {
        name: "video",
        match: { hosts: ["video.test"] },
        bucket: "closed",
        auth: "sign",
        sign: { credentials: "reader", version: isOdd ? "v4" : "v1" },
        allow: { clients: ["127.0.0.1"], links: { secret: { file: `${directory}/link` } } },
        satisfy: "any",
        hls: { mode: "rewrite", ttl: isOdd ? "10m" : "20m" },
      },
    ],
  });
}

interface Client {
  readonly port: number;
  readonly agent: Agent;
  readonly number: number;
}

/** What a client does once; throws when it is not answered as it should be. */
type Turn = (client: Client, turn: number) => Promise<void>;

const TURNS: Readonly<Record<string, Turn>> = {
  async download({ port, agent }) {
    const { status, body } = await send(port, agent, { host: "files.test", path: "/object.bin" });
    if (status !== 200 || !body.equals(OBJECT)) throw new Error(`download: ${status}, ${body.length} bytes`);
  },
  async upload({ port, agent, number }, turn) {
    const body = Buffer.alloc(100_000, `${number}/${turn} `);
    const put = await send(port, agent, { host: "files.test", path: `/up-${number}`, method: "PUT", body });
    const got = await send(port, agent, { host: "files.test", path: `/up-${number}` });
    if (put.status !== 200 || !got.body.equals(body)) throw new Error(`upload: ${put.status}, ${got.status}`);
  },
  async playlist({ port, agent }) {
    const { status, body } = await send(port, agent, { host: "video.test", path: "/vod/a.m3u8" });
    const segment =
      body
        .toString()
        .split("\n")
        .find((line) => line.startsWith("seg1.ts?")) ?? "";
    if (status !== 200 || segment === "") throw new Error(`playlist: ${status} ${body.toString()}`);
    const got = await send(port, agent, { host: "video.test", path: `/vod/${segment}` });
    if (got.status !== 200 || got.body.toString() !== "segment") throw new Error(`segment: ${got.status}`);
  },
};

async function start(t: Test): Promise<{ readonly gateway: TestGateway; text(generation: number): string }> {
  const emulator = await startEmulator(t, { captureLimit: 10 });
  emulator.addCredentials(OWN);
  emulator.addBucket({ name: "openbucket", region: REGION, acl: "public-read-write" });
  emulator.addBucket({ name: "closedbucket", region: REGION, acl: "private" });
  emulator.putObject("openbucket", "object.bin", OBJECT);
  emulator.putObject("closedbucket", "vod/a.m3u8", PLAYLIST);
  emulator.putObject("closedbucket", "vod/seg1.ts", "segment");
  const directory = t.testdir({
    "oss.json": JSON.stringify({ AccessKeyId: OWN.accessKeyId, AccessKeySecret: OWN.accessKeySecret.reveal() }),
    link: SECRET,
  });
  const text = (generation: number) => textOf(generation, emulator.url, directory);
  return { gateway: await startGateway(t, text(1)), text };
}

t.test("no request fails and no connection is dropped while a hundred configurations come and go", async (t) => {
  const { gateway, text } = await start(t);
  let isOver = false;
  let turns = 0;
  const waiting = new Set<() => void>();
  /** Resolves when each client has had another turn or two. */
  const moreTurns = (count: number) =>
    new Promise<void>((resolve) => {
      const goal = turns + count;
      const look = (): void => {
        if (turns < goal) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
    });
  const failures: string[] = [];
  const runs = Object.values(TURNS).flatMap((turn) =>
    Array.from({ length: CLIENTS }, async (_, number) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let i = 0; !isOver; i += 1) {
        await turn({ port: gateway.port, agent, number }, i).catch((error: Error) => failures.push(error.message));
        turns += 1;
        for (const look of [...waiting]) look();
      }
      agent.destroy();
    }),
  );
  const { stats } = gateway.gateway;
  let before = 0;
  for (let generation = 2; generation <= RELOADS + 1; generation += 1) {
    t.strictSame((await gateway.reload(text(generation))).problems, []);
    await moreTurns(3);
    const requests = stats.route("files").requestCount + stats.route("video").requestCount;
    t.ok(requests > before, "counters go on");
    before = requests;
  }
  await moreTurns(2 * runs.length);
  t.equal(stats.connectionsTotal, runs.length, "each client on one connection all the time");
  isOver = true;
  await Promise.all(runs);
  t.strictSame(failures, []);
  t.equal(gateway.gateway.state.generation, RELOADS + 1);
  t.ok(gateway.accessLog.every(({ status, error }) => status === 200 && error === undefined));
  t.equal(stats.credentialsOf("reader").refreshesOk, 1, "the credentials were read once");
});
