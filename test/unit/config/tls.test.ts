import t from "tap";
import { configOf, GOOD, type Lines, problemsOf, signedWith, warningsOf, withLines } from "./helpers.js";

const secure = (tls: string, more = ""): Lines => ({
  2: `  - { name: web, address: 0.0.0.0:443, tls: { ${tls} }${more} }`,
});
const PAIR = "certificates: [{ certFile: /a.pem, keyFile: /a.key }]";

t.test("TLS with little written has safe defaults", async (t) => {
  t.strictSame(configOf(withLines(secure(PAIR))).listeners[0]?.tls, {
    certificates: [{ certFile: "/a.pem", keyFile: "/a.key", directory: null }],
    minVersion: "TLSv1.2",
    http2: true,
    clientCaFile: null,
    clientCertificate: "required",
  });
});

t.test("TLS with everything written", async (t) => {
  const tls = configOf(
    withLines(
      secure(
        "certificates: [{ directory: /etc/letsencrypt/live }], minVersion: TLSv1.3, http2: false, clientCaFile: /ca.pem, clientCertificate: optional",
      ),
    ),
  ).listeners[0]?.tls;
  t.strictSame(tls, {
    certificates: [{ certFile: null, keyFile: null, directory: "/etc/letsencrypt/live" }],
    minVersion: "TLSv1.3",
    http2: false,
    clientCaFile: "/ca.pem",
    clientCertificate: "optional",
  });
});

t.test("a route's keys for TLS", async (t) => {
  const lines = {
    ...secure(PAIR),
    10: "    bucket: media\n    httpsRedirect: true\n    httpsPort: 8443\n    hsts: { maxAge: 365d, includeSubDomains: true, preload: true }",
  };
  const [route] = configOf(withLines(lines)).routes;
  t.strictSame(
    [route?.httpsRedirect, route?.httpsPort, route?.hsts],
    [true, 8443, "max-age=31536000; includeSubDomains; preload"],
  );
});

const PROBLEMS: readonly [claim: string, lines: Lines, problem: RegExp][] = [
  [
    "a certificate without its key",
    secure("certificates: [{ certFile: /a.pem }]"),
    /^g\.yaml:2:\d+: listeners\[0\]\.tls\.certificates\[0\]\.keyFile: expected certFile and keyFile, or directory, found certFile alone/,
  ],
  [
    "a key without its certificate",
    secure("certificates: [{ keyFile: /a.key }]"),
    /certificates\[0\]\.certFile: .* found keyFile alone/,
  ],
  ["neither files nor a directory", secure("certificates: [{}]"), /certificates\[0\]: expected certFile and keyFile/],
  [
    "a directory with a file",
    secure("certificates: [{ directory: /live, certFile: /a.pem }]"),
    /certificates\[0\]\.certFile: .* found certFile with directory/,
  ],
  [
    "one file for both",
    secure("certificates: [{ certFile: /a.pem, keyFile: /a.pem }]"),
    /certificates\[0\]\.keyFile: expected two different files/,
  ],
  [
    "a certificate twice",
    secure("certificates: [{ certFile: /a.pem, keyFile: /a.key }, { certFile: /a.pem, keyFile: /b.key }]"),
    /certificates\[1\]\.certFile: expected each certificate once, .*\[0\]/,
  ],
  [
    "a directory twice",
    secure("certificates: [{ directory: /live }, { directory: /live }]"),
    /certificates\[1\]\.directory: expected each certificate once/,
  ],
  ["no certificate", secure("certificates: []"), /expected a list of one or more certificates/],
  ["TLS 1.1", secure(`${PAIR}, minVersion: TLSv1.1`), /minVersion: expected one of TLSv1\.2, TLSv1\.3/],
  [
    "two listeners on one socket of systemd's",
    {
      2: "  - { name: web, address: systemd:web }",
      3: "  - { name: local, address: systemd:web }",
    },
    /^g\.yaml:3:29: listeners\[1\]\.address: .*listeners\[0\] has systemd:web\.$/,
  ],
  [
    "an admin address that others reach, without a secret",
    { 1: 'admin: { address: "0.0.0.0:9180" }\nlisteners:' },
    /^g\.yaml:1:19: admin\.address: expected a loopback address, 127\.0\.0\.1:9180 say, or admin\.bearerSecret/,
  ],
  [
    "a secret for readers alone",
    { 1: "admin: { readerSecret: { env: A } }\nlisteners:" },
    /^g\.yaml:1:24: admin\.readerSecret: expected bearerSecret with readerSecret/,
  ],
  [
    "one secret for both",
    { 1: "admin: { bearerSecret: { env: A }, readerSecret: { env: A } }\nlisteners:" },
    /admin\.readerSecret: expected another secret than bearerSecret/,
  ],
];

for (const [claim, lines, problem] of PROBLEMS) {
  t.test(`${claim}: a problem`, async (t) => {
    t.match(problemsOf(withLines(lines)), [problem]);
    t.equal(problemsOf(withLines(lines)).length, 1);
  });
}

