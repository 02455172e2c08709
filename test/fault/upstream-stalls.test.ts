import t from "tap";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, startRig } from "./support/rig.js";
import { clientsGone } from "./support/sockets.js";

const BIG = 1024 * 1024;

t.test("an upstream that stands still before its head is 504, and its connection ends", async (t) => {
  for (const method of ["GET", "HEAD", "DELETE", "PUT"]) {
    const { emulator, gw } = await startRig(t, { bucket: { timeouts: { headers: "200ms" } } });
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const answer = await ask(gw.port, "/hello.txt", { method, ...(method === "PUT" ? { body: "data" } : {}) });
    t.equal(answer.status, 504, method);
    t.equal(gatewayCode(answer), "UPSTREAM_HEADERS_TIMEOUT");
    await checkLogged(t, gw, { status: 504, error: "UPSTREAM_HEADERS_TIMEOUT" });
    t.equal(emulator.captures.length, 1, "it was not sent again");
    await emulator.until(() => emulator.openSockets() === 0);
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an upstream that stands still in mid-body is cut off, and so is the client", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { timeouts: { idle: "200ms" } } });
  emulator.putGenerated("examplebucket", "big.bin", BIG);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 1000 });
  const answer = await ask(gw.port, "/big.bin");
  t.equal(answer.status, 200);
  t.notOk(answer.isComplete);
  t.equal(answer.body.length, 1000);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_BODY_TIMEOUT" });
  await emulator.until(() => emulator.openSockets() === 0);
  await checkQuiet(t, { emulator, gw });
});

t.test("the client sees the head at once, also when the body stands still", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.putGenerated("examplebucket", "big.bin", BIG);
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 0 });
  const client = new RawClient(gw.port).sendHead("GET /big.bin HTTP/1.1", "Connection: close");
  await client.until(({ text }) => text.endsWith("\r\n\r\n"));
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\n/);
  emulator.faults.releaseStalled();
  t.equal(await client.closed, null);
  t.equal(client.byteCount, client.text.indexOf("\r\n\r\n") + 4 + BIG);
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});

t.test("the answer to an upload that stands still is cut off", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { timeouts: { idle: "200ms" } } });
  emulator.faults.failNext(1, { kind: "stallMidBody", afterBytes: 10 });
  // Its XML answer is longer than ten bytes.
  const answer = await ask(gw.port, "/multi.bin?uploads", { method: "POST", body: "" });
  t.equal(answer.status, 200);
  t.equal(answer.body.length, 10);
  t.notOk(answer.isComplete);
  await checkLogged(t, gw, { status: 200, error: "UPSTREAM_BODY_TIMEOUT" });
  await checkQuiet(t, { emulator, gw });
});

t.test("an upstream that is slow but moves is not cut off, however long the whole takes", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { timeouts: { headers: "400ms", idle: "400ms" } } });
  emulator.putGenerated("examplebucket", "slow.bin", 2000);
  emulator.faults.failNext(1, { kind: "slowBytes", bytesPerTick: 100, tickMs: 50 });
  const answer = await ask(gw.port, "/slow.bin");
  t.equal(answer.status, 200);
  t.ok(answer.isComplete);
  t.equal(answer.body.length, 2000);
  t.same(answer.body, emulator.readObject("examplebucket", "slow.bin"));
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});

t.test("an upload that waits for leave to send is 504 when the upstream says nothing", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { timeouts: { headers: "200ms", idle: "200ms" } } });
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const client = new RawClient(gw.port).sendHead("PUT /a.txt HTTP/1.1", "Content-Length: 4", "Expect: 100-continue");
  await client.until(({ text }) => text.includes("</Error>"));
  t.match(client.text, /^HTTP\/1\.1 504 /);
  t.match(client.text, "x-ossgate-error: UPSTREAM_HEADERS_TIMEOUT");
  client.socket.end();
  await client.closed;
  await checkLogged(t, gw, { status: 504, error: "UPSTREAM_HEADERS_TIMEOUT" });
  // The upstream's connection ended in the middle of the request.
  await emulator.until(() => emulator.clientErrors === 1);
  await clientsGone(gw.port);
  checkGauges(t, gw);
});

t.test("an upload whose upstream takes no more bytes is 504", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { timeouts: { headers: "300ms", idle: "300ms" } } });
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${64 * BIG}`);
  client.send(Buffer.alloc(64 * BIG));
  await client.until(({ text }) => text.includes("</Error>"));
  t.match(client.text, /^HTTP\/1\.1 504 /);
  client.socket.destroy();
  const { receivedBytes } = await gw.logged((entry) => entry.error === "UPSTREAM_HEADERS_TIMEOUT");
  t.ok(receivedBytes < 64 * BIG, "the body was not taken in where nobody takes it");
  await checkLogged(t, gw, { status: 504, error: "UPSTREAM_HEADERS_TIMEOUT" });
  emulator.faults.releaseStalled();
  await checkQuiet(t, { emulator, gw });
});
