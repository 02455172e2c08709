import t, { type Test } from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, RawClient } from "./support/client.js";
import { checkGauges, checkQuiet, configText, type Rig, startRig } from "./support/rig.js";
import { clientsGone, startOrigin } from "./support/sockets.js";

const KIB = 1024;
const MIB = 1024 * KIB;
/** What passes at once after a pause, at rates this low. */
const BURST = 16 * KIB;

/** A rate at which the end of the test would not see the end of a transfer. */
const SNAIL = { limits: { egress: "16KiB/s" } };

const bodyBytes = (client: RawClient): number => client.byteCount - client.text.indexOf("\r\n\r\n") - 4;

function checkNothingHeld(t: Test, { gateway }: Rig["gw"]): void {
  const { pacedEgress, pacedIngress } = gateway.stats.route("files");
  t.same([pacedEgress, pacedIngress], [0, 0], "no transfer is counted");
}

t.test("an upstream that breaks off while bytes are held leaves a truncated answer, and nothing follows", async (t) => {
  for (const fault of [
    { kind: "shortBody", missingBytes: 1 },
    { kind: "resetMidBody", afterBytes: 3 * MIB },
  ] as const) {
    const { emulator, gw } = await startRig(t, { route: { limits: { egress: "8MiB/s" } } });
    emulator.putGenerated("examplebucket", "a.bin", 4 * MIB);
    emulator.faults.failNext(1, fault);
    const answer = await ask(gw.port, "/a.bin");
    t.equal(answer.headers["content-length"], String(4 * MIB), fault.kind);
    t.notOk(answer.isComplete);
    const entry = await gw.logged(() => true);
    t.ok(entry.sentBytes < 4 * MIB);
    t.ok(answer.body.length <= entry.sentBytes, "no byte came that was not granted");
    t.equal(entry.status, 200);
    checkNothingHeld(t, gw);
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an answer whose bytes are all there is whole though its upstream has gone long since", async (t) => {
  for (const [framing, encode] of [
    ["Content-Length", (body: Buffer) => [`Content-Length: ${body.length}\r\n\r\n`, body]],
    [
      "chunked",
      (body: Buffer) => [
        "Transfer-Encoding: chunked\r\n\r\n",
        `${body.length.toString(16)}\r\n`,
        body,
        "\r\n0\r\n\r\n",
      ],
    ],
    ["close", (body: Buffer) => ["Connection: close\r\n\r\n", body]],
  ] as const) {
    const body = Buffer.alloc(2 * BURST, "x");
    const origin = await startOrigin(t, (socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n");
        for (const part of encode(body)) socket.write(part);
        socket.end();
      });
    });
    const gw = await startGateway(
      t,
      configText({ endpoint: `http://127.0.0.1:${origin.port}`, route: { limits: { egress: "64KiB/s" } } }),
    );
    for (const version of ["1.1", "1.0"]) {
      const client = new RawClient(gw.port).sendHead(`GET /a HTTP/${version}`, "Connection: close");
      t.equal(await client.closed, null, `${framing}, HTTP/${version}`);
      const count = client.text.split("x").length - 1;
      t.equal(count, body.length, `${framing}, HTTP/${version}`);
      if (version === "1.1" && framing !== "Content-Length") t.match(client.text, /\r\n0\r\n\r\n$/);
    }
    await clientsGone(gw.port);
    t.ok(gw.accessLog.every(({ status, error, sentBytes }) => status === 200 && !error && sentBytes === body.length));
    checkNothingHeld(t, gw);
    checkGauges(t, gw);
  }
});

