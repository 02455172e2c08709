import t from "tap";
import { NGINX_KEYS } from "../../../src/config/nginx-keys.js";
import { configSchema } from "../../../src/config/schema.js";
import { schemaKeys } from "../../../src/config/walk-schema.js";
import { problemsOf, withLines } from "./helpers.js";

const ROUTE_KEYS =
  "name, match, bucket, buckets, callback, stripPrefix, keyPrefix, hostHeader, methods, auth, sign, clientSignatures, operations, allow, satisfy, deny, hls, limits, priority, referer, cors, preview, trusted, indexDocument, errorDocument, responseHeaders, httpsRedirect, httpsPort, hsts, requestHeaders";

/** Lines of the good file → every problem, exactly. */
const ROWS: readonly [claim: string, lines: Readonly<Record<number, string>>, problems: readonly string[]][] = [
  [
    "a misspelt key points at the key and names the nearest",
    { 1: "limts: {}\nlisteners:" },
    [
      'g.yaml:1:1: limts: expected one of listeners, admin, trustedProxies, workers, log, metrics, acmeChallengeDirectory, limits, quotas, credentials, buckets, routes, found "limts". Did you mean limits?',
    ],
  ],
  [
    "another spelling of a key is near enough",
    { 10: "    bucket: media\n    key_prefix: a/" },
    [`g.yaml:11:5: routes[0].key_prefix: expected one of ${ROUTE_KEYS}, found "key_prefix". Did you mean keyPrefix?`],
  ],
  [
    "a key in the wrong section is told its place",
    { 10: "    bucket: media\n    pathPrefix: /a" },
    [
      `g.yaml:11:5: routes[0].pathPrefix: expected one of ${ROUTE_KEYS}, found "pathPrefix". It belongs at routes[].match.pathPrefix.`,
    ],
  ],
  [
    "an unknown key is not guessed at, and its value is not shown",
    { 1: "accessKeySecret: hunter2\nlisteners:" },
    [
      'g.yaml:1:1: accessKeySecret: expected one of listeners, admin, trustedProxies, workers, log, metrics, acmeChallengeDirectory, limits, quotas, credentials, buckets, routes, found "accessKeySecret"',
    ],
  ],
  [
    "a missing key points at its section and is named",
    { 5: "  media: { region: cn-beijing, domains: [img.example.com] }" },
    [
      "g.yaml:5:3: buckets.media.bucket: expected the bucket's name at OSS: 3 to 63 lower-case letters, digits, '-' or '_', no '-' at its ends, found no such key",
    ],
  ],
  [
    "a missing key of a list's member points at the member",
    { 8: "  - match: { hosts: [img.example.com] }", 9: "" },
    [
      "g.yaml:8:5: routes[0].name: expected a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit, found no such key",
    ],
  ],
  [
    "an empty key is not a missing one",
    { 1: "admin:\nlisteners:" },
    ["g.yaml:1:7: admin: expected a map of these keys: address, bearerSecret, readerSecret, found nothing"],
  ],
  [
    "a number without a unit is told the units",
    { 1: "limits: { headerTimeout: 60, headerSize: 32768 }\nlisteners:" },
    [
      "g.yaml:1:26: limits.headerTimeout: expected a duration from 1ms to 24h, 60s say, found 60. Add a unit: ms, s, m, h or d.",
      "g.yaml:1:42: limits.headerSize: expected a size from 1KiB to 1MiB, 32KiB say, found 32768. Add a unit: B, KiB, MiB, GiB (powers of 1024) or KB, MB, GB (powers of 1000).",
    ],
  ],
  [
    "a text without a unit and one with a wrong unit are told the units too",
    { 1: 'limits: { headerTimeout: "60", headerSize: 32k }\nlisteners:' },
    [
      'g.yaml:1:26: limits.headerTimeout: expected a duration from 1ms to 24h, 60s say, found "60". Add a unit: ms, s, m, h or d.',
      'g.yaml:1:44: limits.headerSize: expected a size from 1KiB to 1MiB, 32KiB say, found "32k". Add a unit: B, KiB, MiB, GiB (powers of 1024) or KB, MB, GB (powers of 1000).',
    ],
  ],
  [
    "values outside their range are told the range",
    { 1: "limits: { headerTimeout: 0s, headerSize: 1GiB, headerCount: 0, connections: 1.5 }\nlisteners:" },
    [
      'g.yaml:1:26: limits.headerTimeout: expected a duration from 1ms to 24h, 60s say, found "0s"',
      'g.yaml:1:42: limits.headerSize: expected a size from 1KiB to 1MiB, 32KiB say, found "1GiB"',
      "g.yaml:1:61: limits.headerCount: expected a whole number from 1 to 10000, found 0",
      "g.yaml:1:77: limits.connections: expected a whole number from 1 to 1000000, found 1.5",
    ],
  ],
  [
    "a name that YAML reads as a number is told to get quotes",
    { 8: "  - name: 404" },
    [
      "g.yaml:8:11: routes[0].name: expected a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit, found 404. Put it in quotes.",
    ],
  ],
  [
    "yes is not true",
    { 10: "    bucket: media\n    stripPrefix: yes" },
    ['g.yaml:11:18: routes[0].stripPrefix: expected true or false, found "yes". Write true.'],
  ],
  [
    "a word in another case is told its case",
    { 1: "log: { level: INFO }\nlisteners:", 10: "    bucket: media\n    methods: [GET, head]" },
    [
      'g.yaml:1:15: log.level: expected one of debug, info, warn, error, found "INFO". Write info.',
      'g.yaml:12:20: routes[0].methods[1]: expected one of GET, HEAD, OPTIONS, PUT, POST, DELETE, found "head". Write HEAD.',
    ],
  ],
  [
    "lists that may not be empty are told so",
    { 10: "    bucket: media\n    methods: []" },
    ["g.yaml:11:14: routes[0].methods: expected a list of one or more methods, found an empty list"],
  ],
  [
    "a list is not a single value",
    { 9: "    match: { hosts: img.example.com }" },
    [
      'g.yaml:9:21: routes[0].match.hosts: expected a list of host names, wildcards or addresses, found "img.example.com"',
    ],
  ],
  [
    "an alias that cannot be a label is refused at the key",
    { 6: "  o ther: { bucket: otherbucket, region: cn-beijing }", 13: "    bucket: media" },
    [
      "g.yaml:6:3: buckets[\"o ther\"]: expected a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit, found \"o ther\"",
    ],
  ],
  [
    "merge keys are not supported and not silently ignored",
    {
      5: "  media: { <<: { region: cn-beijing }, bucket: examplebucket, region: cn-beijing, domains: [img.example.com] }",
    },
    [
      'g.yaml:5:12: buckets.media["<<"]: expected one of bucket, region, domains, endpoint, tls, caFile, dns, connections, timeouts, limits, quota, found "<<". Merge keys are not supported.',
    ],
  ],
  [
    "a long value is shortened, on one line and without control characters",
    { 8: `  - name: "${"x\\n\\x1b".repeat(40)}"` },
    [
      "g.yaml:8:11: routes[0].name: expected a name of 1 to 63 letters, digits, '.', '-' or '_', the first a letter or digit, found \"x\\n\\u001bx\\n\\u001bx\\n\\u001bx\\n\\u001bx\\n\\u001bx\\n\\u001bx\\n…\"",
    ],
  ],
];

