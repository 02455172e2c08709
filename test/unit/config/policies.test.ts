import t from "tap";
import { problemsOf, routeOf, signedRoute, signedWith, withLines } from "./helpers.js";

/** What is wrong with further keys of the first route. */
const problemsWith = (keys: string): readonly string[] =>
  problemsOf(withLines({ 10: `    bucket: media\n    ${keys}` }));

t.test("a referer policy with little written has OSS's defaults, and a strict end of hosts", async (t) => {
  t.strictSame(routeOf("referer: { refererList: ['https://a.com'] }").referer, {
    mode: "enforce",
    rules: {
      kind: "oss",
      allowEmptyReferer: true,
      refererList: ["https://a.com"],
      refererBlacklist: [],
      allowTruncateQueryString: true,
      truncatePath: false,
      strict: true,
    },
  });
});

t.test("a referer policy in OSS's words and one in NGINX's", async (t) => {
  const oss =
    "referer: { mode: report, allowEmptyReferer: false, refererList: ['*.a.com', 'https://www.?.b.com'], refererBlacklist: ['http://c'], allowTruncateQueryString: false, truncatePath: true, strict: false }";
  t.strictSame(routeOf(oss).referer, {
    mode: "report",
    rules: {
      kind: "oss",
      allowEmptyReferer: false,
      refererList: ["*.a.com", "https://www.?.b.com"],
      refererBlacklist: ["http://c"],
      allowTruncateQueryString: false,
      truncatePath: true,
      strict: false,
    },
  });
  const nginx =
    "referer: { validReferers: [none, blocked, server_names, '*.example.com', www.b.org/a/, '~\\.example\\.'] }";
  t.strictSame(routeOf(nginx).referer, {
    mode: "enforce",
    rules: {
      kind: "nginx",
      validReferers: ["none", "blocked", "server_names", "*.example.com", "www.b.org/a/", "~\\.example\\."],
    },
  });
});

const BAD_REFERERS: readonly [keys: string, problem: RegExp][] = [
  ["refererList: ['']", /refererList\[0\]: expected a referer such as .*, found ""\. It is empty\.$/],
  ["refererList: ['https://a b']", /No blanks and no control characters\.$/],
  ['refererBlacklist: ["https://a\\n"]', /refererBlacklist\[0\]: .*No blanks and no control characters\.$/],
  ["refererList: ['https://bücher.example']", /Browsers send ASCII: names in punycode, paths with %\.$/],
  [`refererList: ['${"a".repeat(1001)}']`, /At most 1000 characters\.$/],
  ["refererList: https://a.com", /expected a list of referers, found "https:\/\/a\.com"$/],
  ["validReferers: []", /expected a list of one or more referers as NGINX writes them, found an empty list$/],
  ["validReferers: ['']", /validReferers\[0\]: expected none, blocked, server_names, .* It is empty\.$/],
  ["validReferers: ['~']", /validReferers\[0\]: .* ~ has no expression behind it\.$/],
  ['validReferers: ["~a\\0"]', /No control characters\.$/],
  [`validReferers: ['~${"a".repeat(1000)}']`, /At most 1000 characters\.$/],
  ["validReferers: ['https://a.com']", /Names are compared without the scheme; leave it out\.$/],
  ["mode: on", /referer\.mode: expected one of enforce, report, found "on"$/],
  ["mode: Report", /Write report\.$/],
];

for (const [keys, problem] of BAD_REFERERS) {
  t.test(`referer: { ${keys.slice(0, 60)} } is refused`, async (t) => {
    const more = keys.startsWith("mode") ? `${keys}, refererList: ['*']` : keys;
    t.match(problemsWith(`referer: { ${more} }`), [problem]);
  });
}

t.test("a list of 1000 characters is as long as one entry may be", async (t) => {
  t.strictSame(problemsWith(`referer: { refererList: ['${"a".repeat(1000)}'] }`), []);
});

const rule = (keys: string): string => `cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET], ${keys} }] }`;

