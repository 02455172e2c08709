import { once } from "node:events";
import { createServer } from "node:net";
import t, { type Test } from "tap";
import type { Emulator } from "../../src/emulator/index.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";
import { RawConnection, xmlText } from "../support/raw-client.js";

const HEAD = "Host: g.test\r\n";

function start(t: Test, endpoint: string): Promise<TestGateway> {
  return startGateway(
    t,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { b: { bucket: examplebucket, region: cn-hangzhou, endpoint: "${endpoint}" } }
routes: [{ name: all, match: { hosts: [g.test] }, bucket: b, methods: [GET, PUT] }]
`,
  );
}

async function startBoth(t: Test): Promise<{ readonly emulator: Emulator; readonly gateway: TestGateway }> {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: "examplebucket", region: "cn-hangzhou", acl: "public-read-write" });
  for (let i = 0; i < 40; i += 1) emulator.putObject("examplebucket", `k${i}`, `body ${i}`);
  return { emulator, gateway: await start(t, emulator.url) };
}

t.test("a request that is pipelined behind an upload sees what the upload stored", async (t) => {
  const { gateway } = await startBoth(t);
  const connection = await RawConnection.open(gateway.port);
  for (let i = 0; i < 5; i += 1) {
    connection.send(`PUT /new HTTP/1.1\r\n${HEAD}Content-Length: 6\r\n\r\nround${i}GET /new HTTP/1.1\r\n${HEAD}\r\n`);
  }
  for (let i = 0; i < 5; i += 1) {
    t.equal((await connection.answer("PUT")).status, 200);
    t.equal((await connection.answer()).body.toString(), `round${i}`);
  }
  connection.close();
});

t.test(
  "however many requests a client pipelines, one at a time reaches the upstream, and all are answered",
  async (t) => {
    const { emulator, gateway } = await startBoth(t);
    emulator.faults.failNext(1, { kind: "stallBeforeHead" });
    const connection = await RawConnection.open(gateway.port);
    for (let i = 0; i < 40; i += 1) connection.send(`GET /k${i} HTTP/1.1\r\n${HEAD}\r\n`);
    await emulator.until(() => emulator.faults.stalled === 1);
    t.equal(emulator.captures.length, 1);
    t.equal(gateway.gateway.stats.route("all").inFlight, 1);
    emulator.faults.releaseStalled();
    for (let i = 0; i < 40; i += 1) t.equal((await connection.answer()).body.toString(), `body ${i}`);
    connection.close();
  },
);

t.test("a malformed head behind good requests is answered, counted and logged", async (t) => {
  const { gateway } = await startBoth(t);
  const connection = await RawConnection.open(gateway.port);
  connection.send(`GET /k1 HTTP/1.1\r\n${HEAD}\r\n`);
  t.equal((await connection.answer()).status, 200);
  connection.send(`GET /k2 HTTP/1.1\r\n${HEAD}bad header\r\n\r\n`);
  const refused = await connection.answer();
  await connection.ended;
  t.equal(refused.status, 400);
  t.equal(xmlText(refused.body, "Code"), "InvalidRequest");
  const entry = await gateway.logged(({ status }) => status === 400);
  t.equal(entry.error, "MALFORMED_REQUEST");
  t.equal(entry.requestId, xmlText(refused.body, "RequestId"));
  t.equal(await gateway.metric('ossgate_errors_total{route="-",code="MALFORMED_REQUEST",origin="client"}'), 1);
});

t.test("garbage behind a request does not take its answer away", async (t) => {
  const { emulator, gateway } = await startBoth(t);
  emulator.faults.failNext(1, { kind: "stallBeforeHead" });
  const connection = await RawConnection.open(gateway.port);
  connection.send(`GET /k1 HTTP/1.1\r\n${HEAD}\r\n\x01\x02garbage\r\n\r\n`);
  await emulator.until(() => emulator.faults.stalled === 1);
  emulator.faults.releaseStalled();
  const answers = await connection.answersUntilEnd();
  t.same(
    answers.map(({ body }) => body.toString()),
    ["body 1"],
  );
});

t.test("a client is not told the address behind an upstream's fault, the log is", async (t) => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as { port: number };
  closed.close();
  await once(closed, "close");
  const gateway = await start(t, `http://127.0.0.1:${port}`);
  const connection = await RawConnection.open(gateway.port);
  connection.send(`GET /k1 HTTP/1.1\r\n${HEAD}\r\n`);
  const { status, body, rawHeaders } = await connection.answer();
  connection.close();
  t.equal(status, 502);
  t.equal(xmlText(body, "Code"), "UpstreamRefused");
  t.notMatch(body.toString() + rawHeaders.join(), /127\.0\.0\.1|ECONN/);
  t.match((await gateway.logged(() => true)).detail, /127\.0\.0\.1.*ECONNREFUSED/);
});
