import t from "tap";
import { OPERATIONS } from "../../../src/core/operations.js";
import { configOf, type Lines, problemsOf, signedRoute, signedWith, warningsOf } from "./helpers.js";

t.test("a signing route with little written has safe defaults", async (t) => {
  const route = signedRoute({});
  t.equal(route.auth, "sign");
  t.strictSame(route.sign, {
    credentials: "reader",
    version: "v4",
    plusInPath: "space",
    process: [],
    responseOverrides: [],
    trafficLimitBitsPerSecond: null,
  });
  t.strictSame(route.allow, {
    anyone: false,
    clients: ["10.0.0.0/8"],
    links: null,
    signatures: false,
    basic: null,
    forwardAuth: null,
    certificates: [],
  });
  t.equal(route.clientSignatures, "refuse");
  t.strictSame([route.operations, route.satisfy, route.deny, route.hls], [[], "any", { clients: [], paths: [] }, null]);
});

t.test("a signing route with everything written", async (t) => {
  const route = signedRoute({
    12: '    sign: { credentials: reader, version: v1, plusInPath: literal, process: [style/thumb, "image/resize,w_*"], responseOverrides: [response-expires], trafficLimit: 8MiB/s }',
    13: '    allow: { clients: [10.0.0.1/32, "2001:DB8::/32"], signatures: true, basic: { file: users }, links: { secret: { env: A }, maxAge: 1h, secureLink: { expression: "$secure_link_expires$URI$remote_addr$host$arg_x $secret", secret: { file: b }, md5Parameter: m, expiresParameter: e } } }',
    14: "    satisfy: all\n    deny: { clients: [10.0.0.9] }\n    operations: [ListObjectsV2]\n    clientSignatures: verify\n    hls: { mode: rewrite, ttl: 10m, sessionTtl: 30m, root: /vod/, bindClient: false }",
  });
  t.strictSame(route.sign, {
    credentials: "reader",
    version: "v1",
    plusInPath: "literal",
    process: ["style/thumb", "image/resize,w_*"],
    responseOverrides: ["response-expires"],
    trafficLimitBitsPerSecond: 67_108_864,
  });
  t.strictSame(route.allow, {
    anyone: false,
    clients: ["10.0.0.1", "2001:db8::/32"],
    links: {
      secret: { kind: "env", name: "A" },
      previousSecrets: [],
      maxAgeMs: 3_600_000,
      secureLink: {
        expression: "$secure_link_expires$URI$remote_addr$host$arg_x $secret",
        secret: { kind: "file", path: "b" },
        md5Parameter: "m",
        expiresParameter: "e",
      },
    },
    signatures: true,
    basic: { file: "users", realm: "ossgate" },
    forwardAuth: null,
    certificates: [],
  });
  t.strictSame(
    [route.satisfy, route.deny, route.operations, route.clientSignatures],
    ["all", { clients: ["10.0.0.9"], paths: [] }, ["ListObjectsV2"], "verify"],
  );
  t.strictSame(route.hls, {
    mode: "rewrite",
    ttlMs: 600_000,
    sessionTtlMs: 1_800_000,
    root: "/vod/",
    bindClient: false,
  });
  t.ok(Object.isFrozen(route.allow?.links?.secureLink));
});

t.test("playlists are rewritten by these defaults", async (t) => {
  const route = signedRoute({ 13: "    allow: { links: { secret: { env: A } } }", 14: "    hls: { mode: rewrite }" });
  t.strictSame(route.hls, {
    mode: "rewrite",
    ttlMs: 3_600_000,
    sessionTtlMs: 43_200_000,
    root: null,
    bindClient: true,
  });
  t.equal(route.allow?.links?.maxAgeMs, 43_200_000);
});