t.test("CORS rules with little and with everything written", async (t) => {
  const cors = routeOf("cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [GET] }] }").cors;
  t.strictSame(cors, {
    rules: [
      { allowedOrigins: ["*"], allowedMethods: ["GET"], allowedHeaders: [], exposeHeaders: [], maxAgeSeconds: null },
    ],
    allowCredentials: false,
    allowPrivateNetwork: false,
    responseVary: false,
  });
  const all =
    "cors: { rules: [{ allowedOrigins: ['https://*.a.com', 'null'], allowedMethods: [PUT, HEAD], allowedHeaders: [x-oss-*, Range], exposeHeaders: [ETag], maxAge: 1500ms }, { allowedOrigins: ['https://b.com'], allowedMethods: [DELETE, POST], maxAge: 0s }], allowPrivateNetwork: true, responseVary: true }";
  t.strictSame(routeOf(all).cors, {
    rules: [
      {
        allowedOrigins: ["https://*.a.com", "null"],
        allowedMethods: ["PUT", "HEAD"],
        allowedHeaders: ["x-oss-*", "Range"],
        exposeHeaders: ["ETag"],
        maxAgeSeconds: 1,
      },
      {
        allowedOrigins: ["https://b.com"],
        allowedMethods: ["DELETE", "POST"],
        allowedHeaders: [],
        exposeHeaders: [],
        maxAgeSeconds: 0,
      },
    ],
    allowCredentials: false,
    allowPrivateNetwork: true,
    responseVary: true,
  });
});

const ORIGINS = [
  "*",
  "null",
  "https://www.example.com",
  "http://localhost:3000",
  "https://*.example.com",
  "https://*",
  "http*://www.example.com",
  "*://www.example.com",
  "http*",
  "*.example.com",
  "https://www.example.com:*",
  "https://[2001:db8::1]:8443",
  "chrome-extension://abcdefgh",
  "capacitor://localhost",
  "app://.",
];

for (const origin of ORIGINS) {
  t.test(`${origin} is taken as an origin`, async (t) => {
    const cors = routeOf(`cors: { rules: [{ allowedOrigins: ["${origin}"], allowedMethods: [GET] }] }`).cors;
    t.strictSame(cors?.rules[0]?.allowedOrigins, [origin]);
  });
}

const BAD_ORIGINS: readonly [origin: string, hint: RegExp][] = [
  ["", /It is empty\.$/],
  ["https://www.example.com/", /leave the slash at the end out\.$/],
  ["https://www.example.com/a", /no path, no query and no user\.$/],
  ["https://www.example.com?a", /no path, no query and no user\.$/],
  ["https://u@www.example.com", /no path, no query and no user\.$/],
  ["*://*", /One \* at most\.$/],
  ["https://*.*.com", /One \* at most\.$/],
  ["www.example.com", /Write the scheme too: https:\/\/ or http:\/\/\.$/],
  ["www.*", /Write the scheme too/],
  ["*,a.com", /found "\*,a\.com"$/],
  ["https://", /found "https:\/\/"$/],
  ["://a.com", /found ":\/\/a\.com"$/],
  ["https://WWW.example.com", /in lower case/],
  ["https://www.example.com:443", /leave the default port out/],
  ["http://*.example.com:80", /leave the default port out/],
  ["https://bücher.example", /in punycode/],
  ["https://a b", /No blanks/],
];

for (const [origin, hint] of BAD_ORIGINS) {
  t.test(`${origin || "an empty text"} is no origin`, async (t) => {
    t.match(problemsWith(`cors: { rules: [{ allowedOrigins: ["${origin}"], allowedMethods: [GET] }] }`), [hint]);
    const [problem] = problemsWith(`cors: { rules: [{ allowedOrigins: ["${origin}"], allowedMethods: [GET] }] }`);
    t.match(problem, /routes\[0\]\.cors\.rules\[0\]\.allowedOrigins\[0\]: expected an origin such as /);
  });
}

const MANY = Array.from({ length: 21 }, () => "{ allowedOrigins: ['*'], allowedMethods: [GET] }").join(", ");

const BAD_CORS: readonly [keys: string, problem: RegExp][] = [
  ["cors: {}", /cors\.rules: expected a list of rules, found no such key$/],
  ["cors: { rules: [] }", /cors\.rules: expected a list of one or more rules, found an empty list$/],
  [`cors: { rules: [${MANY}] }`, /cors\.rules: expected at most 20 rules, as many as OSS has, found a list$/],
  ["cors: { rules: [{ allowedOrigins: ['*'] }] }", /allowedMethods: expected a list of methods, found no such key$/],
  [
    "cors: { rules: [{ allowedMethods: [GET], allowedOrigins: [] }] }",
    /a list of one or more origins, found an empty list$/,
  ],
  [
    "cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [OPTIONS] }] }",
    /expected one of GET, PUT, DELETE, POST, HEAD, found "OPTIONS"\. Preflights are answered in any case;/,
  ],
  ["cors: { rules: [{ allowedOrigins: ['*'], allowedMethods: [get] }] }", /Write GET\.$/],
  [rule("allowedHeaders: ['x-*-*']"), /allowedHeaders\[0\]: .*One \* at most\.$/],
  [rule("allowedHeaders: ['a b']"), /allowedHeaders\[0\]: expected the name of a request header, at most one \* in it/],
  [rule("exposeHeaders: ['*']"), /exposeHeaders\[0\]: .*A \* stands for nothing here: name them\.$/],
  [rule("exposeHeaders: ['a:b']"), /exposeHeaders\[0\]: expected the name of a response header such as ETag/],
  [rule("maxAge: 25h"), /maxAge: expected a duration from 0s to 24h, 10m say, found "25h"$/],
  [rule("maxAge: 600"), /maxAge: .*Add a unit/],
];

