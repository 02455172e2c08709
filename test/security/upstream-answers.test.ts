import t from "tap";
import { startGateway } from "../support/gateway.js";
import { answerTo, RawConnection, valuesOf } from "../support/raw-client.js";
import { answerText, startStrictOrigin } from "../support/strict-origin.js";
import { codeOf, HOST, startBeforeOrigin } from "./before-origin.js";

const world = await startBeforeOrigin(t);
const { origin, port } = world;

const REQUESTS = {
  GET: `GET /a HTTP/1.1\r\n${HOST}\r\n`,
  PUT: `PUT /a HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`,
} as const;

const SPLITTING: Readonly<Record<string, string>> = {
  "a bare CR in a value": "X-A: a\rSet-Cookie: evil=1",
  "a bare CR and a new head": "X-A: a\r\rHTTP/1.1 200 OK\rSet-Cookie: evil=1",
  "a NUL in a value": "X-A: a\0Set-Cookie: evil=1",
  "a space in a name": "X A: a",
  "a folded line": "X-A: a\r\n Set-Cookie: evil=1",
};

for (const [name, line] of Object.entries(SPLITTING)) {
  for (const [method, bytes] of Object.entries(REQUESTS)) {
    t.test(`${name} of the upstream's answer to a ${method} becomes no header of ours`, async (t) => {
      origin.reply(() => `HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 2\r\n\r\nhi`);
      const answer = await answerTo(port, bytes);
      t.same(valuesOf(answer.rawHeaders, "set-cookie"), []);
      t.notMatch(answer.rawHeaders.join("\n"), /[\r\0]/);
      t.ok(answer.status === 200 || codeOf(answer)?.startsWith("UPSTREAM_"));
    });
  }
}

const NOT_HTTP: Readonly<Record<string, string>> = {
  "no HTTP at all": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  "another version": "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
  "a status of two digits": "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
  "the status 600": "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
  "the status 999": "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi",
  "a status of letters": "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
  "two different lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
  "a negative length": "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
  "a length of letters": "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi",
  "a head beyond all limits": `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(1_000_000)}\r\nContent-Length: 0\r\n\r\n`,
};

for (const [name, reply] of Object.entries(NOT_HTTP)) {
  for (const [method, bytes] of Object.entries(REQUESTS)) {
    t.test(`${name}, in answer to a ${method}, is 502`, async (t) => {
      origin.reply(() => reply);
      const answer = await answerTo(port, bytes);
      t.equal(answer.status, 502);
      t.match(codeOf(answer), /^UPSTREAM_/);
    });
  }
}

t.test("an upstream that switches protocols is a fault, and carries nothing through", async (t) => {
  const short = await startBeforeOrigin(t, "{}", "timeouts: { headers: 200ms }");
  for (const bytes of Object.values(REQUESTS)) {
    short.origin.reply(
      () => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nraw bytes",
    );
    const answer = await answerTo(short.port, bytes);
    t.ok(answer.status === 502 || answer.status === 504);
    t.match(codeOf(answer), /^UPSTREAM_/);
    t.notMatch(answer.body.toString(), /raw bytes/);
  }
});

t.test("bytes behind an answer are not the answer to the next request", async (t) => {
  const evil = answerText(200, ["X-Evil", "1"], "evil");
  for (const status of [200, 204, 304]) {
    origin.clear();
    let isFirst = true;
    origin.reply(({ target }) => {
      const honest = status === 200 ? answerText(200, [], target) : `HTTP/1.1 ${status} Text\r\n\r\n`;
      const bytes = isFirst ? honest + evil : answerText(200, [], target);
      isFirst = false;
      return bytes;
    });
    const connection = await RawConnection.open(port);
    for (const target of ["/1", "/2", "/3"]) {
      connection.send(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`);
      const answer = await connection.answer();
      t.same(valuesOf(answer.rawHeaders, "x-evil"), [], `${status} ${target}`);
      t.notMatch(answer.body.toString(), /evil/);
    }
    connection.close();
  }
});

t.test("the body of an answer to HEAD is not the answer to the next request", async (t) => {
  origin.clear();
  let isFirst = true;
  origin.reply(({ target }) => {
    const bytes = isFirst ? answerText(200, [], answerText(200, ["X-Evil", "1"], "evil")) : answerText(200, [], target);
    isFirst = false;
    return bytes;
  });
  const connection = await RawConnection.open(port);
  connection.send(`HEAD /1 HTTP/1.1\r\n${HOST}\r\n`);
  t.equal((await connection.answer("HEAD")).status, 200);
  connection.send(`GET /2 HTTP/1.1\r\n${HOST}\r\n`);
  const answer = await connection.answer();
  t.same(valuesOf(answer.rawHeaders, "x-evil"), []);
  t.equal(answer.body.toString(), "/2");
  connection.close();
});

t.test("bytes behind an answer do not answer a request that waits for the connection", async (t) => {
  const single = await startStrictOrigin(t);
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  b: { bucket: examplebucket, region: cn-beijing, endpoint: "http://127.0.0.1:${single.port}", connections: 1 }
routes: [{ name: all, match: { hosts: [g.test] }, bucket: b }]
`,
  );
  single.reply(({ target }) => answerText(200, [], target) + answerText(200, ["X-Evil", "1"], "evil"));
  const connection = await RawConnection.open(gateway.port);
  const targets = ["/1", "/2"];
  connection.send(targets.map((target) => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`).join(""));
  for (const target of targets) {
    const answer = await connection.answer();
    t.same(valuesOf(answer.rawHeaders, "x-evil"), [], target);
    t.ok(answer.status === 502 || answer.body.toString() === target, target);
  }
  connection.close();
});

t.test("headers that the upstream's Connection names end at the gateway, but never the framing", async (t) => {
  for (const bytes of Object.values(REQUESTS)) {
    origin.reply(() =>
      answerText(
        200,
        ["Connection", "X-Hop, content-length, keep-alive", "X-Hop", "1", "Keep-Alive", "timeout=5", "X-End", "2"],
        "four",
      ),
    );
    const answer = await answerTo(port, bytes);
    t.same(valuesOf(answer.rawHeaders, "x-hop"), []);
    t.same(valuesOf(answer.rawHeaders, "x-end"), ["2"]);
    t.same(valuesOf(answer.rawHeaders, "content-length"), ["4"]);
    t.equal(answer.body.toString(), "four");
  }
});
