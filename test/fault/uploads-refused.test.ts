import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, startRig } from "./support/rig.js";
import { clientsGone, startOrigin } from "./support/sockets.js";

const MIB = 1024 * 1024;

t.test("an answer that comes while the body is still under way reaches the client", async (t) => {
  for (const closes of [true, false]) {
    for (const framing of ["Content-Length", "chunked"]) {
      const { emulator, gw } = await startRig(t);
      emulator.faults.failNext(1, { kind: "refuseUpload", afterBytes: 100_000, code: "AccessDenied", closes });
      const client = new RawClient(gw.port);
      if (framing === "chunked") {
        client.sendHead("PUT /a.bin HTTP/1.1", "Transfer-Encoding: chunked");
        for (let i = 0; i < 16; i += 1) client.send(`100000\r\n`).send(Buffer.alloc(MIB)).send("\r\n");
        client.send("0\r\n\r\n");
      } else {
        client.sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${64 * MIB}`).send(Buffer.alloc(64 * MIB));
      }
      await client.until(({ text }) => text.includes("</Error>"));
      t.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/, `${framing}, ${closes ? "closed" : "kept"}`);
      t.match(client.text, "<Code>AccessDenied</Code>");
      t.match(client.text, /\r\nConnection: close\r\n/i);
      client.socket.destroy();
      await checkLogged(t, gw, { status: 403 });
      t.notOk(emulator.getObject("examplebucket", "a.bin"));
      await checkQuiet(t, { emulator, gw });
    }
  }
});

t.test("an early answer reaches the client also when the upstream then resets the connection", async (t) => {
  const early = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop";
  const origin = await startOrigin(t, (socket) => {
    socket.once("data", () => {
      socket.pause();
      // What was not read makes the kernel reset the connection after the answer.
      socket.write(early, () => socket.destroy());
    });
  });
  const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
  const rounds = 50;
  for (let i = 0; i < rounds; i += 1) {
    const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${4 * MIB}`);
    client.send(Buffer.alloc(4 * MIB));
    await client.until(({ text }) => /stop$|<\/Error>$/.test(text.trimEnd()));
    t.match(client.text, /^HTTP\/1\.1 403 /);
    client.socket.destroy();
  }
  await clientsGone(gw.port);
  t.equal(gw.accessLog.filter(({ status }) => status === 403).length, rounds);
  checkGauges(t, gw);
});

t.test("a client that sends its whole body before it reads still gets the early answer", async (t) => {
  for (const closes of [true, false]) {
    const { emulator, gw } = await startRig(t);
    emulator.faults.failNext(1, { kind: "refuseUpload", afterBytes: 1000, code: "AccessDenied", closes });
    const client = new RawClient(gw.port);
    client.socket.pause();
    client.sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${32 * MIB}`);
    await new Promise((resolve) => client.socket.write(Buffer.alloc(32 * MIB), resolve));
    client.socket.resume();
    t.equal(await client.closed, null, closes ? "closed" : "kept");
    t.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    t.match(client.text, /<\/Error>\n?$/);
    await checkLogged(t, gw, { status: 403 });
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an allowed upload gets its 100 from the upstream, and only then sends", async (t) => {
  const { emulator, gw } = await startRig(t);
  const client = new RawClient(gw.port).sendHead("PUT /a.txt HTTP/1.1", "Content-Length: 4", "Expect: 100-continue");
  await client.until(({ text }) => text === "HTTP/1.1 100 Continue\r\n\r\n");
  t.equal(emulator.captures[0]?.continueSent, true);
  t.equal(emulator.captures[0]?.bodyBytes, 0);
  client.send("data");
  await client.until(({ text }) => /\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n/.test(text));
  client.socket.end();
  await client.closed;
  t.equal(emulator.readObject("examplebucket", "a.txt").toString(), "data");
  await checkLogged(t, gw, { status: 200 });
  await checkQuiet(t, { emulator, gw });
});

t.test("an upload that the upstream refuses transfers no byte of its body", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { bucket: "closedbucket" } });
  emulator.addBucket({ name: "closedbucket", region: "cn-beijing", acl: "private" });
  for (const framing of [`Content-Length: ${5 * 1024 * MIB}`, "Transfer-Encoding: chunked"]) {
    const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", framing, "Expect: 100-continue");
    await client.until(({ text }) => text.includes("</Error>"));
    t.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/, framing);
    t.notMatch(client.text, "100 Continue");
    client.socket.end();
    await client.closed;
  }
  t.same(
    emulator.captures.map(({ bodyBytes, continueSent }) => [bodyBytes, continueSent]),
    [
      [0, false],
      [0, false],
    ],
  );
  t.ok(gw.accessLog.every(({ receivedBytes }) => receivedBytes === 0));
  await checkQuiet(t, { emulator, gw });
});

t.test("an upload that stops arriving is 408, and the upstream sees it cut off", async (t) => {
  for (const framing of ["Content-Length: 100000", "Transfer-Encoding: chunked"]) {
    const { emulator, gw } = await startRig(t, { limits: { clientIdleTimeout: "300ms" } });
    const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", framing);
    client.send(framing.startsWith("Content") ? "some" : "4\r\nsome\r\n");
    await client.until(({ text }) => text.includes("</Error>"));
    t.match(client.text, /^HTTP\/1\.1 408 Request Timeout\r\n/, framing);
    t.match(client.text, "x-ossgate-error: REQUEST_TIMEOUT");
    client.socket.destroy();
    await checkLogged(t, gw, { status: 408, error: "REQUEST_TIMEOUT", origin: "client" });
    await emulator.until(() => emulator.openSockets() === 0);
    t.notOk(emulator.getObject("examplebucket", "a.bin"));
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("a body that is announced larger than bodySize is 413 and touches no upstream", async (t) => {
  const { emulator, gw } = await startRig(t, { route: { limits: { bodySize: "100B" } } });
  t.equal((await ask(gw.port, "/fits.bin", { method: "PUT", body: Buffer.alloc(100) })).status, 200);
  emulator.clearCaptures();
  for (const expect of [[], ["Expect: 100-continue"]]) {
    const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", "Content-Length: 101", ...expect);
    await client.until(({ text }) => text.includes("</Error>"));
    t.match(client.text, /^HTTP\/1\.1 413 /);
    t.match(client.text, "<Code>EntityTooLarge</Code>");
    client.socket.destroy();
  }
  t.equal(emulator.captures.length, 0);
  await gw.logged(() => gw.accessLog.filter(({ error }) => error === "BODY_TOO_LARGE").length === 2);
  await checkQuiet(t, { emulator, gw });
});

t.test("a body that grows larger than bodySize is 413 when it does, and is not stored", async (t) => {
  const { emulator, gw } = await startRig(t, { route: { limits: { bodySize: "100000B" } } });
  const chunk = `C350\r\n${"x".repeat(50_000)}\r\n`;
  const fits = new RawClient(gw.port).sendHead(
    "PUT /fits.bin HTTP/1.1",
    "Transfer-Encoding: chunked",
    "Connection: close",
  );
  fits.send(`${chunk}${chunk}0\r\n\r\n`);
  await fits.closed;
  t.match(fits.text, /^HTTP\/1\.1 200 OK\r\n/);
  t.equal(emulator.readObject("examplebucket", "fits.bin").length, 100_000);
  const grows = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", "Transfer-Encoding: chunked");
  grows.send(`${chunk}${chunk}1\r\nx\r\n0\r\n\r\n`);
  await grows.until(({ text }) => text.includes("</Error>"));
  t.match(grows.text, /^HTTP\/1\.1 413 /);
  grows.socket.destroy();
  await checkLogged(t, gw, { status: 413, error: "BODY_TOO_LARGE", origin: "client" });
  await emulator.until(() => emulator.openSockets() === 0);
  t.notOk(emulator.getObject("examplebucket", "a.bin"));
  await checkQuiet(t, { emulator, gw });
});

t.test("when all connections are busy and as many requests wait, the next one is 503 at once", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { connections: 1 } });
  emulator.faults.failNext(2, { kind: "stallBeforeHead" });
  const served = [ask(gw.port, "/hello.txt"), ask(gw.port, "/hello.txt")];
  await emulator.until(() => emulator.faults.stalled === 1);
  const refused = await ask(gw.port, "/hello.txt");
  t.equal(refused.status, 503);
  t.equal(gatewayCode(refused), "GATEWAY_BUSY");
  await checkLogged(t, gw, { status: 503, error: "GATEWAY_BUSY", origin: "gateway" });
  emulator.faults.releaseStalled();
  await emulator.until(() => emulator.faults.stalled === 1);
  emulator.faults.releaseStalled();
  for (const answer of await Promise.all(served)) t.equal(answer.status, 200);
  await checkQuiet(t, { emulator, gw });
});
