import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import { RawConnection } from "../support/raw-client.js";
import { HIDDEN, HOST, startBeforeOrigin } from "./before-origin.js";

const CONNECTIONS = 2_000;
const AT_A_TIME = 50;

/** mulberry32: the same numbers on every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const next = numbers(20_261_122);
const pick = <T>(from: readonly T[]): T => from[next(from.length)] as T;

const METHODS = [
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "DELETE",
  "OPTIONS",
  "CONNECT",
  "PATCH",
  "get",
  "FOO",
  "",
  "PRI",
  "SOURCE",
];
const TARGETS = [
  "/",
  "//",
  "/a%2Fb",
  "/%zz",
  "/a?b=c",
  "*",
  "http://g.test/x",
  "http://o/x",
  "/\\",
  "/#",
  "/%ff",
  "g.test:80",
  "",
];
const VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "RTSP/1.0", "HTTP/1.", ""];
const ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", ""];
const LINES = [
  "Host: g.test",
  "Host: g.test",
  "Host: g.test",
  "Host: o.test",
  "Host:",
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: 99999999999",
  "Content-Length: x",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: x",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: upgrade",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "Expect: x",
  "X-A: \0",
  "X-A: \xff",
  ": x",
  "X A: b",
  "Authorization: OSS4-HMAC-SHA256 Credential=,Signature=",
  "Authorization: OSS a:b",
  "Content-Type: multipart/form-data; boundary=x",
  "Range: bytes=0-",
  "Trailer: X",
  "Content-Encoding: aws-chunked",
  `X-Long: ${"x".repeat(3_000)}`,
];
const BODIES = ["", "", "hello", "5\r\nhello\r\n0\r\n\r\n", "ZZ\r\n", "0\r\n\r\n", HIDDEN, "\0\x01\x02"];

function randomHead(): string {
  let text = `${pick(METHODS)} ${pick(TARGETS)} ${pick(VERSIONS)}${pick(ENDS)}`;
  const lineCount = next(8);
  for (let i = 0; i < lineCount; i += 1) text += pick(LINES) + pick(ENDS);
  return `${text}${pick(ENDS)}${pick(BODIES)}`;
}

const VALID = `PUT /a?b HTTP/1.1\r\n${HOST}Content-Length: 2\r\nX-A: b\r\n\r\nhiGET /c HTTP/1.1\r\n${HOST}\r\n`;

/** A good request with some bytes changed, cut out or doubled. */
function mutated(): Buffer {
  let bytes: Buffer = Buffer.from(VALID, "latin1");
  const changeCount = 1 + next(4);
  for (let i = 0; i < changeCount; i += 1) {
    const at = next(bytes.length);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const change = next(3);
    if (change === 0) bytes = Buffer.concat([before, Buffer.from([next(256)]), after.subarray(1)]);
    else if (change === 1) bytes = Buffer.concat([before, after.subarray(1 + next(6))]);
    else bytes = Buffer.concat([before, after.subarray(0, 12), after]);
  }
  return bytes;
}

function randomBytes(kind: number): Buffer {
  if (kind < 4) return Buffer.from(VALID, "latin1");
  if (kind < 12) return Buffer.from(randomHead(), "latin1");
  return kind < 19 ? mutated() : noise();
}

const noise = (): Buffer => Buffer.from(Array.from({ length: next(200) }, () => next(256)));

t.test("random heads end no process, keep no connection and hold no counter", { timeout: 55_000 }, async (t) => {
  const { origin, gateway, port } = await startBeforeOrigin(t);
  const { stats, runtime } = gateway.gateway;
  const one = async (): Promise<void> => {
    const bytes = randomBytes(next(20));
    const cut = next(bytes.length + 1);
    const resets = next(5) === 0;
    const connection = await RawConnection.open(port);
    connection.send(bytes.subarray(0, cut));
    connection.send(bytes.subarray(cut));
    if (resets) connection.socket.resetAndDestroy();
    else connection.socket.end();
    await connection.ended;
    connection.close();
  };
  for (let done = 0; done < CONNECTIONS; done += AT_A_TIME) await Promise.all(Array.from({ length: AT_A_TIME }, one));

  const inFlight = (): number => [...stats.routes.values()].reduce((sum, route) => sum + route.inFlight, 0);
  while (stats.openConnections > 0 || inFlight() > 0 || runtime.upstreams.get("b")?.inFlight !== 0) await nextTurn();
  t.equal(stats.connectionsTotal, CONNECTIONS);
  t.same(origin.violations, [], "only plain HTTP/1.1 is sent");
  t.ok(origin.requests.length > 100, "some of it was good");
  t.notOk(origin.requests.some(({ target }) => !target.startsWith("/")));
  t.equal(await gateway.metric("ossgate_client_connections"), 0);
  const health = await fetch(`${gateway.adminUrl}/healthz`);
  t.equal(health.status, 200);
});
