import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, type Rig, startAt, startRig } from "./support/rig.js";
import { clientsGone, openSockets, startOrigin } from "./support/sockets.js";

const BIG = 4 * 1024 * 1024;

/** Two addresses that both serve the bucket, and a gateway before them. */
async function startTwo(
  t: Parameters<typeof startRig>[0],
): Promise<Rig & { readonly all: readonly Rig["emulator"][] }> {
  const all = await startAt(t, ["127.0.0.2", "127.0.0.3"]);
  const [emulator, other] = all;
  if (emulator === undefined || other === undefined) throw new Error("no emulators");
  const gw = await startGateway(
    t,
    configText({
      endpoint: `http://oss.test:${emulator.port}`,
      bucket: { dns: { addresses: ["127.0.0.2", "127.0.0.3"] } },
    }),
  );
  return { emulator, gw, all };
}

t.test("a GET or HEAD that is reset before the head is sent again to another address", async (t) => {
  for (const method of ["GET", "HEAD"]) {
    const { emulator, gw, all } = await startTwo(t);
    emulator.faults.failNext(1, { kind: "resetBeforeHead" });
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(gw.port, "/hello.txt", { method });
      t.equal(answer.status, 200, `${method} ${i}`);
      t.equal(answer.headers["content-length"], "5");
    }
    const retried = gw.accessLog.find((entry) => entry.attempts === 2);
    t.match(retried, { status: 200, upstream: "127.0.0.3", error: undefined });
    t.equal(await gw.metric(`ossgate_upstream_retries_total{route="files"}`), 1);
    t.equal(await gw.metric(`ossgate_upstream_addresses_set_aside{bucket="media"}`), 1);
    await checkQuiet(t, { emulator, gw });
    await all[1]?.until(() => all[1]?.openSockets() === 0);
  }
});

t.test("a PUT, POST or DELETE that is reset before the head is not sent twice", async (t) => {
  for (const method of ["PUT", "POST", "DELETE"]) {
    const { emulator, gw, all } = await startTwo(t);
    for (const each of all) each.faults.failNext(1, { kind: "resetBeforeHead" });
    const answer = await ask(gw.port, "/once.txt", { method, ...(method === "DELETE" ? {} : { body: "data" }) });
    t.equal(answer.status, 502, method);
    t.equal(gatewayCode(answer), "UPSTREAM_RESET");
    t.equal(all.flatMap((each) => each.captures).length, 1, "it reached one address, once");
    await checkLogged(t, gw, { status: 502, error: "UPSTREAM_RESET" });
    t.equal(await gw.metric(`ossgate_upstream_retries_total{route="files"}`), 0);
    await checkQuiet(t, { emulator, gw });
    await all[1]?.until(() => all[1]?.openSockets() === 0);
  }
});

t.test("a PUT that took effect and lost its answer is not sent again", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "resetAfterEffect" });
  const answer = await ask(gw.port, "/effect.txt", { method: "PUT", body: "data" });
  t.equal(answer.status, 502);
  t.equal(emulator.captures.length, 1);
  t.equal(emulator.readObject("examplebucket", "effect.txt").toString(), "data");
  await checkLogged(t, gw, { status: 502, error: "UPSTREAM_RESET" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a GET gives up after three tries, however many addresses there are", async (t) => {
  const { emulator, gw, all } = await startTwo(t);
  for (const each of all) each.faults.failEvery(() => true, { kind: "resetBeforeHead" });
  const answer = await ask(gw.port, "/hello.txt");
  t.equal(answer.status, 502);
  t.equal(all.flatMap((each) => each.captures).length, 3);
  t.equal((await gw.logged(() => true)).attempts, 3);
  await checkLogged(t, gw, { status: 502, error: "UPSTREAM_RESET" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a reset in the middle of a body is a truncated answer at the client, never a whole one", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.putGenerated("examplebucket", "big.bin", BIG);
  emulator.faults.failNext(1, { kind: "resetMidBody", afterBytes: BIG / 2 });
  const answer = await ask(gw.port, "/big.bin");
  t.equal(answer.status, 200);
  t.equal(answer.headers["content-length"], String(BIG));
  t.notOk(answer.isComplete);
  t.ok(answer.body.length < BIG);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a reset in the middle of the answer to an upload is truncation too", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failNext(1, { kind: "answer", status: 200, body: Buffer.alloc(100_000) });
  t.equal((await ask(gw.port, "/a.txt", { method: "PUT", body: "data" })).body.length, 100_000);
  emulator.faults.failNext(1, {
    kind: "rawAnswer",
    bytes: `HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf`,
  });
  const answer = await ask(gw.port, "/a.txt", { method: "PUT", body: "data" });
  t.equal(answer.status, 200);
  t.equal(answer.body.toString(), "half");
  t.notOk(answer.isComplete);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
  await checkQuiet(t, { emulator, gw });
});

t.test("a chunked answer that ends without its last chunk never gets one at the client", async (t) => {
  for (const method of ["GET", "PUT"]) {
    const { emulator, gw } = await startRig(t);
    emulator.faults.failNext(1, {
      kind: "rawAnswer",
      bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    });
    const client = new RawClient(gw.port);
    client.sendHead(`${method} /chunked HTTP/1.1`, ...(method === "PUT" ? ["Content-Length: 0"] : []));
    await client.closed;
    t.match(client.text, "HTTP/1.1 200 OK", method);
    t.match(client.text, "hello");
    t.notMatch(client.text, /\r\n0\r\n/, "no last chunk");
    await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an HTTP/1.0 client, to whom the end of the connection is the end of the body, sees a reset", async (t) => {
  const origin = await startOrigin(t, (socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    });
  });
  const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
  const client = new RawClient(gw.port).sendHead("GET /chunked HTTP/1.0");
  await client.until(({ text }) => text.endsWith("hello"));
  t.notMatch(client.text, /transfer-encoding/i);
  for (const socket of openSockets(origin.port)) socket.destroy();
  t.equal(await client.closed, "ECONNRESET");
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_TRUNCATED" });
  await clientsGone(gw.port);
  checkGauges(t, gw);
});