const WARNINGS: readonly [claim: string, lines: Lines, warnings: readonly RegExp[]][] = [
  ["the good file with TLS", secure(PAIR), []],
  [
    "what clients must show, and no authority",
    secure(`${PAIR}, clientCertificate: optional`),
    [/listeners\[0\]\.tls\.clientCertificate: warning: expected clientCaFile/],
  ],
  [
    "a redirect to https, and no TLS",
    { 10: "    bucket: media\n    httpsRedirect: true" },
    [/^g\.yaml:11:20: routes\[0\]\.httpsRedirect: warning: expected a listener with tls, or trustedProxies/],
  ],
  [
    "a redirect to https, which a proxy in front speaks",
    { 1: "trustedProxies: [10.0.0.0/8]\nlisteners:", 10: "    bucket: media\n    httpsRedirect: true" },
    [],
  ],
  [
    "a redirect from a plain listener to another",
    {
      ...secure(PAIR),
      9: "    match: { hosts: [a.b], listeners: [local] }",
      10: "    bucket: media\n    httpsRedirect: true",
    },
    [],
  ],
  [
    "HSTS, and no TLS at the route's listeners",
    { ...secure(PAIR), 9: "    match: { hosts: [a.b], listeners: [local] }", 10: "    bucket: media\n    hsts: {}" },
    [/routes\[0\]\.hsts: warning: expected a listener with tls/],
  ],
  ["HSTS behind a proxy", { 1: "trustedProxies: [10.0.0.0/8]\nlisteners:", 10: "    bucket: media\n    hsts: {}" }, []],
  [
    "preload that the lists do not take",
    { ...secure(PAIR), 10: "    bucket: media\n    hsts: { preload: true }" },
    [/routes\[0\]\.hsts\.preload: warning: expected includeSubDomains/],
  ],
  [
    "challenges that nobody can ask for",
    {
      1: "acmeChallengeDirectory: /var/www/acme\nlisteners:",
      2: `  - { name: web, address: 0.0.0.0:443, tls: { ${PAIR} } }`,
      3: "",
    },
    [/^g\.yaml:1:25: acmeChallengeDirectory: warning: expected a listener without tls/],
  ],
  ["challenges beside TLS", { 1: "acmeChallengeDirectory: /var/www/acme\nlisteners:", ...secure(PAIR) }, []],
  [
    "a log with everything in it",
    { 1: "log: { access: { unmasked: true } }\nlisteners:" },
    [/^g\.yaml:1:28: log\.access\.unmasked: warning: /],
  ],
];

for (const [claim, lines, warnings] of WARNINGS) {
  t.test(`${claim}: ${warnings.length === 0 ? "no warning" : "a warning"}`, async (t) => {
    t.strictSame(problemsOf(withLines({ 1: "listeners:", ...lines }, GOOD)), []);
    const found = warningsOf(withLines(lines));
    t.equal(found.length, warnings.length);
    t.match(found, warnings);
  });
}

const CLIENT_CA = `tls: { ${PAIR}, clientCaFile: /ca.pem }`;
const CERTIFICATES = "    allow: { certificates: [CN=partner.example.com, O=Example Ltd/OU=a] }";

const ALLOWED: readonly [claim: string, lines: Lines, problem: RegExp | null][] = [
  ["where the listener asks for certificates", { 2: `  - { name: web, address: 0.0.0.0:443, ${CLIENT_CA} }` }, null],
  [
    "where one of the listeners has no TLS",
    { 2: `  - { name: web, address: 0.0.0.0:443, ${CLIENT_CA} }\n  - { name: plain, address: 0.0.0.0:80 }` },
    /routes\[0\]\.allow\.certificates: expected tls\.clientCaFile at every listener .* found listener plain without/,
  ],
  [
    "where the listener without TLS only redirects",
    {
      2: `  - { name: web, address: 0.0.0.0:443, ${CLIENT_CA} }\n  - { name: plain, address: 0.0.0.0:80 }`,
      14: "    httpsRedirect: true",
    },
    null,
  ],
  [
    "where the route has but the right listener",
    {
      2: `  - { name: web, address: 0.0.0.0:443, ${CLIENT_CA} }\n  - { name: plain, address: 0.0.0.0:80 }`,
      9: "    match: { hosts: [vod.example.com], listeners: [web] }",
    },
    null,
  ],
  [
    "where TLS asks for none",
    { 2: `  - { name: web, address: 0.0.0.0:443, tls: { ${PAIR} } }` },
    /found listener web without/,
  ],
];

for (const [claim, lines, problem] of ALLOWED) {
  t.test(`client certificates on a route, ${claim}: ${problem === null ? "good" : "a problem"}`, async (t) => {
    const problems = problemsOf(signedWith({ 13: CERTIFICATES, ...lines }));
    if (problem === null) t.strictSame(problems, []);
    else t.match(problems, [problem]);
  });
}

t.test("certificates are a member of allow like others", async (t) => {
  const lines = { 2: `  - { name: web, address: 0.0.0.0:443, ${CLIENT_CA} }` };
  const both = { ...lines, 13: "    allow: { clients: [10.0.0.0/8], certificates: ['*'] }" };
  t.match(problemsOf(signedWith(both)), [/routes\[0\]\.satisfy: expected any or all/]);
  const twice = { ...lines, 13: "    allow: { certificates: [CN=a, CN=a] }" };
  t.match(problemsOf(signedWith(twice)), [/certificates\[1\]: expected each value once/]);
});
