import { once } from "node:events";
import { connect, constants } from "node:http2";
import t from "tap";
import { curl, needs } from "../clients/programs.js";
import { answerOf } from "../support/http2-client.js";
import { RawConnection, xmlText } from "../support/raw-client.js";
import { DOMAIN, startRelay } from "../support/relay-world.js";

const ROUTE = `  - { name: r, match: { hosts: [${DOMAIN}] }, bucket: one }\n`;
const WORDS = /HTTP\/2 is spoken here over TLS alone/;

t.test("a client that speaks HTTP/2 without TLS is told so in frames, and the log says it", async (t) => {
  const { gateway } = await startRelay(t, ROUTE);
  const session = connect(gateway.url);
  t.teardown(() => session.destroy());
  session.on("error", () => {});
  const goAway = once(session, "goaway");
  const { status, headers, body, rstCode } = await answerOf(session.request({ ":path": "/a", ":authority": DOMAIN }));
  t.equal(status, 400);
  t.equal(rstCode, 0, "the answer is whole");
  t.equal(headers["x-ossgate-error"], "MALFORMED_REQUEST");
  t.equal(headers["content-length"], String(body.length));
  t.match(xmlText(body, "Message"), WORDS);
  const [code, lastStream, reason] = await goAway;
  t.strictSame([code, lastStream], [constants.NGHTTP2_HTTP_1_1_REQUIRED, 1]);
  t.match(String(reason), WORDS);
  const entry = await gateway.logged(({ error }) => error === "MALFORMED_REQUEST");
  t.match(entry, { status: 400, requestLine: "PRI * HTTP/2.0", detail: WORDS });
  t.equal(headers["x-oss-request-id"], entry.requestId);
  t.equal(entry.sentBytes, body.length);
});

t.test("what follows a preface is not executed, and the connection ends", async (t) => {
  const { gateway, emulator } = await startRelay(t, ROUTE);
  const connection = await RawConnection.open(gateway.port);
  connection.send(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /a HTTP/1.1\r\nHost: ${DOMAIN}\r\n\r\n`);
  await connection.ended;
  connection.close();
  t.equal(emulator.captures.length, 0);
  t.equal(gateway.accessLog.length, 1);
  const labels = 'route="-",bucket="-",method="other",status="4xx",code="400",signature="anonymous"';
  t.equal(await gateway.metric(`ossgate_requests_total{${labels}}`), 1);
});

t.test("curl shows it to its user", needs("curl", "curl"), async (t) => {
  const { gateway } = await startRelay(t, ROUTE);
  const { code, stdout } = await curl(["--http2-prior-knowledge", `${gateway.url}/a`]);
  t.equal(code, 0);
  t.match(stdout.toString(), WORDS);
});
