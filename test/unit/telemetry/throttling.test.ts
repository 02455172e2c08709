import t from "tap";
import type { AccountQuotaConfig, BucketConfig, QuotaConfig } from "../../../src/config/gateway-config.js";
import { NEXT_OF_EVENTS } from "../../../src/telemetry/error-lines.js";
import type { Logger } from "../../../src/telemetry/log.js";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { Stats } from "../../../src/telemetry/stats.js";
import { ThrottlingWatch } from "../../../src/telemetry/throttling.js";

const NOTHING: QuotaConfig = {
  requestsPerSecond: null,
  egressBytesPerSecond: null,
  ingressBytesPerSecond: null,
  shed: false,
};

const bucket = (
  alias: string,
  endpoint: BucketConfig["endpoint"],
  quota: Partial<QuotaConfig> | null,
): BucketConfig => ({
  alias,
  bucket: `${alias}-at-oss`,
  region: "cn-beijing",
  domains: [],
  endpoint,
  tls: true,
  caFile: null,
  dns: { minTtlMs: 1, maxTtlMs: 1, servers: [], addresses: [] },
  connections: 1,
  timeouts: { connectMs: 1, headersMs: 1, idleMs: 1 },
  limits: null,
  quota: quota === null ? null : { ...NOTHING, ...quota },
});

type Told = { readonly level: string; readonly event: string } & Readonly<Record<string, unknown>>;

function world(buckets: readonly BucketConfig[], accounts: Readonly<Record<string, Partial<AccountQuotaConfig>>> = {}) {
  const stats = new Stats();
  const told: Told[] = [];
  const write = (level: string) => (fields: Told) => told.push({ ...fields, level });
  const log = { warn: write("warn"), info: write("info") } as unknown as Logger;
  const quotas = new Map(
    Object.entries(accounts).map(([name, quota]) => [name, { ...NOTHING, buckets: [], ...quota }] as const),
  );
  const config = { buckets: new Map(buckets.map((one) => [one.alias, one])), quotas };
  const watch = new ThrottlingWatch({ config, stats, log, nowMs: 0 });
  let nowMs = 0;
  return {
    stats,
    told,
    watch,
    /** So many seconds go by, in each of which this is added. */
    pass(seconds: number, perSecond: () => void): void {
      for (let i = 0; i < seconds; i += 1) {
        perSecond();
        nowMs += 1_000;
        watch.tick(nowMs);
      }
    },
    async metrics(): Promise<readonly string[]> {
      const registry = createMetrics({ stats, version: "0", upstreams: () => [], credentials: () => [] });
      return (await registry.metrics()).split("\n");
    },
  };
}

const QUOTA = { requestsPerSecond: 10, egressBytesPerSecond: 1_000, ingressBytesPerSecond: 500 };

t.test("each event has CloudMonitor's name, level and fields", async (t) => {
  const fill = { requests: 20, egressBytes: 2_000, ingressBytes: 1_000 };
  const { stats, told, pass } = world([bucket("media", "internal", QUOTA)], { main: { ...QUOTA, buckets: ["media"] } });
  const upstream = stats.upstream("media");
  pass(30, () => {
    upstream.requests += fill.requests;
    upstream.egressBytes += fill.egressBytes;
    upstream.ingressBytes += fill.ingressBytes;
  });
  const warnings = told.filter(({ level }) => level === "warn");
  t.same(
    warnings.map(({ event, QoSType }) => [event, QoSType]),
    [
      ["BucketQpsThresholdExceeded", "Qps"],
      ["BucketIngressBandwidthThresholdExceeded", "IngressBandwidth"],
      ["BucketEgressBandwidthThresholdExceeded", "EgressBandWidth"],
      ["UserQpsThresholdExceeded", "Qps"],
      ["UserIngressBandwidthThresholdExceeded", "IngressBandwidth"],
      ["UserEgressBandwidthThresholdExceeded", "EgressBandWidth"],
    ],
  );
  t.same(warnings[2], {
    level: "warn",
    event: "BucketEgressBandwidthThresholdExceeded",
    bucket: "media",
    AvgSeverity: 50,
    QoSType: "EgressBandWidth",
    TrafficSource: "intranet",
    thresholdPerSecond: 1_000,
    usageRatio: 2,
    next: NEXT_OF_EVENTS.quotaReached,
  });
  t.equal(warnings[5]?.account, "main");
  const alerts = told.filter(({ level }) => level === "info");
  for (const { next } of alerts) t.equal(next, NEXT_OF_EVENTS.quotaNear);
  t.same(
    alerts.map(({ event }) => event),
    [
      "BucketQps",
      "BucketIngressBandwidth",
      "BucketEgressBandwidth",
      "UserQps",
      "UserIngressBandwidth",
      "UserEgressBandwidth",
    ],
  );
});

