import t from "tap";
import { answersTo, answerTo, RawConnection, valuesOf } from "../support/raw-client.js";
import { codeOf, HIDDEN, HOST, isRefused, startBeforeOrigin, targetsAtOrigin } from "./before-origin.js";

const world = await startBeforeOrigin(t);
const { origin, port, gateway } = world;
const BUCKET_HOST = "examplebucket.oss-cn-beijing.aliyuncs.com";

const BAD_HOSTS: Readonly<Record<string, string>> = {
  "two equal Host headers": HOST + HOST,
  "two different Host headers": `${HOST}Host: other.test\r\n`,
  "no Host": "",
  "an empty Host": "Host:\r\n",
  "a blank Host": "Host: \t \r\n",
  "a Host with user info": "Host: user@g.test\r\n",
  "a Host with user and password": "Host: g.test:80@other.test\r\n",
  "a Host with a space": "Host: g.test other.test\r\n",
  "a Host with a path": "Host: g.test/x\r\n",
  "a Host with a query": "Host: g.test?x\r\n",
  "a Host with a fragment": "Host: g.test#x\r\n",
  "a Host with a backslash": "Host: g.test\\x\r\n",
  "a Host list": "Host: g.test, other.test\r\n",
  "a Host with a port that is no number": "Host: g.test:80x\r\n",
  "a Host with a port of six digits": "Host: g.test:123456\r\n",
  "a Host with two ports": "Host: g.test:80:80\r\n",
  "a Host of a port alone": "Host: :80\r\n",
  "a Host of a dot": "Host: .\r\n",
  "a Host with a percent sign": "Host: g%2etest\r\n",
  "a Host that is not ASCII": "Host: g.t\xe9st\r\n",
  "a Host with markup": "Host: <g.test>\r\n",
  "a bare IPv6 address": "Host: ::1\r\n",
  "an IPv6 address without its end": "Host: [::1\r\n",
  "an IPv6 address with more behind it": "Host: [::1]x\r\n",
  "no address in the brackets": "Host: [g.test]\r\n",
  "a wildcard": "Host: *.test\r\n",
};

for (const [name, lines] of Object.entries(BAD_HOSTS)) {
  t.test(`${name} is 400, and what follows is not executed`, (t) =>
    isRefused(t, world, `GET /a HTTP/1.1\r\n${lines}\r\n`, 400, "INVALID_HOST"),
  );
}

t.test("an HTTP/1.0 request without Host is 400", (t) =>
  isRefused(t, world, "GET /a HTTP/1.0\r\n\r\n", 400, "INVALID_HOST"),
);

t.test("absolute form is routed by its authority when that is the Host, and sent in origin form", async (t) => {
  const targets: readonly (readonly [sent: string, arrives: string])[] = [
    ["http://g.test/a?b=%2F", "/a?b=%2F"],
    ["HTTP://G.TEST/a", "/a"],
    ["https://g.test/a", "/a"],
    ["http://g.test", "/"],
    ["http://g.test?x=1", "/?x=1"],
    ["http://g.test//a/../b", "//a/../b"],
  ];
  for (const [sent, arrives] of targets) {
    origin.clear();
    t.equal((await answerTo(port, `GET ${sent} HTTP/1.1\r\n${HOST}\r\n`)).status, 200, sent);
    t.same(await targetsAtOrigin(world), [`GET ${arrives}`]);
    t.same(valuesOf(origin.requests[0]?.rawHeaders ?? [], "host"), [BUCKET_HOST]);
    t.same(origin.violations, []);
  }
});

t.test("an upload in absolute form is sent in origin form too", async (t) => {
  origin.clear();
  const bytes = `PUT http://g.test/a?x HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`;
  t.equal((await answerTo(port, bytes)).status, 200);
  t.same(await targetsAtOrigin(world), ["PUT /a?x"]);
});

t.test("absolute form to elsewhere is 400: this is no open proxy", async (t) => {
  const authorities = ["other.test", "127.0.0.1:1", "user@g.test", "g.test:81", "g.test.other.test", ""];
  for (const authority of authorities) {
    await isRefused(t, world, `GET http://${authority}/a HTTP/1.1\r\n${HOST}\r\n`, 400, "INVALID_HOST");
  }
  await isRefused(t, world, `GET http://g.test\\other/a HTTP/1.1\r\n${HOST}\r\n`, 400, "MALFORMED_TARGET");
});

t.test("an unknown host in absolute form and in Host is 404, nothing is connected to", async (t) => {
  origin.clear();
  const answer = await answerTo(
    port,
    `GET http://127.0.0.1:${origin.port}/a HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\n\r\n`,
  );
  t.same([answer.status, codeOf(answer)], [404, "NO_ROUTE"]);
  t.same(await targetsAtOrigin(world), []);
});

t.test("CONNECT is refused, for the own host as for others", async (t) => {
  for (const authority of ["g.test:80", `127.0.0.1:${origin.port}`, "other.test:443"]) {
    await isRefused(t, world, `CONNECT ${authority} HTTP/1.1\r\n${HOST}\r\n`, 405, "METHOD_NOT_ALLOWED");
  }
});

