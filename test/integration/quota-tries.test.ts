import t from "tap";
import type { Teardown } from "../support/gateway.js";
import { answerTo, head, valuesOf } from "../support/raw-client.js";
import { BUCKET, REGION, type RelayWorld, startRelay } from "../support/relay-world.js";

/** Few enough that a test sees what the burst alone allows. */
const PER_SECOND = 0.1;
const BURST = 7;
const ASKED = 24;

/** What bounds the requests of the bucket `three`, and what it lets through at once. */
const BOUNDS = {
  "the bucket's limits": { options: `limits: { requests: ${PER_SECOND}/s, burst: ${BURST} }`, burst: BURST },
  "the bucket's quota": { options: "quota: { requests: 3/s, shed: true }", burst: 3, perSecond: 3 },
} as const;

interface Asked {
  readonly admitted: number;
  readonly refused: number;
  /** What may have come to OSS beyond the documents and tries of the last that was admitted. */
  readonly mostAtOss: number;
}

type Bound = { readonly options: string; readonly burst: number; readonly perSecond?: number };

/** Asks one after the other, so that each knows what those before have caused. */
async function askAll({ gateway }: RelayWorld, { burst, perSecond = PER_SECOND }: Bound, path: string): Promise<Asked> {
  const startMs = performance.now();
  let refused = 0;
  for (let i = 0; i < ASKED; i += 1) {
    const { rawHeaders } = await answerTo(gateway.port, head("GET", `/${path}${i}`, ["Host", "site.test"]));
    if (["RATE_LIMITED", "SHED"].includes(valuesOf(rawHeaders, "x-ossgate-error")[0] ?? "")) refused += 1;
  }
  const seconds = (performance.now() - startMs) / 1_000;
  return { admitted: ASKED - refused, refused, mostAtOss: burst + perSecond * seconds };
}

const start = (test: Teardown, { options }: Bound, rest: string): Promise<RelayWorld> =>
  startRelay(
    test,
    `  - { name: site, match: { hosts: [site.test] }, bucket: three${rest} }\n`,
    "",
    (url) => `three: { bucket: ${BUCKET}, region: ${REGION}, endpoint: "${url}", ${options} }`,
  );

for (const [name, bound] of Object.entries(BOUNDS)) {
  t.test(`the documents of a site that are looked for are counted in ${name}`, async (t) => {
    const world = await start(t, bound, ", indexDocument: index.html, errorDocument: error.html");
    world.emulator.putObject(BUCKET, "error.html", "not here");
    const { admitted, refused, mostAtOss } = await askAll(world, bound, "missing");
    const atOss = world.emulator.captures.length;
    t.ok(admitted > 0 && refused > 0, `${admitted} admitted, ${refused} refused`);
    t.ok(atOss > admitted, `each caused several: ${atOss}`);
    // The key, its index document, the error document: what the last one caused is owed.
    t.ok(atOss <= mostAtOss + 2, `${atOss} came to OSS, of ${mostAtOss}`);
    t.equal(await world.gateway.metric('ossgate_upstream_requests_total{bucket="three"}'), atOss);
  });

  t.test(`tries are counted in ${name}`, async (t) => {
    const world = await start(t, bound, "");
    world.emulator.faults.failEvery(() => true, { kind: "resetBeforeHead" });
    const { admitted, refused, mostAtOss } = await askAll(world, bound, "k");
    const atOss = world.emulator.captures.length;
    t.ok(admitted > 0 && refused > 0, `${admitted} admitted, ${refused} refused`);
    t.ok(atOss > admitted, `some were tried again: ${atOss}`);
    t.ok(atOss <= mostAtOss + 2, `${atOss} came to OSS, of ${mostAtOss}`);
  });
}
