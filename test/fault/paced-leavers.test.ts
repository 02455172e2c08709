import t, { type Test } from "tap";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { ask, RawClient } from "./support/client.js";
import { checkGauges, checkQuiet, configText, fill, type Rig, startRig } from "./support/rig.js";
import { clientsGone, startOrigin } from "./support/sockets.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const LEAVERS = 60;
/** One client's connections share its turns, so that each waits seconds for its next. */
const BYTES_PER_SECOND = 16 * KIB;

const hasHead = ({ text }: RawClient): boolean => text.includes("\r\n\r\n");
const bodyBytes = (client: RawClient): number => client.byteCount - client.text.indexOf("\r\n\r\n") - 4;
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** A gateway whose bucket has a connection for each leaver and none to spare; one of its routes is limited. */
async function startScarce(t: Test, limits: object): Promise<Rig> {
  const emulator = fill(await startEmulator(t));
  emulator.putGenerated("examplebucket", "big.bin", 64 * MIB);
  const config = JSON.parse(
    configText({
      endpoint: emulator.url,
      bucket: { connections: LEAVERS },
      route: { limits: { connections: LEAVERS, bodySize: "100MiB", ...limits } },
    }),
  );
  config.routes.push({ name: "free", match: { hosts: ["free.test"] }, bucket: "media" });
  return { emulator, gw: await startGateway(t, JSON.stringify(config)) };
}

const askFree = (gw: TestGateway) => ask(gw.port, "/hello.txt", { headers: { Host: "free.test" } });

/** All requests of the limited route are in the log; nothing is held, no slot is taken, and others are served. */
async function checkNothingLeft(t: Test, { emulator, gw }: Rig, requestCount: number): Promise<void> {
  const entries = () => gw.accessLog.filter(({ route, error }) => route === "files" && error === "CLIENT_GONE");
  await gw.logged(() => entries().length === requestCount);
  t.equal(await gw.metric(`ossgate_requests_in_flight{route="files"}`), 0);
  t.equal(await gw.metric(`ossgate_paced_transfers{route="files",direction="egress"}`), 0);
  t.equal(await gw.metric(`ossgate_paced_transfers{route="files",direction="ingress"}`), 0);
  t.equal(await gw.metric(`ossgate_upstream_requests_in_flight{bucket="media"}`), 0);
  t.equal((await askFree(gw)).status, 200);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200, "the route has slots again");
  await checkQuiet(t, { emulator, gw });
}

t.test("clients that close in good order while their bytes wait free all that they held", async (t) => {
  const rig = await startScarce(t, { egress: "16KiB/s" });
  const { gw } = rig;
  const clients = Array.from({ length: LEAVERS }, (_, i) => {
    const isOld = i % 4 === 3;
    return new RawClient(gw.port).sendHead(`GET /big.bin HTTP/${isOld ? "1.0" : "1.1"}`);
  });
  await Promise.all(clients.map((client) => client.until(hasHead)));
  t.equal(await gw.metric(`ossgate_paced_transfers{route="files",direction="egress"}`), LEAVERS);
  t.equal((await ask(gw.port, "/hello.txt")).status, 429, "all slots of the route are taken");
  const receivedBytes = sum(clients.map(bodyBytes));
  // Nothing is unread: a FIN, and no reset before somebody writes.
  for (const { socket } of clients) socket.destroy();
  await checkNothingLeft(t, rig, LEAVERS);
  const sentBytes = sum(gw.accessLog.filter(({ error }) => error === "CLIENT_GONE").map((entry) => entry.sentBytes));
  // Two turns of each would be 12 seconds' worth.
  t.ok(sentBytes - receivedBytes < 4 * BYTES_PER_SECOND, `${sentBytes - receivedBytes} bytes went to nobody`);
});

t.test("a client that leaves while its second request waits behind the first is found gone too", async (t) => {
  const rig = await startScarce(t, { egress: "16KiB/s" });
  const { gw } = rig;
  const clients = Array.from({ length: 10 }, () =>
    new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1").sendHead("GET /big.bin HTTP/1.1"),
  );
  for (const client of clients) client.socket.end();
  await Promise.all(clients.map((client) => client.until(({ text }) => text.split("HTTP/1.1 200").length === 3)));
  for (const { socket } of clients) socket.destroy();
  await checkNothingLeft(t, rig, clients.length);
});

