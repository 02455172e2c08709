import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { Teardown } from "./gateway.js";
import { type RelayWorld, startRelay } from "./relay-world.js";
import { pairsOf, TestAuthority } from "./tls-world.js";

export const HOST = "img.example.com";

export interface Http2World extends RelayWorld {
  readonly ca: TestAuthority;
  readonly port: number;
}

/** A gateway with one listener that speaks HTTP/2, and the emulator behind it. */
export async function startHttp2(
  t: Teardown,
  route = "methods: [GET, HEAD, PUT, POST, DELETE]",
  top = "",
  tls = "",
): Promise<Http2World> {
  const ca = new TestAuthority(t);
  const pair = pairsOf(ca.issue({ san: `DNS:${HOST},DNS:*.example.com` }));
  const routes = `  - { name: r, match: { hosts: [${HOST}] }, bucket: one, ${route} }`;
  const listener = `{ name: web, address: "127.0.0.1:0", tls: { certificates: ${pair} ${tls} } }`;
  const world = await startRelay(t, routes, `listeners: [${listener}]\n${top}`);
  return { ...world, ca, port: world.gateway.port };
}

/** A client of Node's; what breaks its connection is told by its streams. */
export async function openSession(
  t: Teardown,
  { port }: Http2World,
  settings = {},
  more: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> {
  const session = connect(`https://${HOST}:${port}`, {
    ...more,
    settings,
    createConnection: undefined as never,
    rejectUnauthorized: false,
    servername: HOST,
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }] as never, 4),
  });
  session.on("error", () => {});
  t.teardown(() => session.destroy());
  await once(session, "connect");
  return session;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** With which the server reset the stream; 0 when it ended in order. */
  readonly rstCode: number;
}

/** The whole answer of a stream, or as much as came before it was reset. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  let headers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (head) => {
    headers = head;
  });
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  // Not once(), which an error would settle first.
  if (!stream.destroyed) await new Promise((resolve) => stream.on("close", resolve));
  return { status: Number(headers[":status"] ?? 0), headers, body: Buffer.concat(chunks), rstCode: stream.rstCode };
}

export function get(session: ClientHttp2Session, path: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  return session.request({ ":path": path, ":authority": HOST, ...headers });
}
