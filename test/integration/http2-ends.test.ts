import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import t from "tap";
import type { Teardown } from "../support/gateway.js";
import { get, HOST, type Http2World, startHttp2 } from "../support/http2-client.js";

/** A client's connection, of which a test has the ends of TLS and of TCP in hand. */
interface Client {
  readonly tls: TLSSocket;
  /** At the gateway; nothing but the test ends it. */
  readonly tcp: Socket;
  /** The gateway has ended its side, or all. */
  readonly ended: Promise<unknown>;
}

async function openTls(t: Teardown, { port, ca }: Http2World, protocol: string): Promise<Client> {
  const tcp = connectPlain({ port, host: "127.0.0.1", allowHalfOpen: true });
  tcp.on("error", () => {});
  const ended = new Promise((resolve) => tcp.on("end", resolve).on("close", resolve));
  const relay = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => tcp.writable && tcp.write(chunk)).on("end", () => tcp.end());
    tcp
      .on("data", (chunk) => socket.write(chunk))
      .on("end", () => socket.end())
      .on("close", () => socket.destroy());
    t.teardown(() => socket.destroy());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const tls = connect({
    port: (relay.address() as AddressInfo).port,
    allowHalfOpen: true,
    servername: HOST,
    ca: readFileSync(ca.caFile),
    ALPNProtocols: [protocol],
  } as ConnectionOptions);
  tls.on("error", () => {});
  t.teardown(() => {
    relay.close();
    tls.destroy();
    tcp.destroy();
  });
  await once(tls, "secureConnect");
  return { tls, tcp, ended };
}

async function openHttp2(t: Teardown, world: Http2World): Promise<Client & { readonly session: ClientHttp2Session }> {
  const client = await openTls(t, world, "h2");
  const session = connectHttp2(`https://${HOST}`, { createConnection: () => client.tls });
  session.on("error", () => {});
  await once(session, "connect");
  return { ...client, session };
}

/** Says that it sends nothing more: by TLS and TCP, or by TCP alone. */
const FINS = { "close_notify and FIN": ({ tls }: Client) => tls.end(), FIN: ({ tcp }: Client) => tcp.end() };

t.test("a client of HTTP/2 that ends its connection ends what it waits for, at once", async (t) => {
  const world = await startHttp2(t);
  world.emulator.faults.failEvery(({ method }) => method === "GET", { kind: "stallBeforeHead" });
  for (const [how, end] of Object.entries(FINS)) {
    const client = await openHttp2(t, world);
    const { session } = client;
    const upload = session.request({ ":method": "PUT", ":path": `/up-${how.length}`, ":authority": HOST });
    upload.on("error", () => {}).write("half");
    get(session, `/wait-${how.length}`).on("error", () => {});
    await world.emulator.until(() => world.emulator.requestsInFlight() === 2);
    end(client);
    await world.emulator.until(() => world.emulator.requestsInFlight() === 0);
    await client.ended;
    for (const name of ["up", "wait"]) {
      const { status, error } = await world.gateway.logged(({ target }) => target === `/${name}-${how.length}`);
      t.strictSame([status, error], [499, "CLIENT_GONE"], `${name}: ${how}`);
    }
    t.equal(await world.gateway.metric("ossgate_client_connections"), 0, how);
  }
});
