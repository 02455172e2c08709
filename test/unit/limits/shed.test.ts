import t from "tap";
import type { AccountQuotaConfig, BucketConfig, QuotaConfig, RouteConfig } from "../../../src/config/gateway-config.js";
import type { BudgetSpec, Budgets } from "../../../src/limits/budget.js";
import { createLocalBudgets } from "../../../src/limits/local-budgets.js";
import { compileShedding, type Shed } from "../../../src/limits/shed.js";

/** Budgets of one process, and what was asked of them. */
function recordedBudgets(): Pick<Budgets, "rate"> & { readonly specs: BudgetSpec[] } {
  const budgets = createLocalBudgets();
  const specs: BudgetSpec[] = [];
  return {
    specs,
    rate(spec) {
      specs.push(spec);
      return budgets.rate(spec);
    },
  };
}

const NOTHING: QuotaConfig = {
  requestsPerSecond: null,
  egressBytesPerSecond: null,
  ingressBytesPerSecond: null,
  shed: true,
};

interface Asked {
  readonly buckets: Readonly<Record<string, Partial<QuotaConfig> | null>>;
  readonly accounts?: Readonly<Record<string, Partial<AccountQuotaConfig>>>;
  /** Of each route its buckets and its priority. */
  readonly routes: Readonly<Record<string, readonly [buckets: readonly string[] | "callback", priority: number]>>;
}

function target(buckets: readonly string[] | "callback"): RouteConfig["target"] {
  if (buckets === "callback") return { kind: "callback" } as RouteConfig["target"];
  const [bucket = ""] = buckets;
  return buckets.length === 1 ? { kind: "bucket", bucket } : { kind: "buckets", buckets };
}

function shedding({ buckets, accounts = {}, routes }: Asked) {
  const budgets = recordedBudgets();
  const find = compileShedding(
    {
      buckets: new Map(
        Object.entries(buckets).map(([alias, quota]) => [
          alias,
          { alias, quota: quota === null ? null : { ...NOTHING, ...quota } } as BucketConfig,
        ]),
      ),
      quotas: new Map(
        Object.entries(accounts).map(([name, quota]) => [name, { ...NOTHING, buckets: [], ...quota }] as const),
      ),
      routes: Object.entries(routes).map(
        ([name, [of, priority]]) => ({ name, target: target(of), priority }) as RouteConfig,
      ),
    },
    budgets,
  );
  return { find, specs: budgets.specs };
}

interface Flood {
  readonly shed: Shed | null;
  readonly perSecond: number;
}

let clockMs = 0;

/** How many requests per second of each flood went on, from the second second to the tenth. */
function run(floods: readonly Flood[]): readonly number[] {
  const passed = floods.map(() => 0);
  const due = floods.map(() => 0);
  for (let elapsedMs = 1; elapsedMs <= 10_000; elapsedMs += 1) {
    clockMs += 1;
    floods.forEach(({ shed, perSecond }, index) => {
      due[index] = (due[index] as number) + perSecond / 1_000;
      while ((due[index] as number) >= 1) {
        due[index] = (due[index] as number) - 1;
        if (shed?.take(clockMs) === null && elapsedMs > 1_000) passed[index] = (passed[index] as number) + 1;
      }
    });
  }
  return passed.map((count) => count / 9);
}

const near = (actual: number | undefined, expected: number): boolean =>
  actual !== undefined && Math.abs(actual - expected) <= expected * 0.02 + 1;

t.test("under overload the routes of the lowest priority are shed first", async (t) => {
  const { find } = shedding({
    buckets: { media: { requestsPerSecond: 1_000 } },
    routes: { shop: [["media"], 10], site: [["media"], 0], crawl: [["media"], -10] },
  });
  const shop = find("shop", "media");
  const site = find("site", "media");
  const crawl = find("crawl", "media");
  const rows: readonly (readonly [asked: readonly number[], passed: readonly number[]])[] = [
    [
      [300, 300, 300],
      [300, 300, 300],
    ],
    [
      [300, 300, 3_000],
      [300, 300, 380],
    ],
    [
      [300, 3_000, 3_000],
      [300, 680, 0],
    ],
    [
      [3_000, 3_000, 3_000],
      [980, 0, 0],
    ],
    [
      [0, 0, 3_000],
      [0, 0, 980],
    ],
    [
      [0, 3_000, 100],
      [0, 980, 0],
    ],
  ];
  for (const [asked, expected] of rows) {
    const passed = run([shop, site, crawl].map((shed, index) => ({ shed, perSecond: asked[index] as number })));
    passed.forEach((count, index) => {
      t.ok(near(count, expected[index] as number), `${asked.join()}: ${passed.map(Math.round).join()}`);
    });
  }
});

