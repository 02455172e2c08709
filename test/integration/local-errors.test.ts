import t from "tap";
import { ERRORS, type ErrorCode } from "../../src/core/errors.js";
import { startGateway } from "../support/gateway.js";
import { head, type RawAnswer, RawConnection, valuesOf, xmlText } from "../support/raw-client.js";
import { startStrictOrigin } from "../support/strict-origin.js";

const origin = await startStrictOrigin(t);
const gateway = await startGateway(
  t,
  `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
limits: { headerTimeout: 200ms, targetSize: 1KiB, headerCount: 10, headerSize: 4KiB }
buckets:
  one: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:${origin.port}" }
routes:
  - { name: all, match: { hosts: [g.test] }, bucket: one, methods: [GET, HEAD, PUT, POST], limits: { bodySize: 10B } }
  - { name: prefix, match: { hosts: [k.test] }, bucket: one, keyPrefix: p/ }
  - { name: style, match: { hosts: [s.test] }, buckets: [one], methods: [GET, HEAD, PUT] }
`,
);

interface Row {
  readonly claim: string;
  readonly code: ErrorCode;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly host?: string;
  /** Where the Host was not read. */
  readonly hostId?: string;
}

/** Each is refused for GET and HEAD alike. */
const ROWS: readonly Row[] = [
  { claim: "a malformed request", code: "MALFORMED_REQUEST", headers: ["Transfer-Encoding", "gzip"] },
  { claim: "a malformed target", code: "MALFORMED_TARGET", target: "/%zz" },
  { claim: "a path that is no UTF-8", code: "INVALID_OBJECT_NAME", target: "/%ff" },
  { claim: "a dot segment where keys are changed", code: "DOT_SEGMENT", target: "/../x", host: "k.test" },
  { claim: "an invalid Host", code: "INVALID_HOST", host: "a b" },
  {
    claim: "a signature that would break",
    code: "SIGNATURE_WOULD_BREAK",
    host: "k.test",
    headers: ["Authorization", "OSS a:b"],
  },
  { claim: "an unknown host", code: "NO_ROUTE", host: "x.test" },
  { claim: "an unknown bucket", code: "NO_SUCH_BUCKET", host: "s.test" },
  { claim: "a target beyond targetSize", code: "TARGET_TOO_LONG", target: `/${"a".repeat(1_024)}` },
  { claim: "an unknown expectation", code: "EXPECTATION_FAILED", headers: ["Expect", "magic"] },
  {
    claim: "too many header lines",
    code: "HEADERS_TOO_LARGE",
    hostId: "",
    headers: Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? `x-${i}` : "1")),
  },
];

for (const { claim, code, target = "/k", headers = [], host = "g.test", hostId = host } of ROWS) {
  const { status, ossCode, origin: fault } = ERRORS[code];
  for (const method of ["GET", "HEAD"]) {
    t.test(`${claim} is ${status} ${ossCode} for a ${method}, logged and counted as ${code}`, async (t) => {
      origin.clear();
      const connection = await RawConnection.open(gateway.port);
      connection.send(head(method, target, ["Host", host, ...headers]));
      const answer = await connection.answer(method);
      connection.close();
      checkAnswer(t, answer, { code, host: hostId, method });
      const requestId = valuesOf(answer.rawHeaders, "x-oss-request-id")[0];
      const entry = await gateway.logged((logged) => logged.requestId === requestId);
      t.same([entry.status, entry.error, entry.method], [status, code, method]);
      t.match(
        await gateway.metrics(),
        new RegExp(`ossgate_errors_total\\{route="[^"]+",code="${code}",origin="${fault}"\\} [1-9]`),
      );
      t.same(origin.requests, [], "nothing is sent");
    });
  }
}

interface Expected {
  readonly code: ErrorCode;
  /** Echoed as OSS does; empty where it was never read. */
  readonly host: string;
  readonly method: string;
}

function checkAnswer(t: import("tap").Test, answer: RawAnswer, { code, host, method }: Expected): void {
  const { status, ossCode } = ERRORS[code];
  const encoded = valuesOf(answer.rawHeaders, "x-oss-err")[0];
  const xml = method === "HEAD" ? Buffer.from(encoded ?? "", "base64").toString() : answer.body.toString();
  t.equal(answer.status, status);
  t.equal(xmlText(xml, "Code"), ossCode);
  t.match(xmlText(xml, "Message"), ERRORS[code].origin === "client" ? /^[A-Z].*\.$/ : /./, "a sentence");
  t.equal(xmlText(xml, "RequestId"), valuesOf(answer.rawHeaders, "x-oss-request-id")[0]);
  t.equal(xmlText(xml, "HostId"), host);
  t.same(valuesOf(answer.rawHeaders, "x-ossgate-error"), [code]);
  t.equal(valuesOf(answer.rawHeaders, "x-ossgate-message").length, 1);
  t.same(valuesOf(answer.rawHeaders, "content-type"), ["application/xml"]);
  t.same(valuesOf(answer.rawHeaders, "content-length"), [String(Buffer.byteLength(xml))]);
  t.same(valuesOf(answer.rawHeaders, "cache-control"), ["no-store"]);
  t.equal(answer.body.length, method === "HEAD" ? 0 : Buffer.byteLength(xml));
}