t.test("links in playlists that nobody gave a time last no longer than links may", async (t) => {
  for (const [maxAge, hls, expected] of [
    ["1h", "mode: rewrite, ttl: 30m", [1_800_000, 3_600_000]],
    ["30m", "mode: rewrite", [1_800_000, 1_800_000]],
    ["30m", "mode: rewrite, sessionTtl: 10m", [1_800_000, 600_000]],
    ["30d", "mode: rewrite", [3_600_000, 43_200_000]],
    ["30d", "mode: rewrite, sessionTtl: 7d", [3_600_000, 604_800_000]],
  ] as const) {
    const allow = `    allow: { links: { secret: { env: A }, maxAge: ${maxAge} } }`;
    const route = signedRoute({ 13: allow, 14: `    hls: { ${hls} }` });
    t.strictSame([route.hls?.ttlMs, route.hls?.sessionTtlMs], expected, `${maxAge}, ${hls}`);
  }
  const allow = "    allow: { links: { secret: { env: A }, maxAge: 1m } }";
  t.match(
    signedRoute({ 13: allow, 14: "    hls: { mode: ossSign }" }).hls,
    { ttlMs: 3_600_000 },
    "OSS signs these, and knows no links",
  );
});

t.test("a callback route has its own target and takes POST alone", async (t) => {
  const lines = { 11: "", 12: "", 13: "    deny: { clients: [10.0.0.1] }" };
  const callback = 'forward: "https://app.example.com:8443/uploaded", buckets: [media], secret: { env: A }';
  const route = signedRoute({ ...lines, 10: `    callback: { ${callback} }` });
  t.strictSame(route.target, {
    kind: "callback",
    forward: new URL("https://app.example.com:8443/uploaded"),
    buckets: ["media"],
    secret: { kind: "env", name: "A" },
    timeoutMs: 4_000,
  });
  t.strictSame([route.methods, route.deny.clients], [["POST"], ["10.0.0.1"]]);
  const timed = signedRoute({ ...lines, 10: `    callback: { ${callback}, timeout: 4.5s }\n    methods: [POST]` });
  t.equal(timed.target.kind === "callback" ? timed.target.timeoutMs : 0, 4_500);
});

t.test("relay routes may say who uses them, too", async (t) => {
  const route = signedRoute({ 3: "", 4: "", 11: "    deny: { clients: [10.1.1.1] }", 12: "" });
  t.strictSame([route.auth, route.allow?.clients, route.deny.clients], ["relay", ["10.0.0.0/8"], ["10.1.1.1"]]);
});

t.test("every operation there is can be named", async (t) => {
  const methods = "    methods: [GET, HEAD, PUT, POST, DELETE]";
  const route = signedRoute({ 14: `${methods}\n    operations: [${OPERATIONS.join(", ")}]` });
  t.strictSame(route.operations, OPERATIONS);
});

const CLOSED = "Closed by default: say who may use it: allow.clients, allow.links or allow.anyone: true.";
const LINKS = "links: { secret: { env: A } }";
const NOT_ON_CALLBACK =
  "The signature of OSS and the token in the URL decide here, and nothing goes to OSS. Take it out.";
const CALLBACK = '    callback: { forward: "https://app.example.com/", buckets: [media], secret: { env: A } }';
const ON_CALLBACK: Lines = { 10: CALLBACK, 11: "", 12: "", 13: "" };