t.test("Upgrade is not forwarded; the request is served as HTTP/1.1 and the connection ends", async (t) => {
  const h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  const websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const lines of [h2c, websocket]) {
    for (const [method, framing, body] of [
      ["GET", "", ""],
      ["PUT", "Content-Length: 2\r\n", "hi"],
    ] as const) {
      origin.clear();
      const answers = await answersTo(port, `${method} /a HTTP/1.1\r\n${HOST}${lines}${framing}\r\n${body}${HIDDEN}`);
      t.same(
        answers.map(({ status }) => status),
        [200],
        `${method} with ${lines}`,
      );
      t.same(await targetsAtOrigin(world), [`${method} /a`]);
      const { rawHeaders = [], body: arrived } = origin.requests[0] ?? {};
      t.equal(arrived, body);
      for (const name of ["upgrade", "http2-settings"]) t.same(valuesOf(rawHeaders, name), [], name);
      t.notMatch(valuesOf(rawHeaders, "connection").join(), /upgrade/i);
      t.same(origin.violations, []);
    }
  }
});

t.test("a Connection header cannot take off what addresses, frames or signs the request", async (t) => {
  const lines = [
    "Connection: authorization, host, content-length, content-type, content-md5, date, x-oss-date, X-Secret, keep-alive",
    "Authorization: OSS ak:sig",
    "Content-Type: text/plain",
    "Content-MD5: eB5eJF1ptWaXm4bijSPyxw==",
    "Date: Sun, 22 Nov 2026 12:00:00 GMT",
    "x-oss-date: Sun, 22 Nov 2026 12:00:00 GMT",
    "X-Secret: hop",
    "Content-Length: 2",
  ];
  origin.clear();
  t.equal((await answerTo(port, `PUT /signed HTTP/1.1\r\n${HOST}${lines.join("\r\n")}\r\n\r\nhi`)).status, 200);
  const { rawHeaders = [], body } = origin.requests[0] ?? {};
  t.equal(body, "hi");
  for (const name of ["authorization", "content-type", "content-md5", "date", "x-oss-date", "content-length"]) {
    t.equal(valuesOf(rawHeaders, name).length, 1, name);
  }
  t.same(valuesOf(rawHeaders, "host"), [BUCKET_HOST]);
  t.same(valuesOf(rawHeaders, "x-secret"), []);
  t.equal((await gateway.logged(({ target: logged }) => logged === "/signed")).signature, "v1-header");
  t.same(origin.violations, []);
});

t.test("X-Forwarded-Host and its kin route nothing and are relayed as they are", async (t) => {
  origin.clear();
  const lines = [
    "X-Forwarded-Host: other.test",
    "X-Host: other.test",
    "Forwarded: host=other.test",
    "X-Original-URL: /b",
  ];
  t.equal((await answerTo(port, `GET /a HTTP/1.1\r\n${HOST}${lines.join("\r\n")}\r\n\r\n`)).status, 200);
  const { target, rawHeaders = [] } = origin.requests[0] ?? {};
  t.equal(target, "/a");
  t.same(valuesOf(rawHeaders, "host"), [BUCKET_HOST]);
  t.same(valuesOf(rawHeaders, "x-forwarded-host"), ["other.test"]);
});

t.test("what a client writes into Host is escaped in the error document", async (t) => {
  const [answer] = await answersTo(port, `GET /a HTTP/1.1\r\nHost: a"><b>&\x80\r\n\r\n`);
  const xml = answer?.body.toString() ?? "";
  t.match(xml, /<HostId>a"&gt;&lt;b&gt;&amp;[^<]*<\/HostId>/);
  t.equal(answer?.body.length, Number(valuesOf(answer?.rawHeaders ?? [], "content-length")[0]));
});

t.test("a Host cannot put a header or another host into Location", async (t) => {
  origin.reply(() => `HTTP/1.1 302 Found\r\nLocation: http://${BUCKET_HOST}/next\r\nContent-Length: 0\r\n\r\n`);
  for (const host of ["g.test", "G.Test:8080", "g.test."]) {
    const answer = await answerTo(port, `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    t.same(valuesOf(answer.rawHeaders, "location"), [`http://${host}/next`]);
  }
  for (const host of ["g.test/%0d%0aX:1", "g.test@evil.test", "g.test:80@evil.test", "g.test\\@evil.test"]) {
    const answer = await answerTo(port, `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    t.same([answer.status, valuesOf(answer.rawHeaders, "location")], [400, []], host);
  }
  origin.clear();
});

t.test("a refused Host does not poison the next connection", async (t) => {
  const connection = await RawConnection.open(port);
  connection.send(`GET /fine HTTP/1.1\r\n${HOST}\r\n`);
  t.equal((await connection.answer()).body.toString(), "/fine");
  connection.close();
});
