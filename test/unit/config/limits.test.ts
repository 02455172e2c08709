import t from "tap";
import { bucketOf, configOf, problemsOf, routeOf, warningsOf, withLines } from "./helpers.js";

const NO_RATES = {
  requestsPerSecond: null,
  burst: null,
  connections: null,
  egressBytesPerSecond: null,
  ingressBytesPerSecond: null,
};

t.test("limits of a bucket and of a route become rates in requests and bytes per second", async (t) => {
  const keys =
    "limits: { requests: 2000/s, burst: 30, connections: 7, egress: 50MiB/s, ingress: 8Mbit/s, perClient: { requests: 0.5/s, connections: 2 }, status: 503, dryRun: true }";
  const budget = {
    requestsPerSecond: 2000,
    burst: 30,
    connections: 7,
    egressBytesPerSecond: 52_428_800,
    ingressBytesPerSecond: 1_000_000,
    perClient: { ...NO_RATES, requestsPerSecond: 0.5, burst: 1, connections: 2 },
    status: 503,
    dryRun: true,
  };
  t.strictSame(bucketOf(`region: cn-beijing, domains: [img.example.com], ${keys}`).limits, budget);
  t.strictSame(routeOf(keys).limits, { bodySizeBytes: 5 * 2 ** 30, budget });
});

t.test("a burst that is not written is half a second's worth, rounded up, at least 1", async (t) => {
  for (const [requests, burst] of [
    ["2000/s", 1000],
    ["3/s", 2],
    ["1/s", 1],
    ["0.1/s", 1],
    ["1000000/s", 500_000],
  ] as const) {
    t.equal(routeOf(`limits: { requests: ${requests} }`).limits.budget?.burst, burst, requests);
    t.equal(routeOf(`limits: { perClient: { requests: ${requests} } }`).limits.budget?.perClient?.burst, burst);
  }
});

t.test("limits without any rate limit nothing", async (t) => {
  for (const keys of ["{}", "{ bodySize: 1MiB }", "{ perClient: {} }", "{ status: 503, dryRun: true }"]) {
    t.equal(routeOf(`limits: ${keys}`).limits.budget, null, keys);
  }
  const budget = routeOf("limits: { connections: 5, perClient: {} }").limits.budget;
  t.strictSame(budget, { ...NO_RATES, connections: 5, perClient: null, status: 429, dryRun: false });
});

const EXPECTED = "requests per second from 0.1/s to 1000000/s, 2000/s say";
const BYTES_EXPECTED = "bytes or bits per second from 16KiB/s to 1TiB/s, 50MiB/s say";
const UNITS = "Add a unit: KiB/s, MiB/s, GiB/s in bytes or Kbit/s, Mbit/s, Gbit/s in bits.";

const BAD_RATES: readonly [key: string, written: string, hint: string][] = [
  ["requests", "2000", "Add a unit: /s."],
  ["requests", '"2000"', "Add a unit: 2000/s."],
  ["requests", "10r/s", "Write 10/s."],
  ["requests", "120r/m", "Write 2/s."],
  ["requests", "10r/m", "Write 0.1667/s."],
  ["requests", "5r/m", "That is less than 0.1/s, which is the least."],
  ["requests", "3600/h", "Write 1/s."],
  ["requests", "10 req/s", "Write 10/s."],
  ["requests", "0.05/s", ""],
  ["requests", "1000001/s", ""],
  ["requests", "many", ""],
  ["egress", "50", UNITS],
  ["egress", '"50"', UNITS],
  ["egress", "50m", "Write 50MiB/s."],
  ["egress", "500k", "Write 500KiB/s."],
  ["egress", "50MB", "Write 50MB/s."],
  ["egress", "50MiB", "Write 50MiB/s."],
  ["egress", "50mib/s", "Write 50MiB/s."],
  ["egress", "50Mbit", "Write 50Mbit/s."],
  ["egress", "50mbps", "Write 50Mbit/s."],
  ["egress", "50Mb/s", "Write 50MB/s for bytes or 50Mbit/s for bits."],
  ["egress", "2000/s", UNITS],
  ["egress", "15KiB/s", ""],
  ["egress", "2TiB/s", ""],
  ["ingress", "fast", ""],
];

