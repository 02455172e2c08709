import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import t from "tap";
import { TicketKeys } from "../../src/server/ticket-keys.js";
import { type ListenerTls, openTls } from "../../src/server/tls.js";
import { createLog } from "../../src/telemetry/log.js";
import { ListenerStats } from "../../src/telemetry/stats.js";
import type { Teardown } from "../support/gateway.js";
import { TestAuthority } from "../support/tls-world.js";

const HOUR_MS = 3_600_000;
const PURPOSE = Buffer.from("a listener");

t.test("ticket keys are alike in all processes, and others each twelve hours", async (t) => {
  let nowMs = 1_000;
  const now = () => nowMs;
  const main = new TicketKeys(undefined, now);
  const worker = new TicketKeys(main.seed(), now);
  const first = main.keysFor(PURPOSE);
  t.equal(first.length, 48);
  t.strictSame(worker.keysFor(PURPOSE), first);
  t.notSame(main.keysFor(Buffer.from("another listener")), first);
  t.notSame(new TicketKeys(undefined, now).keysFor(PURPOSE), first, "another program's are others");
  nowMs += 12 * HOUR_MS - 1;
  t.strictSame(main.keysFor(PURPOSE), first);
  nowMs += 1;
  const second = worker.keysFor(PURPOSE);
  t.notSame(second, first);
  nowMs -= HOUR_MS;
  t.strictSame(worker.keysFor(PURPOSE), second, "a clock that is set back brings none back");
  nowMs += 50 * HOUR_MS;
  t.strictSame(main.keysFor(PURPOSE), worker.keysFor(PURPOSE), "who was asleep catches up");
  t.strictSame(new TicketKeys(main.seed(), now).keysFor(PURPOSE), main.keysFor(PURPOSE), "who comes late is told");
});

/** One handshake, and the session that the server gave for the next. */
async function handshake(port: number, version: "TLSv1.2" | "TLSv1.3", session?: Buffer) {
  const options = { port, minVersion: version, maxVersion: version, rejectUnauthorized: false };
  const socket: TLSSocket = connect(session === undefined ? options : { ...options, session });
  const given = once(socket, "session");
  // Tickets of TLS 1.3 are read with what follows the handshake.
  await once(socket, "data");
  const isReused = socket.isSessionReused();
  const [next] = isReused ? [session] : await given;
  socket.destroy();
  return { isReused, session: next as Buffer };
}

async function serve(t: Teardown, tls: ListenerTls): Promise<number> {
  tls.serve({ onSecure: (socket) => void socket.on("error", () => {}).write("hello") });
  const server = createServer((socket) => tls.accept(socket.on("error", () => {})));
  t.teardown(() => {
    server.close();
    tls.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  t.test(
    `${version}: behind a change of keys a session falls back to a whole handshake, and the next is resumed`,
    async (t) => {
      let nowMs = Date.now();
      const pair = new TestAuthority(t).issue({ san: "DNS:img.example.com" });
      const stats = new ListenerStats();
      const tls = await openTls({
        name: "web",
        tls: {
          certificates: [{ ...pair, directory: null }],
          minVersion: "TLSv1.2",
          http2: true,
          clientCaFile: null,
          clientCertificate: "required",
        },
        headerTimeoutMs: 60_000,
        ticketKeys: new TicketKeys(undefined, () => nowMs),
        stats,
        log: createLog("silent"),
      });
      const port = await serve(t, tls);
      const first = await handshake(port, version);
      t.notOk(first.isReused);
      t.ok((await handshake(port, version, first.session)).isReused);
      nowMs += 12 * HOUR_MS;
      t.notOk(await tls.refresh(), "no certificate has changed");
      const changed = await handshake(port, version, first.session);
      t.notOk(changed.isReused);
      t.ok((await handshake(port, version, changed.session)).isReused);
      t.strictSame([stats.tlsHandshakes, stats.tlsResumed], [4, 2], "none fails");
    },
  );
}
