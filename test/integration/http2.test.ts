import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants } from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import { answerOf, get, HOST, openSession, startHttp2 } from "../support/http2-client.js";
import { BUCKET } from "../support/relay-world.js";
import { TestAuthority } from "../support/tls-world.js";

const run = promisify(execFile);

t.test("reads, parts of reads, heads and what is not there, many at once on one connection", async (t) => {
  const world = await startHttp2(t);
  const large = randomBytes(300_000);
  world.emulator.putObject(BUCKET, "large", large);
  const session = await openSession(t, world);
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const part = await answerOf(get(session, "/large", { range: `bytes=${i * 5_000}-${i * 5_000 + 4_999}` }));
      return part.status === 206 && part.body.equals(large.subarray(i * 5_000, i * 5_000 + 5_000));
    }),
  );
  t.ok(answers.every(Boolean), "each stream has its own part");
  const whole = await answerOf(get(session, "/large"));
  t.ok(whole.body.equals(large));
  t.equal(whole.headers["content-length"], "300000");
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) t.notOk(name in whole.headers, name);
  const head = await answerOf(get(session, "/large", { ":method": "HEAD" }));
  t.strictSame([head.status, head.headers["content-length"], head.body.length], [200, "300000", 0]);
  const none = await answerOf(get(session, "/none"));
  t.equal(none.status, 404);
  t.match(none.body.toString(), /NoSuchKey/);
  const cached = await answerOf(get(session, "/large", { "if-none-match": whole.headers.etag as string }));
  t.strictSame([cached.status, cached.body.length], [304, 0]);
  const entry = await world.gateway.logged(({ status }) => status === 404);
  t.equal(entry.protocol, "HTTP/2.0");
  t.equal(await world.gateway.metric("ossgate_client_connections"), 1, "one connection, whatever it carries");
});

t.test("what goes upstream has nothing of HTTP/2, and the cookies in one line", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  world.emulator.clearCaptures();
  await answerOf(get(session, "/a", { cookie: ["a=1", "b=2"], "x-own": ["1", "2"], te: "trailers" }));
  const raw = world.emulator.captures.at(-1)?.rawHeaders ?? [];
  const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${raw[i + 1]}`] : []));
  t.notOk(
    lines.some((line) => line.startsWith(":")),
    "no pseudo-header",
  );
  t.ok(lines.includes("cookie: a=1; b=2"));
  t.strictSame(
    lines.filter((line) => line.startsWith("x-own")),
    ["x-own: 1", "x-own: 2"],
  );
  t.notOk(lines.some((line) => line.startsWith("te:")));
  t.equal(lines.filter((line) => line.startsWith("host:")).length, 1);
});

t.test("uploads: with and without a length, empty, with trailers", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  const body = randomBytes(700_000);
  const put = async (key: string, headers: Record<string, string>, bytes: Buffer, trailers = false) => {
    const stream = session.request(
      { ":method": "PUT", ":path": `/${key}`, ":authority": HOST, ...headers },
      { endStream: bytes.length === 0, waitForTrailers: trailers },
    );
    if (trailers) stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "1" }));
    if (bytes.length > 0) stream.end(bytes);
    return (await answerOf(stream)).status;
  };
  t.equal(await put("length", { "content-length": String(body.length) }, body), 200);
  t.equal(await put("none", {}, body), 200);
  t.equal(await put("empty", {}, Buffer.alloc(0)), 200);
  t.equal(await put("trailers", {}, body, true), 200);
  for (const key of ["length", "none", "trailers"]) {
    t.ok((await answerOf(get(session, `/${key}`))).body.equals(body), key);
  }
  t.equal((await answerOf(get(session, "/empty"))).headers["content-length"], "0");
});

t.test("100-continue goes end to end", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  const stream = session.request(
    { ":method": "PUT", ":path": "/c", ":authority": HOST, expect: "100-continue", "content-length": "5" },
    { endStream: false },
  );
  stream.once("continue", () => stream.end("hello"));
  t.equal((await answerOf(stream)).status, 200);
});

t.test("an upload that is reset leaves nothing behind, however much of it had come", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  for (const [index, code] of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR].entries()) {
    for (const sent of [1, 60_000, 200_000]) {
      const key = `cut-${index}-${sent}`;
      const stream = session.request(
        { ":method": "PUT", ":path": `/${key}`, ":authority": HOST },
        { endStream: false },
      );
      stream.on("error", () => {});
      stream.write(randomBytes(sent), () => stream.close(code));
      await once(stream, "close");
      const entry = await world.gateway.logged(({ target }) => target === `/${key}`);
      t.equal(entry.status, 499, `${key} is the client's doing`);
      t.equal((await answerOf(get(session, `/${key}`))).status, 404, "and no object is there");
    }
  }
});

