import t from "tap";
import { configOf, problemsOf, warningsOf, withLines } from "./helpers.js";

/** Lines of the good file → the beginning of every problem. Where a row has two, both are found at once. */
const ROWS: readonly [claim: string, lines: Readonly<Record<number, string>>, problems: readonly string[]][] = [
  [
    "a listener's name twice",
    { 3: "  - { name: web, address: 127.0.0.1:8080 }" },
    ['g.yaml:3:13: listeners[1].name: expected a name that no other listener has, found "web". listeners[0] has this'],
  ],
  [
    "a listener's address twice",
    { 3: "  - { name: local, address: 0.0.0.0:80 }" },
    ["g.yaml:3:29: listeners[1].address: expected an address that no other listener takes"],
  ],
  [
    "every IPv4 address and one of them",
    { 3: "  - { name: local, address: 127.0.0.1:80 }" },
    ["g.yaml:3:29: listeners[1].address: expected an address that no other listener takes"],
  ],
  [
    "every IPv6 address, which is every IPv4 address too",
    { 3: '  - { name: local, address: "[::]:80" }' },
    ["g.yaml:3:29: listeners[1].address: expected an address that no other listener takes"],
  ],
  [
    "one IPv6 address in two spellings",
    { 2: '  - { name: web, address: "[::1]:80" }', 3: '  - { name: local, address: "[0:0:0:0:0:0:0:1]:80" }' },
    ["g.yaml:3:29: listeners[1].address: expected an address that no other listener takes"],
  ],
  [
    "the admin address on a listener",
    { 1: "admin: { address: 127.0.0.1:8080 }\nlisteners:" },
    ['g.yaml:1:19: admin.address: expected an address that no listener takes, found "127.0.0.1:8080". listeners[1]'],
  ],
  [
    "a listener on the default admin address",
    { 3: "  - { name: local, address: 0.0.0.0:9180 }" },
    ['g.yaml:1:1: admin.address: expected an address that no listener takes, found "127.0.0.1:9180". listeners[1]'],
  ],
  [
    "a target limit that is not below the header limit",
    { 1: "limits: { targetSize: 32KiB }\nlisteners:" },
    ["g.yaml:1:23: limits.targetSize: expected a targetSize below headerSize, found 32768 B and 32768 B"],
  ],
  [
    "a header limit below the default target limit",
    { 1: "limits: { headerSize: 8KiB }\nlisteners:" },
    ["g.yaml:1:23: limits.headerSize: expected a targetSize below headerSize, found 16384 B and 8192 B"],
  ],
  [
    "a bucket without a region, when its endpoint has one in its name",
    { 6: "  other: { bucket: otherbucket, endpoint: dualStack }" },
    ["g.yaml:6:3: buckets.other.region: expected a region id, cn-beijing say, found no such key. The host name of"],
  ],
  [
    "tls that contradicts the URL",
    { 6: '  other: { bucket: otherbucket, endpoint: "http://oss.test:9000", tls: true }' },
    ["g.yaml:6:72: buckets.other.tls: expected false, found true. The endpoint's URL begins with http://."],
  ],
  [
    "no tls at a URL that has it",
    { 6: '  other: { bucket: otherbucket, endpoint: "https://oss.test", tls: false }' },
    ["g.yaml:6:68: buckets.other.tls: expected true, found false."],
  ],
  [
    "a URL that names another bucket",
    { 6: '  other: { bucket: otherbucket, endpoint: "https://examplebucket.oss-cn-beijing.aliyuncs.com" }' },
    ['g.yaml:6:43: buckets.other.endpoint: expected an endpoint of the bucket "otherbucket", found '],
  ],
  [
    "a URL that names another region",
    {
      6: '  other: { bucket: otherbucket, region: cn-beijing, endpoint: "https://oss-cn-hangzhou-internal.aliyuncs.com" }',
    },
    ['g.yaml:6:63: buckets.other.endpoint: expected an endpoint of the region "cn-beijing", found '],
  ],
  [
    "a minTtl above the maxTtl",
    { 6: "  other: { bucket: otherbucket, region: cn-beijing, dns: { maxTtl: 1s } }" },
    ["g.yaml:6:68: buckets.other.dns.maxTtl: expected a minTtl that is not above maxTtl, found minTtl 5s and maxTtl"],
  ],
  [
    "one domain at two buckets",
    { 6: "  other: { bucket: otherbucket, region: cn-beijing, domains: [IMG.example.com] }" },
    [
      'g.yaml:6:63: buckets.other.domains[0]: expected a domain of this bucket alone, found "IMG.example.com". Bucket "m',
    ],
  ],
  [
    "two routes of one name",
    { 11: "  - name: images" },
    ['g.yaml:11:11: routes[1].name: expected a name that no other route has, found "images". routes[0] has this name.'],
  ],
  [
    "a route to a bucket that is not there, misspelt",
    { 13: "    bucket: othr" },
    ['g.yaml:13:13: routes[1].bucket: expected the alias of a bucket, found "othr". Did you mean other?'],
  ],
  [
    "a route to a bucket by its name at OSS",
    { 13: "    buckets: [otherbucket]" },
    ['g.yaml:13:15: routes[1].buckets[0]: expected the alias of a bucket, found "otherbucket". Did you mean other?'],
  ],
  [
    "a route to a bucket called like a method of all objects",
    { 13: "    bucket: toString" },
    ['g.yaml:13:13: routes[1].bucket: expected the alias of a bucket, found "toString". There is media, other.'],
  ],
  [
    "a route on a listener that is not there",
    { 12: "    match: { hosts: [47.0.2.74], listeners: [web, locl] }" },
    ['g.yaml:12:51: routes[1].match.listeners[1]: expected the name of a listener, found "locl". Did you mean local?'],
  ],
  [
    "a route with a bucket and buckets",
    { 13: "    bucket: other\n    buckets: [other]" },
    ["g.yaml:14:5: routes[1].buckets: expected exactly one of bucket, buckets and callback, found bucket and buckets"],
  ],
  [
    "a route with neither bucket nor buckets",
    { 13: "    auth: relay" },
    ["g.yaml:11:5: routes[1].bucket: expected exactly one of bucket, buckets and callback, found none"],
  ],
  [
    "two aliases of one bucket in path style",
    { 6: "  other: { bucket: examplebucket, region: cn-hangzhou }", 13: "    buckets: [media, other]" },
    ['g.yaml:13:22: routes[1].buckets[1]: expected buckets with different OSS names, found "other". "media" is '],
  ],
  [
    "the same host and prefix twice",
    { 12: "    match: { hosts: [a.example.com, IMG.example.com.] }" },
    [
      'g.yaml:12:37: routes[1].match.hosts[1]: expected a host and path prefix that no other route has, found "img.example.com" with "/". routes[0] ("images", line 8) has both on web, local.',
    ],
  ],
  [
    "the same host and prefix on one common listener",
    {
      9: "    match: { hosts: [img.example.com], listeners: [local], pathPrefix: /a/ }",
      12: "    match: { hosts: [img.example.com], pathPrefix: /a }",
    },
    [
      'g.yaml:12:22: routes[1].match.hosts[0]: expected a host and path prefix that no other route has, found "img.example.com" with "/a". routes[0] ("images", line 8) has both on local.',
    ],
  ],
  [
    "a host that a route with buckets takes without saying so",
    {
      9: "    match: { hosts: [47.0.2.73] }",
      10: "    buckets: [media]",
      12: "    match: { hosts: [examplebucket.oss-cn-beijing-internal.aliyuncs.com] }",
    },
    ["g.yaml:12:22: routes[1].match.hosts[0]: expected a host and path prefix that no other route has, found "],
  ],
  [
    "two routes that both take the OSS host names of a bucket",
    { 9: "    match: { hosts: [47.0.2.73] }", 10: "    buckets: [media]", 13: "    buckets: [media, other]" },
    ["g.yaml:13:14: routes[1].buckets: expected a host and path prefix that no other route has, found "],
  ],
  [
    "one host twice in one list",
    { 12: "    match: { hosts: [47.0.2.74, a.example.com, A.example.COM.] }" },
    [
      'g.yaml:12:48: routes[1].match.hosts[2]: expected each value once, found "A.example.COM.". It is the same as [1].',
    ],
  ],
  [
    "hostHeader client with an address",
    { 13: "    bucket: other\n    hostHeader: client" },
    [
      'g.yaml:12:22: routes[1].match.hosts[0]: expected a domain of bucket "other", because hostHeader is client, found',
    ],
  ],
  [
    "hostHeader client with a wildcard",
    {
      9: '    match: { hosts: [img.example.com, "*.img.example.com"] }',
      10: "    bucket: media\n    hostHeader: client",
    },
    ['g.yaml:9:39: routes[0].match.hosts[1]: expected a domain of bucket "media", because hostHeader is client, found'],
  ],
  [
    "hostHeader client with a name that is not the bucket's",
    { 9: "    match: { hosts: [www.example.com] }", 10: "    bucket: media\n    hostHeader: client" },
    ['g.yaml:9:22: routes[0].match.hosts[0]: expected a domain of bucket "media", because hostHeader is client, found'],
  ],
  [
    "a host header that is not one of the bucket's domains",
    { 10: "    bucket: media\n    hostHeader: imh.example.com" },
    [
      'g.yaml:11:17: routes[0].hostHeader: expected bucket, client or one of the bucket\'s domains, found "imh.example.com". Did you mean img.example.com?',
    ],
  ],
  [
    "a host header for several buckets",
    { 13: "    buckets: [other]\n    hostHeader: client" },
    ['g.yaml:14:17: routes[1].hostHeader: expected bucket, found "client".'],
  ],
  [
    "problems of fields and of what they say together, at once",
    {
      3: "  - { name: web, address: localhost:80 }",
      10: "    bucket: mdia\n    keyPrefix: /a",
      12: "    match: { hosts: [img.example.com] }\n    colour: red",
    },
    [
      "g.yaml:3:13: listeners[1].name:",
      "g.yaml:3:27: listeners[1].address:",
      "g.yaml:10:13: routes[0].bucket:",
      "g.yaml:11:16: routes[0].keyPrefix:",
      "g.yaml:13:22: routes[1].match.hosts[0]:",
      "g.yaml:14:5: routes[1].colour:",
    ],
  ],
];