async function refused(t: import("tap").Test, bytes: string, expected: Expected): Promise<RawAnswer> {
  origin.clear();
  const connection = await RawConnection.open(gateway.port);
  connection.send(bytes);
  const answer = await connection.answer(expected.method);
  checkAnswer(t, answer, expected);
  connection.close();
  t.same(origin.requests, []);
  return answer;
}

t.test("a method that the route does not have is 405 with Allow", async (t) => {
  const bytes = head("DELETE", "/k", ["Host", "g.test"]);
  const answer = await refused(t, bytes, { code: "METHOD_NOT_ALLOWED", host: "g.test", method: "DELETE" });
  t.same(valuesOf(answer.rawHeaders, "allow"), ["GET, HEAD, PUT, POST"]);
});

t.test("a PUT without a length is 411", (t) =>
  refused(t, head("PUT", "/k", ["Host", "g.test"]), { code: "LENGTH_REQUIRED", host: "g.test", method: "PUT" }),
);

t.test("a body that is announced longer than bodySize is 413 before any of it is sent", async (t) => {
  const bytes = head("PUT", "/k", ["Host", "g.test", "Content-Length", "11"]);
  await refused(t, bytes, { code: "BODY_TOO_LARGE", host: "g.test", method: "PUT" });
});

t.test("a chunked body that turns out longer than bodySize is 413, and no upload is completed", async (t) => {
  const bytes = `${head("PUT", "/k", ["Host", "g.test", "Transfer-Encoding", "chunked"])}8\r\n01234567\r\n8\r\n01234567\r\n`;
  await refused(t, bytes, { code: "BODY_TOO_LARGE", host: "g.test", method: "PUT" });
});

t.test("a body of exactly bodySize is taken", async (t) => {
  origin.clear();
  const connection = await RawConnection.open(gateway.port);
  connection.send(`${head("PUT", "/k", ["Host", "g.test", "Content-Length", "10"])}0123456789`);
  t.equal((await connection.answer("PUT")).status, 200);
  connection.close();
  t.equal(origin.requests[0]?.body, "0123456789");
});

t.test("an aws-chunked body is 400", async (t) => {
  const lines = [
    "Host",
    "examplebucket.oss-cn-beijing.aliyuncs.com",
    "Content-Encoding",
    "aws-chunked",
    "Content-Length",
    "2",
  ];
  await refused(t, `${head("PUT", "/k", lines)}hi`, {
    code: "UNSUPPORTED_ENCODING",
    host: lines[1] as string,
    method: "PUT",
  });
});

t.test("headers beyond headerSize are 431", (t) =>
  refused(t, head("GET", "/k", ["Host", "g.test", "X-A", "a".repeat(5_000)]), {
    code: "HEADERS_TOO_LARGE",
    host: "",
    method: "GET",
  }),
);

t.test("a head that does not come in time is 408", async (t) => {
  await refused(t, "GET /k HTTP/1.1\r\nHost: g.te", { code: "REQUEST_TIMEOUT", host: "", method: "GET" });
  await refused(t, "G", { code: "REQUEST_TIMEOUT", host: "", method: "GET" });
});

t.test("a raw refusal is counted", async (t) => {
  for (const code of ["HEADERS_TOO_LARGE", "REQUEST_TIMEOUT"]) {
    t.match(
      await gateway.metrics(),
      new RegExp(`ossgate_errors_total\\{route="[^"]+",code="${code}",origin="client"\\} [1-9]`),
    );
  }
});

t.test("a client that leaves is 499 in the log", async (t) => {
  origin.clear();
  origin.reply(() => "");
  const connection = await RawConnection.open(gateway.port);
  connection.send(head("GET", "/left", ["Host", "g.test"]));
  await origin.until(() => origin.requests.length === 1);
  connection.close();
  const entry = await gateway.logged(({ target }) => target === "/left");
  t.same([entry.status, entry.error], [499, "CLIENT_GONE"]);
});

t.test("an upstream that refuses is 502 in the same shape", async (t) => {
  const closed = await startStrictOrigin({ teardown: () => {} });
  const { port } = closed;
  await (closed as unknown as { close(): Promise<void> }).close();
  const dead = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:${port}" } }
routes: [{ name: all, match: { hosts: [g.test] }, bucket: one }]
`,
  );
  for (const method of ["GET", "HEAD"]) {
    const connection = await RawConnection.open(dead.port);
    connection.send(head(method, "/k", ["Host", "g.test"]));
    checkAnswer(t, await connection.answer(method), { code: "UPSTREAM_REFUSED", host: "g.test", method });
    connection.close();
  }
});