t.test("clients that close while the bodies that they sent wait free all that they held", async (t) => {
  for (const [sent, framing] of [
    [24 * KIB, `Content-Length: ${24 * KIB}`],
    [24 * KIB, `Content-Length: ${64 * MIB}`],
  ] as const) {
    const rig = await startScarce(t, { ingress: "16KiB/s" });
    const { emulator, gw } = rig;
    const clients = Array.from({ length: LEAVERS }, () =>
      new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", framing).send(Buffer.alloc(sent)),
    );
    await emulator.until(() => emulator.requestsInFlight() === LEAVERS);
    const ingress = gw.gateway.stats.upstream("media");
    // Bodies that others wait for are served in between: by now all that was sent has been read.
    while (ingress.ingressBytes < LEAVERS * sent) t.ok((await askFree(gw)).status > 0);
    for (const { socket } of clients) socket.destroy();
    await checkNothingLeft(t, rig, LEAVERS);
    t.notOk(emulator.getObject("examplebucket", "a.bin"), "nothing was stored");
  }
});

t.test("a client that shuts down its sending side while its bytes wait gets all of them, and in order", async (t) => {
  const body = Buffer.from(Array.from({ length: 24 * KIB }, (_, i) => 97 + (i % 23)));
  const framings: readonly (readonly [string, (part: Buffer) => Buffer | string])[] = [
    [`Content-Length: ${body.length}\r\n\r\n`, (part) => part],
    ["Transfer-Encoding: chunked\r\n\r\n", (part) => `${part.length.toString(16)}\r\n${part.toString()}\r\n`],
  ];
  for (const [framing, encode] of framings) {
    const isChunked = framing.startsWith("Transfer");
    const origin = await startOrigin(t, (socket) => {
      socket.on("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\n${framing}`);
        // Pieces of one byte among them: the last of what is held is never sent early.
        for (const [from, to] of [
          [0, 20_000],
          [20_000, 20_001],
          [20_001, body.length],
        ] as const)
          socket.write(encode(body.subarray(from, to)));
        if (isChunked) socket.write("0\r\n\r\n");
      });
    });
    const gw = await startGateway(
      t,
      configText({ endpoint: `http://127.0.0.1:${origin.port}`, route: { limits: { egress: "64KiB/s" } } }),
    );
    const kinds = ["1.1", "1.0"].flatMap((version) => [true, false].map((isLate) => ({ version, isLate })));
    const clients = kinds.map((kind) => {
      const client = new RawClient(gw.port).sendHead(`GET /a HTTP/${kind.version}`);
      const pieces: Buffer[] = [];
      client.socket.on("data", (piece: Buffer) => pieces.push(piece));
      return { ...kind, client, pieces };
    });
    for (const { client, isLate } of clients) {
      if (isLate) await client.until(hasHead);
      client.socket.end();
    }
    for (const { client, pieces, version, isLate } of clients) {
      const claim = `${framing.slice(0, 8)}, HTTP/${version}, shut down ${isLate ? "after the head" : "with the request"}`;
      t.equal(await client.closed, null, claim);
      t.equal(decoded(client.text, isChunked && version === "1.1"), body.toString(), claim);
      if (!isChunked)
        t.ok(
          pieces.some(({ length }) => length === 1),
          `a byte went out early: ${claim}`,
        );
    }
    await clientsGone(gw.port);
    t.equal(gw.accessLog.length, clients.length);
    for (const { status, error, sentBytes } of gw.accessLog) {
      t.match({ status, error, sentBytes }, { status: 200, error: undefined, sentBytes: body.length });
    }
    checkGauges(t, gw);
  }
});

/** The body of the final answer, behind interim ones. */
function decoded(text: string, isChunked: boolean): string {
  const answer = text.slice(text.indexOf("HTTP/1.1 200"));
  const rest = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  if (!isChunked) return rest;
  let body = "";
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.slice(at, lineEnd), 16);
    if (size === 0) return body;
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

t.test(
  "half-closed clients that get no turn for clientIdleTimeout are ended, others that wait as long are not",
  async (t) => {
    const { emulator, gw } = await startRig(t, {
      limits: { clientIdleTimeout: "300ms" },
      route: { limits: { egress: "16KiB/s" } },
    });
    emulator.putGenerated("examplebucket", "big.bin", 64 * MIB);
    const clients = Array.from({ length: 20 }, () => new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1"));
    await Promise.all(clients.map((client) => client.until(hasHead)));
    const halfClosed = clients.filter((_, i) => i % 2 === 1);
    for (const { socket } of halfClosed) socket.end();
    await Promise.all(halfClosed.map(({ closed }) => closed));
    await gw.logged(() => gw.accessLog.length === halfClosed.length);
    for (const { status, error } of gw.accessLog) t.match({ status, error }, { status: 200, error: "CLIENT_GONE" });
    const { pacedEgress } = gw.gateway.stats.route("files");
    t.equal(pacedEgress, clients.length - halfClosed.length, "the others still wait for their turns");
    for (const { socket } of clients) socket.destroy();
    await checkQuiet(t, { emulator, gw });
  },
);