t.test("an upload that is refused is told so at once, and the connection goes on", async (t) => {
  const world = await startHttp2(t, "methods: [GET, PUT], limits: { bodySize: 100KiB }");
  const session = await openSession(t, world);
  const stream = session.request({ ":method": "PUT", ":path": "/big", ":authority": HOST }, { endStream: false });
  const answer = answerOf(stream);
  stream.write(randomBytes(200_000));
  const { status, rstCode } = await answer;
  t.equal(status, 413);
  t.equal(rstCode, constants.NGHTTP2_NO_ERROR, "the rest need not be sent");
  const declared = await answerOf(
    session.request(
      { ":method": "PUT", ":path": "/big", ":authority": HOST, "content-length": "200000" },
      { endStream: false },
    ),
  );
  t.equal(declared.status, 413);
  t.equal((await answerOf(get(session, "/none"))).status, 404, "the connection is as good as before");
});

t.test("a client that resets a stream ends what it asked of OSS, and nothing else on its connection", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(20_000_000));
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  const stream = get(session, "/large");
  stream.on("error", () => {});
  await once(stream, "data");
  stream.pause();
  stream.close(constants.NGHTTP2_CANCEL);
  const entry = await world.gateway.logged(({ target }) => target === "/large");
  t.equal(entry.status, 200, "the head had gone out");
  t.equal(entry.error, "CLIENT_GONE");
  t.ok(entry.sentBytes < 2_000_000, `only ${entry.sentBytes} bytes of 20000000 were taken from OSS`);
  t.equal((await answerOf(get(session, "/a"))).status, 200);
});

t.test("a stream that is not read is not buffered, and holds up no other", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(50_000_000));
  world.emulator.putObject(BUCKET, "a", Buffer.alloc(30_000));
  const session = await openSession(t, world);
  const slow = get(session, "/large");
  slow.on("error", () => {});
  await once(slow, "data");
  slow.pause();
  for (let i = 0; i < 20; i += 1) t.equal((await answerOf(get(session, "/a"))).body.length, 30_000);
  slow.close(constants.NGHTTP2_CANCEL);
  const { sentBytes } = await world.gateway.logged(({ target }) => target === "/large");
  t.ok(sentBytes < 2_000_000, `${sentBytes} bytes were held for a client that reads nothing`);
});

t.test("an answer that breaks off upstream is reset, not ended", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(1_000_000));
  world.emulator.faults.failNext(1, { kind: "resetMidBody", afterBytes: 100_000 });
  const session = await openSession(t, world);
  const { status, rstCode, body } = await answerOf(get(session, "/large"));
  t.equal(status, 200);
  t.not(rstCode, constants.NGHTTP2_NO_ERROR);
  t.ok(body.length < 1_000_000);
});

t.test("a drain sends GOAWAY, lets streams finish and closes the connection", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(5_000_000, 7));
  const session = await openSession(t, world);
  const stream = get(session, "/large");
  await once(stream, "data");
  stream.pause();
  const goaway = once(session, "goaway");
  const stopped = world.gateway.gateway.stop(60_000);
  const [code] = await goaway;
  t.equal(code, constants.NGHTTP2_NO_ERROR);
  const answer = answerOf(stream);
  stream.resume();
  t.equal((await answer).rstCode, 0);
  await Promise.all([once(session, "close"), stopped]);
});

