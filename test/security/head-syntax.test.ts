import t from "tap";
import { answersTo, answerTo, RawConnection, valuesOf } from "../support/raw-client.js";
import { codeOf, HIDDEN, HOST, isRefused, startBeforeOrigin, targetsAtOrigin } from "./before-origin.js";

const world = await startBeforeOrigin(t);
const { origin, port } = world;

const get = (lines: string): string => `GET /a HTTP/1.1\r\n${HOST}${lines}\r\n`;

const MALFORMED_HEADS: Readonly<Record<string, string>> = {
  "a folded header": get("X-A: a\r\n b\r\n"),
  "a folded header with a tab": get("X-A: a\r\n\tb\r\n"),
  "a folded Host": `GET /a HTTP/1.1\r\nHost:\r\n g.test\r\n\r\n`,
  "a fold before the first header": `GET /a HTTP/1.1\r\n ${HOST}\r\n`,
  "a bare LF after the request line": `GET /a HTTP/1.1\n${HOST}\r\n`,
  "a bare LF after a header": `GET /a HTTP/1.1\r\nHost: g.test\n\r\n`,
  "a bare LF as the end of the head": get("X-A: a\n\n"),
  "a bare LF with a header behind it": get("X-A: a\nX-B: b\r\n"),
  "a bare CR in a value": get("X-A: a\rb\r\n"),
  "a bare CR with a header behind it": get("X-A: a\rX-B: b\r\n"),
  "CR CR LF": get("X-A: a\r\r\n"),
  "a NUL in a value": get("X-A: a\0b\r\n"),
  "a NUL in a name": get("X\0A: a\r\n"),
  "a control character in a value": get("X-A: a\x01b\r\n"),
  "a DEL in a value": get("X-A: a\x7fb\r\n"),
  "a space before the colon": get("X-A : a\r\n"),
  "a tab before the colon": get("X-A\t: a\r\n"),
  "a space before the colon of Content-Length": get("Content-Length : 2\r\n"),
  "a space before the colon of Transfer-Encoding": get("Transfer-Encoding : chunked\r\n"),
  "a space in a name": get("X A: a\r\n"),
  "a name in brackets": get("(X): a\r\n"),
  "a name that is not ASCII": get("X\xe4: a\r\n"),
  "an empty name": get(": a\r\n"),
  "a header without a colon": get("X-A\r\n"),
  "a tab after the method": `GET\t/a HTTP/1.1\r\n${HOST}\r\n`,
  "a space before the method": ` GET /a HTTP/1.1\r\n${HOST}\r\n`,
  "a space after the version": `GET /a HTTP/1.1 \r\n${HOST}\r\n`,
  "a word after the version": `GET /a HTTP/1.1 x\r\n${HOST}\r\n`,
  "a target with a space": `GET /a b HTTP/1.1\r\n${HOST}\r\n`,
  "a lower-case method": `get /a HTTP/1.1\r\n${HOST}\r\n`,
  "a mixed-case method": `Get /a HTTP/1.1\r\n${HOST}\r\n`,
  "an unknown method": `FOO /a HTTP/1.1\r\n${HOST}\r\n`,
  "a method with a suffix": `GETX /a HTTP/1.1\r\n${HOST}\r\n`,
  "no method": `/a HTTP/1.1\r\n${HOST}\r\n`,
  "HTTP/0.9": "GET /a\r\n\r\n",
  "the text HTTP/0.9": `GET /a HTTP/0.9\r\n${HOST}\r\n`,
  "the text HTTP/2.0": `GET /a HTTP/2.0\r\n${HOST}\r\n`,
  "the text HTTP/1.2": `GET /a HTTP/1.2\r\n${HOST}\r\n`,
  "the text HTTP/3.0": `GET /a HTTP/3.0\r\n${HOST}\r\n`,
  "the text HTTP/1.10": `GET /a HTTP/1.10\r\n${HOST}\r\n`,
  "the text HTTP/1": `GET /a HTTP/1\r\n${HOST}\r\n`,
  "the text http/1.1": `GET /a http/1.1\r\n${HOST}\r\n`,
  "the text ICE/1.0": `GET /a ICE/1.0\r\n${HOST}\r\n`,
  "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
};

for (const [name, bytes] of Object.entries(MALFORMED_HEADS)) {
  t.test(`${name} is 400, and what follows is not executed`, (t) =>
    isRefused(t, world, bytes, 400, "MALFORMED_REQUEST"),
  );
}

const MALFORMED_TARGETS: Readonly<Record<string, string>> = {
  "a raw #": "/a#b",
  "a raw # in the query": "/a?b#c",
  "raw UTF-8": "/\xe4\xb8\xad",
  "raw latin1": "/\xff",
  "raw UTF-8 in the query": "/a?b=\xe4\xb8\xad",
  "a control character": "/a\x01b",
  "a tab": "/a\tb",
  "a NUL": "/a\0b",
  "a DEL": "/a\x7fb",
  "a lone %": "/a%",
  "a % with one digit": "/a%2",
  "a % without hex digits": "/a%zz",
  "an asterisk": "*",
  "no leading slash": "a/b",
  "an unknown scheme": "ftp://g.test/a",
  "an authority": "g.test:80",
};

