import t, { type Test } from "tap";
import { startEmulator, startGateway } from "../support/gateway.js";
import { xmlText } from "../support/raw-client.js";
import { BUCKET, OTHER, REGION, type Relayed, type RelayWorld, relay } from "../support/relay-world.js";

/** At one request in ten seconds, what may come at once is all that a test gets: one for each priority. */
const SLOW = "requests: 0.1/s, shed: true";

const route = (name: string, bucket: string, priority: number): string =>
  `  - { name: ${name}, match: { hosts: [${name}.test] }, bucket: ${bucket}, auth: relay, priority: ${priority} }\n`;

async function start(t: Test, quotaOfOne: string, quotas: string, routes: string): Promise<RelayWorld> {
  const emulator = await startEmulator(t);
  for (const name of [BUCKET, OTHER]) {
    emulator.addBucket({ name, region: REGION, acl: "public-read" });
    emulator.putObject(name, "a.txt", "a");
  }
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  one: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${emulator.url}"${quotaOfOne} }
  two: { bucket: ${OTHER}, region: ${REGION}, endpoint: "${emulator.url}" }
${quotas}
routes:
${routes}
`,
  );
  return { emulator, gateway };
}

const get = (world: RelayWorld, name: string): Promise<Relayed> =>
  relay(world, { host: `${name}.test`, target: "/a.txt" });

async function statuses(world: RelayWorld, names: readonly string[]): Promise<readonly number[]> {
  const seen: number[] = [];
  for (const name of names) seen.push((await get(world, name)).answer.status);
  return seen;
}

t.test("over the quota the lower priority is refused while the higher one still passes", async (t) => {
  const routes = route("vip", "one", 10) + route("bulk", "one", 0);
  const world = await start(t, `, quota: { ${SLOW} }`, "", routes);
  t.same(await statuses(world, ["bulk", "bulk", "bulk", "vip", "vip"]), [200, 503, 503, 200, 503]);
});

t.test("what is shed is told as OSS would tell it, is counted and logged, and does not reach OSS", async (t) => {
  const world = await start(t, `, quota: { ${SLOW} }`, "", route("files", "one", 0));
  t.equal((await get(world, "files")).answer.status, 200);
  const { answer, entry, capture } = await get(world, "files");
  t.equal(answer.status, 503);
  t.equal(xmlText(answer.body.toString(), "Code"), "TotalQpsLimitExceeded");
  const header = (name: string) => answer.rawHeaders[answer.rawHeaders.indexOf(name) + 1];
  t.equal(header("Retry-After"), "1");
  t.equal(header("x-ossgate-error"), "SHED");
  t.equal(capture, undefined);
  t.equal(entry.error, "SHED");
  t.equal(entry.bucket, "one");
  const metric = 'ossgate_errors_total{route="files",code="SHED",origin="gateway"}';
  t.equal(await world.gateway.metric(metric), 1);
  t.equal(await world.gateway.metric('ossgate_upstream_requests_total{bucket="one"}'), 1);
});

t.test("an account's quota is shed over all its buckets", async (t) => {
  const routes = route("ra", "one", 0) + route("rb", "two", 10);
  const world = await start(t, "", `quotas: { main: { ${SLOW} } }`, routes);
  t.same(await statuses(world, ["ra", "ra", "rb", "rb", "ra"]), [200, 503, 200, 503, 503]);
});

t.test("a bucket that is in no shedding quota is served on", async (t) => {
  const routes = route("ra", "one", 0) + route("rb", "two", 0);
  const world = await start(t, `, quota: { ${SLOW} }`, "quotas: { main: { requests: 0.1/s } }", routes);
  t.same(await statuses(world, ["ra", "ra", "rb", "rb", "rb"]), [200, 503, 200, 200, 200]);
});

t.test("requests that are refused for another reason use up nothing of the quota", async (t) => {
  const world = await start(t, `, quota: { ${SLOW} }`, "", route("files", "one", 0));
  const refused = await relay(world, { method: "DELETE", host: "files.test", target: "/a.txt" });
  t.equal(refused.answer.status, 405);
  t.equal((await get(world, "files")).answer.status, 200);
});