t.test("an event is told when it begins, and again each period while it lasts", async (t) => {
  const { stats, told, pass, metrics } = world([bucket("media", "public", { requestsPerSecond: 10 })]);
  const upstream = stats.upstream("media");
  const tellings = (event: string) => told.filter((line) => line.event === event).length;
  const flood = (): void => {
    upstream.requests += 11;
  };
  pass(1, flood);
  t.equal(tellings("BucketQps"), 1, "an alert after one second");
  pass(28, flood);
  t.equal(tellings("BucketQpsThresholdExceeded"), 0);
  pass(1, flood);
  t.equal(tellings("BucketQpsThresholdExceeded"), 1, "at the 30th second, not at the end of a minute");
  pass(59, flood);
  t.equal(tellings("BucketQpsThresholdExceeded"), 1);
  pass(1, flood);
  t.equal(tellings("BucketQpsThresholdExceeded"), 2);
  pass(510, flood);
  t.equal(tellings("BucketQps"), 1);
  pass(1, flood);
  t.equal(tellings("BucketQps"), 2, "an alert each 600 s");
  const before = tellings("BucketQpsThresholdExceeded");
  pass(700, () => {});
  t.ok(tellings("BucketQpsThresholdExceeded") <= before + 1, "30 s of the last minute are over for 30 s more");
  t.equal(tellings("BucketQps"), 2, "the last second over 0.8 was the one of the last telling");
  const lines = await metrics();
  const label = 'scope="bucket",name="media"';
  const throttled = tellings("BucketQpsThresholdExceeded");
  t.ok(lines.includes(`ossgate_throttling_events_total{${label},event="BucketQpsThresholdExceeded"} ${throttled}`));
  t.ok(lines.includes(`ossgate_throttling_events_total{${label},event="BucketQps"} 2`));
});

t.test("traffic that comes and goes is not told of more often than one that stays", async (t) => {
  const { stats, told, pass } = world([bucket("media", "public", { requestsPerSecond: 10 })]);
  const upstream = stats.upstream("media");
  let second = 0;
  pass(3_600, () => {
    second += 1;
    // 31 of 62 seconds: the window is at its edge all the time.
    upstream.requests += second % 62 < 31 ? 11 : 0;
  });
  const throttled = told.filter(({ event }) => event === "BucketQpsThresholdExceeded").length;
  t.ok(throttled > 10 && throttled <= 60, `${throttled}`);
});

t.test("an account's traffic is that of its buckets together, and of no other", async (t) => {
  const { stats, told, pass } = world(
    [bucket("a", "public", null), bucket("b", "public", null), bucket("c", "public", null)],
    { main: { requestsPerSecond: 10, buckets: ["a", "b"] }, spare: { requestsPerSecond: 10, buckets: ["c"] } },
  );
  pass(60, () => {
    stats.upstream("a").requests += 6;
    stats.upstream("b").requests += 6;
    stats.upstream("c").requests += 8;
  });
  t.same(
    told.map(({ event, account }) => [event, account]),
    [
      ["UserQps", "main"],
      ["UserQpsThresholdExceeded", "main"],
    ],
  );
});

t.test("what was counted before the watch began is not of its first second", async (t) => {
  const stats = new Stats();
  stats.upstream("media").requests = 1e9;
  const config = {
    buckets: new Map([["media", bucket("media", "public", { requestsPerSecond: 10 })]]),
    quotas: new Map(),
  };
  const told: unknown[] = [];
  const log = { info: (line: unknown) => told.push(line), warn: () => {} } as unknown as Logger;
  const watch = new ThrottlingWatch({ config, stats, log, nowMs: 5_000 });
  watch.tick(6_000);
  t.same(told, []);
});

t.test("TrafficSource tells how the gateway reaches OSS", async (t) => {
  const url = new URL("http://oss.test:9000");
  const rows: readonly (readonly [endpoints: readonly BucketConfig["endpoint"][], source: string])[] = [
    [["internal"], "intranet"],
    [["public"], "extranet"],
    [["accelerate"], "extranet"],
    [["dualStack"], "extranet"],
    [[url], "net_all"],
    [["internal", "internal"], "intranet"],
    [["public", "accelerate"], "extranet"],
    [["internal", "public"], "net_all"],
    [["internal", url], "net_all"],
  ];
  for (const [endpoints, source] of rows) {
    const buckets = endpoints.map((endpoint, index) => bucket(`b${index}`, endpoint, null));
    const main = { requestsPerSecond: 1, buckets: buckets.map(({ alias }) => alias) };
    const { stats, told, pass } = world(buckets, { main });
    pass(1, () => {
      stats.upstream("b0").requests += 1;
    });
    t.equal(told[0]?.TrafficSource, source, endpoints.join());
  }
});

t.test("metrics show what is watched from the start, and nothing of what is not", async (t) => {
  const { stats, pass, watch, metrics } = world([
    bucket("media", "public", { egressBytesPerSecond: 1_000 }),
    bucket("other", "public", null),
  ]);
  stats.upstream("other").requests = 3;
  pass(5, () => {
    stats.upstream("media").egressBytes += 250;
  });
  const lines = await metrics();
  const quotaLines = lines.filter((line) => /^ossgate_(throttling_events|quota_usage)/.test(line));
  const label = 'scope="bucket",name="media"';
  t.same(quotaLines, [
    `ossgate_throttling_events_total{${label},event="BucketEgressBandwidthThresholdExceeded"} 0`,
    `ossgate_throttling_events_total{${label},event="BucketEgressBandwidth"} 0`,
    `ossgate_quota_usage_ratio{${label},qos="EgressBandWidth"} 0.25`,
  ]);
  t.ok(lines.includes('ossgate_upstream_bytes_total{bucket="media",direction="egress"} 1250'));
  t.ok(lines.includes('ossgate_upstream_requests_total{bucket="other"} 3'));
  watch.stop();
  t.notOk(
    (await metrics()).some((line) => line.startsWith("ossgate_quota_usage_ratio{")),
    "a watch that ended",
  );
});
