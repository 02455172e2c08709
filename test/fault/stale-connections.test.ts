import { Agent } from "node:http";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, gatewayCode } from "./support/client.js";
import { checkGauges, checkQuiet, configText, startRig } from "./support/rig.js";
import { clientsGone, startOrigin } from "./support/sockets.js";

t.test("a kept-alive connection that the upstream resets costs GET, HEAD and DELETE no error", async (t) => {
  for (const method of ["GET", "HEAD", "DELETE"]) {
    const { emulator, gw } = await startRig(t);
    t.equal((await ask(gw.port, "/hello.txt")).status, 200);
    emulator.faults.failNext(1, { kind: "resetOnReuse" });
    const answer = await ask(gw.port, "/hello.txt", { method });
    t.equal(answer.status, method === "DELETE" ? 204 : 200, method);
    t.equal(emulator.faults.pending, 0, "it did meet the stale connection");
    t.match(await gw.logged((entry) => entry.attempts === 2), { method, error: undefined });
    t.equal(await gw.metric(`ossgate_upstream_set_aside_total{bucket="media"}`), 0, "the address is not to blame");
    await checkQuiet(t, { emulator, gw });
  }
});

t.test("an upload never takes a used connection, so none can be stale", async (t) => {
  const { emulator, gw } = await startRig(t);
  emulator.faults.failEvery(() => true, { kind: "resetOnReuse" });
  for (let i = 0; i < 3; i += 1) {
    t.equal((await ask(gw.port, "/hello.txt")).status, 200);
    t.equal((await ask(gw.port, `/put-${i}.txt`, { method: "PUT", body: "data" })).status, 200);
    t.equal((await ask(gw.port, `/empty-${i}.txt`, { method: "PUT", body: "" })).status, 200);
    t.equal((await ask(gw.port, "/x?uploads", { method: "POST", body: "" })).status, 200);
  }
  const uploads = emulator.captures.filter(({ method }) => method === "PUT" || method === "POST");
  t.equal(uploads.length, 9);
  t.ok(uploads.every(({ numberOnSocket }) => numberOnSocket === 1));
  t.ok(gw.accessLog.every(({ error }) => error === undefined));
  await checkQuiet(t, { emulator, gw });
});

t.test("a DELETE with a body is not sent twice", async (t) => {
  const { emulator, gw } = await startRig(t);
  t.equal((await ask(gw.port, "/hello.txt")).status, 200);
  const answer = await ask(gw.port, "/hello.txt", {
    method: "DELETE",
    headers: { "Content-Length": "1" },
    body: "x",
  });
  t.equal(answer.status, 204);
  t.equal(emulator.captures.filter(({ method }) => method === "DELETE").length, 1);
  await checkQuiet(t, { emulator, gw });
});

t.test("idle connections that the upstream closes at any moment cost no error under load", async (t) => {
  const { emulator, gw } = await startRig(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.teardown(() => agent.destroy());
  let served = 0;
  const client = async (index: number): Promise<void> => {
    for (let i = 0; i < 50; i += 1) {
      const method = (["GET", "HEAD", "DELETE", "PUT"] as const)[(i + index) % 4] ?? "GET";
      const path = method === "DELETE" ? "/none.txt" : method === "PUT" ? `/put-${index}.txt` : "/hello.txt";
      const answer = await ask(gw.port, path, { method, agent, ...(method === "PUT" ? { body: "data" } : {}) });
      if (answer.status === (method === "DELETE" ? 204 : 200)) served += 1;
      emulator.closeIdleSockets();
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => client(index)));
  t.equal(served, 400);
  t.ok(gw.accessLog.every(({ error }) => error === undefined));
  t.ok(emulator.acceptedConnections > 100, "connections really ended");
  agent.destroy();
  await checkQuiet(t, { emulator, gw });
});

t.test(
  "an upstream that ends every connection without an answer is set aside, and not taken for idle connections",
  async (t) => {
    let connections = 0;
    const origin = await startOrigin(t, (socket) => {
      connections += 1;
      // An empty line is no answer, but it is a byte that was read.
      socket.once("data", () => socket.end("\r\n"));
    });
    const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
    const answer = await ask(gw.port, "/hello.txt");
    t.equal(answer.status, 502);
    t.match(gatewayCode(answer), /^UPSTREAM_(RESET|STALE_CONNECTION)$/);
    t.equal(connections, 3);
    t.match(await gw.logged(() => true), { status: 502, attempts: 3 });
    t.equal(await gw.metric(`ossgate_upstream_set_aside_total{bucket="media"}`), 1);
    await clientsGone(gw.port);
    checkGauges(t, gw);
  },
);
