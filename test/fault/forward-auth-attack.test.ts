import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import t from "tap";
import { startAuthService, status, type TestAuthService } from "../support/auth-service.js";
import type { Teardown } from "../support/gateway.js";
import { head, RawConnection } from "../support/raw-client.js";
import { BUCKET, type RelayWorld, startRelay } from "../support/relay-world.js";
import { clientsGone, openSockets, requestStarted } from "./support/sockets.js";

const IN_FLIGHT = 'ossgate_requests_in_flight{route="files"}';
const UNAVAILABLE = 'ossgate_errors_total{route="files",code="FORWARD_AUTH_UNAVAILABLE",origin="gateway"}';
const VICTIM = "127.0.0.2";

/** A service that answers the victim at once; what others ask is held until the test answers it. */
async function startHolding(t: Teardown) {
  const held: (() => void)[] = [];
  const service = await startAuthService(t, (req, res) => {
    const answer = (): void => void res.writeHead(200).end();
    if (req.headers["x-forwarded-for"] === VICTIM) answer();
    else held.push(answer);
  });
  return { service, held };
}

async function startFiles(t: Teardown, service: TestAuthService, more: { auth?: string; route?: string } = {}) {
  const { auth = "", route = "" } = more;
  // A time-out that ends nothing within the test.
  const forwardAuth = `forwardAuth: { url: "${service.url}", timeout: 30s${auth} }`;
  const world = await startRelay(
    t,
    `  - { name: files, match: { hosts: [files.test] }, bucket: one, allow: { ${forwardAuth} }${route} }\n`,
  );
  world.emulator.putObject(BUCKET, "a.txt", "hello");
  return world;
}

/** Sends a GET from an address of this machine; the status. */
async function statusFrom(localAddress: string, { gateway: { port } }: RelayWorld): Promise<number | undefined> {
  const options = { host: "127.0.0.1", port, localAddress, path: "/a.txt", agent: false };
  const sent = request({ ...options, headers: { host: "files.test" } }).end();
  const [answer] = await once(sent, "response");
  answer.resume();
  await once(answer, "end");
  return answer.statusCode;
}

/** Sends a request on a connection of its own; resolves when the gateway has begun to serve it. */
async function begin(t: Teardown, { gateway }: RelayWorld, target: string, mark = target): Promise<RawConnection> {
  const connection = await RawConnection.open(gateway.port);
  t.teardown(() => connection.close());
  const started = requestStarted(gateway.port, target);
  connection.send(head("GET", target, ["Host", "files.test", "User-Agent", mark]));
  await started;
  return connection;
}

const statusOf = async ({ gateway }: RelayWorld, mark: string): Promise<number> =>
  (await gateway.logged(({ userAgent }) => userAgent === mark)).status;

t.test("300 requests one after another, each reset while the service is asked, keep nobody else out", async (t) => {
  const { service } = await startHolding(t);
  const world = await startFiles(t, service, { route: ", limits: { perClient: { connections: 3 } }" });
  for (let i = 0; i < 300; i += 1) {
    const connection = await begin(t, world, `/${i}`);
    connection.socket.resetAndDestroy();
    t.equal(await statusOf(world, `/${i}`), 499);
  }
  t.equal(await statusFrom(VICTIM, world), 200);
  t.equal(await world.gateway.metric(IN_FLIGHT), 0);
  t.equal(await world.gateway.metric(UNAVAILABLE), 0, "nothing of it was the service's fault");
});

t.test("300 requests that stay take no place from another client", async (t) => {
  const { service } = await startHolding(t);
  const world = await startFiles(t, service);
  const flood: RawConnection[] = [];
  for (let i = 0; i < 300; i += 1) flood.push(await begin(t, world, `/flood?${i}`));
  await service.untilAsked(32);
  t.equal(await statusFrom(VICTIM, world), 200);
  t.equal(service.questions.length, 33, "of the flood no more are asked at once");
  t.equal(await world.gateway.metric(UNAVAILABLE), 300 - 32 - 192, "its last ones were denied");
  for (const connection of flood) connection.socket.resetAndDestroy();
  await clientsGone(world.gateway.port);
  t.equal(await world.gateway.metric(IN_FLIGHT), 0);
  t.equal(await statusFrom(VICTIM, world), 200);
});