for (const [key, written, hint] of BAD_RATES) {
  t.test(`${key}: ${written} is refused, and told what to write`, async (t) => {
    const expected = key === "requests" ? EXPECTED : BYTES_EXPECTED;
    for (const [keys, path] of [
      [`limits: { ${key}: ${written} }`, `limits.${key}`],
      [`limits: { perClient: { ${key}: ${written} } }`, `limits.perClient.${key}`],
    ] as const) {
      const problems = problemsOf(withLines({ 10: `    bucket: media\n    ${keys}` }));
      t.equal(problems.length, 1);
      const found = /^\d+$/.test(written) ? written : JSON.stringify(written.replaceAll('"', ""));
      const told = hint === "" ? "" : `. ${hint}`;
      t.match(problems[0], new RegExp(`routes\\[0\\]\\.${path}: expected `));
      t.ok(problems[0]?.endsWith(`expected ${expected}, found ${found}${told}`), problems.join());
    }
  });
}

t.test("what a hint says to write is taken", async (t) => {
  for (const [key, written] of [
    ["requests", "0.1667/s"],
    ["egress", "500KiB/s"],
    ["egress", "50Mbit/s"],
    ["egress", "50MB/s"],
  ] as const) {
    t.not(routeOf(`limits: { ${key}: ${written} }`).limits.budget, null, written);
  }
});

t.test("a refusal is 429 or 503", async (t) => {
  const problems = (written: string) =>
    problemsOf(withLines({ 10: `    bucket: media\n    limits: { connections: 1, status: ${written} }` }));
  t.strictSame(problems("503"), []);
  t.match(problems("500"), [/limits\.status: expected 429 or 503, found 500$/]);
  t.match(problems('"503"'), [/limits\.status: expected 429 or 503, found "503"\. Write it without quotes\.$/]);
});

t.test("counts and priorities are whole numbers in their range", async (t) => {
  for (const keys of [
    "limits: { requests: 1/s, burst: 0 }",
    "limits: { connections: 0 }",
    "limits: { connections: 1.5 }",
    "priority: 101",
    "priority: -101",
    "priority: high",
  ]) {
    t.match(problemsOf(withLines({ 10: `    bucket: media\n    ${keys}` })), [/expected a whole number from /], keys);
  }
  t.equal(routeOf("priority: -100").priority, -100);
});

const QUOTAS = "quotas: { main: { requests: 10000/s, egress: 10Gbit/s }, eu: { buckets: [other], ingress: 1GiB/s } }";

t.test("thresholds of accounts and of buckets", async (t) => {
  const text = withLines({
    1: "quotas: { main: { buckets: [media], requests: 10000/s, egress: 10Gbit/s, shed: true } }\nlisteners:",
    6: "  other: { bucket: otherbucket, region: cn-beijing, quota: { ingress: 1GiB/s } }",
  });
  const config = configOf(text);
  t.strictSame(
    [...config.quotas],
    [
      [
        "main",
        {
          buckets: ["media"],
          requestsPerSecond: 10_000,
          egressBytesPerSecond: 1_250_000_000,
          ingressBytesPerSecond: null,
          shed: true,
        },
      ],
    ],
  );
  t.strictSame(config.buckets.get("other")?.quota, {
    requestsPerSecond: null,
    egressBytesPerSecond: null,
    ingressBytesPerSecond: 2 ** 30,
    shed: false,
  });
  t.ok(Object.isFrozen([...config.quotas.values()][0]), "frozen, although a Map is not");
});

t.test("an account without buckets has all of them", async (t) => {
  const config = configOf(withLines({ 1: "quotas: { main: { requests: 10000/s } }\nlisteners:" }));
  t.strictSame(config.quotas.get("main")?.buckets, ["media", "other"]);
});

