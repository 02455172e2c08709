import { EventEmitter, once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import t, { type Test } from "tap";
import { startGateway, type TestGateway } from "../support/gateway.js";
import { BUCKET, OSS_HOST, OTHER, relay, startRelay } from "../support/relay-world.js";

const ROUTES = `
  - { name: files, match: { hosts: [files.test] }, bucket: one, auth: relay, methods: [GET, HEAD, PUT] }
  - { name: both, match: { hosts: [both.test] }, buckets: [one, two], auth: relay, methods: [GET, PUT] }
  - { name: guarded, match: { hosts: [guarded.test] }, bucket: one, auth: relay, referer: { allowEmptyReferer: false, refererList: ["https://a.test"] } }
`;

/** Waits until a metric has the value; what is open or queued settles behind the answer. */
async function settles(gateway: TestGateway, name: string, value: number): Promise<void> {
  while ((await gateway.metric(name)) !== value) await new Promise((resolve) => setImmediate(resolve));
}

t.test("requests and bytes are counted by route, bucket and exact status", async (t) => {
  const world = await startRelay(t, ROUTES);
  const { emulator, gateway } = world;
  emulator.putObject(BUCKET, "a.txt", Buffer.alloc(1_000, "a"));
  await relay(world, { host: "files.test", target: "/a.txt" });
  await relay(world, { host: "files.test", target: "/a.txt", headers: ["Range", "bytes=0-9"] });
  await relay(world, { method: "PUT", host: "both.test", target: `/${BUCKET}/b.txt`, body: "12345" });
  const denied = await relay(world, { host: "both.test", target: `/${OTHER}/none` });
  const missing = await relay(world, { host: "both.test", target: "/nobucket/none" });
  const refused = await relay(world, { host: "guarded.test", target: "/a.txt" });
  t.same(
    [denied, missing, refused].map(({ entry }) => entry.status),
    [403, 404, 403],
  );
  const requests = (labels: string) => gateway.metric(`ossgate_requests_total{${labels},signature="anonymous"}`);
  t.equal(await requests('route="files",bucket="one",method="GET",status="2xx",code="200"'), 1);
  t.equal(await requests('route="files",bucket="one",method="GET",status="2xx",code="206"'), 1);
  t.equal(await requests('route="both",bucket="one",method="PUT",status="2xx",code="200"'), 1);
  t.equal(await requests('route="both",bucket="two",method="GET",status="4xx",code="403"'), 1);
  t.equal(await requests('route="both",bucket="-",method="GET",status="4xx",code="404"'), 1, "no bucket was found");
  t.equal(await requests('route="guarded",bucket="one",method="GET",status="4xx",code="403"'), 1, "its only bucket");
  t.equal(await gateway.metric('ossgate_sent_bytes_total{route="files",bucket="one"}'), 1_010);
  t.equal(await gateway.metric('ossgate_received_bytes_total{route="both",bucket="one"}'), 5);
  t.equal(
    await gateway.metric('ossgate_route_upstream_bytes_total{route="files",bucket="one",direction="egress"}'),
    1_010,
  );
  t.equal(await gateway.metric('ossgate_route_upstream_bytes_total{route="both",bucket="one",direction="ingress"}'), 5);
  t.equal(await gateway.metric('ossgate_refusals_total{route="guarded",policy="referer"}'), 1);
  t.equal(await gateway.metric('ossgate_refusals_total{route="both",policy="host"}'), 1);
  t.equal(await gateway.metric('ossgate_oss_errors_total{bucket="two",code="AccessDenied"}'), 1);
  t.equal(await gateway.metric('ossgate_upstream_answers_total{bucket="two",status="4xx"}'), 1);
  t.equal(await gateway.metric('ossgate_upstream_answers_total{bucket="one",status="2xx"}'), 3);
});

t.test("connections to OSS are counted while they are open, and how long they took", async (t) => {
  const world = await startRelay(t, ROUTES);
  const { gateway, emulator } = world;
  emulator.putObject(BUCKET, "a.txt", Buffer.alloc(10));
  await relay(world, { host: "files.test", target: "/a.txt" });
  await settles(gateway, 'ossgate_upstream_connections{bucket="one",state="idle"}', 1);
  t.equal(await gateway.metric('ossgate_upstream_connections{bucket="one",state="used"}'), 0);
  t.equal(await gateway.metric('ossgate_upstream_connect_seconds_count{bucket="one"}'), 1);
  await relay(world, { method: "PUT", host: "files.test", target: "/b.txt", body: "1" });
  t.equal(await gateway.metric('ossgate_upstream_connect_seconds_count{bucket="one"}'), 2, "an upload takes a new one");
  await emulator.close();
  await settles(gateway, 'ossgate_upstream_connections{bucket="one",state="idle"}', 0);
});

/** An upstream that the test answers for, byte by byte. */
async function startRawOrigin(t: Test): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ allowHalfOpen: false });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { server, port: (server.address() as { port: number }).port };
}

