/** Servers of any locations and guards, in a real NGINX and in what import-nginx makes of them. */
import fc from "fast-check";
import t from "tap";
import { NEEDS_NGINX } from "../nginx/real-nginx.js";
import { type Asked, passTo, startBoth } from "../nginx/side-by-side.js";

const PASS = passTo("examplebucket");

const PREFIXES = ["/", "/private", "/private/", "/img/", "/img/pub/", "/img", "/v1", "/v1/", "/a.txt", "/x/"] as const;
const EXPRESSIONS = [
  "~ /\\.",
  "~* \\.(jpg|txt)$",
  "~ \\.zip$",
  "~ ^/img/",
  "~ ^/img",
  "~ ^/(img|old)/.*\\.(jpg|txt)$",
  "~ ^/v1$",
  "~* ^/private",
  "~ ^/private/(.*)$",
  "~ ^/private/pub/|^/x/",
  "~ (?<!a)\\.txt$",
  "~ ^/(?!img)",
  "~ .*",
] as const;

/** Two locations of one key cannot be in one server. */
const matcher = fc.oneof(
  fc
    .constantFrom(...PREFIXES)
    .chain((path) =>
      fc
        .constantFrom("", "^~ ", "= ")
        .map((modifier) => ({ text: modifier + path, key: (modifier === "= " ? "=" : "") + path })),
    ),
  fc.constantFrom(...EXPRESSIONS).map((text) => ({ text, key: text })),
);

const GUARDS = [
  "",
  "",
  "",
  "deny all;",
  "allow 192.0.2.1; deny all;",
  "allow 127.0.0.1; deny all;",
  "deny 127.0.0.1;",
  "allow all;",
  "limit_except GET { deny all; }",
  "if ($request_method = DELETE) { return 405; }",
  "if ($request_method !~ ^(GET|HEAD)$) { return 302 https://elsewhere.example.com/; }",
  "valid_referers *.example.com; if ($invalid_referer) { return 403; }",
  'if ($arg_k = "") { return 403; }',
  "if ($http_x_a != b) { rewrite ^ https://elsewhere.example.com/ redirect; }",
  "internal;",
  "rewrite ^/img/(.*)$ /private/$1 permanent;",
  "rewrite ^/old/(.*)$ /img/$1 last;",
  "rewrite ^ /index.html break;",
  "return 403;",
  "return 404;",
  "return 301 https://$host$request_uri;",
  "return 302 https://elsewhere.example.com$request_uri;",
] as const;

const HANDLERS = [PASS, PASS, PASS, PASS, passTo("otherbucket"), "", "root /nonexistent;"] as const;
const NESTED = [
  ...["", "", "", ""],
  "location ~ \\.txt$ { deny all; }",
  `location ~ \\.jpg$ { ${PASS} }`,
  `location ~ s\\.txt$ { allow all; ${PASS} }`,
] as const;

const location = fc.record({
  matcher,
  guard: fc.constantFrom(...GUARDS),
  handler: fc.constantFrom(...HANDLERS),
  nested: fc.constantFrom(...NESTED),
  path: fc.constantFrom("", "", "", "/", "/img/"),
});

/** A path in `proxy_pass` stands in no expression; and nothing stands in an exact location. */
function locationText({ matcher: { text }, guard, handler, nested, path }: Location): string {
  const proxied = path !== "" && handler === PASS && !text.startsWith("~") ? passTo("examplebucket", path) : handler;
  return `location ${text} { ${guard} ${proxied} ${text.startsWith("=") ? "" : nested} }`;
}

type Location = typeof location extends fc.Arbitrary<infer L> ? L : never;

const server = fc
  .record({
    own: fc.constantFrom("", "", "", "", "allow 127.0.0.1; deny all;", "deny all;", "if ($arg_k = no) { return 403; }"),
    locations: fc.uniqueArray(location, { selector: ({ matcher: { key } }) => key, minLength: 1, maxLength: 5 }),
    hasRoot: fc.boolean(),
  })
  .map(({ own, locations, hasRoot }) => {
    const all = hasRoot && !locations.some(({ matcher: { key } }) => key === "/") ? `location / { ${PASS} }` : "";
    return [own, ...locations.map(locationText), all].filter((text) => text !== "").join("\n  ");
  });

const KEYS = [
  ...["index.html", "a.txt", "b.jpg", "private", "private.zip", "private/s.txt", "private/1.jpg", "private/pub/a.txt"],
  ...[".git/config", "x/.env", "x/a.txt", "img", "img/1.jpg", "img/a.txt", "img/pub/2.jpg", "img2.txt", "old/a.txt"],
  ...["v1", "v1/k", "v1/a.txt", "v2"],
];
const TARGETS = [
  ...KEYS.map((key) => `/${key}`),
  "/",
  "/PRIVATE/s.txt",
  "/%70rivate/s.txt",
  "/img/%70ub/2.jpg",
  "/x/%2eenv",
];

const REQUESTS: readonly Asked[] = TARGETS.flatMap((target) => [
  { method: "GET", target },
  { method: "GET", target: `${target}?k=1`, headers: ["Referer", "https://www.example.com/", "X-A", "b"] },
  { method: "DELETE", target },
]);

const COUNT = 60;

t.test("what NGINX refuses or sends elsewhere by itself is never served", NEEDS_NGINX, async (t) => {
  const servers = fc.sample(server, COUNT);
  const both = await startBoth(t, { servers, keys: KEYS });
  const open: string[] = [];
  let [isServed, wasServed] = [0, 0];
  for (const [index, text] of servers.entries()) {
    for (const asked of REQUESTS) {
      const { theirs, ours, isTheirOwn } = await both.ask(index, asked);
      const is2xx = ours.status >= 200 && ours.status < 300;
      if (theirs.status < 300) [isServed, wasServed] = [isServed + Number(is2xx), wasServed + 1];
      if (isTheirOwn && theirs.status >= 300 && is2xx)
        open.push(`${asked.method} ${asked.target}: ${theirs.status} and ${ours.status} of server {\n  ${text}\n}`);
    }
  }
  t.same(open.slice(0, 3), []);
  t.comment(`${isServed} of ${wasServed} answers that NGINX served are served`);
  t.ok(isServed > wasServed / 4, "and not because nothing is");
});
