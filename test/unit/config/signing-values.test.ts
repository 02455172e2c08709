import t from "tap";
import { problemsOf, signedRoute, signedWith } from "./helpers.js";

const text = (value: string): string => JSON.stringify(value);

for (const value of [
  "style/thumb",
  "style/*",
  "image/resize,w_*",
  "image/resize,w_200/quality,q_90",
  "video/snapshot,t_1000",
]) {
  t.test(`${value} can be allowed as x-oss-process`, async (t) => {
    const route = signedRoute({ 12: `    sign: { credentials: reader, process: [${text(value)}] }` });
    t.strictSame(route.sign?.process, [value]);
  });
}

const BAD_PROCESS: readonly [value: string, hint: RegExp][] = [
  ["*", /before a slash/],
  ["image", /before a slash/],
  ["image*", /before a slash/],
  ["hls/sign", /hls\.mode is ossSign/],
  ["hls/*", /hls\.mode is ossSign/],
  ["HLS/sign", /hls\.mode is ossSign/],
  ["sys/saveas,o_YQ", /can write/],
  ["sys/*", /can write/],
  ["image/resize,w_1|sys/saveas,o_YQ", /can write/],
  ["image/*,w_1", /only be the end/],
  ["image/**", /only be the end/],
  ["image/", /found "image\/"$/],
  ["image/resize w", /found "image\/resize w"$/],
  ["image/a&b", /found "image\/a&b"$/],
  ["image/%2e", /found "image\/%2e"$/],
  ["", /before a slash/],
];

for (const [value, hint] of BAD_PROCESS) {
  t.test(`${text(value)} cannot be allowed as x-oss-process`, async (t) => {
    const problems = problemsOf(signedWith({ 12: `    sign: { credentials: reader, process: [${text(value)}] }` }));
    t.equal(problems.length, 1);
    t.match(problems[0], /^g\.yaml:12:44: routes\[0\]\.sign\.process\[0\]: expected a value of x-oss-process/);
    t.match(problems[0], hint);
  });
}

t.test("a response override is told its full name", async (t) => {
  const line =
    "    sign: { credentials: reader, responseOverrides: [Content-Type, response-content-typ, x, response-expires] }";
  t.match(problemsOf(signedWith({ 12: line })), [
    /Overrides\[0\]: expected one of response-content-type, .*found "Content-Type"\. Write response-content-type\.$/,
    /Overrides\[1\]: .*Did you mean response-content-type\?$/,
    /Overrides\[2\]: .*found "x"$/,
  ]);
});

for (const root of ["vod/", "/vod", "/a//", "/a/../", "/a%20/", "/a?/", '"/a\\0/"', '"/"suffix']) {
  t.test(`${root} is no root of playlists`, async (t) => {
    const lines = {
      13: "    allow: { links: { secret: { env: A } } }",
      14: `    hls: { mode: rewrite, root: ${root} }`,
    };
    t.not(problemsOf(signedWith(lines)).length, 0);
  });
}

for (const root of ["/", "/ä b/c/"]) {
  t.test(`${root} is a root of playlists`, async (t) => {
    const lines = {
      13: "    allow: { links: { secret: { env: A } } }",
      14: `    hls: { mode: rewrite, root: ${root} }`,
    };
    t.equal(signedRoute(lines).hls?.root, root);
  });
}

const secureLink = (keys: string): string =>
  `    allow: { links: { secret: { env: A }, secureLink: { secret: { env: B }, ${keys} } } }`;

const BAD_SECURE_LINKS: readonly [keys: string, message: RegExp][] = [
  ['expression: "$secure_link_expires$uri"', /\$secret is missing/],
  ['expression: "$uri $secret"', /\$secure_link_expires is missing/],
  ['expression: "$secure_link_expires $secret"', /\$uri is missing/],
  ['expression: "$secure_link_expires$uri $secret_key"', /The variables are /],
  ['expression: "$secure_link_expires$uri$request_uri $secret"', /The variables are /],
  ['expression: "$secure_link_expires$uri$arg_ $secret"', /The variables are /],
  ['expression: "$secure_link_expires$uri $secret $"', /The variables are /],
  [`expression: "$\{secure_link_expires}$uri $secret"`, /without braces/],
  ['expression: ""', /\$secret is missing/],
  ['expression: "$secure_link_expires$uri $secret", md5Parameter: Signature', /has a meaning already/],
  ['expression: "$secure_link_expires$uri $secret", md5Parameter: ossgate-x', /has a meaning already/],
  ['expression: "$secure_link_expires$uri $secret", expiresParameter: Expires', /has a meaning already/],
  ['expression: "$secure_link_expires$uri $secret", expiresParameter: "a b"', /name of a query parameter/],
  ['expression: "$secure_link_expires$uri $secret", expiresParameter: md5', /two different parameters/],
];

for (const [keys, message] of BAD_SECURE_LINKS) {
  t.test(`a secure link with ${keys} is refused`, async (t) => {
    const problems = problemsOf(signedWith({ 13: secureLink(keys) }));
    t.equal(problems.length, 1);
    t.match(problems[0], message);
  });
}

const BAD_FORWARDS: readonly [url: string, message: RegExp][] = [
  ["app.example.com/uploaded", /Write the scheme too/],
  ["ftp://app.example.com", /expected a URL such as/],
  ["https://", /expected a URL such as/],
  ["https://app.example.com/a?b", /without '\?' and '#'/],
  ["https://app.example.com/a#b", /without '\?' and '#'/],
  ["https://me@app.example.com/a", /without user and password/],
  ["http://100.100.100.200/latest", /metadata service/],
  ["http://[::ffff:100.100.100.200]/latest", /metadata service/],
];

for (const [url, message] of BAD_FORWARDS) {
  t.test(`callbacks are not forwarded to ${url}`, async (t) => {
    const callback = `    callback: { forward: ${text(url)}, buckets: [media], secret: { env: A } }`;
    const problems = problemsOf(signedWith({ 10: callback, 11: "", 12: "", 13: "" }));
    t.equal(problems.length, 1);
    t.match(problems[0], message);
  });
}

t.test("an application may take 100ms to 4.5s, for OSS waits 5s", async (t) => {
  for (const timeout of ["99ms", "4600ms", "5s"]) {
    const callback = `    callback: { forward: "http://a.b/", buckets: [media], secret: { env: A }, timeout: ${timeout} }`;
    t.match(problemsOf(signedWith({ 10: callback, 11: "", 12: "", 13: "" })), [/a duration from 100ms to 4\.5s/]);
  }
});