for (const [claim, lines, problems] of ROWS) {
  t.test(`${claim}: refused at its place`, async (t) => {
    const found = problemsOf(withLines(lines));
    t.strictSame(
      found.map((line, index) => line.slice(0, problems[index]?.length)),
      problems,
    );
  });
}

const GOOD_ROWS: readonly [claim: string, lines: Readonly<Record<number, string>>][] = [
  ["the same host with another prefix", { 12: "    match: { hosts: [img.example.com], pathPrefix: /a }" }],
  [
    "the same host on another listener",
    {
      9: "    match: { hosts: [img.example.com], listeners: [web] }",
      12: "    match: { hosts: [img.example.com], listeners: [local] }",
    },
  ],
  ["an exact host beside a wildcard that covers it", { 12: '    match: { hosts: ["*.example.com"] }' }],
  [
    "two listeners that take any free port",
    { 2: "  - { name: web, address: 0.0.0.0:0 }", 3: "  - { name: local, address: 0.0.0.0:0 }" },
  ],
  [
    "IPv4 and IPv6 loopback on one port",
    { 2: '  - { name: web, address: "[::1]:80" }', 3: "  - { name: local, address: 127.0.0.1:80 }" },
  ],
  ["hostHeader client with the bucket's domain", { 10: "    bucket: media\n    hostHeader: client" }],
  [
    "hostHeader client with the bucket's own OSS host name",
    {
      9: "    match: { hosts: [img.example.com, examplebucket.oss-cn-beijing.aliyuncs.com] }",
      10: "    bucket: media\n    hostHeader: client",
    },
  ],
  [
    "a bound domain as host header behind an address",
    { 9: "    match: { hosts: [47.0.2.73] }", 10: "    bucket: media\n    hostHeader: IMG.example.com." },
  ],
  ["accelerate without a region", { 6: "  other: { bucket: otherbucket, endpoint: accelerate }" }],
  ["a URL without a region", { 6: '  other: { bucket: otherbucket, endpoint: "http://127.0.0.1:9000" }' }],
  [
    "two aliases of one bucket with one domain",
    { 6: "  other: { bucket: examplebucket, endpoint: accelerate, domains: [img.example.com] }" },
  ],
];

for (const [claim, lines] of GOOD_ROWS) {
  t.test(`${claim}: taken`, async (t) => {
    t.strictSame(problemsOf(withLines(lines)), []);
  });
}

t.test("a bucket and a listener that nothing uses are warnings, which refuse nothing", async (t) => {
  const text = withLines({
    9: "    match: { hosts: [img.example.com], listeners: [web] }",
    12: "    match: { hosts: [47.0.2.74], listeners: [web] }",
    13: "    bucket: media",
  });
  t.equal(configOf(text).buckets.size, 2);
  t.strictSame(warningsOf(text), [
    "g.yaml:3:5: listeners[1]: warning: expected a route on this listener, found none",
    "g.yaml:6:3: buckets.other: warning: expected a route to this bucket, found none",
  ]);
});

t.test("an authority for a connection without TLS is a warning", async (t) => {
  const text = withLines({ 6: '  other: { bucket: otherbucket, endpoint: "http://oss.test", caFile: /ca.pem }' });
  t.strictSame(warningsOf(text), [
    'g.yaml:6:70: buckets.other.caFile: warning: expected no caFile without TLS, found "/ca.pem". It has no effect, though the file must be there. Take it out.',
  ]);
});