t.test("proxies that are believed", async (t) => {
  const text = withLines({
    1: "trustedProxies: [10.0.0.0/8, '2001:DB8::/32', 192.0.2.1]\nlisteners:",
    2: "  - { name: web, address: 0.0.0.0:80, proxyProtocol: true }",
  });
  const config = configOf(text);
  t.strictSame(config.trustedProxies, ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]);
  t.strictSame(
    config.listeners.map((listener) => listener.proxyProtocol),
    [true, false],
  );
  t.strictSame(warningsOf(text), []);
});

t.test("everybody is no proxy that is believed", async (t) => {
  t.match(problemsOf(withLines({ 1: "trustedProxies: [all]\nlisteners:" })), [
    /trustedProxies\[0\]: .* found "all"\. Name the networks of your own proxies\.$/,
  ]);
});

t.test("a server that machines share", async (t) => {
  for (const [written, host, path] of [
    ["redis://10.0.0.5:6379/0", "10.0.0.5:6379", "/0"],
    ["rediss://redis.example.com", "redis.example.com", ""],
    ["redis://[fd00::1]:6380/15", "[fd00::1]:6380", "/15"],
  ] as const) {
    const { shared } = configOf(withLines({ 1: `limits: { shared: "${written}" }\nlisteners:` })).limits;
    t.strictSame([shared?.url.host, shared?.url.pathname, shared?.password], [host, path, null]);
  }
  const both = 'limits: { shared: "redis://10.0.0.5", sharedPassword: { env: REDIS } }\nlisteners:';
  t.strictSame(configOf(withLines({ 1: both })).limits.shared?.password, { kind: "env", name: "REDIS" });
});

const BAD_SHARED: readonly [written: string, hint: RegExp][] = [
  ["10.0.0.5:6379", /found a text\. Write redis:\/\/10\.0\.0\.5:6379\.$/],
  ["10.0.0.5", /found a text\. Write redis:\/\/10\.0\.0\.5\.$/],
  ["redis.example.com:6379", /found a text\. Write the scheme too: redis:\/\/ or rediss:\/\/\.$/],
  ["hunter2@10.0.0.5:6379", /found a text\. Write the scheme too: redis:\/\/ or rediss:\/\/\.$/],
  ["10.0.0.5:hunter2", /found a text\. Write the scheme too: redis:\/\/ or rediss:\/\/\.$/],
  ["http://10.0.0.5", /found a text$/],
  ["redis:10.0.0.5", /found a text\. Write the scheme too: redis:\/\/ or rediss:\/\/\.$/],
  ["redis://", /found a text$/],
  ["redis://10.0.0.5:0", /found a text$/],
  ["redis://user@10.0.0.5", /limits\.sharedPassword names where it is\.$/],
  ["redis://:pass@10.0.0.5", /limits\.sharedPassword names where it is\.$/],
  ["redis://10.0.0.5/zero", /only the number of a database can stand\.$/],
  ["redis://10.0.0.5/0?a=b", /only the number of a database can stand\.$/],
];

for (const [written, hint] of BAD_SHARED) {
  t.test(`limits.shared: ${written} is refused, and not shown`, async (t) => {
    const problems = problemsOf(withLines({ 1: `limits: { shared: "${written}" }\nlisteners:` }));
    t.equal(problems.length, 1);
    t.match(problems[0], /^g\.yaml:1:19: limits\.shared: expected a URL such as redis:\/\/10\.0\.0\.5:6379\/0, or/);
    t.match(problems[0], hint);
    t.notMatch(problems[0], /hunter2|user@|:pass@|example\.com/);
  });
}