const REFUSED: readonly [claim: string, lines: Lines, problems: readonly string[]][] = [
  [
    "signing without saying with what",
    { 12: "" },
    [
      "g.yaml:8:5: routes[0].sign: expected sign: { credentials: NAME } with auth: sign, found no such key. There is reader.",
    ],
  ],
  [
    "credentials that are not there",
    { 12: "    sign: { credentials: raeder }" },
    [
      'g.yaml:12:26: routes[0].sign.credentials: expected the name of credentials, found "raeder". Did you mean reader?',
    ],
  ],
  [
    "credentials where there are none",
    { 3: "", 4: "" },
    [
      'g.yaml:12:26: routes[0].sign.credentials: expected the name of credentials, found "reader". Add them to credentials.',
    ],
  ],
  [
    "what only a signing route can do, on a relay route",
    {
      11: "    clientSignatures: verify",
      14: "    operations: [ListObjectsV2]\n    hls: { mode: ossSign }",
    },
    [
      "g.yaml:11:5: routes[0].clientSignatures: expected auth: sign with clientSignatures, found auth: relay. This route relays what clients sign. Write auth: sign, or take clientSignatures out.",
      "g.yaml:12:5: routes[0].sign: expected auth: sign with sign, found auth: relay. This route relays what clients sign. Write auth: sign, or take sign out.",
      "g.yaml:14:5: routes[0].operations: expected auth: sign with operations, found auth: relay.",
      "g.yaml:15:5: routes[0].hls: expected auth: sign with hls, found auth: relay.",
    ],
  ],
  [
    "a signing route that says nothing about its clients",
    { 13: "" },
    [`g.yaml:8:5: routes[0].allow: expected who may use a route that the gateway signs, found no such key. ${CLOSED}`],
  ],
  [
    "a signing route whose clients are an empty map",
    { 13: "    allow: {}" },
    [`g.yaml:13:12: routes[0].allow: expected at least one member, found an empty map. ${CLOSED}`],
  ],
  [
    "a signing route for nobody",
    { 13: "    allow: { anyone: false }" },
    [`g.yaml:13:12: routes[0].allow: expected at least one member, found a map. ${CLOSED}`],
  ],
  [
    "a relay route for nobody",
    { 11: "    auth: relay", 12: "", 13: "    allow: {}" },
    [`g.yaml:13:12: routes[0].allow: expected at least one member, found an empty map. ${CLOSED}`],
  ],
  [
    "a list of clients without any",
    { 13: "    allow: { clients: [] }" },
    ["g.yaml:13:23: routes[0].allow.clients: expected a list of one or more networks or addresses, found an empty"],
  ],
  [
    "everybody and others",
    { 13: `    allow: { anyone: true, clients: [10.0.0.1], ${LINKS} }`, 14: "    satisfy: any" },
    [
      "g.yaml:13:22: routes[0].allow.anyone: expected anyone alone, found anyone with clients, links. Everybody includes the others.",
    ],
  ],
  [
    "two members without saying whether one is enough",
    { 13: `    allow: { clients: [10.0.0.1], ${LINKS} }` },
    [
      "g.yaml:8:5: routes[0].satisfy: expected any or all, found no such key. allow has clients, links: is one of them enough, or is every one needed?",
    ],
  ],
  [
    "the same of a relay route",
    { 11: "", 12: "", 13: `    allow: { clients: [10.0.0.1], ${LINKS} }` },
    ["g.yaml:8:5: routes[0].satisfy: expected any or all, found no such key."],
  ],
  [
    "signatures that nobody verifies",
    { 13: "    allow: { signatures: true }" },
    [
      "g.yaml:13:26: routes[0].allow.signatures: expected auth: sign and clientSignatures: verify with allow.signatures, found auth: sign and clientSignatures: refuse.",
    ],
  ],
  [
    "signatures on a relay route",
    { 11: "", 12: "", 13: "    allow: { signatures: true }" },
    [
      "g.yaml:13:26: routes[0].allow.signatures: expected auth: sign and clientSignatures: verify with allow.signatures, found auth: relay.",
    ],
  ],
  [
    "one network twice",
    { 13: "    allow: { clients: [10.0.0.1, 10.0.0.1/32] }", 14: '    deny: { clients: ["::1", "0::1"] }' },
    [
      'g.yaml:13:34: routes[0].allow.clients[1]: expected each value once, found "10.0.0.1/32". It is the same as [0].',
      'g.yaml:14:30: routes[0].deny.clients[1]: expected each value once, found "0::1". It is the same as [0].',
    ],
  ],
  [
    "a network with host bits",
    { 13: "    allow: { clients: [10.0.0.1/8] }" },
    [
      'g.yaml:13:24: routes[0].allow.clients[0]: expected a network without host bits, found "10.0.0.1/8". Write 10.0.0.0/8, or 10.0.0.1 for the one address.',
    ],
  ],
  [
    "rewritten playlists without links",
    { 14: "    hls: { mode: rewrite }" },
    [
      'g.yaml:14:18: routes[0].hls.mode: expected allow.links with mode: rewrite, found "rewrite". What it writes into playlists are links. Add allow.links.',
    ],
  ],
  [
    "playlists with several buckets",
    { 10: "    buckets: [media]", 14: "    hls: { mode: ossSign }" },
    ["g.yaml:14:5: routes[0].hls: expected bucket with hls, found buckets."],
  ],
  [
    "links in playlists that last longer than links may",
    {
      13: "    allow: { links: { secret: { env: A }, maxAge: 30m } }",
      14: "    hls: { mode: rewrite, ttl: 1h, sessionTtl: 1.5h }",
    },
    [
      "g.yaml:14:32: routes[0].hls.ttl: expected an hls.ttl that is not above allow.links.maxAge, found 1h and 30m. Links that last longer are refused. Write a shorter hls.ttl, or a longer maxAge.",
      "g.yaml:14:48: routes[0].hls.sessionTtl: expected an hls.sessionTtl that is not above allow.links.maxAge, found 1.5h and 30m.",
    ],
  ],
  [
    "links in playlists that last longer than links may when nobody says how long",
    { 13: `    allow: { ${LINKS} }`, 14: "    hls: { mode: rewrite, sessionTtl: 1d }" },
    [
      "g.yaml:14:39: routes[0].hls.sessionTtl: expected an hls.sessionTtl that is not above allow.links.maxAge, found 1d and 12h.",
    ],
  ],
  [
    "a root of playlists outside of the route",
    {
      9: "    match: { hosts: [vod.example.com], pathPrefix: /vod }",
      13: `    allow: { ${LINKS} }`,
      14: "    hls: { mode: rewrite, root: /vod2/ }",
    },
    [
      'g.yaml:14:33: routes[0].hls.root: expected a path below /vod/, because match.pathPrefix is /vod, found "/vod2/".',
    ],
  ],
  [
    "V4 for a bucket behind a URL without a region, once",
    {
      6: '  media: { bucket: examplebucket, endpoint: "http://127.0.0.1:9000" }',
      14: "  - { name: two, match: { hosts: [two.example.com] }, bucket: media, auth: sign, sign: { credentials: reader }, allow: { anyone: true } }",
    },
    [
      'g.yaml:6:3: buckets.media.region: expected a region id, cn-beijing say, found no such key. Route "vod" signs with V4, which needs it; sign.version: v1 does not.',
    ],
  ],
  [
    "V4 for one of several buckets without a region",
    { 6: "  media: { bucket: examplebucket, endpoint: accelerate }", 10: "    buckets: [media]" },
    ['g.yaml:6:3: buckets.media.region: expected a region id, cn-beijing say, found no such key. Route "vod"'],
  ],
  [
    "a bucket whose host name needs a region is told once, without V4",
    { 6: "  media: { bucket: examplebucket }" },
    ["g.yaml:6:3: buckets.media.region: expected a region id, cn-beijing say, found no such key. The host name of"],
  ],
  [
    "operations that reach beyond the key prefix",
    {
      14: "    methods: [GET, PUT, POST]\n    keyPrefix: a/\n    operations: [ListObjectsV2, CopyObject, UploadPartCopy, PutSymlink, DeleteMultipleObjects]",
    },
    [
      'g.yaml:16:33: routes[0].operations[1]: expected an operation that stays inside of keyPrefix, found "CopyObject". It can name keys outside of keyPrefix.',
      "g.yaml:16:45: routes[0].operations[2]: expected an operation that stays inside of keyPrefix",
      "g.yaml:16:61: routes[0].operations[3]: expected an operation that stays inside of keyPrefix",
      "g.yaml:16:73: routes[0].operations[4]: expected an operation that stays inside of keyPrefix",
    ],
  ],
  [
    "operations that are none, misspelt, too much or repeated",
    { 14: "    operations: [listobjectsv2, ListObjektsV2, GetObject, PutBucket, GetObjectACL, GetObjectACL]" },
    [
      'g.yaml:14:18: routes[0].operations[0]: expected the name of an operation such as ListObjectsV2, found "listobjectsv2". Write ListObjectsV2.',
      'g.yaml:14:33: routes[0].operations[1]: expected the name of an operation such as ListObjectsV2, found "ListObjektsV2". Did you mean ListObjectsV2?',
      'g.yaml:14:48: routes[0].operations[2]: expected the name of an operation such as ListObjectsV2, found "GetObject". The route\'s methods allow it without being named here.',
      'g.yaml:14:59: routes[0].operations[3]: expected the name of an operation such as ListObjectsV2, found "PutBucket"',
      "g.yaml:14:84: routes[0].operations[5]: expected each value once",
    ],
  ],
  [
    "a callback beside a bucket",
    { ...ON_CALLBACK, 11: "    bucket: media" },
    [
      "g.yaml:10:5: routes[0].callback: expected exactly one of bucket, buckets and callback, found bucket and callback",
    ],
  ],
  [
    "a callback to a bucket that is not there",
    { ...ON_CALLBACK, 10: CALLBACK.replace("[media]", "[media, medai, media]") },
    [
      'g.yaml:10:71: routes[0].callback.buckets[1]: expected the alias of a bucket, found "medai". Did you mean media?',
      "g.yaml:10:78: routes[0].callback.buckets[2]: expected each value once",
    ],
  ],
  [
    "a callback that takes other methods",
    { ...ON_CALLBACK, 11: "    methods: [GET, POST]" },
    ["g.yaml:11:14: routes[0].methods: expected [POST] with callback, found GET, POST. OSS posts its callbacks."],
  ],
  [
    "keys of other routes beside a callback",
    {
      10: CALLBACK,
      14: "    satisfy: any\n    hls: { mode: ossSign }\n    operations: []\n    clientSignatures: refuse\n    keyPrefix: a/\n    stripPrefix: true\n    hostHeader: bucket\n    requestHeaders: {}",
    },
    [
      'g.yaml:11:11: routes[0].auth: expected no auth: sign with callback, found "sign". Nothing goes to OSS here.',
      `g.yaml:12:5: routes[0].sign: expected no sign with callback, found sign. ${NOT_ON_CALLBACK}`,
      "g.yaml:13:5: routes[0].allow: expected no allow with callback",
      "g.yaml:14:5: routes[0].satisfy: expected no satisfy with callback",
      "g.yaml:15:5: routes[0].hls: expected no hls with callback",
      "g.yaml:16:5: routes[0].operations: expected no operations with callback",
      "g.yaml:17:5: routes[0].clientSignatures: expected no clientSignatures with callback",
      "g.yaml:18:5: routes[0].keyPrefix: expected no keyPrefix with callback",
      "g.yaml:19:5: routes[0].stripPrefix: expected no stripPrefix with callback",
      "g.yaml:20:5: routes[0].hostHeader: expected no hostHeader with callback",
      "g.yaml:21:5: routes[0].requestHeaders: expected no requestHeaders with callback",
    ],
  ],
  [
    "wrong values and what they say together, at once",
    { 11: "    auth: sign\n    clientSignatures: chek", 12: "    sign: { credentials: nobody, version: v5 }", 13: "" },
    [
      "g.yaml:8:5: routes[0].allow:",
      "g.yaml:12:23: routes[0].clientSignatures: expected one of refuse, relay, verify",
      "g.yaml:13:26: routes[0].sign.credentials:",
      "g.yaml:13:43: routes[0].sign.version: expected one of v4, v1",
    ],
  ],
];

