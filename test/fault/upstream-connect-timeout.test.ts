import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import t, { type Test } from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode } from "./support/client.js";
import { checkGauges, checkLogged, checkQuiet, configText, startAt } from "./support/rig.js";
import { clientsGone } from "./support/sockets.js";

/** Listens and then never accepts, because its thread stands still. Beyond its queue Linux drops who comes. */
const DEAF = `
  const { createServer } = require("node:net");
  const { parentPort } = require("node:worker_threads");
  const server = createServer();
  server.listen({ port: 0, host: "127.0.0.2", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;

/** A port of 127.0.0.2 that answers no attempt to connect. */
async function startBlackhole(t: Test): Promise<number> {
  const worker = new Worker(DEAF, { eval: true });
  t.teardown(() => worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  for (let i = 0; i < 2; i += 1) {
    const filler = connect(port, "127.0.0.2");
    t.teardown(() => filler.destroy());
    await once(filler, "connect");
  }
  return port;
}

const BUCKET = { timeouts: { connect: "200ms" } };

t.test("an address that answers no connection attempt is 504, for downloads and uploads", async (t) => {
  const port = await startBlackhole(t);
  for (const method of ["GET", "PUT"]) {
    const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.2:${port}`, bucket: BUCKET }));
    const answer = await ask(gw.port, "/hello.txt", { method, ...(method === "PUT" ? { body: "data" } : {}) });
    t.equal(answer.status, 504, method);
    t.equal(gatewayCode(answer), "UPSTREAM_CONNECT_TIMEOUT");
    await checkLogged(t, gw, { status: 504, error: "UPSTREAM_CONNECT_TIMEOUT" });
    await clientsGone(gw.port);
    checkGauges(t, gw);
  }
});

t.test("another address is tried when one answers no connection attempt, for downloads and uploads", async (t) => {
  const port = await startBlackhole(t);
  const [emulator] = await startAt(t, ["127.0.0.3"], {}, port);
  if (emulator === undefined) throw new Error("no emulator");
  for (const method of ["GET", "PUT"]) {
    const gw = await startGateway(
      t,
      configText({
        endpoint: `http://oss.test:${port}`,
        bucket: { ...BUCKET, dns: { addresses: ["127.0.0.2", "127.0.0.3"] } },
      }),
    );
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask(gw.port, "/hello.txt", { method, ...(method === "PUT" ? { body: "data" } : {}) });
      t.equal(answer.status, 200, `${method} ${i}`);
    }
    t.equal(gw.accessLog.filter((entry) => entry.attempts === 2).length, 1);
    t.equal(await gw.metric(`ossgate_upstream_addresses_set_aside{bucket="media"}`), 1);
    await checkQuiet(t, { emulator, gw });
  }
});
