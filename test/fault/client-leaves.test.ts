import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { RawClient } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, HOST, startRig } from "./support/rig.js";
import { clientsGone, requestStarted, startOrigin } from "./support/sockets.js";

const BIG = 64 * 1024 * 1024;

t.test("a client that leaves before the head ends the upstream's work at once, and is 499 in the log", async (t) => {
  for (const how of ["end of the connection", "reset"]) {
    const { emulator, gw } = await startRig(t);
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const client = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1");
    await emulator.until(() => emulator.faults.stalled === 1);
    if (how === "reset") client.socket.resetAndDestroy();
    else client.socket.destroy();
    await emulator.until(() => emulator.openSockets() === 0);
    await checkLogged(t, gw, { status: 499, error: "CLIENT_GONE", origin: "client" });
    t.equal(emulator.captures[0]?.state, "aborted", how);
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("a client that leaves in the middle of a download ends it at once", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.putGenerated("examplebucket", "big.bin", BIG);
  const client = new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1");
  await client.until(({ byteCount }) => byteCount > 100_000);
  client.socket.destroy();
  await emulator.until(() => emulator.openSockets() === 0);
  t.equal(emulator.captures[0]?.state, "aborted");
  await checkLogged(t, gw, { status: 200, error: "CLIENT_GONE", origin: "client" });
  t.ok((gw.accessLog[0]?.sentBytes ?? 0) < BIG);
  await checkQuiet(t, { emulator, gw });
});

t.test(
  "a client that leaves in the middle of an upload ends it at once, and the upstream cannot take it for whole",
  async (t) => {
    for (const framing of [`Content-Length: ${BIG}`, "Transfer-Encoding: chunked"]) {
      let received = "";
      const emitter = new EventEmitter();
      const origin = await startOrigin(t, (socket) => {
        socket.on("data", (chunk) => {
          received += chunk.toString("latin1");
          if (received.length > 100_000) emitter.emit("under way");
        });
        socket.on("close", () => emitter.emit("close"));
        socket.on("end", () => socket.end());
      });
      const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
      const client = new RawClient(gw.port).sendHead("PUT /left.bin HTTP/1.1", framing);
      const underWay = once(emitter, "under way");
      const closed = once(emitter, "close");
      client.send(framing.startsWith("Content") ? "x".repeat(100_000) : `186A0\r\n${"x".repeat(100_000)}\r\n`);
      await underWay;
      client.socket.destroy();
      await closed;
      t.notMatch(received, /\r\n0\r\n/, framing);
      await checkLogged(t, gw, { status: 499, error: "CLIENT_GONE", origin: "client" });
      t.equal(gw.accessLog[0]?.receivedBytes, 100_000);
      await clientsGone(gw.port);
      checkGauges(t, gw);
    }
  },
);

t.test("a client that leaves while it waits for leave to upload ends the request", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const client = new RawClient(gw.port).sendHead("PUT /a.txt HTTP/1.1", "Content-Length: 4", "Expect: 100-continue");
  await emulator.until(() => emulator.faults.stalled === 1);
  client.socket.destroy();
  await emulator.until(() => emulator.clientErrors === 1);
  await checkLogged(t, gw, { status: 499, error: "CLIENT_GONE", origin: "client" });
  const [upstream] = gw.gateway.runtime.upstreams.values();
  t.equal(upstream?.inFlight, 0);
});

t.test(
  "a client that leaves while it waits for a connection to the upstream takes its place in the queue with it",
  async (t) => {
    const { emulator, gw } = await startRig(t, { bucket: { connections: 1 } });
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const first = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
    await emulator.until(() => emulator.faults.stalled === 1);
    const started = requestStarted(gw.port, "/hello.txt?second");
    const second = new RawClient(gw.port).sendHead("GET /hello.txt?second HTTP/1.1");
    await started;
    second.socket.destroy();
    await checkLogged(t, gw, { status: 499, error: "CLIENT_GONE", origin: "client" });
    emulator.faults.releaseStalled();
    t.equal(await first.closed, null);
    t.match(first.text, /hello$/);
    t.equal(emulator.captures.length, 1, "the second one was never sent");
    await checkQuiet(t, { emulator, gw });
  },
);

t.test("a client that ends its sending side after the request still gets the answer", async (t) => {
  for (const [method, body] of [
    ["GET", ""],
    ["PUT", "data"],
  ] as const) {
    const { emulator, gw } = await startRig(t);
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const client = new RawClient(gw.port);
    client
      .sendHead(`${method} /hello.txt HTTP/1.1`, ...(body === "" ? [] : [`Content-Length: ${body.length}`]))
      .send(body);
    client.socket.end();
    await emulator.until(() => emulator.faults.stalled === 1);
    emulator.faults.releaseStalled();
    t.equal(await client.closed, null, method);
    t.match(client.text, "HTTP/1.1 200 OK");
    if (method === "GET") t.match(client.text, /hello$/);
    await checkLogged(t, gw, { status: 200 });
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("1,000 seeks that end after their first bytes leave no socket and no request behind", async (t) => {
  const { emulator, gw } = await startRig(t, { emulator: { captureLimit: 2_000 } });
  emulator.putGenerated("examplebucket", "film.mp4", 200 * 1024 * 1024);
  // Far slower than a reader: every answer is under way when its client goes.
  emulator.faults.failEvery(() => true, { kind: "slowBytes", bytesPerTick: 16_384, tickMs: 1 });
  let next = 0;
  const seek = (start: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { Host: HOST, Range: `bytes=${start}-` };
      const req = request({ port: gw.port, host: "127.0.0.1", path: "/film.mp4", headers, agent: false });
      req.on("error", reject);
      req.on("response", (res) => {
        res.on("error", () => {});
        res.once("data", () => res.destroy());
        res.on("close", resolve);
      });
      req.end();
    });
  const player = async (): Promise<void> => {
    while (next < 1_000) {
      next += 1;
      await seek(next * 100_000);
    }
  };
  await Promise.all(Array.from({ length: 16 }, player));
  await emulator.until(() => emulator.openSockets() === 0);
  await gw.logged(() => gw.accessLog.length === 1_000);
  t.ok(gw.accessLog.every(({ status, error }) => status === 206 && error === "CLIENT_GONE"));
  t.equal(emulator.captures.filter(({ state }) => state === "aborted").length, 1_000);
  t.equal(await gw.metric(`ossgate_errors_total{route="files",code="CLIENT_GONE",origin="client"}`), 1_000);
  t.equal(await gw.metric(`ossgate_upstream_set_aside_total{bucket="media"}`), 0);
  await checkQuiet(t, { emulator, gw });
});