for (const [claim, lines, problems] of ROWS) {
  t.test(claim, async (t) => {
    t.strictSame(problemsOf(withLines(lines)), problems);
  });
}

t.test("a directive of NGINX's is told its key, and every key that is told is there", async (t) => {
  const known = new Set(schemaKeys(configSchema).map(({ path }) => path));
  for (const [directive, here] of NGINX_KEYS) {
    const named = here.match(/[a-z]+\[\](?:\.\w+)+|^[a-z]+[A-Z]\w+/g) ?? [];
    t.ok(named.length > 0, directive);
    for (const path of named) t.ok(known.has(path), path);
    const inRoute = problemsOf(withLines({ 10: `    bucket: media\n    ${directive}: x` }));
    const atTop = problemsOf(withLines({ 1: `${directive}: [x]\nlisteners:` }));
    for (const problems of [inRoute, atTop]) {
      t.equal(problems.length, 1);
      t.ok(problems[0]?.endsWith(`, found "${directive}". For NGINX's ${directive} write ${here}.`), directive);
    }
  }
});

for (const directive of [
  "limit_req",
  "limit_conn",
  "limit_rate",
  "auth_basic",
  "auth_request",
  "valid_referers",
  "add_header",
  "set_real_ip_from",
  "real_ip_header",
]) {
  t.test(`${directive} is known`, async (t) => {
    t.ok(NGINX_KEYS.has(directive));
  });
}

t.test("a directive's name in a map of aliases is an alias", async (t) => {
  t.strictSame(
    problemsOf(
      withLines({ 6: "  add_header: { bucket: otherbucket, region: cn-beijing }", 13: "    bucket: add_header" }),
    ),
    [],
  );
});

const LATER: readonly [key: string, lines: Readonly<Record<number, string>>, place: string][] = [
  [
    "fallback",
    { 6: "  other: { bucket: otherbucket, region: cn-beijing, fallback: public }" },
    "g.yaml:6:53: buckets.other.fallback:",
  ],
];

for (const [key, lines, place] of LATER) {
  t.test(`${key} is said to belong to a later version, and no other key is suggested`, async (t) => {
    const [problem, ...others] = problemsOf(withLines(lines));
    t.equal(problem?.slice(0, place.length), place);
    t.match(problem, /This version does not have it yet; take it out\.$/);
    t.strictSame(others, []);
  });
}

t.test("what looks like a secret is never shown", async (t) => {
  const secrets = [
    '  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com], endpoint: "http://user:hunter2@oss.test" }',
    '  media: { bucket: "LTAI5tHunter2Hunter2", region: cn-beijing, domains: [img.example.com] }',
    '  media: { bucket: examplebucket, region: "secret=hunter2", domains: [img.example.com] }',
    '  media: { bucket: examplebucket, region: cn-beijing, domains: [img.example.com], caFile: "-----BEGIN PRIVATE KEY-----hunter2" }',
  ];
  for (const line of secrets) {
    const problems = problemsOf(withLines({ 5: line }));
    t.equal(problems.length, 1);
    t.notMatch(problems[0], /hunter2/i);
    t.match(problems[0], /\*\*\*/);
  }
});
