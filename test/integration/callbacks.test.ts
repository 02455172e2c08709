import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { ERROR_CODES, type ErrorCode } from "../../src/core/errors.js";
import { clientsGone, closedPort } from "../fault/support/sockets.js";
import { KEY_HOST_TLS } from "../support/callback-certificate.js";
import { answerWith } from "../support/callback-keys.js";
import { type CallbackWorld, FORM, jsonAnswer, startCallbackWorld } from "../support/callback-world.js";
import { type RawAnswer, RawConnection, valuesOf } from "../support/raw-client.js";

const [CAP_BYTES, MIB] = [64 * 1024, 1024 * 1024];
const HOUR_MS = 3_600_000;

function headerOf({ rawHeaders }: RawAnswer, lowerName: string): string | undefined {
  return valuesOf(rawHeaders, lowerName)[0];
}

/** An error as OSS can read it: JSON with its length, and in the log and the counters. */
async function checkError(
  t: Test,
  world: CallbackWorld,
  answer: RawAnswer,
  { status, code, detail }: { readonly status: number; readonly code: ErrorCode; readonly detail?: RegExp },
): Promise<void> {
  t.equal(answer.status, status);
  t.equal(headerOf(answer, "content-type"), "application/json");
  t.equal(headerOf(answer, "content-length"), String(answer.body.length));
  t.equal(headerOf(answer, "x-ossgate-error"), code);
  const document = JSON.parse(answer.body.toString());
  t.equal(document.Gateway, `ossgate: ${code}`);
  t.equal(document.RequestId, headerOf(answer, "x-oss-request-id"));
  t.notMatch(answer.body.toString(), /127\.0\.0\.1|localhost|ECONN|\d{4,5} ms/, "no address or cause of ours");
  const entry = await world.logged((line) => line.requestId === document.RequestId);
  t.match(entry, { route: "callbacks", status, error: code });
  if (detail !== undefined) t.match(entry.detail, detail);
  t.ok((world.stats.errors[ERROR_CODES.indexOf(code)] as number) > 0, "it is counted");
}

/** Nothing is in flight, and no connection is left on either side. */
async function checkQuiet(t: Test, world: CallbackWorld): Promise<void> {
  await clientsGone(world.port);
  t.equal(world.stats.inFlight, 0);
  await world.application.until(() => world.application.openSockets() === 0);
  await clientsGone(world.keyServer.port);
  t.same(world.application.violations, []);
}

t.test("a callback of OSS reaches the application as it came, and the application's JSON reaches OSS", async (t) => {
  const world = await startCallbackWorld(t);
  const rows: [contentType: string, body: string, verified: string][] = [
    [FORM, "bucket=examplebucket&object=user%2F7%2Fcat.jpg&size=12", "examplebucket/user/7/cat.jpg"],
    [
      `${FORM}; charset=utf-8`,
      "object=user/7/%E7%8C%AB+1%25&bucket=examplebucket",
      "examplebucket/user/7/%E7%8C%AB%201%25",
    ],
    ["application/json", '{ "bucket":"examplebucket",\n"object":"user/7/a b"}', "examplebucket/user/7/a%20b"],
  ];
  for (const [contentType, body, verified] of rows) {
    world.application.clear();
    world.application.reply(() => jsonAnswer('{"Status":"OK","name":"猫"}', 200, ["X-Own", "not for OSS"]));
    const answer = await world.call({ contentType, body, path: "/callback/%E7%8C%AB" });
    t.equal(answer.status, 200);
    t.equal(answer.body.toString(), '{"Status":"OK","name":"猫"}');
    t.equal(headerOf(answer, "content-type"), "application/json");
    t.equal(headerOf(answer, "content-length"), String(answer.body.length));
    t.equal(headerOf(answer, "x-own"), undefined);
    const [request, ...more] = world.application.requests;
    t.same(more, []);
    t.match(request, { method: "POST", target: "/uploads", body });
    const { rawHeaders = [] } = request ?? {};
    t.same(valuesOf(rawHeaders, "x-ossgate-verified"), [verified]);
    t.same(valuesOf(rawHeaders, "content-type"), [contentType]);
    t.same(valuesOf(rawHeaders, "x-oss-request-id"), ["5C8F0B1A"]);
    t.same(valuesOf(rawHeaders, "x-oss-tag"), ["CALLBACK"]);
    t.same(valuesOf(rawHeaders, "authorization"), [], "OSS's signature is of another URL");
  }
  const entry = await world.logged(({ status }) => status === 200);
  t.match(entry, { route: "callbacks", bucket: "media", method: "POST", receivedBytes: rows[0]?.[1].length });
  t.match(entry.target, /ossgate-token=\*\*\*$/, "the token is not in the log");
  t.equal(entry.error, undefined);
  t.equal(world.keyServer.requests.length, 1, "the key is fetched once");
  await checkQuiet(t, world);
});