const REFUSED: readonly [claim: string, lines: Readonly<Record<number, string>>, problems: readonly string[]][] = [
  [
    "a burst of nothing, of all and of one client",
    { 10: "    bucket: media\n    limits: { burst: 5, perClient: { burst: 5, egress: 1MiB/s } }" },
    [
      "g.yaml:11:15: routes[0].limits.burst: expected requests with burst, found burst alone. It says how many of them may come at once. Write requests too, or take burst out.",
      "g.yaml:11:38: routes[0].limits.perClient.burst: expected requests with burst, found burst alone. It says how many of them may come at once. Write requests too, or take burst out.",
    ],
  ],
  [
    "the same at a bucket",
    { 6: "  other: { bucket: otherbucket, region: cn-beijing, limits: { burst: 5 } }" },
    [
      "g.yaml:6:63: buckets.other.limits.burst: expected requests with burst, found burst alone. It says how many of them may come at once. Write requests too, or take burst out.",
    ],
  ],
  [
    "a shared password without a server",
    { 1: "limits: { sharedPassword: { env: A } }\nlisteners:" },
    [
      "g.yaml:1:11: limits.sharedPassword: expected limits.shared with sharedPassword, found a map. It is the password of the server in limits.shared. Write that too, or take this out.",
    ],
  ],
  [
    "quotas that have no threshold",
    {
      1: "quotas: { main: { shed: true } }\nlisteners:",
      6: "  other: { bucket: otherbucket, region: cn-beijing, quota: {} }",
    },
    [
      "g.yaml:1:11: quotas.main: expected at least one of requests, egress, ingress, found a map",
      "g.yaml:7:53: buckets.other.quota: expected at least one of requests, egress, ingress, found an empty map",
    ],
  ],
  [
    "an account of a bucket that is not there",
    { 1: "quotas: { main: { buckets: [media, othr], requests: 1/s } }\nlisteners:" },
    ['g.yaml:1:36: quotas.main.buckets[1]: expected the alias of a bucket, found "othr". Did you mean other?'],
  ],
  [
    "one bucket in two accounts",
    {
      1: "quotas: { a: { buckets: [media], requests: 1/s }, b: { buckets: [other, media], requests: 1/s } }\nlisteners:",
    },
    [
      'g.yaml:1:73: quotas.b.buckets[1]: expected buckets that no other account has, found "media". quotas.a has "media" too, and a bucket belongs to one account.',
    ],
  ],
  [
    "an account of all buckets beside another, each told once",
    { 1: `${QUOTAS}\nlisteners:` },
    [
      'g.yaml:1:74: quotas.eu.buckets[0]: expected buckets that no other account has, found "other". quotas.main has "other" too, and a bucket belongs to one account.',
    ],
  ],
  [
    "the same the other way round",
    { 1: "quotas: { eu: { buckets: [other], requests: 1/s }, main: { requests: 1/s } }\nlisteners:" },
    [
      'g.yaml:1:52: quotas.main: expected buckets that no other account has, found all buckets. quotas.eu has "other" too, and a bucket belongs to one account. Without buckets it is for all.',
    ],
  ],
  [
    "a bucket twice in one account, which is no other account's",
    { 1: "quotas: { main: { buckets: [media, media], requests: 1/s } }\nlisteners:" },
    [
      'g.yaml:1:36: quotas.main.buckets[1]: expected each value once, found "media". It is the same as [0]. Take one out.',
    ],
  ],
  [
    "an account's name that cannot be a label",
    { 1: 'quotas: { "a b": { requests: 1/s } }\nlisteners:' },
    [
      "g.yaml:1:11: quotas[\"a b\"]: expected a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit, found \"a b\"",
    ],
  ],
  [
    "a proxy twice",
    { 1: "trustedProxies: [10.0.0.1, 10.0.0.1/32]\nlisteners:" },
    [
      'g.yaml:1:28: trustedProxies[1]: expected each value once, found "10.0.0.1/32". It is the same as [0]. Take one out.',
    ],
  ],
];

for (const [claim, lines, problems] of REFUSED) {
  t.test(`${claim}: refused at its place`, async (t) => {
    t.strictSame(problemsOf(withLines(lines)), problems);
  });
}

