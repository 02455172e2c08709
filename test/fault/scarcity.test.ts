import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { startEmulator } from "../support/gateway.js";
import { RawConnection } from "../support/raw-client.js";
import { ask, gatewayCode } from "./support/client.js";
import { Program } from "./support/program.js";
import { checkLogged, configText, fill, HOST, startRig } from "./support/rig.js";
import { closedPort } from "./support/sockets.js";

t.test("a request that finds all connections held waits for one at most twice timeouts.connect", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { connections: 1, timeouts: { connect: "100ms" } } });
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const holder = ask(gw.port, "/hello.txt");
  await emulator.until(() => emulator.faults.stalled === 1);
  const refused = await ask(gw.port, "/hello.txt");
  t.equal(refused.status, 503);
  t.equal(gatewayCode(refused), "GATEWAY_BUSY");
  await checkLogged(t, gw, { status: 503, error: "GATEWAY_BUSY", origin: "gateway" });
  emulator.faults.releaseStalled();
  t.equal((await holder).status, 200);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
});

t.test("an upload that finds all connections held is refused before its body is read", async (t) => {
  const { emulator, gw } = await startRig(t, { bucket: { connections: 1 } });
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const holder = ask(gw.port, "/hello.txt");
  await emulator.until(() => emulator.faults.stalled === 1);
  const refused = await ask(gw.port, "/new.txt", { method: "PUT", body: "data" });
  t.equal(refused.status, 503);
  t.equal(gatewayCode(refused), "GATEWAY_BUSY");
  t.equal(emulator.captures.length, 1, "the upstream saw the holder alone");
  emulator.faults.releaseStalled();
  await holder;
  t.equal((await ask(gw.port, "/new.txt", { method: "PUT", body: "data" })).status, 200);
});

t.test("a reader of standard error that stopped reading stops no request", async (t) => {
  const emulator = fill(await startEmulator(t));
  const config = JSON.parse(configText({ endpoint: emulator.url })) as {
    buckets: Record<string, object>;
    routes: object[];
  };
  const dead = { bucket: "deadbucket", region: "cn-beijing", endpoint: `http://127.0.0.1:${await closedPort()}` };
  config.buckets.dead = dead;
  config.routes.push({ name: "dead", match: { hosts: ["dead.test"] }, bucket: "dead" });
  const program = new Program(t, JSON.stringify(config));
  const port = await program.serves();
  program.child.stderr.pause();
  const client = await RawConnection.open(port);
  // Each failure is logged; together they are more than a pipe holds.
  for (let i = 0; i < 600; i += 1) {
    client.send("GET /x HTTP/1.1\r\nHost: dead.test\r\n\r\n");
    if ((await client.answer()).status !== 502) t.fail("not 502");
  }
  t.equal((await ask(port, "/hello.txt")).status, 200);
  client.close();
});

t.test("a head that was begun holds up no shutdown", async (t) => {
  const emulator = fill(await startEmulator(t));
  const program = new Program(t, configText({ endpoint: emulator.url, limits: { shutdownTimeout: "1h" } }));
  const port = await program.serves();
  const begun = connect(port, "127.0.0.1");
  await once(begun, "connect");
  begun.write(`GET /hello.txt HTTP/1.1\r\nHost: ${HOST}`);
  const closed = once(begun, "close");
  begun.resume();
  t.equal((await ask(port, "/hello.txt")).status, 200);
  program.child.kill("SIGTERM");
  t.equal(await program.exited, 0);
  await closed;
});

t.test("a caFile without a certificate ends the start with one line that names it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ossgate-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "bad.pem");
  writeFileSync(path, "not a pem");
  const program = new Program(t, configText({ endpoint: "https://127.0.0.1:1", bucket: { caFile: path } }));
  t.equal(await program.exited, 3);
  t.match(program.stderr, `${path} has no PEM certificate`);
});
