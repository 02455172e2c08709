import type { Socket } from "node:net";
import t from "tap";
import { startGateway } from "../support/gateway.js";
import { ask, RawClient } from "./support/client.js";
import { checkGauges, configText } from "./support/rig.js";
import { clientsGone, openSockets, startOrigin } from "./support/sockets.js";

const KIB = 1024;

const HEADS = {
  "ends with its connection": "HTTP/1.1 200 OK\r\n\r\n",
  "has a length and says close": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000000000\r\n\r\n",
  "has a length": "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
};

/** The end of the event loop's next turns, in which what sockets have to say is heard. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

for (const [title, head] of Object.entries(HEADS)) {
  for (const how of ["closes", "resets"] as const) {
    t.test(
      `an upstream that ${how} when all it sent was read and the client is slow: its answer ${title}`,
      async (t) => {
        let upstream: Socket | undefined;
        const origin = await startOrigin(t, (socket) => {
          socket.once("data", () => {
            upstream = socket;
            socket.write(head);
          });
        });
        const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
        const client = new RawClient(gw.port).sendHead("GET /a HTTP/1.1", "Connection: close");
        await client.until(({ text }) => text.includes("\r\n\r\n"));
        client.socket.pause();
        const stats = gw.gateway.stats.upstream("media");
        const [gatewaySide] = openSockets(gw.port);
        // One piece after the other, each read before the next is sent, until the gateway's writes are not taken any more.
        for (let sent = 0; gatewaySide?.writableLength === 0; sent += 64 * KIB) {
          upstream?.write(Buffer.alloc(64 * KIB, "x"));
          while (stats.egressBytes < sent + 64 * KIB && gatewaySide.writableLength === 0) await turns(1);
          await turns(5);
        }
        while (stats.egressBytes % (64 * KIB) !== 0) await turns(1);
        if (how === "closes") upstream?.end();
        else upstream?.resetAndDestroy();
        await turns(50);
        client.socket.resume();
        const code = await client.closed;
        const entry = await gw.logged(() => true);
        t.equal(entry.status, 200);
        if (how === "closes" && head === HEADS["ends with its connection"]) {
          t.equal(code, null);
          t.equal(entry.error, undefined, "that was the end");
          t.equal(entry.sentBytes, stats.egressBytes, "and nothing is missing");
          t.match(client.text, /\r\nTransfer-Encoding: chunked\r\n/i);
        } else {
          t.equal(entry.error, "UPSTREAM_TRUNCATED");
        }
        await clientsGone(gw.port);
        checkGauges(t, gw);
      },
    );
  }
}

t.test("an upstream that ends after each answer is asked again without an error", async (t) => {
  const origin = await startOrigin(t, (socket) => {
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${"x".repeat(100_000)}`));
  });
  const gw = await startGateway(t, configText({ endpoint: `http://127.0.0.1:${origin.port}` }));
  for (let i = 0; i < 20; i += 1) t.equal((await ask(gw.port, "/a")).body.length, 100_000);
  t.ok(gw.accessLog.every(({ error }) => error === undefined));
});