for (const [name, target] of Object.entries(MALFORMED_TARGETS)) {
  t.test(`a target with ${name} is 400 with a reason`, async (t) => {
    origin.clear();
    const [answer, ...more] = await answersTo(port, `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
    t.same(more, []);
    t.equal(answer?.status, 400);
    t.match(codeOf(answer), /^MALFORMED_(?:TARGET|REQUEST)$/);
    t.match(valuesOf(answer?.rawHeaders ?? [], "x-ossgate-message")[0], /./);
    t.same(await targetsAtOrigin(world), []);
  });
}

t.test("an asterisk is no target for OPTIONS either", (t) =>
  isRefusedOrKept(t, `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, "MALFORMED_TARGET"),
);

async function isRefusedOrKept(t: import("tap").Test, bytes: string, code: string): Promise<void> {
  origin.clear();
  const answer = await answerTo(port, bytes);
  t.same([answer.status, codeOf(answer)], [400, code]);
  t.same(await targetsAtOrigin(world), []);
}

t.test("blanks that Node's parser forgives do not reach the origin", async (t) => {
  for (const line of ["GET  /a HTTP/1.1", "GET /a  HTTP/1.1", "\r\n\r\nGET /a HTTP/1.1", "GET /a RTSP/1.0"]) {
    origin.clear();
    t.equal((await answerTo(port, `${line}\r\n${HOST}\r\n`, "GET")).status, 200, line);
    t.same(await targetsAtOrigin(world), ["GET /a"]);
    t.same(origin.violations, []);
  }
});

t.test("201 header lines are 431, 200 are relayed with the last one too", async (t) => {
  const lines = (count: number): string =>
    `${Array.from({ length: count - 2 }, (_, i) => `X-${i}: ${i}\r\n`).join("")}Authorization: OSS ak:sig\r\n`;
  origin.clear();
  t.equal((await answerTo(port, get(lines(200)))).status, 200);
  t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "authorization"), ["OSS ak:sig"]);
  await isRefused(t, world, get(lines(201)), 431, "HEADERS_TOO_LARGE");
  await isRefused(t, world, get(lines(2_000)), 431, "HEADERS_TOO_LARGE");
});

t.test("headers beyond headerSize are 431", async (t) => {
  await isRefused(t, world, get(`X-A: ${"a".repeat(40_000)}\r\n`), 431, "HEADERS_TOO_LARGE");
  await isRefused(t, world, get(`X-${"a".repeat(40_000)}: a\r\n`), 431, "HEADERS_TOO_LARGE");
  await isRefused(t, world, `GET /${"a".repeat(40_000)} HTTP/1.1\r\n${HOST}\r\n`, 431, "HEADERS_TOO_LARGE");
});

t.test("a head that never ends is not executed when the client hangs up", async (t) => {
  origin.clear();
  const connection = await RawConnection.open(port);
  connection.send(`GET /a HTTP/1.1\r\n${HOST}X-A: a\r\n`);
  connection.socket.end();
  const answers = await connection.answersUntilEnd();
  t.ok(answers.every(({ status }) => status === 400));
  t.same(await targetsAtOrigin(world), []);
});

t.test("expectations but 100-continue are 417, and their body is not executed", async (t) => {
  for (const value of ["junk", "100-continue, junk", "200-ok", ""]) {
    const bytes = `PUT /a HTTP/1.1\r\n${HOST}Expect: ${value}\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`;
    await isRefused(t, world, bytes, 417, "EXPECTATION_FAILED");
  }
});

t.test("header values keep their bytes, and lines their order", async (t) => {
  origin.clear();
  const lines = ["X-Latin", "caf\xe9", "x-OSS-meta-A", "", "X-B", "1", "x-b", "2", "X-B", "3", "~!#", '"quoted", x'];
  const text = lines.map((part, i) => (i % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join("");
  t.equal((await answerTo(port, get(text))).status, 200);
  t.same(origin.requests[0]?.rawHeaders.slice(-lines.length), lines);
  t.same(origin.violations, []);
});

t.test("a target that no URL parser would take is relayed, with and without a body", async (t) => {
  for (const target of ["//", "///", "/\\", "/\\a{}|^`", "//x:99999999/", "//[", '/"<>', "/:80", "/%00", "/?", "/??"]) {
    for (const [method, framing, body] of [
      ["GET", "", ""],
      ["PUT", "Content-Length: 2\r\n", "hi"],
      ["POST", "Content-Length: 0\r\n", ""],
    ] as const) {
      origin.clear();
      const answer = await answerTo(port, `${method} ${target} HTTP/1.1\r\n${HOST}${framing}\r\n${body}`);
      t.equal(answer.status, 200, `${method} ${target}`);
      t.same(await targetsAtOrigin(world), [`${method} ${target}`]);
      t.same(origin.violations, []);
    }
  }
});
