import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import t from "tap";
import { createEmulator, type Emulator } from "../../src/emulator/index.js";
import { TEST_TLS } from "../unit/emulator/certificate.js";
import { BUCKET, DOMAIN } from "../unit/emulator/wire.js";

async function start(t: Pick<typeof import("tap").t, "teardown">): Promise<Emulator> {
  const emulator = createEmulator({ tls: TEST_TLS });
  t.teardown(() => emulator.close());
  await emulator.listen();
  emulator.addBucket({ name: BUCKET, acl: "public-read-write", domains: [DOMAIN] });
  emulator.putObject(BUCKET, "k", "0123456789");
  return emulator;
}

const ask = (emulator: Emulator, method: string, path: string) =>
  request({
    host: "127.0.0.1",
    port: emulator.port,
    servername: DOMAIN,
    ca: TEST_TLS.cert,
    method,
    path,
    headers: { Host: DOMAIN },
    agent: false,
  })
    // Node tells the request of a reset too, after its answer has begun.
    .on("error", () => {})
    .end();

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
}

t.test("an object is served over TLS, and the URL says so", async (t) => {
  const emulator = await start(t);
  t.equal(emulator.url, `https://127.0.0.1:${emulator.port}`);
  const [response] = (await once(ask(emulator, "GET", "/k"), "response")) as [IncomingMessage];
  t.equal(await textOf(response), "0123456789");
  t.equal(emulator.acceptedConnections, 1);
});

t.test("a reset under TLS is a reset of the TCP connection", async (t) => {
  const emulator = await start(t);
  emulator.faults.failNext(1, { kind: "resetBeforeHead" });
  const [before] = await once(ask(emulator, "GET", "/k"), "error");
  t.equal(before.code, "ECONNRESET");
  emulator.faults.failNext(1, { kind: "resetMidBody", afterBytes: 4 });
  const [response] = (await once(ask(emulator, "GET", "/k"), "response")) as [IncomingMessage];
  await t.rejects(textOf(response), { code: "ECONNRESET" });
  await emulator.until(() => emulator.openSockets() === 0);
});

t.test("closing ends TLS connections too", async (t) => {
  const emulator = await start(t);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const ended = once(ask(emulator, "GET", "/k"), "error");
  await emulator.until(() => emulator.faults.stalled === 1);
  await emulator.close();
  const [error] = await ended;
  t.equal(error.code, "ECONNRESET");
  t.equal(emulator.openSockets(), 0);
});