for (const [claim, lines, problems] of REFUSED) {
  t.test(`${claim}: refused at its place`, async (t) => {
    const found = problemsOf(signedWith(lines));
    t.strictSame(
      found.map((line, index) => line.slice(0, problems[index]?.length)),
      problems,
    );
  });
}

const WARNED: readonly [claim: string, lines: Lines, warnings: readonly string[]][] = [
  ["the plain signing route", {}, []],
  ["everybody on a route that reads", { 13: "    allow: { anyone: true }" }, []],
  [
    "everybody on a route that writes",
    { 13: "    allow: { anyone: true }", 14: "    methods: [GET, PUT, DELETE]" },
    [
      "g.yaml:13:22: routes[0].allow.anyone: warning: expected methods that only read, found anyone with PUT, DELETE. Anybody may change what is in the bucket.",
    ],
  ],
  [
    "everybody in numbers",
    { 13: '    allow: { clients: [0.0.0.0/0, "::/0"] }' },
    [
      'g.yaml:13:24: routes[0].allow.clients[0]: warning: expected networks of clients, found "0.0.0.0/0". This is everybody.',
      'g.yaml:13:35: routes[0].allow.clients[1]: warning: expected networks of clients, found "::/0". This is everybody.',
    ],
  ],
  [
    "satisfy with one member",
    { 14: "    satisfy: all" },
    ["g.yaml:14:14: routes[0].satisfy: warning: expected more than one member of allow, found 1. It has no effect;"],
  ],
  [
    "satisfy with no member",
    { 11: "    satisfy: all", 12: "", 13: "" },
    [
      "g.yaml:4:3: credentials.reader: warning: expected a route that signs",
      "g.yaml:11:14: routes[0].satisfy: warning: expected more than one member of allow, found 0.",
    ],
  ],
  [
    "verified signatures that open nothing",
    { 14: "    clientSignatures: verify" },
    [
      'g.yaml:14:23: routes[0].clientSignatures: warning: expected allow.signatures: true with clientSignatures: verify, found "verify". As it is, a bad signature is refused, but a good one opens nothing',
    ],
  ],
  [
    "verified signatures that open the route",
    { 13: "    allow: { signatures: true }", 14: "    clientSignatures: verify" },
    [],
  ],
  [
    "operations that the methods rule out",
    { 14: "    operations: [DeleteMultipleObjects, ListObjectsV2, GetObjectVersion, PutSymlink]" },
    [
      'g.yaml:14:18: routes[0].operations[0]: warning: expected an operation that the methods of this route allow, found "DeleteMultipleObjects". It needs POST, and is answered 405 as it is.',
      'g.yaml:14:74: routes[0].operations[3]: warning: expected an operation that the methods of this route allow, found "PutSymlink". It needs PUT',
    ],
  ],
  [
    "keys of rewriting where OSS signs",
    { 14: "    hls: { mode: ossSign, ttl: 13h, sessionTtl: 1h, root: /a/, bindClient: false }" },
    [
      'g.yaml:14:49: routes[0].hls.sessionTtl: warning: expected no sessionTtl with mode: ossSign, found "1h". It has no effect',
      'g.yaml:14:59: routes[0].hls.root: warning: expected no root with mode: ossSign, found "/a/". It has no effect',
      "g.yaml:14:76: routes[0].hls.bindClient: warning: expected no bindClient with mode: ossSign, found false. It has no",
    ],
  ],
  [
    "V1 for a bucket without a region",
    {
      6: "  media: { bucket: examplebucket, endpoint: accelerate }",
      12: "    sign: { credentials: reader, version: v1 }",
    },
    [],
  ],
  ["several buckets with path style", { 10: "    buckets: [media]" }, []],
  [
    "a root that is the route's own prefix",
    {
      9: "    match: { hosts: [a.b], pathPrefix: /vod/ }",
      13: `    allow: { ${LINKS} }`,
      14: "    hls: { mode: rewrite, root: /vod/ }",
    },
    [],
  ],
  ["a bucket that only callbacks come from", { 3: "", 4: "", ...ON_CALLBACK }, []],
];

for (const [claim, lines, warnings] of WARNED) {
  t.test(
    `${claim}: ${warnings.length === 0 ? "good without a warning" : "a warning, which refuses nothing"}`,
    async (t) => {
      const text = signedWith(lines);
      t.ok(configOf(text));
      const found = warningsOf(text);
      t.strictSame(
        found.map((line, index) => line.slice(0, warnings[index]?.length)),
        warnings,
      );
    },
  );
}