t.test("an HTTP/1.0 answer without a length that breaks off after bytes that were held ends in a reset", async (t) => {
  const origin = await startOrigin(t, (socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      // The rest of the chunk never comes.
      socket.write(`${(MIB).toString(16)}\r\n`);
      socket.write(Buffer.alloc(24 * KIB), () => setImmediate(() => socket.resetAndDestroy()));
    });
  });
  const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}`, route: SNAIL }));
  const client = new RawClient(gw.port).sendHead("GET /a HTTP/1.0");
  const code = await client.closed;
  t.equal(code, "ECONNRESET");
  await clientsGone(gw.port);
  checkNothingHeld(t, gw);
  checkGauges(t, gw);
});

t.test("a client that leaves while its bytes are held ends the upstream's work at once", async (t) => {
  const { emulator, gw } = await startRig(t, { route: SNAIL });
  emulator.putGenerated("examplebucket", "big.bin", 64 * MIB);
  const clients = Array.from({ length: 20 }, () => new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1"));
  for (const client of clients) await client.until(({ text }) => text.includes("\r\n\r\n"));
  t.equal(gw.gateway.stats.route("files").pacedEgress, clients.length);
  for (const client of clients) client.socket.resetAndDestroy();
  await emulator.until(() => emulator.openSockets() === 0);
  await clientsGone(gw.port);
  for (const { error, sentBytes } of gw.accessLog) {
    t.equal(error, "CLIENT_GONE");
    t.ok(sentBytes <= 2 * BURST);
  }
  checkNothingHeld(t, gw);
  await checkQuiet(t, { emulator, gw });
});

t.test("a transfer that waits for its turn is neither an idle client nor an idle upstream", async (t) => {
  const { emulator, gw } = await startRig(t, {
    limits: { clientIdleTimeout: "700ms" },
    bucket: { timeouts: { idle: "700ms", headers: "700ms" }, limits: { egress: "16KiB/s" } },
    route: { limits: { egress: "1MiB/s" } },
  });
  emulator.putGenerated("examplebucket", "big.bin", 64 * MIB);
  emulator.putGenerated("examplebucket", "small.bin", 3 * KIB);
  // A turn is a tenth of a second's bytes, so that each of ten waits for a second between two of its turns.
  const paths = ["big", "big", "big", "big", "big", "small", "small", "small", "small", "small"];
  const clients = paths.map((name) => new RawClient(gw.port).sendHead(`GET /${name}.bin HTTP/1.1`));
  await Promise.all(
    clients.map((client) => client.until(() => client.text.includes("\r\n\r\n") && bodyBytes(client) >= 3 * KIB)),
  );
  const small = gw.accessLog.filter(({ target }) => target === "/small.bin");
  t.equal(small.length, 5);
  t.ok(
    small.some(({ durationMs }) => durationMs > 1_000),
    "longer than the timeouts",
  );
  for (const { status, error } of gw.accessLog) t.match({ status, error }, { status: 200, error: undefined });
  for (const client of clients) client.socket.destroy();
  await checkQuiet(t, { emulator, gw });
});

t.test(
  "a client that takes nothing on a limited route is cut off, and takes nothing of the others' bytes",
  async (t) => {
    const { emulator, gw } = await startRig(t, {
      limits: { clientIdleTimeout: "300ms" },
      route: { limits: { egress: "200MiB/s" } },
    });
    emulator.putGenerated("examplebucket", "film.mp4", 200 * MIB);
    const client = new RawClient(gw.port).sendHead("GET /film.mp4 HTTP/1.1");
    client.socket.pause();
    const entry = await gw.logged(() => true);
    t.match(entry, { status: 200, error: "CLIENT_GONE" });
    t.ok(entry.sentBytes < 64 * MIB, `${entry.sentBytes}`);
    client.socket.resume();
    await client.closed;
    checkNothingHeld(t, gw);
    await checkQuiet(t, { emulator, gw });
  },
);

t.test("a gateway that stops leaves nothing held", async (t) => {
  const { emulator, gw } = await startRig(t, { route: SNAIL });
  emulator.putGenerated("examplebucket", "big.bin", 64 * MIB);
  const clients = Array.from({ length: 3 }, () => new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1"));
  for (const client of clients) await client.until(({ text }) => text.includes("\r\n\r\n"));
  await gw.gateway.stop(0);
  for (const client of clients) await client.closed;
  checkNothingHeld(t, gw);
  checkGauges(t, gw);
  await emulator.until(() => emulator.openSockets() === 0);
});