t.test("requests that were on their way when the drain began are served", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  await answerOf(get(session, "/a"));
  const stopped = world.gateway.gateway.stop(60_000);
  const answers = await Promise.all(Array.from({ length: 20 }, () => answerOf(get(session, "/a"))));
  t.strictSame([...new Set(answers.map(({ status }) => status))], [200]);
  session.close();
  await stopped;
});

t.test("an idle connection is closed, with GOAWAY, after clientIdleTimeout", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", "limits: { clientIdleTimeout: 300ms }");
  world.emulator.putObject(BUCKET, "a", "x");
  const session = await openSession(t, world);
  await answerOf(get(session, "/a"));
  const pings = setInterval(() => !session.destroyed && session.ping(() => {}), 20);
  t.teardown(() => clearInterval(pings));
  await Promise.all([once(session, "goaway"), once(session, "close")]);
  t.pass("pings do not keep it");
});

t.test("a stream whose client takes nothing is ended after clientIdleTimeout", async (t) => {
  const world = await startHttp2(t, "methods: [GET]", "limits: { clientIdleTimeout: 300ms }");
  world.emulator.putObject(BUCKET, "large", Buffer.alloc(10_000_000));
  const session = await openSession(t, world, { initialWindowSize: 1_000 });
  const stream = get(session, "/large");
  stream.pause();
  stream.on("error", () => {});
  const entry = await world.gateway.logged(({ target }) => target === "/large");
  t.match(entry, { error: "CLIENT_GONE", detail: /took nothing of the answer for limits\.clientIdleTimeout/ });
  t.equal(await world.gateway.metric('ossgate_errors_total{route="r",code="CLIENT_GONE",origin="client"}'), 1);
  stream.destroy();
});

t.test("the name of the connection and the host of a request: 421 where another connection may reach it", async (t) => {
  const world = await startHttp2(t);
  const session = await openSession(t, world);
  const other = await answerOf(get(session, "/a", { ":authority": "other.example.com" }));
  t.equal(other.status, 421);
  t.match(other.body.toString(), /MisdirectedRequest/);
});

t.test(
  "every request of a connection is from whom its certificate names, and from nobody where there is none",
  async (t) => {
    const ca = new TestAuthority(t);
    const asks = `, clientCaFile: ${ca.caFile}, clientCertificate: optional`;
    const world = await startHttp2(t, "allow: { certificates: [O=Example/CN=partner] }", "", asks);
    world.emulator.putObject(BUCKET, "a", "x");
    const statusesOf = async (subject: string | null): Promise<readonly number[]> => {
      const pair = subject === null ? null : ca.issue({ subject });
      const shown = pair === null ? {} : { cert: readFileSync(pair.certFile), key: readFileSync(pair.keyFile) };
      const session = await openSession(t, world, {}, shown);
      const answers = await Promise.all([1, 2].map(() => answerOf(get(session, "/a"))));
      return answers.map(({ status }) => status);
    };
    t.strictSame(await statusesOf("/O=Example/CN=partner"), [200, 200]);
    const { clientSubject } = await world.gateway.logged(({ status }) => status === 200);
    t.equal(clientSubject, "CN=partner,O=Example");
    t.strictSame(await statusesOf("/O=Example/CN=other"), [403, 403]);
    t.strictSame(await statusesOf(null), [403, 403]);
  },
);

t.test("curl speaks it, and HTTP/1.1 where it wants that", async (t) => {
  const world = await startHttp2(t);
  world.emulator.putObject(BUCKET, "a", "hello");
  const at = `${HOST}:${world.port}`;
  const common = [
    "-s",
    "-m",
    "20",
    "--cacert",
    world.ca.caFile,
    "--resolve",
    `${at}:127.0.0.1`,
    "-w",
    " %{http_version} %{http_code}",
  ];
  for (const [args, shown] of [
    [["--http2"], "hello 2 200"],
    [["--http1.1"], "hello 1.1 200"],
    [["--http2", "-T", new URL(import.meta.url).pathname], " 2 200"],
  ] as const) {
    const { stdout } = await run("curl", [...common, ...args, `https://${at}/a`]);
    t.equal(stdout, shown);
  }
  await turn();
});