for (const [keys, problem] of BAD_CORS) {
  t.test(`${keys.slice(0, 80)} is refused`, async (t) => {
    t.match(problemsWith(keys), [problem]);
  });
}

t.test("20 rules are taken", async (t) => {
  t.equal(routeOf(`cors: { rules: [${MANY.slice(MANY.indexOf(",", 45) + 2)}] }`).cors?.rules.length, 20);
});

t.test("what answers get: preview, documents and headers", async (t) => {
  const route = routeOf(
    "preview: true\n    trusted: true\n    indexDocument: index.html\n    errorDocument: errors/404 ä.html\n    responseHeaders: { set: { X-Frame-Options: DENY, cache-control: 'no-cache, private' }, always: true, remove: [Server, etag] }",
  );
  t.strictSame(
    [route.preview, route.trusted, route.indexDocument, route.errorDocument],
    [true, true, "index.html", "errors/404 ä.html"],
  );
  t.strictSame(route.responseHeaders, {
    set: [
      ["X-Frame-Options", "DENY"],
      ["cache-control", "no-cache, private"],
    ],
    always: true,
    remove: ["server", "etag"],
  });
  t.ok(Object.isFrozen(route.responseHeaders.set[0]));
});

const BAD_DOCUMENTS: readonly [keys: string, problem: RegExp][] = [
  ["indexDocument: ''", /indexDocument: expected the name of a file such as index\.html, found ""\. It is empty\.$/],
  ["indexDocument: a/index.html", /A name without slashes/],
  ["indexDocument: 'a\\b'", /A name without slashes/],
  ["indexDocument: ..", /No '\.' or '\.\.' segments\.$/],
  ['indexDocument: "a\\n"', /No control characters\.$/],
  [`indexDocument: ${"ä".repeat(512)}`, /at most 1023 bytes/],
  ["errorDocument: ''", /errorDocument: expected a key such as 404\.html, found ""\. It is empty\.$/],
  ["errorDocument: /404.html", /does not begin with a slash\.$/],
  ["errorDocument: '\\404.html'", /does not begin with a slash\.$/],
  ["errorDocument: a/../b", /No '\.' or '\.\.' segments\.$/],
  ["errorDocument: errors/", /It is a file, not a directory\.$/],
  ["preview: yes", /Write true\.$/],
  ["trusted: 1", /expected true or false, found 1$/],
];

for (const [keys, problem] of BAD_DOCUMENTS) {
  t.test(`${keys.slice(0, 40)} is refused`, async (t) => {
    t.match(problemsWith(keys), [problem]);
  });
}

const FIXED = [
  "Content-Length",
  "transfer-encoding",
  "Connection",
  "keep-alive",
  "TE",
  "trailer",
  "upgrade",
  "proxy-authenticate",
  "Date",
  "content-range",
  "content-encoding",
];

