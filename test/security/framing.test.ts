import t from "tap";
import { answersTo, answerTo, RawConnection, valuesOf } from "../support/raw-client.js";
import { codeOf, HIDDEN, HOST, isRefused, startBeforeOrigin, targetsAtOrigin } from "./before-origin.js";

const world = await startBeforeOrigin(t);
const { origin, port } = world;

const put = (headers: string, body: string, version = "1.1"): string =>
  `PUT /a HTTP/${version}\r\n${HOST}${headers}\r\n${body}`;
const CHUNKS = "2\r\nhi\r\n0\r\n\r\n";

const REFUSED_FRAMINGS: Readonly<Record<string, string>> = {
  "two equal Content-Length headers": put("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"),
  "two different Content-Length headers": put("Content-Length: 2\r\nContent-Length: 40\r\n", "hi"),
  "a Content-Length list": put("Content-Length: 2, 2\r\n", "hi"),
  "a Content-Length with a plus": put("Content-Length: +2\r\n", "hi"),
  "a negative Content-Length": put("Content-Length: -2\r\n", "hi"),
  "a hexadecimal Content-Length": put("Content-Length: 0x2\r\n", "hi"),
  "a Content-Length with a fraction": put("Content-Length: 2.0\r\n", "hi"),
  "a Content-Length of two words": put("Content-Length: 2 2\r\n", "hi"),
  "an empty Content-Length": put("Content-Length:\r\n", "hi"),
  "a Content-Length that overflows 64 bits": put("Content-Length: 99999999999999999999999\r\n", "hi"),
  "a Content-Length that is no safe integer": put("Content-Length: 9007199254740993\r\n", "hi"),
  "Transfer-Encoding: xchunked": put("Transfer-Encoding: xchunked\r\n", CHUNKS),
  "Transfer-Encoding: chunkedx": put("Transfer-Encoding: chunkedx\r\n", CHUNKS),
  "Transfer-Encoding: chunked, identity": put("Transfer-Encoding: chunked, identity\r\n", CHUNKS),
  "Transfer-Encoding: identity, chunked": put("Transfer-Encoding: identity, chunked\r\n", CHUNKS),
  "Transfer-Encoding: gzip, chunked": put("Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
  "Transfer-Encoding: identity": put("Transfer-Encoding: identity\r\nContent-Length: 2\r\n", "hi"),
  "an empty Transfer-Encoding": put("Transfer-Encoding:\r\nContent-Length: 2\r\n", "hi"),
  "a quoted Transfer-Encoding": put('Transfer-Encoding: "chunked"\r\n', CHUNKS),
  "a vertical tab before chunked": put("Transfer-Encoding: \x0bchunked\r\n", CHUNKS),
  "two Transfer-Encoding headers": put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  "chunked and identity in two headers": put("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKS),
  "identity and chunked in two headers": put("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
  "a broken Transfer-Encoding beside a Content-Length": put(
    "Content-Length: 2\r\nTransfer-Encoding: xchunked\r\n",
    CHUNKS,
  ),
  "two Content-Length beside chunked": put(
    "Content-Length: 2\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    CHUNKS,
  ),
  "chunked in HTTP/1.0": put("Transfer-Encoding: chunked\r\n", CHUNKS, "1.0"),
  "chunked with a length in HTTP/1.0": put("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", CHUNKS, "1.0"),
};

for (const [name, bytes] of Object.entries(REFUSED_FRAMINGS)) {
  t.test(`${name} is 400, and what follows is not executed`, (t) =>
    isRefused(t, world, bytes, 400, "MALFORMED_REQUEST"),
  );
}

t.test("a Content-Length with leading zeros is forwarded in its plain form", async (t) => {
  origin.clear();
  t.equal((await answerTo(port, put("Content-Length: 002\r\n", "hi"))).status, 200);
  t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "content-length"), ["2"]);
  t.same(origin.violations, []);
});

t.test("Content-Length with chunked: one framing is forwarded, and the connection ends unread", async (t) => {
  const both = ["Content-Length: 6", "Transfer-Encoding: chunked"];
  for (const lines of [both, both.toReversed()]) {
    origin.clear();
    const answers = await answersTo(port, put(`${lines.join("\r\n")}\r\n`, CHUNKS + HIDDEN));
    t.same(
      answers.map(({ status }) => status),
      [200],
    );
    t.same(valuesOf(answers[0]?.rawHeaders ?? [], "connection"), ["close"]);
    t.same(await targetsAtOrigin(world), ["PUT /a"]);
    t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "content-length"), []);
    t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "transfer-encoding"), ["chunked"]);
    t.equal(origin.requests[0]?.body, "hi");
    t.same(origin.violations, []);
  }
});

t.test("a GET with both framings is served without what hides in its body", async (t) => {
  origin.clear();
  const bytes = `GET /a HTTP/1.1\r\n${HOST}Content-Length: ${5 + HIDDEN.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`;
  t.equal((await answersTo(port, bytes)).length, 1);
  t.same(await targetsAtOrigin(world), ["GET /a"]);
  t.same(origin.violations, []);
});