const WARNED: readonly [claim: string, lines: Readonly<Record<number, string>>, warnings: readonly string[]][] = [
  [
    "one client may take more than all together",
    {
      10: "    bucket: media\n    limits: { requests: 10/s, egress: 1MiB/s, perClient: { requests: 11/s, egress: 16Mbit/s, connections: 5 } }",
    },
    [
      'g.yaml:11:70: routes[0].limits.perClient.requests: warning: expected no more requests for one client than for all together, found "11/s" and "10/s". It has no effect: the limit of all is reached first.',
      'g.yaml:11:84: routes[0].limits.perClient.egress: warning: expected no more egress for one client than for all together, found "16Mbit/s" and "1MiB/s". It has no effect: the limit of all is reached first.',
    ],
  ],
  [
    "one client may take as much as all together",
    { 10: "    bucket: media\n    limits: { requests: 10/s, perClient: { requests: 10/s } }" },
    [],
  ],
  [
    "limits that limit nothing",
    { 6: "  other: { bucket: otherbucket, region: cn-beijing, limits: { dryRun: true, perClient: {} } }" },
    [
      "g.yaml:6:63: buckets.other.limits.dryRun: warning: expected one of requests, connections, egress, ingress with dryRun, found true. It has no effect: nothing is limited.",
      "g.yaml:6:77: buckets.other.limits.perClient: warning: expected one of requests, connections, egress, ingress with perClient, found an empty map. It has no effect: nothing is limited.",
    ],
  ],
  [
    "a shared server without any rate",
    { 1: 'limits: { shared: "redis://10.0.0.5" }\nlisteners:' },
    [
      "g.yaml:1:11: limits.shared: warning: expected limits of a bucket or a route with shared, found a text. It has no effect: no bucket and no route has a rate that machines could share.",
    ],
  ],
  [
    "a shared server with a rate of clients",
    {
      1: 'limits: { shared: "redis://10.0.0.5" }\nlisteners:',
      10: "    bucket: media\n    limits: { perClient: { requests: 1/s } }",
    },
    [],
  ],
  [
    "a priority where nothing is shed",
    { 1: "quotas: { main: { requests: 1/s } }\nlisteners:", 10: "    bucket: media\n    priority: 5" },
    [
      "g.yaml:12:5: routes[0].priority: warning: expected a quota with shed: true, found none. It has no effect: it says which routes are refused first when a quota is reached.",
    ],
  ],
  [
    "a priority where an account sheds",
    { 1: "quotas: { main: { requests: 1/s, shed: true } }\nlisteners:", 10: "    bucket: media\n    priority: 5" },
    [],
  ],
  [
    "a priority where a bucket sheds",
    {
      6: "  other: { bucket: otherbucket, region: cn-beijing, quota: { requests: 1/s, shed: true } }",
      10: "    bucket: media\n    priority: 5",
    },
    [],
  ],
  [
    "PROXY headers that nobody may send",
    { 2: "  - { name: web, address: 0.0.0.0:80, proxyProtocol: true }" },
    [
      "g.yaml:2:54: listeners[0].proxyProtocol: warning: expected trustedProxies with proxyProtocol, found none. No connection's PROXY header is believed until they are named.",
    ],
  ],
  [
    "everybody as a proxy",
    { 1: "trustedProxies: [10.0.0.0/8, 0.0.0.0/0]\nlisteners:" },
    [
      'g.yaml:1:30: trustedProxies[1]: warning: expected networks of your own proxies, found "0.0.0.0/0". Every client could say that it has any address.',
    ],
  ],
];

for (const [claim, lines, warnings] of WARNED) {
  t.test(`${claim}: ${warnings.length === 0 ? "no warning" : "a warning, and no reason to refuse"}`, async (t) => {
    t.strictSame(problemsOf(withLines(lines)), []);
    t.strictSame(warningsOf(withLines(lines)), warnings);
  });
}