t.test("the token may stand beside parameters of the callback URL, and none of them is passed on", async (t) => {
  const world = await startCallbackWorld(t);
  const answer = await world.call({ query: `id=1&index=2&${world.token()}&empty=` });
  t.equal(answer.status, 200);
  t.equal(world.application.requests[0]?.target, "/uploads");
});

t.test("one connection carries many callbacks, pipelined too", async (t) => {
  const world = await startCallbackWorld(t);
  const connection = await RawConnection.open(world.port);
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < 5; i += 1) connection.send(world.request());
    for (let i = 0; i < 5; i += 1) t.equal((await connection.answer("POST")).status, 200);
  }
  t.equal(world.application.requests.length, 10);
  connection.close();
  await checkQuiet(t, world);
});

t.test("a body is taken in chunks, and after a 100 where OSS waits for it", async (t) => {
  const world = await startCallbackWorld(t);
  const bytes = world.request().toString("latin1");
  const [head = "", body = ""] = bytes.split("\r\n\r\n");
  const chunked = `${head.replace(/Content-Length: \d+/, "Transfer-Encoding: chunked")}\r\n\r\n`;
  const connection = await RawConnection.open(world.port);
  connection.send(
    `${chunked}5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
  );
  t.equal((await connection.answer("POST")).status, 200);
  connection.send(`${head}\r\nExpect: 100-continue\r\n\r\n`);
  t.equal((await connection.answer("POST")).status, 100);
  connection.send(body);
  t.equal((await connection.answer("POST")).status, 200);
  t.same(
    world.application.requests.map((request) => request.body),
    [body, body],
  );
  connection.close();
  await checkQuiet(t, world);
});

t.test("a refused callback is not asked for its body", async (t) => {
  const world = await startCallbackWorld(t);
  const [head] = world.request({ query: "id=1" }).toString("latin1").split("\r\n\r\n");
  const connection = await RawConnection.open(world.port);
  connection.send(`${head}\r\nExpect: 100-continue\r\n\r\n`);
  t.equal((await connection.answer("POST")).status, 403);
  connection.close();
  await checkQuiet(t, world);
});

t.test("an answer of the application that OSS would not take is 502 in JSON", async (t) => {
  const world = await startCallbackWorld(t);
  const ok = '{"Status":"OK"}';
  const rows: [name: string, answer: string, detail: RegExp][] = [
    ["500", jsonAnswer(ok, 500), /answered 500/],
    ["404", jsonAnswer(ok, 404), /answered 404/],
    ["201", jsonAnswer(ok, 201), /answered 201/],
    ["a redirect", jsonAnswer(ok, 307, ["Location", `http://127.0.0.1:${world.application.port}/x`]), /answered 307/],
    ["no content", "HTTP/1.1 204 No Content\r\n\r\n", /answered 204/],
    ["a page", jsonAnswer("<html></html>"), /not JSON/],
    ["nothing", jsonAnswer(""), /not JSON/],
    ["half of JSON", jsonAnswer('{"Status":'), /not JSON/],
    ["latin1", 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"\xe9"', /not JSON/],
    ["no HTTP", "hello\r\n\r\n", /./],
    ["more than 1 MiB", jsonAnswer(JSON.stringify("x".repeat(MIB))), /./],
  ];
  for (const [name, answer, detail] of rows) {
    await t.test(name, async (t) => {
      world.application.clear();
      world.application.reply(() => answer);
      await checkError(t, world, await world.call(), { status: 502, code: "CALLBACK_FORWARD_FAILED", detail });
      t.equal(world.application.requests.length, 1, "once");
    });
  }
  await checkQuiet(t, world);
});

t.test("an answer of exactly 1 MiB, and one that does not say its length, reach OSS with their length", async (t) => {
  const world = await startCallbackWorld(t);
  const large = JSON.stringify("x".repeat(MIB - 2));
  world.application.reply(() => jsonAnswer(large));
  const answer = await world.call();
  t.equal(answer.status, 200);
  t.equal(answer.body.toString(), large);
  world.application.reply(() => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
  const chunked = await world.call();
  t.equal(headerOf(chunked, "content-length"), "2");
  t.equal(headerOf(chunked, "transfer-encoding"), undefined);
  await checkQuiet(t, world);
});

t.test("an application that is down is 502", async (t) => {
  const world = await startCallbackWorld(t, { forward: `http://127.0.0.1:${await closedPort()}/uploads` });
  const answer = await world.call();
  await checkError(t, world, answer, { status: 502, code: "CALLBACK_FORWARD_FAILED", detail: /ECONNREFUSED/ });
  await checkQuiet(t, world);
});

t.test("an application that does not answer, or not to the end, is 502 after its time", async (t) => {
  const world = await startCallbackWorld(t, { applicationMs: 100 });
  for (const answer of ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"]) {
    world.application.reply(() => answer);
    const error = { status: 502, code: "CALLBACK_FORWARD_FAILED", detail: /within 100 ms/ } as const;
    await checkError(t, world, await world.call(), error);
  }
  await checkQuiet(t, world);
});

t.test("an application that breaks the connection is 502, and not asked again", async (t) => {
  const world = await startCallbackWorld(t);
  world.application.reply(() => {
    throw new Error("the application has broken");
  });
  await checkError(t, world, await world.call(), { status: 502, code: "CALLBACK_FORWARD_FAILED" });
  t.equal(world.application.requests.length, 1);
});

async function startTlsApplication(t: Test): Promise<{ readonly url: URL; readonly count: () => number }> {
  let count = 0;
  const answer: RequestListener = (_req, res) => {
    count += 1;
    res.end("{}");
  };
  const server = createServer(KEY_HOST_TLS, answer).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`https://127.0.0.1:${port}/uploads`), count: () => count };
}

