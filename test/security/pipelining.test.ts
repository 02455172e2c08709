import t from "tap";
import { answersTo, RawConnection } from "../support/raw-client.js";
import { answerText } from "../support/strict-origin.js";
import { codeOf, HIDDEN, HOST, startBeforeOrigin, targetsAtOrigin } from "./before-origin.js";

const world = await startBeforeOrigin(t);
const { origin, port } = world;

const get = (target: string): string => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`;

t.test("pipelined requests are answered in their order, each with its own body", async (t) => {
  origin.clear();
  origin.reply(({ target }) => answerText(200, [], target.repeat(1 + (target.length % 7) * 500)));
  const targets = Array.from({ length: 50 }, (_, i) => `/${"x".repeat(i)}${i}`);
  const connection = await RawConnection.open(port);
  connection.send(targets.map(get).join(""));
  for (const target of targets) {
    const { status, body } = await connection.answer();
    t.equal(status, 200);
    t.equal(body.toString(), target.repeat(1 + (target.length % 7) * 500));
  }
  connection.close();
  t.same(origin.violations, []);
});

t.test("uploads among pipelined requests keep their bodies", async (t) => {
  origin.clear();
  origin.reply(({ method, target, body }) => answerText(200, [], `${method} ${target} ${body}`));
  const connection = await RawConnection.open(port);
  const requests = Array.from({ length: 10 }, (_, i) =>
    i % 2 === 0 ? get(`/${i}`) : `PUT /${i} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n<${i}>`,
  );
  connection.send(requests.join(""));
  for (let i = 0; i < 10; i += 1) {
    const { body } = await connection.answer();
    t.equal(body.toString(), i % 2 === 0 ? `GET /${i} ` : `PUT /${i} <${i}>`);
  }
  connection.close();
});

t.test("a refusal among pipelined requests takes its own place", async (t) => {
  origin.clear();
  const connection = await RawConnection.open(port);
  connection.send(`${get("/1")}PATCH /2 HTTP/1.1\r\n${HOST}\r\n${get("/3%zz")}${get("/4")}`);
  const answers = [];
  for (let i = 0; i < 3; i += 1) answers.push(await connection.answer());
  t.same(
    answers.map((answer) => [answer.status, codeOf(answer)]),
    [
      [200, undefined],
      [405, "METHOD_NOT_ALLOWED"],
      [400, "MALFORMED_TARGET"],
    ],
  );
  connection.close();
  t.notMatch(await targetsAtOrigin(world), ["PATCH /2"]);
});

t.test("requests cut into single bytes are the same requests", async (t) => {
  origin.clear();
  origin.reply(({ method, target, body }) => answerText(200, [], `${method} ${target} ${body}`));
  const connection = await RawConnection.open(port);
  const bytes = `${get("/a")}PUT /b HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n${get("/c")}`;
  for (const byte of bytes) connection.send(byte);
  for (const expected of ["GET /a ", "PUT /b hi", "GET /c "]) {
    t.equal((await connection.answer()).body.toString(), expected);
  }
  connection.close();
});

t.test("nothing is executed behind a request that ends the connection", async (t) => {
  const enders: Readonly<Record<string, string>> = {
    "HTTP/1.0": `GET /first HTTP/1.0\r\n${HOST}\r\n`,
    "Connection: close": `GET /first HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`,
    "Connection: x, CLOSE": `GET /first HTTP/1.1\r\n${HOST}Connection: x, CLOSE\r\n\r\n`,
  };
  for (const [name, bytes] of Object.entries(enders)) {
    origin.clear();
    t.ok((await answersTo(port, bytes + HIDDEN)).length <= 1, name);
    t.notOk((await targetsAtOrigin(world)).includes("DELETE /hidden"), name);
  }
});

t.test("clients that run side by side get their own answers", async (t) => {
  origin.clear();
  const connections = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(port)));
  await Promise.all(
    connections.map(async (connection, client) => {
      for (let i = 0; i < 10; i += 1) {
        connection.send(get(`/${client}/${i}`));
        t.equal((await connection.answer()).body.toString(), `/${client}/${i}`);
      }
      connection.close();
    }),
  );
  t.same(origin.violations, []);
});
