import t from "tap";
import { ask, gatewayCode, RawClient } from "./support/client.js";
import { checkLogged, checkQuiet, type Rig, startRig } from "./support/rig.js";
import { requestStarted } from "./support/sockets.js";

const KIB = 1024;
const MIB = 1024 * KIB;

const SNAIL = { limits: { ingress: "16KiB/s" } };

const held = ({ gw }: Rig): number => gw.gateway.stats.route("files").pacedIngress;

t.test("a client that leaves while its body is held ends the upload, and nothing is stored", async (t) => {
  for (const framing of [`Content-Length: ${MIB}`, "Transfer-Encoding: chunked"]) {
    const rig = await startRig(t, { route: SNAIL });
    const { emulator, gw } = rig;
    const started = requestStarted(emulator.port, "/a.bin");
    const client = new RawClient(gw.port).sendHead("PUT /a.bin HTTP/1.1", framing);
    client.send(framing.startsWith("T") ? `${(40 * KIB).toString(16)}\r\n` : "").send(Buffer.alloc(40 * KIB));
    await started;
    t.equal(held(rig), 1, framing);
    client.socket.destroy();
    const entry = await gw.logged(() => true);
    t.match(entry, { error: "CLIENT_GONE" });
    t.equal(held(rig), 0);
    t.notOk(emulator.getObject("examplebucket", "a.bin"));
    await checkQuiet(t, rig);
  }
});

t.test("what a client may have in the gateway is bounded, however fast it sends", async (t) => {
  const rig = await startRig(t, { route: { limits: { ...SNAIL.limits, bodySize: "100MiB" } } });
  const client = new RawClient(rig.gw.port).sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${64 * MIB}`);
  client.send(Buffer.alloc(64 * MIB));
  const { stats } = rig.gw.gateway;
  const upstream = stats.upstream("media");
  for (let last = -1; last !== upstream.ingressBytes || last === 0; ) {
    last = upstream.ingressBytes;
    // Others are served all the while; when nothing was read during twenty of them, nothing is.
    for (let i = 0; i < 20; i += 1) t.equal((await ask(rig.gw.port, "/hello.txt")).status, 200);
  }
  t.ok(upstream.ingressBytes <= 512 * KIB, `${upstream.ingressBytes / KIB} KiB were read`);
  await rig.gw.gateway.stop(0);
  await client.closed;
  t.equal(held(rig), 0);
  await checkQuiet(t, rig);
});

t.test("a body that waits for its turn is neither an idle client's nor held against the upstream", async (t) => {
  const rig = await startRig(t, {
    limits: { clientIdleTimeout: "600ms" },
    bucket: { timeouts: { idle: "600ms", headers: "600ms" } },
    route: SNAIL,
  });
  const { emulator, gw } = rig;
  // All of them are here at once; a turn is a tenth of a second's bytes, and each waits for eight others.
  const size = 8 * KIB;
  const framings = [{ "Content-Length": String(size) }, { "Transfer-Encoding": "chunked" }];
  const answers = await Promise.all(
    [0, 1, 2, 3].flatMap((i) =>
      framings.map((headers, j) => ask(gw.port, `/${i}-${j}`, { method: "PUT", body: Buffer.alloc(size), headers })),
    ),
  );
  for (const { status } of answers) t.equal(status, 200);
  for (let i = 0; i < 4; i += 1) {
    for (let j = 0; j < 2; j += 1) t.equal(emulator.getObject("examplebucket", `${i}-${j}`)?.size, size);
  }
  t.ok(
    gw.accessLog.some(({ durationMs }) => durationMs > 1_200),
    "longer than the timeouts",
  );
  await checkQuiet(t, rig);
});

t.test("an upstream that takes nothing of what was granted is still found out", async (t) => {
  const rig = await startRig(t, {
    bucket: { timeouts: { idle: "200ms", headers: "200ms" } },
    route: { limits: { ingress: "100MiB/s", bodySize: "100MiB" } },
  });
  rig.emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const answer = await ask(rig.gw.port, "/a.bin", { method: "PUT", body: Buffer.alloc(MIB) });
  t.equal(answer.status, 504);
  t.equal(gatewayCode(answer), "UPSTREAM_HEADERS_TIMEOUT");
  t.equal(held(rig), 0);
  rig.emulator.faults.releaseStalled();
  await checkQuiet(t, rig);
});

t.test("an answer that comes while the body is held reaches the client, and frees what was held", async (t) => {
  for (const closes of [true, false]) {
    const rig = await startRig(t, { route: { limits: { ingress: "16KiB/s", bodySize: "100MiB" } } });
    const { emulator, gw } = rig;
    emulator.faults.failNext(1, { kind: "refuseUpload", afterBytes: 10_000, code: "AccessDenied", closes });
    const client = new RawClient(gw.port);
    client.sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${8 * MIB}`).send(Buffer.alloc(8 * MIB));
    await client.until(({ text }) => text.includes("</Error>"));
    t.match(client.text, /^HTTP\/1\.1 403 Forbidden\r\n/);
    t.equal(held(rig), 0);
    client.socket.destroy();
    await checkLogged(t, gw, { status: 403 });
    await checkQuiet(t, rig);
  }
});

t.test("a body that grows too large on a limited route is refused as on any", async (t) => {
  const rig = await startRig(t, { route: { limits: { ingress: "16KiB/s", bodySize: "64KiB" } } });
  const answer = await ask(rig.gw.port, "/a.bin", {
    method: "PUT",
    body: Buffer.alloc(65 * KIB),
    headers: { "Transfer-Encoding": "chunked" },
  });
  t.equal(answer.status, 413);
  t.equal(gatewayCode(answer), "BODY_TOO_LARGE");
  t.equal(held(rig), 0);
  await checkQuiet(t, rig);
});

t.test("a client that waits for a 100 gets it from the upstream, and only then its body is paced", async (t) => {
  const rig = await startRig(t, { route: { limits: { ingress: "64KiB/s" } } });
  const { emulator, gw } = rig;
  const client = new RawClient(gw.port);
  client.sendHead("PUT /a.bin HTTP/1.1", `Content-Length: ${24 * KIB}`, "Expect: 100-continue");
  await client.until(({ text }) => text === "HTTP/1.1 100 Continue\r\n\r\n");
  t.equal(emulator.captures[0]?.bodyBytes, 0);
  client.send(Buffer.alloc(24 * KIB));
  await client.until(({ text }) => /HTTP\/1\.1 200 OK/.test(text));
  t.equal(emulator.getObject("examplebucket", "a.bin")?.size, 24 * KIB);
  client.socket.destroy();
  await checkQuiet(t, rig);
});

t.test("a PUT without a body, and an upload whose upstream cannot be reached, hold nothing", async (t) => {
  const rig = await startRig(t, { route: SNAIL });
  t.equal((await ask(rig.gw.port, "/empty", { method: "PUT", headers: { "Content-Length": "0" } })).status, 200);
  await rig.emulator.close();
  const answer = await ask(rig.gw.port, "/a.bin", { method: "PUT", body: Buffer.alloc(KIB) });
  t.equal(gatewayCode(answer), "UPSTREAM_REFUSED");
  t.equal(held(rig), 0);
});