const BROKEN_CHUNKS: Readonly<Record<string, string>> = {
  "a size that is no number": "ZZ\r\nhi\r\n0\r\n\r\n",
  "a negative size": "-2\r\nhi\r\n0\r\n\r\n",
  "a size with 0x": "0x2\r\nhi\r\n0\r\n\r\n",
  "a size with a space behind it": "2 \r\nhi\r\n0\r\n\r\n",
  "an empty size": "\r\nhi\r\n0\r\n\r\n",
  "a size that overflows": "FFFFFFFFFFFFFFFFF\r\nhi\r\n0\r\n\r\n",
  "a size line that ends with a bare LF": "2\nhi\r\n0\r\n\r\n",
  "an extension that ends with a bare LF": "2;a\nhi\r\n0\r\n\r\n",
  "data longer than its size": "2\r\nhixx\r\n0\r\n\r\n",
  "data shorter than its size": "9\r\nhi\r\n0\r\n\r\n",
};

for (const [name, chunks] of Object.entries(BROKEN_CHUNKS)) {
  for (const also of ["", "Content-Length: 5\r\n"]) {
    t.test(
      `${name}${also && ", with a Content-Length"}: no upload is completed and nothing behind it runs`,
      async (t) => {
        origin.clear();
        const connection = await RawConnection.open(port);
        connection.send(put(`${also}Transfer-Encoding: chunked\r\n`, chunks + HIDDEN));
        connection.socket.end();
        const answers = await connection.answersUntilEnd();
        t.ok(answers.length <= 1, "never two answers");
        for (const { status } of answers) t.equal(status, 400);
        t.same(await targetsAtOrigin(world), []);
      },
    );
  }
}

t.test("chunk extensions end at the gateway", async (t) => {
  origin.clear();
  t.equal(
    (await answerTo(port, put("Transfer-Encoding: chunked\r\n", '2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n'))).status,
    200,
  );
  t.equal(origin.requests[0]?.body, "hi");
  t.same(origin.violations, [], "the origin takes no extensions");
});

t.test("trailers are not merged into the headers, and the next request is read where it begins", async (t) => {
  origin.clear();
  const connection = await RawConnection.open(port);
  const trailers = "Authorization: OSS ak:sig\r\nHost: other.test\r\nContent-Length: 99\r\n";
  connection.send(put("Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n", `2\r\nhi\r\n0\r\n${trailers}\r\n`));
  t.equal((await connection.answer("PUT")).status, 200);
  const { rawHeaders = [], body } = origin.requests[0] ?? {};
  t.equal(body, "hi");
  t.same(valuesOf(rawHeaders, "authorization"), []);
  t.same(valuesOf(rawHeaders, "trailer"), []);
  t.same(valuesOf(rawHeaders, "host"), ["examplebucket.oss-cn-beijing.aliyuncs.com"]);
  connection.send(`GET /next HTTP/1.1\r\n${HOST}\r\n`);
  t.equal((await connection.answer()).body.toString(), "/next");
  connection.close();
  t.same(origin.violations, []);
});

t.test("a request inside a body is body, for a GET too", async (t) => {
  for (const method of ["GET", "DELETE", "POST", "PUT"]) {
    origin.clear();
    const connection = await RawConnection.open(port);
    connection.send(`${method} /outer HTTP/1.1\r\n${HOST}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`);
    t.equal((await connection.answer(method)).status, 200, method);
    connection.close();
    t.same(await targetsAtOrigin(world), [`${method} /outer`]);
    t.equal(origin.requests[0]?.body, HIDDEN);
    t.same(origin.violations, []);
  }
});

t.test("a body without any framing is no request, and gets no good answer", async (t) => {
  origin.clear();
  const answers = await answersTo(port, `GET /first HTTP/1.1\r\n${HOST}\r\nnot a request\r\n\r\n`);
  const good = answers.filter(({ status }) => status === 200);
  t.ok(good.length <= 1);
  for (const target of await targetsAtOrigin(world)) t.equal(target, "GET /first");
  t.same(origin.violations, []);
});

t.test("a PUT or POST without a length is 411", async (t) => {
  for (const method of ["PUT", "POST"]) {
    await isRefused(t, world, `${method} /a HTTP/1.1\r\n${HOST}\r\n`, 411, "LENGTH_REQUIRED");
  }
});

t.test("nothing behind an upload that was refused early is executed", async (t) => {
  for (const body of ["hi", HIDDEN]) {
    origin.clear();
    const answers = await answersTo(
      port,
      `PATCH /a HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}${HIDDEN}`,
    );
    t.same(answers.map(codeOf), ["METHOD_NOT_ALLOWED"]);
    t.same(valuesOf(answers[0]?.rawHeaders ?? [], "connection"), ["close"]);
    t.same(await targetsAtOrigin(world), []);
  }
});