t.test("an application by TLS is verified", async (t) => {
  const { url, count } = await startTlsApplication(t);
  const unknown = await startCallbackWorld(t, { forward: url.href });
  await checkError(t, unknown, await unknown.call(), { status: 502, code: "CALLBACK_FORWARD_FAILED", detail: /cert/ });
  t.equal(count(), 0);
  const application = { url, timeoutMs: 4_000, ca: KEY_HOST_TLS.cert };
  const known = await startCallbackWorld(t, { callback: { application } });
  t.equal((await known.call()).status, 200);
  t.equal(count(), 1);
  const named = new URL(url.href.replace("127.0.0.1", "localhost"));
  const other = await startCallbackWorld(t, { callback: { application: { ...application, url: named } } });
  await checkError(t, other, await other.call(), { status: 502, code: "CALLBACK_FORWARD_FAILED", detail: /altnames/ });
  t.equal(count(), 1);
});

t.test("without the vendor's key nothing is forwarded, and the answer is 503", async (t) => {
  const answers: [name: string, answer: RequestListener, keyTimeoutMs?: number][] = [
    ["an error", answerWith("", 500)],
    ["a redirect", answerWith("", 302, { Location: "https://gosspublic.alicdn.com/other.pem" })],
    ["no key", answerWith("<html></html>")],
    ["a long answer", answerWith("x".repeat(64 * 1024))],
    ["silence", () => {}, 100],
  ];
  for (const [name, answer, timeoutMs = 2_000] of answers) {
    await t.test(name, async (t) => {
      const world = await startCallbackWorld(t, { keys: { timeoutMs } });
      world.keyServer.reply(answer);
      for (let i = 0; i < 3; i += 1) {
        await checkError(t, world, await world.call(), { status: 503, code: "CALLBACK_KEY_UNAVAILABLE" });
      }
      t.equal(world.keyFailures.length, 1, "the failure is kept");
      t.equal(world.application.requests.length, 0);
      await checkQuiet(t, world);
    });
  }
});

t.test("a body over the cap is 413, whether it says its length or not, and nothing is forwarded", async (t) => {
  const world = await startCallbackWorld(t);
  const field = "bucket=examplebucket&object=user/7/a&pad=";
  const largest = field + "x".repeat(CAP_BYTES - field.length);
  t.equal((await world.call({ body: largest })).status, 200);
  world.application.clear();
  const tooLarge = { status: 413, code: "BODY_TOO_LARGE" } as const;
  await checkError(t, world, await world.call({ body: `${largest}x` }), tooLarge);
  const connection = await RawConnection.open(world.port);
  const [head = ""] = world.request().toString("latin1").split("\r\n\r\n");
  connection.send(`${head.replace(/Content-Length: \d+/, "Transfer-Encoding: chunked")}\r\n\r\n`);
  const chunk = `${(16 * 1024).toString(16)}\r\n${"x".repeat(16 * 1024)}\r\n`;
  connection.send(chunk.repeat(5));
  const answer = await connection.answer("POST");
  await checkError(t, world, answer, tooLarge);
  t.equal(headerOf(answer, "connection"), "close");
  connection.close();
  t.equal(world.application.requests.length, 0);
  await checkQuiet(t, world);
});