const config = (port: number, more = ""): string => `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets: { one: { bucket: ${BUCKET}, region: cn-beijing, endpoint: "http://127.0.0.1:${port}"${more} } }
routes: [{ name: files, match: { hosts: ["127.0.0.1"] }, bucket: one, auth: relay }]
`;

t.test("bytes are counted while a transfer runs, and its connection is in use", async (t) => {
  const { server, port } = await startRawOrigin(t);
  const gateway = await startGateway(t, config(port));
  const connected = once(server, "connection");
  const answering = fetch(`${gateway.url}/long`);
  const [socket] = (await connected) as [Socket];
  await once(socket, "data");
  t.equal(await gateway.metric('ossgate_upstream_connections{bucket="one",state="used"}'), 1);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${"a".repeat(1_500)}`);
  const answer = await answering;
  const reader = answer.body?.getReader();
  let read = 0;
  while (read < 1_500) read += (await reader?.read())?.value?.length ?? 0;
  t.equal(await gateway.metric('ossgate_sent_bytes_total{route="files",bucket="one"}'), 1_500);
  t.equal(await gateway.metric('ossgate_requests_in_flight{route="files"}'), 1, "it runs");
  socket.write("b".repeat(500));
  while (!(await reader?.read())?.done);
  await gateway.logged(({ status }) => status === 200);
  t.equal(await gateway.metric('ossgate_sent_bytes_total{route="files",bucket="one"}'), 2_000, "counted once");
  t.equal(await gateway.metric('ossgate_upstream_connections{bucket="one",state="used"}'), 0);
});

t.test("a request that waits for a connection is in the queue until it has one, or has gone", async (t) => {
  const { server, port } = await startRawOrigin(t);
  const gateway = await startGateway(t, config(port, ", connections: 1"));
  const asked = new EventEmitter();
  server.on("connection", (socket: Socket) => socket.on("data", () => asked.emit("request", socket)));
  const nextRequest = async (): Promise<Socket> => (await once(asked, "request"))[0];
  const queued = 'ossgate_upstream_queued_requests{bucket="one"}';
  const firstAsked = nextRequest();
  const first = fetch(`${gateway.url}/first`);
  const socket = await firstAsked;
  t.equal(await gateway.metric(queued), 0);
  const leaving = new AbortController();
  const second = fetch(`${gateway.url}/second`, { signal: leaving.signal }).catch(() => null);
  await settles(gateway, queued, 1);
  leaving.abort();
  await second;
  await settles(gateway, queued, 0);
  const third = fetch(`${gateway.url}/third`);
  await settles(gateway, queued, 1);
  const thirdAsked = nextRequest();
  socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  t.equal((await first).status, 200);
  const last = await thirdAsked;
  t.equal(await gateway.metric(queued), 0);
  last.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  t.equal((await third).status, 200);
});

t.test("tries that fail are counted by cause, those that were repeated too", async (t) => {
  const { server, port } = await startRawOrigin(t);
  const gateway = await startGateway(t, config(port));
  server.on("connection", (socket: Socket) => socket.once("data", () => socket.resetAndDestroy()));
  const answer = await fetch(`${gateway.url}/reset`);
  t.equal(answer.status, 502);
  const tries = await gateway.metric('ossgate_upstream_requests_total{bucket="one"}');
  t.ok(tries >= 2, "it was tried again");
  t.equal(await gateway.metric('ossgate_upstream_errors_total{bucket="one",cause="UPSTREAM_RESET"}'), tries);
  t.equal(await gateway.metric('ossgate_request_failures_total{route="files",bucket="one"}'), 1);
  t.equal(await gateway.metric('ossgate_upstream_connections{bucket="one",state="used"}'), 0);
});

t.test("an answer that is cut off has failed, whatever status it began with", async (t) => {
  const { server, port } = await startRawOrigin(t);
  const gateway = await startGateway(t, config(port));
  server.on("connection", (socket: Socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  });
  await t.rejects(fetch(`${gateway.url}/cut`).then((answer) => answer.text()));
  await gateway.logged(({ error }) => error === "UPSTREAM_TRUNCATED");
  t.equal(await gateway.metric('ossgate_request_failures_total{route="files",bucket="one"}'), 1);
  t.equal(await gateway.metric('ossgate_upstream_errors_total{bucket="one",cause="UPSTREAM_TRUNCATED"}'), 1);
});

t.test("the rates of the last seconds, the processes and the limits are on the page", async (t) => {
  const world = await startRelay(t, ROUTES);
  world.emulator.putObject(BUCKET, "a.txt", Buffer.alloc(100));
  const { gateway } = world;
  while ((await gateway.metric('ossgate_requests_per_second{route="files"}')) === 0) {
    await relay(world, { host: "files.test", target: "/a.txt" });
  }
  t.ok((await gateway.metric('ossgate_sent_bytes_per_second{route="files"}')) > 0);
  t.ok((await gateway.metric('ossgate_upstream_bytes_per_second{bucket="one",direction="egress"}')) > 0);
  t.ok((await gateway.metric('ossgate_worker_resident_memory_bytes{worker="1"}')) > 1e6);
  t.equal(await gateway.metric("ossgate_client_connections_limit"), 10_000);
  t.equal(await gateway.metric("nginx_http_requests_total"), 0, "compat is off");
});

t.test("compat: vts shows NGINX's names beside ours", async (t) => {
  const world = await startRelay(
    t,
    ROUTES,
    'listeners: [{ name: web, address: "127.0.0.1:0" }]\nmetrics: { compat: vts }',
  );
  world.emulator.putObject(BUCKET, "a.txt", Buffer.alloc(100));
  await relay(world, { host: "files.test", target: "/a.txt", headers: ["X-Real", OSS_HOST] });
  t.equal(await world.gateway.metric('nginx_vts_server_requests_total{host="files",code="2xx"}'), 1);
  t.equal(await world.gateway.metric("nginx_http_requests_total"), 1);
  t.equal(await world.gateway.metric('nginx_vts_server_bytes_total{host="files",direction="out"}'), 100);
});

t.test("what a bucket answered has its times in the module's names, and what never got there has none", async (t) => {
  const world = await startRelay(t, `${ROUTES}\nmetrics: { compat: vts }\n`);
  const { emulator, gateway } = world;
  emulator.putObject(BUCKET, "a.txt", "a");
  await relay(world, { host: "files.test", target: "/a.txt" });
  await relay(world, { host: "files.test", target: "/none" });
  await relay(world, { host: "guarded.test", target: "/a.txt" });
  const labels = `{upstream="one",backend="one"}`;
  for (const kind of ["request", "response"]) {
    t.equal(await gateway.metric(`nginx_vts_upstream_${kind}_duration_seconds_count${labels}`), 2, kind);
    t.ok((await gateway.metric(`nginx_vts_upstream_${kind}_seconds_total${labels}`)) > 0, kind);
  }
  const [request, response] = [
    await gateway.metric(`nginx_vts_upstream_request_seconds_total${labels}`),
    await gateway.metric(`nginx_vts_upstream_response_seconds_total${labels}`),
  ];
  t.ok(response < request, "OSS's part is less than the whole");
});
