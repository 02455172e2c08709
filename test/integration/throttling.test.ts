import { request } from "node:http";
import t from "tap";
import type { Logger } from "../../src/telemetry/log.js";
import { ThrottlingWatch } from "../../src/telemetry/throttling.js";
import { startEmulator, startGateway, type TestGateway } from "../support/gateway.js";

const BUCKET = "examplebucket";
const OBJECT_BYTES = 20_000;
const BODY_BYTES = 24_000;

/** Sends one request and waits until all of its answer is there. */
function send({ port }: TestGateway, method: string, path: string, body = ""): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers: { host: "files.test" } }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

t.test("what passes through the gateway makes the events of OSS, each direction its own", async (t) => {
  const emulator = await startEmulator(t);
  emulator.addBucket({ name: BUCKET, region: "cn-beijing", acl: "public-read-write" });
  emulator.putObject(BUCKET, "a.bin", Buffer.alloc(OBJECT_BYTES));
  const gateway = await startGateway(
    t,
    `
listeners: [{ name: web, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
buckets:
  media:
    bucket: ${BUCKET}
    region: cn-beijing
    endpoint: "${emulator.url}"
    quota: { requests: 4/s, egress: 32KiB/s, ingress: 1MiB/s }
quotas:
  main: { buckets: [media], requests: 2000/s, ingress: 16KiB/s }
routes:
  - { name: files, match: { hosts: [files.test] }, bucket: media, auth: relay, methods: [GET, HEAD, PUT] }
`,
  );
  const told: { readonly event: string; readonly TrafficSource: string; readonly AvgSeverity: number }[] = [];
  const write = (line: (typeof told)[number]): void => {
    told.push(line);
  };
  const log = { warn: write, info: write } as unknown as Logger;
  // The seconds of this watch go by as the test says.
  const { config, stats } = gateway.gateway;
  const watch = new ThrottlingWatch({ config, stats, log, nowMs: 0 });
  t.teardown(() => watch.stop());
  for (let second = 1; second <= 30; second += 1) {
    const statuses = [
      await send(gateway, "GET", "/a.bin"),
      await send(gateway, "GET", "/a.bin"),
      await send(gateway, "HEAD", "/a.bin"),
      await send(gateway, "PUT", "/b.bin", "b".repeat(BODY_BYTES)),
      await send(gateway, "DELETE", "/b.bin"),
    ];
    t.same(statuses, [200, 200, 200, 200, 405]);
    watch.tick(second * 1_000);
  }
  t.same(
    told.map(({ event }) => event),
    [
      "BucketQps",
      "BucketEgressBandwidth",
      "UserIngressBandwidth",
      "BucketEgressBandwidthThresholdExceeded",
      "UserIngressBandwidthThresholdExceeded",
    ],
    "four requests went to OSS each second: over 0.8 of the threshold, and not over all of it",
  );
  const throttled = told.filter(({ event }) => event.endsWith("Exceeded"));
  t.same(
    throttled.map(({ AvgSeverity, TrafficSource }) => [AvgSeverity, TrafficSource]),
    [
      [Math.round((1 - 32_768 / (2 * OBJECT_BYTES)) * 100), "net_all"],
      [Math.round((1 - 16_384 / BODY_BYTES) * 100), "net_all"],
    ],
  );
  const usage = (scope: string, name: string, qos: string) =>
    gateway.metric(`ossgate_quota_usage_ratio{scope="${scope}",name="${name}",qos="${qos}"}`);
  t.equal(await usage("bucket", "media", "Qps"), 1);
  t.equal(await usage("bucket", "media", "EgressBandWidth"), (2 * OBJECT_BYTES) / 32_768);
  t.equal(await usage("account", "main", "IngressBandwidth"), BODY_BYTES / 16_384);
  t.equal(await gateway.metric('ossgate_upstream_requests_total{bucket="media"}'), 120);
  t.equal(await gateway.metric('ossgate_upstream_bytes_total{bucket="media",direction="egress"}'), 60 * OBJECT_BYTES);
  t.equal(await gateway.metric('ossgate_upstream_bytes_total{bucket="media",direction="ingress"}'), 30 * BODY_BYTES);
});
