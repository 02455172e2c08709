import t from "tap";
import { REFERER_REASONS } from "../../../src/policy/referer.js";
import { createMetrics } from "../../../src/telemetry/metrics.js";
import { LIMIT_LABELS, PARTY_LABELS, Stats } from "../../../src/telemetry/stats.js";

const shared = new WeakMap<Stats, boolean | null>();

async function printed(stats: Stats, name: string): Promise<readonly string[]> {
  const registry = createMetrics({
    stats,
    version: "0",
    upstreams: () => [],
    credentials: () => [],
    sharedUp: () => shared.get(stats) ?? null,
  });
  await registry.metrics();
  return (await registry.metrics()).split("\n").filter((line) => line.startsWith(name));
}

t.test("each limit, party and mode has its own count", async (t) => {
  const stats = new Stats();
  const route = stats.route("files");
  const expected: string[] = [];
  let count = 0;
  for (const limit of LIMIT_LABELS) {
    for (const party of PARTY_LABELS) {
      for (const enforced of [false, true]) {
        count += 1;
        for (let i = 0; i < count; i += 1) route.countLimited(limit, party, enforced);
        const labels = `route="files",party="${party}",limit="${limit}",enforced="${enforced}"`;
        expected.push(`ossgate_limited_total{${labels}} ${count}`);
      }
    }
  }
  t.same(await printed(stats, "ossgate_limited_total{"), expected);
});

t.test("each reason of a refused referer has its own count, enforced and reported apart", async (t) => {
  const stats = new Stats();
  const route = stats.route("files");
  const expected: string[] = [];
  let count = 0;
  for (const reason of REFERER_REASONS) {
    for (const enforced of [false, true]) {
      count += 1;
      for (let i = 0; i < count; i += 1) route.countReferer(reason, enforced);
      const labels = `route="files",reason="${reason}",enforced="${enforced}"`;
      expected.push(`ossgate_referer_refused_total{${labels}} ${count}`);
    }
  }
  t.same(await printed(stats, "ossgate_referer_refused_total{"), expected);
});

t.test("routes where nothing was limited print no lines of limits", async (t) => {
  const stats = new Stats();
  stats.route("files");
  t.same(await printed(stats, "ossgate_limited_total{"), []);
  t.same(await printed(stats, "ossgate_referer_refused_total{"), []);
});

t.test("the state of shared limits is printed only where limits are shared", async (t) => {
  const stats = new Stats();
  for (const [isUp, lines] of [
    [null, []],
    [true, ["ossgate_limits_shared_up 1"]],
    [false, ["ossgate_limits_shared_up 0"]],
    [null, []],
  ] as const) {
    shared.set(stats, isUp);
    t.same(await printed(stats, "ossgate_limits_shared_up"), lines, String(isUp));
  }
});

t.test("transfers that are paced are shown by route and direction", async (t) => {
  const stats = new Stats();
  Object.assign(stats.route("files"), { pacedEgress: 3, pacedIngress: 1 });
  const lines = await printed(stats, 'ossgate_paced_transfers{route="files"');
  t.same(lines, [
    'ossgate_paced_transfers{route="files",direction="egress"} 3',
    'ossgate_paced_transfers{route="files",direction="ingress"} 1',
  ]);
});