t.test("routes of one priority share what there is, and nothing is kept for none", async (t) => {
  const { find, specs } = shedding({
    buckets: { media: { requestsPerSecond: 1_000 } },
    routes: { one: [["media"], 0], two: [["media"], 0] },
  });
  t.same(
    specs.map(({ reserve }) => reserve),
    [0],
  );
  const [one = 0, two = 0] = run([
    { shed: find("one", "media"), perSecond: 2_000 },
    { shed: find("two", "media"), perSecond: 2_000 },
  ]);
  t.ok(near(one + two, 980), `${one} ${two}`);
});

t.test("what passes in a second stays below the threshold", async (t) => {
  for (const requestsPerSecond of [10, 100, 2_000, 10_000]) {
    const { find } = shedding({ buckets: { media: { requestsPerSecond } }, routes: { one: [["media"], 0] } });
    const [passed = 0] = run([{ shed: find("one", "media"), perSecond: 3 * requestsPerSecond }]);
    t.ok(passed < requestsPerSecond && passed > 0.95 * requestsPerSecond, `${passed} of ${requestsPerSecond}`);
  }
});

t.test("a refusal is OSS's 503 with a time to wait", async (t) => {
  const { find } = shedding({ buckets: { media: { requestsPerSecond: 1 } }, routes: { one: [["media"], 0] } });
  const shed = find("one", "media");
  t.equal(shed?.take(0), null);
  const denial = shed?.take(0);
  t.equal(denial?.code, "SHED");
  t.same(denial?.headers, ["Retry-After", "1"]);
  t.equal(shed?.take(2_000), null);
});

t.test("an account's quota holds over its buckets, and what a bucket's refuses does not count there", async (t) => {
  const { find } = shedding({
    buckets: { a: { requestsPerSecond: 100 }, b: null, c: null },
    accounts: { main: { requestsPerSecond: 500, buckets: ["a", "b"] } },
    routes: { ra: [["a"], 0], rb: [["b"], 0], rc: [["c"], 0] },
  });
  t.equal(find("rc", "c"), null);
  const [a = 0, b = 0] = run([
    { shed: find("ra", "a"), perSecond: 5_000 },
    { shed: find("rb", "b"), perSecond: 390 },
  ]);
  t.ok(near(a, 98) && near(b, 390), `${a} ${b}`);
  const [overA = 0, overB = 0] = run([
    { shed: find("ra", "a"), perSecond: 50 },
    { shed: find("rb", "b"), perSecond: 5_000 },
  ]);
  t.ok(overA <= 50 && near(overA + overB, 490), `${overA} ${overB}`);
});

t.test("what an account refuses is given back to the bucket", async (t) => {
  const { find } = shedding({
    buckets: { a: { requestsPerSecond: 10 }, b: null },
    accounts: { main: { requestsPerSecond: 500, buckets: ["a", "b"] } },
    routes: { ra: [["a"], 0], rb: [["b"], 0] },
  });
  while (find("rb", "b")?.take(0) === null);
  for (let i = 0; i < 100; i += 1) t.equal(find("ra", "a")?.take(0)?.code, "SHED");
  // The account has some again; the bucket would not, if those hundred had been taken from it.
  t.equal(find("ra", "a")?.take(20), null);
});

t.test("each bucket of a path-style route has its own quota; one without has none", async (t) => {
  const { find } = shedding({
    buckets: { a: { requestsPerSecond: 1 }, b: { requestsPerSecond: 1 }, c: null },
    routes: { sdk: [["a", "b", "c"], 0] },
  });
  t.equal(find("sdk", "a")?.take(0), null);
  t.equal(find("sdk", "a")?.take(0)?.code, "SHED");
  t.equal(find("sdk", "b")?.take(0), null);
  t.equal(find("sdk", "c"), null);
});

t.test("nothing is shed unless it is said, for requests, of a bucket that the route has", async (t) => {
  const { find, specs } = shedding({
    buckets: { a: { requestsPerSecond: 1, shed: false }, b: { egressBytesPerSecond: 1 }, c: { requestsPerSecond: 1 } },
    accounts: { main: { requestsPerSecond: 1, shed: false, buckets: ["a"] } },
    routes: { ra: [["a"], 0], rb: [["b"], 0], hook: ["callback", 0] },
  });
  for (const [route, alias] of [
    ["ra", "a"],
    ["rb", "b"],
    ["hook", "c"],
    ["ra", "c"],
    ["nobody", "a"],
  ] as const) {
    t.equal(find(route, alias), null, `${route} ${alias}`);
  }
  t.same(specs, []);
});

t.test("every rank can take at least one request of a full budget", async (t) => {
  for (const requestsPerSecond of [0.1, 1, 3, 60, 5_000]) {
    const names = ["r0", "r1", "r2", "r3", "r4", "r5"];
    const { find, specs } = shedding({
      buckets: { media: { requestsPerSecond } },
      routes: Object.fromEntries(names.map((name, priority) => [name, [["media"], priority] as const])),
    });
    for (const { burst, reserve } of specs) t.ok(burst - reserve >= 1, `${requestsPerSecond}: ${burst} ${reserve}`);
    t.equal(find("r0", "media")?.take(0), null);
    t.equal(find("r5", "media")?.take(0), null);
  }
});
