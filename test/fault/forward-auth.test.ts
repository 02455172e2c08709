import { once } from "node:events";
import type { Socket } from "node:net";
import t from "tap";
import { type AskedQuestion, startAuthService, status, type TestAuthService } from "../support/auth-service.js";
import { head, RawConnection, xmlText } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, relay, startRelay } from "../support/relay-world.js";
import { clientsGone, closedPort, openSockets, startOrigin } from "./support/sockets.js";

type Teardown = Parameters<typeof startOrigin>[0];

const UNAVAILABLE = 'ossgate_errors_total{route="files",code="FORWARD_AUTH_UNAVAILABLE",origin="gateway"}';

async function startFiles(t: Teardown, url: string, options = ""): Promise<RelayWorld> {
  const route = `  - { name: files, match: { hosts: [files.test] }, bucket: one, allow: { forwardAuth: { url: "${url}"${options} } } }\n`;
  const world = await startRelay(t, route);
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  return world;
}

const get = (world: RelayWorld) => relay(world, { host: "files.test", target: "/a.txt" });

/** What all that is no answer has in common. */
async function deniesWith503(t: Teardown, world: RelayWorld, cause: RegExp, claim: string): Promise<void> {
  const before = await world.gateway.metric(UNAVAILABLE);
  const { answer, entry, capture } = await get(world);
  t.equal(answer.status, 503, claim);
  t.equal(entry.error, "FORWARD_AUTH_UNAVAILABLE", claim);
  t.match(entry.detail, cause, claim);
  t.equal(capture, undefined, `${claim}: nothing goes upstream`);
  t.equal(xmlText(answer.body, "Code"), "ServiceUnavailable", claim);
  t.notMatch(
    answer.rawHeaders.join() + answer.body.toString(),
    /127\.0\.0\.1|ECONN|ms\b/,
    `${claim}: the cause is for the log`,
  );
  t.equal((await world.gateway.metric(UNAVAILABLE)) - before, 1, claim);
}

t.test("a service that is down, fails, or speaks no HTTP denies with 503, and the cause is in the log", async (t) => {
  const port = await closedPort();
  await deniesWith503(t, await startFiles(t, `http://127.0.0.1:${port}/`), /ECONNREFUSED/, "refused");
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url, ", cache: 1m");
  for (const code of [500, 502, 503, 301, 308]) {
    service.reply(status(code, { Location: "/x" }));
    await deniesWith503(t, world, new RegExp(`answered ${code}`), String(code));
  }
  service.reply((req) => req.socket.destroy());
  await deniesWith503(t, world, /other side closed|ECONNRESET/, "closed");
  service.reply((req) => req.socket.resetAndDestroy());
  await deniesWith503(t, world, /ECONNRESET|other side closed/, "reset");
  service.reply((req) => void req.socket.end("garbage\r\n\r\n"));
  await deniesWith503(t, world, /./, "garbage");
  service.reply(status(200));
  t.equal((await get(world)).answer.status, 200, "and none of it is remembered");
});

t.test("a service that does not answer in time denies with 503, and its connection is closed", async (t) => {
  const sockets: Socket[] = [];
  const service = await startAuthService(t, (req) => sockets.push(req.socket));
  const world = await startFiles(t, service.url, ", timeout: 50ms, cache: 1m");
  await deniesWith503(t, world, /no answer within 50 ms/, "silent");
  t.equal(sockets.length, 1);
  for (const socket of sockets) if (!socket.destroyed) await once(socket, "close");
  service.reply((_req, res) => res.writeHead(200).flushHeaders());
  t.equal((await get(world)).answer.status, 200, "the head is the answer");
  const [unfinished] = openSockets(service.port);
  if (unfinished !== undefined) await once(unfinished, "close");
});

t.test("a service that does not even take the connection denies with 503", async (t) => {
  const silent = await startOrigin(t, (socket) => void socket.resume().on("end", () => socket.end()));
  // TLS, and nobody answers the hello.
  const world = await startFiles(t, `https://127.0.0.1:${silent.port}/`, ", timeout: 50ms");
  await deniesWith503(t, world, /./, "no handshake");
  await clientsGone(silent.port);
});

