import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t from "tap";
import { ask, RawClient } from "./support/client.js";
import { checkLogged, checkQuiet, startRig } from "./support/rig.js";
import { openSockets } from "./support/sockets.js";

const MIB = 1024 * 1024;
const SIZE = 200 * MIB;
/** One: what the emulator in this process holds for it is measured too. */
const STALLED_COUNT = 1;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that this process holds outside and inside the heap, garbage left out: what was freed is told a little later. */
async function memory(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i += 1) {
    collectGarbage();
    await setImmediate();
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    least = Math.min(least, arrayBuffers + heapUsed);
  }
  return least;
}

t.test("a client that stalls on 200 MB holds less than 16 MiB of the gateway, and gets every byte later", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.putGenerated("examplebucket", "film.mp4", SIZE);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  const before = await memory();
  const clients = Array.from({ length: STALLED_COUNT }, () => {
    const client = new RawClient(gw.port);
    client.socket.pause();
    return client.sendHead("GET /film.mp4 HTTP/1.1", "Connection: close");
  });
  // The emulator's side of the downloads; what it wrote is all that can have left it.
  const written = (): number => openSockets(emulator.port).reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
  await emulator.until(
    () => emulator.captures.filter(({ rawTarget }) => rawTarget === "/film.mp4").length === STALLED_COUNT,
  );
  for (let last = -1; last !== filmBytes(); ) {
    last = filmBytes();
    // Others are served all the while; when nothing moved during twenty of them, nothing moves.
    for (let i = 0; i < 20; i += 1) t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  }
  function filmBytes(): number {
    return Math.trunc(written() / MIB);
  }
  t.ok(written() < SIZE / 2, `only what the sockets hold has left the upstream: ${filmBytes()} MiB`);
  const grownMiB = ((await memory()) - before) / MIB;
  t.ok(grownMiB < 16, `it holds ${grownMiB.toFixed(1)} MiB`);
  for (const client of clients) client.socket.resume();
  for (const client of clients) {
    t.equal(await client.closed, null);
    t.equal(client.byteCount - client.text.indexOf("\r\n\r\n") - 4, SIZE);
  }
  t.ok(gw.accessLog.every(({ status, error }) => status === 200 && error === undefined));
  await checkQuiet(t, { emulator, gw });
});

t.test("a client that takes nothing for clientIdleTimeout is cut off, and the upstream with it", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { clientIdleTimeout: "300ms" } });
  emulator.putGenerated("examplebucket", "film.mp4", SIZE);
  const client = new RawClient(gw.port).sendHead("GET /film.mp4 HTTP/1.1");
  client.socket.pause();
  const entry = await gw.logged(() => true);
  t.match(entry, { status: 200, error: "CLIENT_GONE", detail: /took nothing of the answer/ });
  t.ok(entry.sentBytes < 64 * MIB);
  await emulator.until(() => emulator.openSockets() === 0);
  client.socket.resume();
  await client.closed;
  t.ok(client.byteCount < SIZE, "the client sees the cut");
  await checkLogged(t, gw, { status: 200, error: "CLIENT_GONE", origin: "client" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a client that is slow but moves is not cut off, however long it takes", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { clientIdleTimeout: "400ms" } });
  const size = 48 * MIB;
  emulator.putGenerated("examplebucket", "film.mp4", size);
  const client = new RawClient(gw.port).sendHead("GET /film.mp4 HTTP/1.1", "Connection: close");
  // Two MiB at a time: what makes the kernel tell the gateway that there is room again.
  let pausedAt = 0;
  let pauses = 0;
  const timer = setInterval(() => client.socket.resume(), 50);
  t.teardown(() => clearInterval(timer));
  client.socket.on("data", () => {
    if (client.byteCount - pausedAt < 2 * MIB) return;
    pausedAt = client.byteCount;
    pauses += 1;
    client.socket.pause();
  });
  t.equal(await client.closed, null);
  t.equal(client.byteCount - client.text.indexOf("\r\n\r\n") - 4, size);
  t.ok(pauses > 16, "each pause lasts until the next tick of 50 ms, so all of them are longer than the timeout");
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});

t.test("an idle kept-alive connection is closed after clientIdleTimeout without an answer or an error", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { clientIdleTimeout: "300ms" } });
  const client = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1");
  t.equal(await client.closed, null);
  t.match(client.text, /hello$/);
  t.equal(gw.accessLog.length, 1);
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});