t.test("in a full queue the flood gives way, and all of another client's questions are answered", async (t) => {
  const { service, held } = await startHolding(t);
  const world = await startFiles(t, service);
  for (let i = 0; i < 300; i += 1) await begin(t, world, `/flood?${i}`);
  await service.untilAsked(32);
  const others = Array.from({ length: 24 }, () => statusFrom("127.0.0.3", world));
  await service.untilAsked(32 + 16);
  // The flood's last 76 had no room, and 8 of those that waited gave theirs.
  const denials = (): number => world.gateway.accessLog.filter(({ status: code }) => code === 503).length;
  await world.gateway.logged(() => denials() === 76 + 8);
  service.reply(status(200));
  for (const answer of held) answer();
  t.same(new Set(await Promise.all(others)), new Set([200]));
  t.equal(await world.gateway.metric(UNAVAILABLE), 76 + 8);
});

t.test("a client that leaves ends the question, and the connection on which it was asked", async (t) => {
  const { service } = await startHolding(t);
  const world = await startFiles(t, service);
  const connection = await begin(t, world, "/left");
  await service.untilAsked(1);
  const [asking] = openSockets(service.port);
  connection.socket.resetAndDestroy();
  if (asking?.destroyed === false) await once(asking, "close");
  t.equal(await statusOf(world, "/left"), 499);
  t.equal(await world.gateway.metric(IN_FLIGHT), 0);
  t.equal(await world.gateway.metric(UNAVAILABLE), 0);
  t.equal(await statusFrom(VICTIM, world), 200);
  t.equal(world.emulator.captures.length, 1, "of the victim's");
});

t.test("of two that wait for one answer either may leave, and the other has it", async (t) => {
  for (const leaver of [0, 1]) {
    const { service, held } = await startHolding(t);
    const world = await startFiles(t, service, { auth: ", cache: 1m" });
    const both = [await begin(t, world, "/a.txt", "0"), await begin(t, world, "/a.txt", "1")] as const;
    await service.untilAsked(1);
    both[leaver]?.socket.resetAndDestroy();
    t.equal(await statusOf(world, String(leaver)), 499);
    held.pop()?.();
    const answer = await both[1 - leaver]?.answer();
    t.equal(answer?.status, 200);
    t.equal(answer?.body.toString(), "hello");
    t.equal(service.questions.length, 1);
  }
});

t.test("when both have left nothing of their question is remembered", async (t) => {
  const { service, held } = await startHolding(t);
  const world = await startFiles(t, service, { auth: ", cache: 1m" });
  const both = [await begin(t, world, "/a.txt", "0"), await begin(t, world, "/a.txt", "1")];
  await service.untilAsked(1);
  const [asking] = openSockets(service.port);
  for (const [i, connection] of both.entries()) {
    connection.socket.resetAndDestroy();
    t.equal(await statusOf(world, String(i)), 499);
  }
  if (asking?.destroyed === false) await once(asking, "close");
  held.pop();
  const third = await begin(t, world, "/a.txt", "2");
  await service.untilAsked(2);
  held.pop()?.();
  t.equal((await third.answer()).status, 200);
});

t.test("what waits for a client to leave is there while the service is asked, and not afterwards", async (t) => {
  const world: RelayWorld[] = [];
  const responses: ServerResponse[] = [];
  const listeners = (): number | undefined => responses.at(-1)?.listenerCount("close");
  const whileAsked: (number | undefined)[] = [];
  const afterwards: (number | undefined)[] = [];
  hear(t, "http.server.request.start", world, (response) => responses.push(response));
  hear(t, "http.server.response.finish", world, () => afterwards.push(listeners()));
  const service = await startAuthService(t, (_req, res) => {
    whileAsked.push(listeners());
    res.writeHead(200).end();
  });
  world.push(await startFiles(t, service, { auth: ", cache: 1m" }));
  for (let i = 0; i < 2; i += 1) t.equal(await statusFrom(VICTIM, world[0] as RelayWorld), 200);
  const [asked, ...more] = whileAsked as number[];
  t.same(more, [], "the second answer was remembered");
  t.same(afterwards, [(asked ?? 0) - 1, (asked ?? 0) - 1]);
});

/** Hears of the responses of the gateway alone; there are other servers in this process. */
function hear(
  t: Teardown,
  channel: string,
  worlds: readonly RelayWorld[],
  told: (response: ServerResponse) => void,
): void {
  const look = (message: unknown): void => {
    const { request: req, response } = message as {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
    };
    if (req.socket.localPort === worlds[0]?.gateway.port) told(response);
  };
  subscribe(channel, look);
  t.teardown(() => unsubscribe(channel, look));
}