t.test("a service that was restarted is asked again, and no client notices", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  t.equal((await get(world)).answer.status, 200);
  const [idle] = openSockets(service.port);
  let isFirst = true;
  service.reply((req, res) => {
    if (isFirst) req.socket.destroy();
    else res.writeHead(200).end();
    isFirst = false;
  });
  t.equal((await get(world)).answer.status, 200);
  t.ok(idle?.destroyed);
  t.equal(service.questions.length, 3);
});

/** A request whose question the service holds. */
async function heldRequest(t: Teardown, service: TestAuthService, world: RelayWorld) {
  let answer: (() => void) | undefined;
  service.reply((_req, res) => {
    answer = () => void res.writeHead(200).end();
  });
  const asked = service.untilAsked(service.questions.length + 1);
  const connection = await RawConnection.open(world.gateway.port);
  t.teardown(() => connection.close());
  connection.send(head("GET", "/a.txt", ["Host", "files.test", "User-Agent", "held"]));
  await asked;
  return { connection, answer: () => answer?.() };
}

t.test("a client that leaves while the service is asked is logged as gone, and nothing is sent for it", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  const { connection, answer } = await heldRequest(t, service, world);
  connection.socket.resetAndDestroy();
  const entry = await world.gateway.logged(({ userAgent }) => userAgent === "held");
  t.equal(entry.status, 499);
  t.equal(entry.error, "CLIENT_GONE");
  answer();
  service.reply(status(200));
  t.equal((await get(world)).answer.status, 200);
  t.equal(world.emulator.captures.length, 1, "the one that stayed");
  t.equal(await world.gateway.metric('ossgate_requests_in_flight{route="files"}'), 0);
});

t.test("a gateway that stops while the service is asked ends at once", async (t) => {
  const service = await startAuthService(t);
  const world = await startFiles(t, service.url);
  const { connection } = await heldRequest(t, service, world);
  await world.gateway.gateway.stop(0);
  await connection.ended;
  await clientsGone(service.port);
  t.equal(openSockets(service.port).length, 0);
});

t.test("a flood while the service hangs is bounded, and denied", async (t) => {
  let mostOpen = 0;
  const service = await startAuthService(t, () => {
    mostOpen = Math.max(mostOpen, openSockets(service.port).filter((socket) => !socket.destroyed).length);
  });
  const world = await startFiles(t, service.url, ", timeout: 500ms");
  const connections = await Promise.all(Array.from({ length: 300 }, () => RawConnection.open(world.gateway.port)));
  for (const connection of connections) connection.send(head("GET", "/a.txt", ["Host", "files.test"]));
  const answers = await Promise.all(connections.map((connection) => connection.answer()));
  t.same(new Set(answers.map(({ status: code }) => code)), new Set([503]));
  t.ok(mostOpen <= 64, `${mostOpen} connections at most`);
  t.ok(service.questions.length <= 224, `${service.questions.length} were asked`);
  for (const connection of connections) connection.close();
  const targets = new Set(service.questions.map(({ target }: AskedQuestion) => target));
  t.same(targets, new Set(["/check?from=gateway"]));
});

t.test("a held upload is not read before the service says yes", async (t) => {
  const service = await startAuthService(t);
  const route = `  - { name: files, match: { hosts: [files.test] }, bucket: one, methods: [GET, PUT], allow: { forwardAuth: { url: "${service.url}" } } }\n`;
  const world = await startRelay(t, route);
  const answers: (() => void)[] = [];
  service.reply((_req, res) => answers.push(() => res.writeHead(403).end()));
  const connection = await RawConnection.open(world.gateway.port);
  t.teardown(() => connection.close());
  const headers = ["Host", "files.test", "Content-Length", "6", "Expect", "100-continue"];
  connection.send(head("PUT", "/new.txt", headers));
  await service.untilAsked(1);
  answers.pop()?.();
  const answer = await connection.answer();
  t.equal(answer.status, 403, "and no 100 before it");
  t.equal(world.emulator.captures.length, 0);
});
