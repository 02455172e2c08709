import t from "tap";
import { RawClient } from "./support/client.js";
import { checkGauges, checkQuiet, startRig } from "./support/rig.js";
import { clientsGone } from "./support/sockets.js";

/** The count of an error that no route was found for. */
const unrouted = (code: string, origin: string): string =>
  `ossgate_errors_total{route="-",code="${code}",origin="${origin}"}`;

t.test(
  "one connection more than limits.connections gets a 503 that says why; a place that is free is taken",
  async (t) => {
    const { emulator, gw } = await startRig(t, { limits: { connections: 2 } });
    const held = [new RawClient(gw.port), new RawClient(gw.port)];
    for (const client of held) {
      client.sendHead("GET /hello.txt HTTP/1.1");
      await client.until(({ text }) => text.endsWith("hello"));
    }
    const refused = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1");
    t.equal(await refused.closed, null);
    t.match(refused.text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    t.match(refused.text, "x-ossgate-error: GATEWAY_BUSY");
    t.match(refused.text, /\r\nConnection: close\r\n/);
    t.match(refused.text, /<\/Error>\n$/);
    t.equal(await gw.metric("ossgate_client_connections_refused_total"), 1);
    t.equal(await gw.metric(unrouted("GATEWAY_BUSY", "gateway")), 1);
    t.equal(await gw.metric("ossgate_client_connections"), 2);
    t.equal(emulator.captures.length, 2);
    for (const client of held) client.socket.destroy();
    await clientsGone(gw.port);
    const next = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1", "Connection: close");
    await next.closed;
    t.match(next.text, /^HTTP\/1\.1 200 OK\r\n/);
    await checkQuiet(t, { emulator, gw });
  },
);

t.test("a hundred connections over the limit leave none behind", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { connections: 1 } });
  const held = new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1");
  await held.until(({ text }) => text.endsWith("hello"));
  const crowd = Array.from({ length: 100 }, () => new RawClient(gw.port).sendHead("GET /hello.txt HTTP/1.1"));
  await Promise.all(crowd.map(({ closed }) => closed));
  t.ok(crowd.every(({ text }) => text.startsWith("HTTP/1.1 503 ")));
  held.socket.destroy();
  await checkQuiet(t, { emulator, gw });
});

t.test("a head that does not arrive in time is 408", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { headerTimeout: "200ms" } });
  for (const start of ["", "GET /hello.txt HTTP/1.1\r\nHost: files.test\r\nX-Slow: "]) {
    const client = new RawClient(gw.port).send(start);
    await client.closed;
    t.match(client.text, /^HTTP\/1\.1 408 Request Timeout\r\n/, JSON.stringify(start));
    t.match(client.text, "x-ossgate-error: REQUEST_TIMEOUT");
  }
  t.equal(await gw.metric(unrouted("REQUEST_TIMEOUT", "client")), 2);
  t.equal(emulator.captures.length, 0);
  await checkQuiet(t, { emulator, gw });
});

t.test("a head that comes byte by byte without an end is 408 too, however it moves", async (t) => {
  const { gw } = await startRig(t, { limits: { headerTimeout: "200ms" } });
  const client = new RawClient(gw.port).send("GET /hello.txt HTTP/1.1\r\nHost: files.test\r\n");
  const timer = setInterval(() => client.send("x"), 20);
  t.teardown(() => clearInterval(timer));
  await client.until(({ text }) => text.includes("</Error>"));
  clearInterval(timer);
  t.match(client.text, /^HTTP\/1\.1 408 /);
  client.socket.destroy();
  await clientsGone(gw.port);
  checkGauges(t, gw);
});

t.test("a connection on which nothing is sent for clientIdleTimeout is closed", async (t) => {
  const { emulator, gw } = await startRig(t, { limits: { clientIdleTimeout: "200ms" } });
  const client = new RawClient(gw.port);
  t.equal(await client.closed, null);
  t.equal(client.text, "");
  await checkQuiet(t, { emulator, gw });
});