t.test("an application that may take longer than OSS waits has the rest of that time", async (t) => {
  const world = await startCallbackWorld(t, { callback: { answerWithinMs: 100_000 }, applicationMs: HOUR_MS });
  t.equal((await world.call()).status, 200);
});

t.test("what is not there when OSS gives up is answered before that", async (t) => {
  const body = await startCallbackWorld(t, { callback: { answerWithinMs: 100 } });
  const connection = await RawConnection.open(body.port);
  connection.send(body.request().subarray(0, -1));
  await checkError(t, body, await connection.answer("POST"), { status: 408, code: "REQUEST_TIMEOUT" });
  connection.close();
  const key = await startCallbackWorld(t, { callback: { answerWithinMs: 100 } });
  key.keyServer.reply(() => {});
  await checkError(t, key, await key.call(), { status: 503, code: "CALLBACK_KEY_UNAVAILABLE" });
  const { keys, ossKey, call } = await startCallbackWorld(t);
  t.equal((await call()).status, 200, "the key is there");
  const slow = await startCallbackWorld(t, { callback: { keys, answerWithinMs: 1_000 } });
  slow.application.reply(() => "");
  await checkError(t, slow, await slow.call({ signer: ossKey }), {
    status: 502,
    code: "CALLBACK_FORWARD_FAILED",
    detail: /does not wait any longer|within \d{1,4} ms/,
  });
  await checkQuiet(t, slow);
});

t.test("when OSS leaves, the application's request ends too", async (t) => {
  // So long that no timer ends it instead.
  const world = await startCallbackWorld(t, { callback: { answerWithinMs: HOUR_MS }, applicationMs: HOUR_MS });
  world.application.reply(() => "");
  const connection = await RawConnection.open(world.port);
  connection.send(world.request());
  await world.application.until(() => world.application.requests.length === 1);
  connection.close();
  t.match(await world.logged(() => true), { status: 499, error: "CLIENT_GONE", bucket: "media" });
  await checkQuiet(t, world);
});

t.test("OSS may leave in the middle of a body, or of the wait for a key", async (t) => {
  const world = await startCallbackWorld(t);
  const connection = await RawConnection.open(world.port);
  connection.send(world.request().subarray(0, -1));
  connection.close();
  await world.logged(({ error }) => error === "CLIENT_GONE");
  const asked = new Promise<void>((resolve) => {
    world.keyServer.reply((_req, res) => {
      resolve();
      world.logged(() => world.entries.length === 2).then(() => answerWith("")(_req, res));
    });
  });
  const second = await RawConnection.open(world.port);
  second.send(world.request());
  await asked;
  second.close();
  await world.logged(() => world.entries.length === 2);
  await checkQuiet(t, world);
  t.equal(world.application.requests.length, 0);
  t.equal(world.stats.errors[ERROR_CODES.indexOf("CLIENT_GONE")], 2);
});

t.test("beyond 128 callbacks at a time the route says that it is busy, and recovers", async (t) => {
  const world = await startCallbackWorld(t);
  world.application.reply(() => "");
  const connections = await Promise.all(Array.from({ length: 128 }, () => RawConnection.open(world.port)));
  for (const connection of connections) connection.send(world.request());
  await world.application.until(() => world.application.requests.length === 128);
  await checkError(t, world, await world.call(), { status: 503, code: "GATEWAY_BUSY" });
  for (const connection of connections) connection.close();
  await checkQuiet(t, world);
  world.application.reply(() => jsonAnswer("{}"));
  t.equal((await world.call()).status, 200);
});

t.test("a bug is 500, once, and the route goes on", async (t) => {
  const world = await startCallbackWorld(t, { callback: { buckets: null as never } });
  await checkError(t, world, await world.call(), { status: 500, code: "INTERNAL" });
  await checkError(t, world, await world.call(), { status: 500, code: "INTERNAL" });
  t.equal(world.application.requests.length, 0);
  await checkQuiet(t, world);
});