for (const name of [...FIXED, "ETag"]) {
  t.test(`the response header ${name} cannot be set`, async (t) => {
    t.match(problemsWith(`responseHeaders: { set: { ${name}: x } }`), [
      /responseHeaders\.set(?:\.|\[").*: expected a response header, and none that frames or describes the body, found /,
    ]);
  });
}

for (const name of [...FIXED, "Content-Type"]) {
  t.test(`the response header ${name} cannot be removed`, async (t) => {
    t.match(problemsWith(`responseHeaders: { remove: [${name}] }`), [
      /responseHeaders\.remove\[0\]: expected the name of a response header such as server, and n/,
    ]);
  });
}

const BAD_HEADERS: readonly [keys: string, problem: RegExp][] = [
  ["set: { 'a b': x }", /set\["a b"\]: expected the name of a response header, found "a b"$/],
  ["set: { 'a:': x }", /expected the name of a response header, found "a:"$/],
  ['set: { "a\\r\\nb": x }', /expected the name of a response header, found "a\\r\\nb"$/],
  ['set: { x-a: "b\\r\\nSet-Cookie: c" }', /set\.x-a: expected a header's value of printable ASCII/],
  ['set: { x-a: "b\\0" }', /set\.x-a: expected a header's value of printable ASCII/],
  ["set: { x-a: 'ä' }", /set\.x-a: expected a header's value of printable ASCII/],
  ["set: { x-a: ' b' }", /set\.x-a: .*without blanks at its ends/],
  ["set: { x-a: '' }", /To take a header away, name it in remove\.$/],
  ["set: { x-a: 5 }", /set\.x-a: .*found 5\. Put it in quotes\.$/],
  ["set: { x-a: [b] }", /set\.x-a: .*found a list$/],
  ["set: [x-a]", /responseHeaders\.set: expected a map of values by header names, found a list$/],
  ["remove: ['a b']", /remove\[0\]: expected the name of a response header such as server, found "a b"$/],
  ["remove: [server, Server]", /remove\[1\]: expected each value once/],
];

for (const [keys, problem] of BAD_HEADERS) {
  t.test(`responseHeaders: { ${keys} } is refused`, async (t) => {
    t.match(problemsWith(`responseHeaders: { ${keys} }`), [problem]);
  });
}

t.test("logins with little and with everything written", async (t) => {
  const little = signedRoute({ 13: "    allow: { forwardAuth: { url: 'http://127.0.0.1:9000/auth' } }" }).allow;
  t.strictSame(
    [little?.basic, little?.forwardAuth],
    [
      null,
      {
        url: new URL("http://127.0.0.1:9000/auth"),
        requestHeaders: ["authorization", "cookie"],
        timeoutMs: 2_000,
        cacheMs: 0,
        caFile: null,
      },
    ],
  );
  const all = signedRoute({
    13: "    allow: { basic: { file: a b, realm: 'Staff only' }, forwardAuth: { url: 'https://a.test/x/?y=%20z', requestHeaders: [X-Token, cookie], timeout: 50ms, cache: 1h, caFile: ca.pem } }",
    14: "    satisfy: any",
  }).allow;
  t.strictSame(all?.basic, { file: "a b", realm: "Staff only" });
  t.equal(all?.forwardAuth?.url.href, "https://a.test/x/?y=%20z");
  t.match(all?.forwardAuth, {
    requestHeaders: ["x-token", "cookie"],
    timeoutMs: 50,
    cacheMs: 3_600_000,
    caFile: "ca.pem",
  });
});

const URL_PLACE = /allow\.forwardAuth\.url: expected a URL such as http:\/\/127\.0\.0\.1:9000\/auth/;

const BAD_LOGINS: readonly [allow: string, problem: RegExp][] = [
  ["basic: {}", /allow\.basic\.file: expected the path of a file of names and password hashes, found no such key$/],
  ["basic: { file: '' }", /allow\.basic\.file: expected the path of a file of names and password hashes, found ""$/],
  [
    "basic: users",
    /allow\.basic: expected a map of these keys: file, realm, found a text\. Write the path as \{ file: … \}\.$/,
  ],
  ["basic: [users]", /allow\.basic: expected a map of these keys: file, realm, found a list$/],
  ["forwardAuth: 'http://a.test/'", /forwardAuth: .*found "http:\/\/a\.test\/"\. Write the URL as \{ url: … \}\.$/],
  ["forwardAuth: 5", /forwardAuth: expected a map of these keys: .*, found 5$/],
  ["clients: [all]", /clients\[0\]: .*found "all"\. For everybody write anyone: true instead of clients\.$/],
  ["clients: ['*']", /clients\[0\]: .*found "\*"\. For everybody write anyone: true instead of clients\.$/],
  ["basic: { file: a, realm: 'say \"x\"' }", /allow\.basic\.realm: expected a text of 1 to 100 printable ASCII/],
  ["basic: { file: a, realm: 'a\\b' }", /allow\.basic\.realm: expected /],
  ["basic: { file: a, realm: ä }", /allow\.basic\.realm: expected /],
  ["basic: { file: a, realm: '' }", /allow\.basic\.realm: expected /],
  ["forwardAuth: {}", /allow\.forwardAuth\.url: expected a URL such as .*, found no such key/],
  ["forwardAuth: { url: 'a.test/x' }", /Write the scheme too: https:\/\/ or http:\/\/\.$/],
  ["forwardAuth: { url: 'ftp://a.test/' }", URL_PLACE],
  ["forwardAuth: { url: 'http://u:p@a.test/' }", /without user and password/],
  ["forwardAuth: { url: 'http://a.test/#x' }", /without '#'/],
  ["forwardAuth: { url: 'http://a.test:0/' }", URL_PLACE],
  ["forwardAuth: { url: 'http://100.100.100.200/latest' }", /metadata service of ECS/],
  ["forwardAuth: { url: 'http://[::ffff:100.100.100.200]/' }", /metadata service of ECS/],
  ["forwardAuth: { url: 'http://a.test/', timeout: 49ms }", /timeout: expected a duration from 50ms to 30s, 2s say/],
  ["forwardAuth: { url: 'http://a.test/', cache: 2h }", /cache: expected a duration from 0s to 1h, 10s say/],
  ["forwardAuth: { url: 'http://a.test/', requestHeaders: ['a b'] }", /expected the name of a request header such as/],
  ["forwardAuth: { url: 'http://a.test/', requestHeaders: [cookie, Cookie] }", /expected each value once/],
  ...["Host", "X-Forwarded-For", "x-forwarded-uri", "content-length", "connection", "Transfer-Encoding", "expect"].map(
    (name): [string, RegExp] => [
      `forwardAuth: { url: 'http://a.test/', requestHeaders: [${name}] }`,
      /requestHeaders\[0\]: .*The gateway writes this one itself, or it belongs to one connection\.$/,
    ],
  ),
];

for (const [allow, problem] of BAD_LOGINS) {
  t.test(`allow: { ${allow} } is refused`, async (t) => {
    t.match(problemsOf(signedWith({ 13: `    allow: { ${allow} }` })), [problem]);
  });
}

const BAD_CLIENTS: readonly [keys: string, problem: RegExp][] = [
  ["deny: { clients: [all] }", /deny\.clients\[0\]: .*found "all"\. For everybody write 0\.0\.0\.0\/0 and "::\/0"\.$/],
  [
    "deny: [10.0.0.1]",
    /deny: expected a map of these keys: clients, paths, found a list\. Write addresses as \{ clients: \[…\] \}\.$/,
  ],
  ["deny: 10.0.0.1", /deny: .*found "10\.0\.0\.1"\. Write addresses as \{ clients: \[…\] \}\.$/],
  ["deny: all", /deny: .*found "all"\. Write \{ clients: \[0\.0\.0\.0\/0, "::\/0"\] \}\.$/],
  ["allow: [10.0.0.1]", /allow: .*found a list\. Write addresses as \{ clients: \[…\] \}\.$/],
  ["allow: all", /allow: .*found "all"\. Write \{ anyone: true \}\.$/],
  ["deny: 5", /deny: expected a map of these keys: clients, paths, found 5$/],
];

for (const [keys, problem] of BAD_CLIENTS) {
  t.test(`${keys} is refused, and told what to write`, async (t) => {
    t.match(problemsWith(keys), [problem]);
  });
}

t.test("what these hints say to write is taken", async (t) => {
  t.strictSame(routeOf('deny: { clients: [0.0.0.0/0, "::/0"] }').deny.clients, ["0.0.0.0/0", "::/0"]);
  t.equal(routeOf("allow: { anyone: true }").allow?.anyone, true);
});

t.test("a traffic limit is in bits per second, within what OSS takes, ends included", async (t) => {
  const limit = (written: string) =>
    signedRoute({ 12: `    sign: { credentials: reader, trafficLimit: ${written} }` }).sign?.trafficLimitBitsPerSecond;
  for (const [written, bits] of [
    ["8MiB/s", 67_108_864],
    ["100KiB/s", 819_200],
    ["819200bit/s", 819_200],
    ["100MiB/s", 838_860_800],
    ["838860800bit/s", 838_860_800],
  ] as const) {
    t.equal(limit(written), bits, written);
  }
  for (const written of ["100KB/s", "101MiB/s", "1Gbit/s", "8MiB", "819200"]) {
    const problems = problemsOf(signedWith({ 12: `    sign: { credentials: reader, trafficLimit: ${written} }` }));
    t.match(problems, [/sign\.trafficLimit: expected .*100KiB\/s to 100MiB\/s \(819200bit\/s to 838860800bit\/s\)/]);
  }
});
